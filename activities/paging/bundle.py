"""A storm wakes a person once: what follows their first page within seconds goes out together ("7 more")."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from model.effects import Outcome, Page

Key = tuple[str, str, str, bool]
"""Person, channel, address, and whether it is a test: its pages stay in the house."""
Send = Callable[[list[Page], str], Awaitable[Outcome]]
"""Sends what waited as one page, under a key."""
KNOWN: Final = 5000
"""Contacts remembered: more are not paged within seconds."""


@dataclass
class _Bundle:
    pages: list[Page]
    key: str
    sent: asyncio.Future[Outcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Bundles:
    """What one worker sent to whom of late, and what waits to go out together.

    Each worker has its own: with two of them a storm may ring twice.
    """

    def __init__(
        self,
        within: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Bundle what comes within so many seconds of a page to the same contact; `clock` and `sleep` are for tests."""
        self._within = within
        self._clock = clock
        self._sleep = sleep
        self._last: dict[Key, tuple[float, int]] = {}
        self._waiting: dict[Key, _Bundle] = {}

    async def send(self, page: Page, key: str, send: Send) -> Outcome:
        """Send a page at once, if it is the first or worse than the last; else with those that come meanwhile.

        Returns:
            How it went, for the bundle as for each of its pages.
        """
        contact = page.person, page.contact.channel, page.contact.address, page.test
        now, within = self._clock(), self._within()
        at, severity = self._last.get(contact, (now - within, 0))
        waiting = self._waiting.get(contact)
        wait = at + within - now
        if page.severity < severity or (wait <= 0 and waiting is None):
            self._remember(contact, now, page.severity)
            return await send([page], key)
        if waiting is not None:
            waiting.pages.append(page)
            return await asyncio.shield(waiting.sent)
        bundle = self._waiting[contact] = _Bundle([page], key)
        try:
            await self._sleep(wait)
            del self._waiting[contact]
            self._remember(contact, self._clock(), min(it.severity for it in bundle.pages))
            outcome = await send(bundle.pages, key)
            if outcome.ok and len(bundle.pages) > 1:
                outcome = outcome.model_copy(update={"reason": f"one page for {len(bundle.pages)}"})
        except BaseException as error:
            # Whoever waits with this one must not wait for ever: their attempts are begun again.
            self._waiting.pop(contact, None)
            bundle.sent.set_result(
                Outcome(ok=False, reason=f"the page it was sent with ended ({type(error).__name__})")
            )
            raise
        bundle.sent.set_result(outcome)
        return outcome

    def _remember(self, contact: Key, at: float, severity: int) -> None:
        self._last.pop(contact, None)
        self._last[contact] = at, severity
        while len(self._last) > KNOWN:
            self._last.pop(next(iter(self._last)))
