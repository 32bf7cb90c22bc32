"""When a provider of pages gets the next one, has it wait, or is left alone, so that the next channel is used at once.

A provider that takes every page and answers none costs each of them the whole time that a page has. After a few in a
row it is left alone for a moment, then asked with one page: it is the first that is taken which ends the rest (E3).
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from model.catalogue.entries import Contact
from model.policy import Policy

Verdict = Literal["go", "wait", "rest"]


def provider_of(contact: Contact) -> str:
    """Return who brings a page there: the channel, and of web addresses the host, too."""
    if not contact.address.startswith(("https://", "http://")):
        return contact.channel
    try:
        host = urlsplit(contact.address).netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    return f"{contact.channel} {host}".strip()


@dataclass
class Standing:
    """How a provider does. Moments are seconds of any clock that never goes back.

    Attributes:
        under_way: Pages it has and has not answered.
        unanswered: Pages in a row that it let wait, and did not take.
        taken_at: When it took one last.
        rests_until: While it is left alone: until when.
    """

    under_way: int = 0
    unanswered: int = 0
    taken_at: float = float("-inf")
    rests_until: float = float("-inf")

    def verdict(self, policy: Policy, now: float) -> Verdict:
        """Say what becomes of the next page: it goes now, waits for its turn, or takes another channel."""
        if self.unanswered >= policy.provider_unanswered:
            return "rest" if now < self.rests_until else "go"
        # In doubt no more than it takes to be sure: those under way will tell.
        most = policy.provider_unanswered - self.unanswered if self.unanswered else policy.provider_at_once
        return "go" if self.under_way < most else "wait"

    def begin(self, policy: Policy, now: float) -> None:
        """Hand over a page. The one that asks after a rest goes alone."""
        self.under_way += 1
        if self.unanswered >= policy.provider_unanswered:
            self.rests_until = now + policy.provider_rest.total_seconds()

    def end(self, policy: Policy, begun: float, now: float, taken: bool | None) -> None:
        """Hear how a page went.

        Args:
            policy: The numbers.
            begun: When it was handed over.
            now: When it ended.
            taken: None where nobody waited for the answer any more.
        """
        self.under_way -= 1
        waited = now - begun >= policy.provider_patience.total_seconds()
        if taken:
            self.unanswered, self.taken_at = 0, now
        elif not waited:
            # A quick no is an answer, and costs nobody time. Who did not wait for it knows nothing.
            self.unanswered = 0 if taken is False else self.unanswered
        elif begun >= self.taken_at:
            self.unanswered += 1
            if self.unanswered == policy.provider_unanswered:
                self.rests_until = now + policy.provider_rest.total_seconds()
