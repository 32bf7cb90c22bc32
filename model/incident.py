"""The incident: its facts, its words, and what it owes. Rules over it live in one file per phase."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field

from model.close.checklist import Checked, Suggestion
from model.close.items import Item
from model.coordinate.desk import Desk
from model.effects import Suspected
from model.matter import SYSTEM, Matter, unique
from model.mitigate.proposals import Proposal
from model.times import Moment

CALL_LEADERS = "call-leaders"
"""The engagement row of people beyond the teams (design §4)."""


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


class AlarmFact(BaseModel):
    """The latest an alarm of this event said."""

    alarm: str
    service: str
    region: str
    metric: str = ""
    source: str = "service"
    state: Literal["ALARM", "OK"] = "ALARM"
    since: Moment
    severity: int = Field(default=3, ge=1, le=5)
    summary: str = ""
    link: str = ""
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    flapping: str = ""

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
        rest_until: The provider asked to be left alone until then.
        final: No further attempt over this contact will succeed: the address bounces.
    """

    at: Moment
    team: str
    channel: str
    contact: int
    level: int
    call: int
    key: str
    confirmed: bool = False
    failed_at: Moment | None = None
    rest_until: Moment | None = None
    final: bool = False


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
    called_at: Moment
    clock_from: Moment
    level_at: list[Moment] = []
    manager_at: Moment | None = None
    beyond_at: Moment | None = None
    leaders_at: Moment | None = None
    exhausted_at: Moment | None = None
    shouted_at: Moment | None = None
    shouts: int = 0
    called_for: list[str] = []
    asleep: bool = False
    acknowledged_at: Moment | None = None
    acknowledged_by: str = ""
    joined_at: Moment | None = None
    released_at: Moment | None = None

    @property
    def open(self) -> bool:
        """Whether somebody of the team is still to be found."""
        return self.acknowledged_at is None and self.released_at is None and not self.asleep


class Responder(BaseModel):
    """One person in this incident: paged once, whatever the number of their teams (E6)."""

    call: int = 1
    pages: list[Paged] = []
    acknowledged_at: Moment | None = None
    joined_at: Moment | None = None
    join_chased_at: Moment | None = None
    join_told_at: Moment | None = None
    off_at: Moment | None = None


class Relief(BaseModel):
    """Somebody of a team whose part another takes over: their shift has ended, or they said so.

    Attributes:
        since: The end of the shift, or when they said so.
        followers: Who is called to take over; the first to acknowledge does.
        level: The level called last, counted from 1.
        called_at: When it was called.
        missed_at: When incident response heard that nobody takes over.
        stays: They stay until the next shift's end, and nobody is called.
        words: What they handed over.
    """

    team: str
    person: str
    since: Moment
    followers: list[str] = []
    level: int = 1
    called_at: Moment | None = None
    missed_at: Moment | None = None
    stays: bool = False
    words: str = ""


class Statement(BaseModel):
    """What a team said about its impact (C3); revised, never overwritten."""

    at: Moment
    team: str
    by: str
    impacted: Literal["yes", "no", "unknown"]
    customers: str = ""
    text: str = ""
    link: str = ""
    again_at: Moment | None = None


class Sent(BaseModel):
    """A message that left for an audience."""

    at: Moment
    audience: Literal["internal", "external"]
    to: list[str]
    text: str


class ReportFact(BaseModel):
    """Customer reports that became evidence (D5)."""

    at: Moment
    service: str
    region: str
    source: str
    count: int
    customer: str = ""
    text: str = ""
    link: str = ""
    case: str = ""


class Improvement(BaseModel):
    """An opportunity to improve, kept for the post-mortems (X3)."""

    at: Moment
    team: str
    by: str
    text: str


class Incident(Matter):
    """Everything an incident knows; the only argument of its workflow."""

    detection: str = ""
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
    explained_for: list[str] = []
    suspected: list[Suspected] = []
    absorbed: list[str] = []
    awaiting: dict[str, datetime] = {}
    alarms: dict[str, AlarmFact] = {}
    services: list[str] = []
    regions: list[str] = []
    leader: str = ""
    engagements: dict[str, Engagement] = {}
    people: dict[str, Responder] = {}
    reliefs: dict[str, Relief] = {}
    shifts_told: dict[str, datetime] = {}
    shifts_asked: dict[str, datetime] = {}
    statements: list[Statement] = []
    messages: list[Sent] = []
    reports: list[ReportFact] = []
    notes: list[Improvement] = []
    suspicion: str = ""
    proposals: list[Proposal] = []
    checked: list[Checked] = []
    suggestions: list[Suggestion] = []
    looked_back_at: datetime | None = None
    items: dict[str, Item] = {}
    first_mitigated_at: datetime | None = None
    recovery_at: datetime | None = None
    recovered_for: list[str] = []
    broken_tenets: list[str] = []
    desk: Desk = Desk()

    @property
    def gone_to(self) -> str:
        """Return the incident this one became part of."""
        return self.absorbed_into

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
