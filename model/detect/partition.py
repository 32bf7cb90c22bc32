"""What `Detection` knows of one partition."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from model import messages
from model.catalogue.plan import AlarmFacts, Plan
from model.detect.damping import Flapping
from model.detect.standing import Standing
from model.detect.uptick import History
from model.effects import Order, Owed
from model.incident import AlarmFact, ReportFact, alarm_key
from model.messages import Answer
from model.policy import Policy

UNMAPPED = "unmapped"
"""The partition of what the catalogue does not know (design §2)."""


MARK = 10
"""Letters by which a member of a crowd is known."""


def _members(told: object) -> object:
    """Read the members of a crowd: one text, which a state hands on in half the room of a list."""
    if isinstance(told, str):
        return dict.fromkeys(told[place : place + MARK] for place in range(0, len(told), MARK))
    return dict.fromkeys(told) if isinstance(told, list) else told


Members = Annotated[
    dict[str, None], BeforeValidator(_members), PlainSerializer("".join, return_type=str, when_used="json")
]


class Watched(BaseModel):
    """An alarm that is in ALARM, and where it went.

    Attributes:
        said: What it said last: a flapping alarm is held in ALARM, whatever it says.
    """

    fact: AlarmFact
    said: Literal["ALARM", "OK"] = "ALARM"
    team: str = ""
    test: bool = False
    silenced: bool = False
    incident: str = ""
    plan: Plan | None = None


class Known(BaseModel):
    """An incident as far as the next alarm needs to know it.

    Attributes:
        apart: A person took it out of an event: no rule takes it in again.
    """

    id: str
    services: list[str] = []
    regions: list[str] = []
    kind: Literal["single_service", "multi_service"] = "single_service"
    phase: str = "engage"
    test: bool = False
    opened_at: datetime
    closed_at: datetime | None = None
    ended: bool = False
    apart: bool = False


class Told(BaseModel):
    """What alarms said last of a metric, for the dashboard (D6).

    Attributes:
        value: The last value told, if any was …
        at: … and when it was so.
        ok_since: When it became OK; None while it is in alarm, or never was.
    """

    value: float | None = None
    at: datetime | None = None
    ok_since: datetime | None = None


class Heard(ReportFact):
    """A customer report of late."""

    test: bool = False

    @property
    def fact(self) -> ReportFact:
        """What an incident is told of it."""
        return ReportFact.model_validate(self.model_dump(exclude={"test"}))


class Silenced(BaseModel):
    """Alarms that are expected until a moment."""

    service: str
    region: str = ""
    until: datetime
    reason: str
    by: str


class Unreadable(BaseModel):
    """Something that could not be read, kept so that somebody sees it."""

    at: datetime
    name: str
    why: str
    payload: str = ""


class Arrived(BaseModel):
    """A message that waits for the catalogue's answer."""

    at: datetime
    alarm: messages.Alarm | None = None
    report: messages.Report | None = None
    declare: messages.Declare | None = None
    split: messages.Split | None = None
    declared_as: str = ""


class Resolved(BaseModel):
    """What the catalogue says about one service: its facts, and whom it means now."""

    facts: AlarmFacts
    plan: Plan


class Resolution(BaseModel):
    """What the catalogue says to each question about some messages, and the policy in force for new incidents."""

    answers: list[Resolved]
    policy: Policy


class Detection(BaseModel):
    """Everything `Detection` knows of one partition; the only argument of its workflow.

    Attributes:
        flaps: How each alarm changed its state of late, who changed last behind …
        damped: … and those that are held still.
        crowds: Per crowded service and region, the alarms of it that are in ALARM and not kept one by one.
        metrics: What alarms said last, per service, region and metric (`metric_key`).
        reports: Those of the last two hours.
        cases: The support cases that were counted, shortened, and when.
        histories: Per service, region and kind of report, what is usual (`model.detect.reports`).
    """

    model_config = ConfigDict(extra="ignore")

    schema_version: int = 1
    clock_shift: timedelta = timedelta()
    partition: str
    policy: Policy = Field(default_factory=Policy)
    inbox: list[Arrived] = []
    alarms: Standing = Field(default_factory=Standing)
    flaps: dict[str, Flapping] = {}
    damped: dict[str, Flapping] = {}
    crowds: dict[str, Members] = {}
    metrics: dict[str, Told] = {}
    incidents: dict[str, Known] = {}
    reports: list[Heard] = []
    cases: dict[str, datetime] = {}
    histories: dict[str, History] = {}
    silences: list[Silenced] = []
    unreadable: list[Unreadable] = []
    repeats: int = 0
    opened: int = 0
    keys: dict[str, datetime] = {}
    answers: dict[str, Answer] = {}
    owed: dict[str, Owed] = {}
    next_order: int = 1
    handled: int = 0

    @property
    def id(self) -> str:
        """The workflow's id."""
        return f"detection/{self.partition}"

    def owe(self, order: Order, now: datetime) -> None:
        """Owe an effect under a deterministic key."""
        self.owed[f"{self.id}/{order.lane}/{self.next_order}"] = Owed(order=order, since=now)
        self.next_order += 1


def key_of(service: str, region: str, alarm: str, test: bool) -> str:
    """Return the key of an alarm; a test has its own."""
    return ("test/" if test else "") + alarm_key(service, region, alarm)


def metric_key(service: str, region: str, metric: str) -> str:
    """Return the key of a metric, which senders write in any case."""
    return "\t".join((service, region, metric.casefold()))
