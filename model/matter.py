"""What every long-lived matter has: words with their time, effects it owes, answers it gave, and who may speak.

An incident is one, and so is everything that follows from it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from model.catalogue.plan import Plan, PlannedPerson
from model.effects import Order, Owed, Recipient, Tell
from model.message import Message
from model.messages import Answer
from model.policy import Policy
from model.text import Refused, cut

TIMELINE_BYTES = 256 * 1024
"""Bytes of words in the timeline's entries (policy `snapshot_timeline`); what the record has leaves earlier when they
are long. Technical, like the others here: they follow from what Temporal takes, and cannot be wished for."""
ROOM = 1536 * 1024
"""Bytes of JSON that people's messages may fill: a state of 2 MiB could not be handed to the next run, for good
(facts-temporal: TMPRL1103). The rest is for what machines and our own processes say."""
ALWAYS_FITS = 512
"""Bytes a message may always have: an acknowledgement, a decision or a short word is never refused for its length."""
ANSWERS_KEPT = 500
"""First answers kept per sender's key, so that a repeated message changes nothing."""
SYSTEM = "allclear"
"""Who speaks when the system does."""

What = Literal[
    "opened", "promoted", "absorbed", "joined_by_alarm", "alarm", "reported", "engaged", "called_back", "paged",
    "acknowledged", "joined", "exhausted", "fallback", "nobody_on_call", "paging_stopped", "released", "stood_down",
    "statement", "statement_missing", "observed", "lead", "forked", "rejoined", "severity", "made_big", "told",
    "proposed", "decided", "executed", "stopped", "expired", "refused", "tenet_broken", "phase", "verified",
    "verification_failed", "recovery", "draft_waiting", "held", "notified", "related", "inquiry", "sentiment",
    "checked", "coe_suggested", "coe_declined", "coe_assigned", "coe", "rca", "action", "campaign", "overdue",
    "reopened", "closed", "all_clear", "unreadable", "unmapped", "linked", "shift",
]  # fmt: skip
"""The closed vocabulary of a timeline's entries."""


class Entry(BaseModel):
    """One line of the ticket."""

    seq: int
    at: datetime
    what: What
    by: str
    text: str
    claimed: bool = False
    link: str = ""


class Matter(BaseModel):
    """What every matter's state begins with."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int = 1
    clock_shift: timedelta = timedelta()
    id: str
    test: bool = False
    title: str = ""
    plan: Plan = Field(default_factory=Plan)
    policy: Policy = Field(default_factory=Policy)
    timeline: list[Entry] = []
    next_seq: int = 1
    recorded: int = 0
    record_tries: int = 0
    record_retry_at: datetime | None = None
    record_error: str = ""
    ticket_error: str = ""
    owed: dict[str, Owed] = {}
    next_order: int = 1
    answers: dict[str, Answer] = {}
    ended: bool = False

    @property
    def gone_to(self) -> str:
        """Return where this matter went on, if it did."""
        return ""

    def say(
        self, what: What, text: str, *, now: datetime, by: str = SYSTEM, claimed: bool = False, link: str = ""
    ) -> None:
        """Add a line to the timeline."""
        self.timeline.append(
            Entry(seq=self.next_seq, at=now, what=what, by=by, text=cut(text), claimed=claimed, link=link)
        )
        self.next_seq += 1

    def owe(self, order: Order, *, now: datetime, key: str = "") -> str:
        """Owe an effect under a deterministic key; owing it twice is owing it once.

        Returns:
            The key, `{matter}/{step}` (design §6.2).
        """
        if not key:
            key = f"{self.id}/{order.lane}/{self.next_order}"
            self.next_order += 1
        self.owed.setdefault(key, Owed(order=order, since=now))
        return key

    def trim(self) -> None:
        """Let old entries go that the record has, and old answers."""
        kept = words = 0
        for entry in reversed(self.timeline):
            words += len(entry.text.encode()) + len(entry.link.encode())
            if kept == self.policy.snapshot_timeline or words > TIMELINE_BYTES:
                break
            kept += 1
        spare = len(self.timeline) - kept
        if spare > 0:
            self.timeline = [entry for n, entry in enumerate(self.timeline) if n >= spare or entry.seq > self.recorded]
        while len(self.answers) > ANSWERS_KEPT:
            self.answers.pop(next(iter(self.answers)))

    @property
    def unrecorded(self) -> list[Entry]:
        """Entries the record does not have yet."""
        return [entry for entry in self.timeline if entry.seq > self.recorded]


AnyMatter = TypeVar("AnyMatter", bound=Matter)


class Act(Generic[AnyMatter]):
    """A person's message on its way into a matter: who speaks, and with what right.

    A rule takes the act, refuses by raising `Refused` before anything changed, and returns what to do.
    """

    def __init__(self, matter: AnyMatter, message: Message, now: datetime) -> None:
        """Take a message at a moment.

        Raises:
            Refused: The matter went on elsewhere, has no room for so many words, or nobody says who they are.
        """
        if matter.gone_to:
            raise Refused(f"this is now {matter.gone_to}: send it there")
        _must_fit(matter, message)
        self.matter = matter
        self.message = message
        self.now = now
        self.at = min(message.at, now) if message.at else now
        self.person = sender(matter, message)

    @property
    def by(self) -> str:
        """The sender's id."""
        return self.person.id

    @property
    def claimed(self) -> bool:
        """Whether the sender's name was only typed."""
        return not self.message.proven

    def say(self, what: What, text: str, link: str = "") -> None:
        """Add a line in the sender's name, at the time the fact was so."""
        self.matter.say(what, text, now=self.at, by=self.by, claimed=self.claimed, link=link)

    def answer(self, text: str) -> Answer:
        """Return what the sender hears."""
        return Answer(incident=self.matter.id, at=self.now, text=text)


def _must_fit(matter: Matter, message: Message) -> None:
    """Let a message take at most half of the room that is left, so that the last ones are short ones.

    Raises:
        Refused: It is too long for that.
    """
    size = len(message.model_dump_json())
    if size <= ALWAYS_FITS:
        return
    most = max((ROOM - len(matter.model_dump_json())) // 2, ALWAYS_FITS)
    if size > most:
        raise Refused(
            f"{matter.id} is nearly full of words: a message may have {most} bytes now, this one has {size}; "
            "put the words elsewhere and send a link"
        )


def echo(act: Act[AnyMatter], answer: Answer) -> None:
    """Tell the person in whose name something was decided, when the name was only typed (design §3)."""
    if act.claimed and act.message.decides and act.person.contacts:
        text = f"{act.matter.id}, in your name: {answer.text}. If this was not you, tell incident response."
        order = Tell(
            incident=act.matter.id,
            to=act.person.teams[:1],
            recipients=[Recipient(person=act.by, contact=act.person.contacts[0])],
            text=text,
            at=act.now,
            test=act.matter.test,
        )
        act.matter.owe(order, now=act.now)


def sender(matter: Matter, message: Message) -> PlannedPerson:
    """Return who sent a message.

    Raises:
        Refused: Nobody said who they are, or the name is nobody's in this matter.
    """
    if not message.by:
        raise Refused(f"say who you are, for example {message.example_json()}")
    person = matter.plan.person(message.by)
    if person is None:
        known = ", ".join(sorted(matter.plan.people))
        raise Refused(
            f"'{message.by}' is not on call for, manager of or called into {matter.id}; "
            f"known here by id or e-mail: {known}. Somebody of them can `engage` another team"
        )
    return person


def unique(names: Iterable[str]) -> list[str]:
    """Return the names, each once, in their order."""
    return list(dict.fromkeys(name for name in names if name))
