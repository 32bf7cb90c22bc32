"""The incident: its facts, its words, and what it owes. Rules over it live in one file per phase."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from model.effects import Order, Owed
from model.messages import Answer, Message
from model.plan import Plan, PlannedPerson
from model.policy import Policy
from model.text import Refused, cut

TIMELINE_KEPT = 200
"""Timeline entries an incident carries; older ones leave once the record has them (design §2)."""
ANSWERS_KEPT = 500
"""First answers kept per sender's key, so that a repeated message changes nothing."""
CALL_LEADERS = "call-leaders"
"""The engagement row of people beyond the teams (design §4)."""
SYSTEM = "allclear"
"""Who speaks when the system does."""


class Phase(StrEnum):
    """Where an incident is (design §2)."""

    DETECT = "detect"
    ENGAGE = "engage"
    COORDINATE = "coordinate"
    MITIGATE = "mitigate"
    VERIFY = "verify"
    CLOSE = "close"
    REFLECT = "reflect"
    ALL_CLEAR = "all_clear"
    ABSORBED = "absorbed"


BEFORE_CLOSE = (Phase.DETECT, Phase.ENGAGE, Phase.COORDINATE, Phase.MITIGATE, Phase.VERIFY)
"""Phases in which an alarm joins the event and people are paged."""

What = Literal[
    "opened", "promoted", "absorbed", "joined_by_alarm", "alarm", "reported", "engaged", "called_back",
    "paged",
    "acknowledged", "joined", "exhausted", "fallback", "nobody_on_call", "paging_stopped", "released",
    "stood_down",
    "statement", "observed", "lead", "severity", "made_big", "told", "refused", "tenet_broken", "phase",
    "verified", "verification_failed", "reopened", "closed", "all_clear", "unreadable", "unmapped",
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


class AlarmFact(BaseModel):
    """The latest an alarm of this event said."""

    alarm: str
    service: str
    region: str
    metric: str = ""
    source: str = "service"
    state: Literal["ALARM", "OK"] = "ALARM"
    since: datetime
    severity: int = 3
    summary: str = ""
    link: str = ""
    value: float | None = None
    threshold: float | None = None
    unit: str = ""

    @property
    def key(self) -> str:
        """What makes two messages speak of the same alarm."""
        return alarm_key(self.service, self.region, self.alarm)


def alarm_key(service: str, region: str, alarm: str) -> str:
    """Return the key under which an alarm is known."""
    return f"{service}/{region}/{alarm}"


class Paged(BaseModel):
    """One page, sent or tried.

    Attributes:
        contact: Which of the person's contacts, counted from 0.
        call: Which call of the person this page belongs to; a call-back starts a new one.
        confirmed: The provider took it.
    """

    at: datetime
    team: str
    channel: str
    contact: int
    level: int
    call: int
    key: str
    confirmed: bool = False
    failed_at: datetime | None = None


class Engagement(BaseModel):
    """One team in this incident.

    Attributes:
        called_at: Since when this call of the team runs; a later call-back starts it again.
        clock_from: From when its waiting times count (a raised severity starts them anew).
        level_at: When each level was reached in this call.
        called_for: Teams that did not answer, for whom this one was called.
        asleep: Paging rests, because the alarms have been clear and nobody has come (E6).
    """

    team: str
    reason: str
    called_at: datetime
    clock_from: datetime
    level_at: list[datetime] = []
    manager_at: datetime | None = None
    beyond_at: datetime | None = None
    leaders_at: datetime | None = None
    exhausted_at: datetime | None = None
    shouted_at: datetime | None = None
    shouts: int = 0
    called_for: list[str] = []
    asleep: bool = False
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    joined_at: datetime | None = None
    released_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether somebody of the team is still to be found."""
        return self.acknowledged_at is None and self.released_at is None and not self.asleep


class Responder(BaseModel):
    """One person in this incident: paged once, whatever the number of their teams (E6)."""

    call: int = 1
    pages: list[Paged] = []
    acknowledged_at: datetime | None = None
    joined_at: datetime | None = None
    join_chased_at: datetime | None = None
    join_told_at: datetime | None = None
    off_at: datetime | None = None


class Statement(BaseModel):
    """What a team said about its impact (C3); revised, never overwritten."""

    at: datetime
    team: str
    by: str
    impacted: Literal["yes", "no", "unknown"]
    customers: str = ""
    text: str = ""
    link: str = ""
    again_at: datetime | None = None


class Sent(BaseModel):
    """A message that left for an audience."""

    at: datetime
    audience: Literal["internal", "external"]
    to: list[str]
    text: str


class ReportFact(BaseModel):
    """Customer reports that became evidence (D5)."""

    at: datetime
    service: str
    region: str
    source: str
    count: int
    customer: str = ""
    text: str = ""
    case: str = ""


class Improvement(BaseModel):
    """An opportunity to improve, kept for the post-mortems (X3)."""

    at: datetime
    team: str
    by: str
    text: str


class Incident(BaseModel):
    """Everything an incident knows; the only argument of its workflow."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int = 1
    clock_shift: timedelta = timedelta()
    id: str
    detection: str = ""
    test: bool = False
    title: str = ""
    kind: Literal["single_service", "multi_service"] = "single_service"
    big_since: datetime | None = None
    severity: int = 3
    phase: Phase = Phase.DETECT
    opened_at: datetime
    opened_by: str = SYSTEM
    detected_by: str = "service"
    linked_to: str = ""
    customers_hit: str = ""
    mitigated_at: datetime | None = None
    clear_since: datetime | None = None
    paging_stopped_at: datetime | None = None
    closed_at: datetime | None = None
    close_reason: str = ""
    all_clear_at: datetime | None = None
    absorbed_into: str = ""
    absorbed: list[str] = []
    awaiting: dict[str, datetime] = {}
    alarms: dict[str, AlarmFact] = {}
    services: list[str] = []
    regions: list[str] = []
    plan: Plan = Field(default_factory=Plan)
    policy: Policy = Field(default_factory=Policy)
    leader: str = ""
    engagements: dict[str, Engagement] = {}
    people: dict[str, Responder] = {}
    statements: list[Statement] = []
    messages: list[Sent] = []
    reports: list[ReportFact] = []
    notes: list[Improvement] = []
    suspicion: str = ""
    broken_tenets: list[str] = []
    refused: list[str] = []
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
    handled: int = 0
    ended: bool = False

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
            The key, `{incident}/{step}` (design §6.2).
        """
        if not key:
            key = f"{self.id}/{order.lane}/{self.next_order}"
            self.next_order += 1
        self.owed.setdefault(key, Owed(order=order, since=now))
        return key

    def trim(self) -> None:
        """Let old entries go that the record has, and old answers."""
        spare = len(self.timeline) - TIMELINE_KEPT
        if spare > 0:
            self.timeline = [entry for n, entry in enumerate(self.timeline) if n >= spare or entry.seq > self.recorded]
        while len(self.answers) > ANSWERS_KEPT:
            self.answers.pop(next(iter(self.answers)))

    @property
    def unrecorded(self) -> list[Entry]:
        """Entries the record does not have yet."""
        return [entry for entry in self.timeline if entry.seq > self.recorded]

    @property
    def in_alarm(self) -> list[AlarmFact]:
        """Alarms of this event that are in ALARM."""
        return [fact for fact in self.alarms.values() if fact.state == "ALARM"]

    @property
    def owners(self) -> list[str]:
        """The owning teams of the impacted services, each once."""
        return unique(self.plan.services[s].team for s in self.services if s in self.plan.services)

    @property
    def big(self) -> bool:
        """Whether this is a full response."""
        return self.kind == "multi_service"


class Act:
    """A person's message on its way into an incident: who speaks, and with what right.

    A rule takes the act, refuses by raising `Refused` before anything changed, and returns what to do.
    """

    def __init__(self, incident: Incident, message: Message, now: datetime) -> None:
        if incident.phase == Phase.ABSORBED:
            raise Refused(f"this is now {incident.absorbed_into}: send it there")
        self.incident = incident
        self.message = message
        self.now = now
        self.at = min(message.at, now) if message.at else now
        self.person = sender(incident, message)

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
        self.incident.say(what, text, now=self.at, by=self.by, claimed=self.claimed, link=link)

    def answer(self, text: str) -> Answer:
        """Return what the sender hears."""
        return Answer(incident=self.incident.id, at=self.now, text=text)


def sender(incident: Incident, message: Message) -> PlannedPerson:
    """Return who sent a message.

    Raises:
        Refused: Nobody said who they are, or the name is nobody's in this incident.
    """
    if not message.by:
        raise Refused(f"say who you are, for example {message.example_json()}")
    person = incident.plan.person(message.by)
    if person is None:
        known = ", ".join(sorted(incident.plan.people))
        raise Refused(
            f"'{message.by}' is not on call for, manager of or called into {incident.id}; "
            f"known here by id or e-mail: {known}. Somebody of them can `engage` another team"
        )
    return person


def unique(names: Iterable[str]) -> list[str]:
    """Return the names, each once, in their order."""
    return list(dict.fromkeys(name for name in names if name))


def snapshot(incident: Incident) -> dict[str, Any]:
    """Return the whole state as JSON."""
    return incident.model_dump(mode="json")
