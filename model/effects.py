"""What a process owes the outside world, and how an attempt ended (design §6: at least once, nothing silent)."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from model.catalogue.plan import Contact, Plan
from model.coordinate.wording import ExternalFacts, ExternalText, InternalFacts
from model.policy import Policy


class Page(BaseModel):
    """One page to one person over one channel. The connector adds its links and writes the text."""

    lane: Literal["page"] = "page"
    incident: str
    person: str
    name: str = ""
    contact: Contact
    team: str
    level: int
    severity: int
    service: str = ""
    region: str = ""
    what: str = ""
    opened_at: datetime
    at: datetime
    customers_hit: bool | None = None
    call_phone: str = ""
    tech_call: str = ""
    test: bool = False


class Recipient(BaseModel):
    """A person to be told, and where."""

    person: str
    contact: Contact


class Tell(BaseModel):
    """A quiet message inside the house: nobody is woken by it."""

    lane: Literal["message"] = "message"
    incident: str
    to: list[str]
    recipients: list[Recipient]
    text: str
    at: datetime
    test: bool = False


class Signal(BaseModel):
    """A word to another process of ours."""

    lane: Literal["signal"] = "signal"
    workflow_id: str
    name: str
    payload: dict[str, Any]


class Start(BaseModel):
    """Another process of ours begins."""

    lane: Literal["process"] = "process"
    workflow: str
    workflow_id: str
    origin: str
    payload: dict[str, Any]


class Forward(BaseModel):
    """A message that came to the wrong partition goes on to its own."""

    lane: Literal["forward"] = "forward"
    partition: str
    name: str
    payload: dict[str, Any]
    clock_shift: timedelta = timedelta()


class Lookup(BaseModel):
    """A question to the telemetry: which deployments ran around the start (M2)."""

    lane: Literal["lookup"] = "lookup"
    incident: str
    services: list[str]
    since: datetime
    until: datetime
    test: bool = False


class Execute(BaseModel):
    """A step of the mitigation ladder is run, or undone (M1)."""

    lane: Literal["execute"] = "execute"
    incident: str
    proposal: int
    kind: str
    target: str
    set_aside: list[str] = []
    undo: bool = False
    at: datetime
    test: bool = False


class Deliver(BaseModel):
    """The approved RCA for one customer (R7): it leaves once, under one key.

    Attributes:
        contacts: Where; without any, the catalogue's at that moment count.
    """

    lane: Literal["deliver"] = "deliver"
    incident: str
    customer: str
    contacts: list[Contact] = []
    text: str
    at: datetime
    test: bool = False


class Compose(BaseModel):
    """Words are made of facts, by a template; which template follows from the facts' type (C8).

    Attributes:
        draft: For customers: which draft.
        final: It goes now; otherwise it is shown to a person first.
        to: In the house: the teams.
        people: And the people.
    """

    lane: Literal["compose"] = "compose"
    incident: str
    facts: Annotated[ExternalFacts | InternalFacts, Field(discriminator="audience")]
    draft: int = 0
    final: bool = False
    to: list[str] = []
    people: list[str] = []
    at: datetime


class Notice(BaseModel):
    """A message to customers, each by their own contacts.

    Attributes:
        draft: Its number.
        to: Customers' ids.
        services: Service ids it is about, so that each customer is told which of theirs.
    """

    lane: Literal["notice"] = "notice"
    incident: str
    draft: int
    to: list[str]
    services: list[str] = []
    text: ExternalText
    by: str = ""
    at: datetime
    test: bool = False


class Publication(BaseModel):
    """An entry on the public status page; a person has asked for it.

    Attributes:
        services: What it is about, as customers call it.
    """

    lane: Literal["publish"] = "publish"
    incident: str
    draft: int
    about: ExternalText
    services: list[str] = []
    text: ExternalText
    status: Literal["wrong", "mitigated", "resolved"]
    by: str = ""
    at: datetime
    test: bool = False


class Follow(BaseModel):
    """What outside follows the record, a ticket or a room, is brought up to it (C1, C4).

    Attributes:
        system: As the settings name it.
        upto: The line of the timeline that the record has.
    """

    lane: Literal["mirror"] = "mirror"
    matter: str
    system: str
    upto: int


class PlanRequest(BaseModel):
    """A question to the catalogue: whom do these teams and services mean now.

    Attributes:
        common: Impacted services: what do they stand on together (D3)?
        shift: It is about who takes over for these teams: after their shift's end, asked at that end or before it
            (`ahead`), or who was `named`. Nobody else is called in for it.
        people: Who was named, by id or e-mail address.
    """

    lane: Literal["plan"] = "plan"
    services: list[str] = []
    teams: list[str] = []
    suspects: bool = False
    common: list[str] = []
    shift: Literal["", "ahead", "ended", "named"] = ""
    people: list[str] = []
    reason: str = ""
    by: str = ""
    at: datetime


Order = Annotated[
    Page
    | Execute
    | Deliver
    | Tell
    | Notice
    | Publication
    | Compose
    | Signal
    | Start
    | Forward
    | Lookup
    | Follow
    | PlanRequest,
    Field(discriminator="lane"),
]
Lane = Literal[
    "execute",
    "deliver",
    "page",
    "message",
    "notice",
    "publish",
    "compose",
    "signal",
    "process",
    "forward",
    "lookup",
    "mirror",
    "plan",
]


AnyOrder = TypeVar("AnyOrder", bound=BaseModel)


class Errand(BaseModel, Generic[AnyOrder]):
    """An order with its deterministic key: what an activity gets (design §6.2)."""

    key: str
    order: AnyOrder


class Deployment(BaseModel):
    """One deployment as the pipelines report it."""

    service: str
    version: str
    started: datetime
    finished: datetime | None = None


class Suspected(BaseModel):
    """A dependency that several impacted services share (D3).

    Attributes:
        explains_most: At least half of the impacted services stand on it.
    """

    service: str
    team: str
    why: str
    explains_most: bool = False


class Outcome(BaseModel):
    """How an attempt ended.

    Attributes:
        ok: The other side took it.
        reason: Why not, in words for the timeline.
        again: Another attempt may succeed (a bounced address will not).
        retry_after: When the other side asked to be left alone, for how long.
        plan: The answer to a `PlanRequest`.
        suspected: And what the services it named have in common, the likeliest first.
        deployments: The answer to a `Lookup`; none where no source is configured.
        text: The answer to a `Compose`.
        left: Of a `Notice`'s customers, whom it did not reach yet.
        lost: And whom it will never reach.
        mirrors: Of a record: the systems that follow this matter.
        upto: Of a `Follow`: the last line brought.
        link: And where people find it, when it is new there.
        closed: Where people over there had closed what is still open here.
    """

    ok: bool = True
    reason: str = ""
    again: bool = True
    retry_after: timedelta | None = None
    plan: Plan | None = None
    suspected: list[Suspected] = []
    deployments: list[Deployment] | None = None
    text: str = ""
    left: list[str] = []
    lost: list[str] = []
    mirrors: list[str] = []
    upto: int = 0
    link: str = ""
    closed: str = ""


class Owed(BaseModel):
    """An effect that is not yet confirmed."""

    order: Order
    since: datetime
    tries: int = 0
    retry_at: datetime | None = None
    error: str = ""


def backoff(policy: Policy, tries: int) -> timedelta:
    """Return how long to wait after `tries` failed attempts: doubling, bounded by the policy."""
    doubled = policy.owed_retry_first * float(1 << min(max(tries - 1, 0), 20))
    return min(doubled, policy.owed_retry_most)


def failed(owed: Owed, outcome: Outcome, policy: Policy, now: datetime) -> None:
    """Record a failed attempt and when the next one is due."""
    owed.tries += 1
    owed.error = outcome.reason
    owed.retry_at = now + max(backoff(policy, owed.tries), outcome.retry_after or timedelta())


def ready(owed: dict[str, Owed], now: datetime) -> dict[Lane, list[str]]:
    """Return the keys of each lane whose attempt is due, oldest first."""
    found: dict[Lane, list[str]] = {}
    for key, it in owed.items():
        if it.retry_at is None or it.retry_at <= now:
            found.setdefault(it.order.lane, []).append(key)
    return found


def next_retry(owed: dict[str, Owed]) -> datetime | None:
    """Return when the earliest waiting attempt is due."""
    return min((it.retry_at for it in owed.values() if it.retry_at), default=None)
