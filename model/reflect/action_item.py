"""One promised fix, from the promise until it was tried against the failure it should prevent (R8-R11).

The plan may change, the goal and the promise may not: every date that moves is counted against one rule, in total.
What people may say of it is in `action_rules`, what time and other processes do to it in `action_course`.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, Field

from model.close.items import Item
from model.matter import SYSTEM
from model.reflect import after
from model.reflect.after import After
from model.text import cut, one_line
from model.times import Moment, utc

Status = Literal["open", "started", "implemented", "validated", "in_force", "done", "withdrawn"]

TRIALS_KEPT: Final = 20
"""Trials kept in full; how many failed is counted beyond them."""

WORKING = ("open", "started")
_SETTLED = ("validated", "in_force", "done", "withdrawn")


class Pending(BaseModel):
    """What waits for the manager's consent."""

    what: Literal["replan", "withdraw"]
    by: str
    at: Moment
    reason: str
    due: Moment | None = None
    approach: str = ""


class Trial(BaseModel):
    """One attempt to make the same failure happen again (R11)."""

    at: Moment
    by: str
    passed: bool
    method: str
    evidence: str


class TakingOver(BaseModel):
    """Somebody is to be the owner whom the plan does not know yet; the catalogue is asked."""

    owner: str
    team: str
    by: str


class Replaced(BaseModel):
    """The signal `replaced`: the item that is to replace this one has begun, or is validated."""

    by: str = Field(min_length=1)
    validated: bool = True


class CustomersTold(BaseModel):
    """The signal `customers_told`: customers have read when it comes now; without a date, that it does not come."""

    due: Moment | None


class ActionItem(After):
    """Everything an action item knows.

    Attributes:
        approach: How it is to be reached now; the goal stays.
        due_at: By when it is to be implemented.
        first_due_at: What was said at first; the allowance for slips is measured on it.
        agreed_due_at: The last date a manager agreed to; slips without asking count from there.
        slipped: What had slipped without asking before that agreement.
        promised_due_at: What customers were promised; only consent moves it.
        told_due_at: The date customers know.
        patch: The mitigation it is to replace, by its number in the incident.
        successor: The item that is to take its place, not validated yet.
        replaced_by: The validated item that takes its place.
    """

    n: int = 0
    goal: str = ""
    horizon: Literal["short", "mid", "long"] = "mid"
    kind: Literal["incremental", "replacement"] | None = None
    owner: str = ""
    validation: str = ""
    lesson: str = ""
    replaces: int | None = None
    patch: int | None = None
    status: Status = "open"
    approach: str = ""
    due_at: Moment
    first_due_at: Moment | None = None
    agreed_due_at: Moment | None = None
    slipped: timedelta = timedelta()
    promised: bool = False
    promised_due_at: Moment | None = None
    told_due_at: Moment | None = None
    started_at: Moment | None = None
    implemented_at: Moment | None = None
    evidence: str = ""
    validated_at: Moment | None = None
    settled_at: Moment | None = None
    trials: list[Trial] = []
    failed_trials: int = 0
    successor: str = ""
    replaced_by: str = ""
    pending: Pending | None = None
    taking_over: TakingOver | None = None

    @property
    def holder(self) -> str:
        """Its owner."""
        return self.owner

    @property
    def name(self) -> str:
        """What people call it."""
        return f"action {self.n}"

    @property
    def label(self) -> str:
        """What people call it, with what it is about."""
        return f"{self.name} ({cut(one_line(self.title), 100)})"

    @property
    def allowance(self) -> timedelta:
        """How far the date may slip in total without asking anybody (R10, design §5)."""
        first, opened = self.first_due_at or self.due_at, self.opened_at or self.due_at
        span = max(first - opened, timedelta())
        return min(max(self.policy.slip_days, span * self.policy.slip_share), self.policy.slip_cap)

    def slip_to(self, due: datetime) -> timedelta:
        """Return what would have slipped in total without asking, were this the date."""
        return self.slipped + max(due - (self.agreed_due_at or self.due_at), timedelta())

    @property
    def validation_due_at(self) -> datetime | None:
        """By when an implemented item is to be validated (R11)."""
        return self.implemented_at + self.policy.validate_within if self.implemented_at else None

    @property
    def deadline(self) -> datetime | None:
        """By when the next thing is owed: to be implemented, then to be validated."""
        if self.status in WORKING:
            return self.due_at
        return self.validation_due_at if self.status == "implemented" else None

    @property
    def asks_again_at(self) -> datetime | None:
        """When the owner of a fix in force is asked next for what replaces it."""
        if self.status != "in_force" or self.validated_at is None:
            return None
        return after.next_regular(self.validated_at, self.reminded.get("in_force"), self.policy.in_force_every)

    @property
    def customer_message_due(self) -> datetime | None:
        """Before when customers must hear that their promise has moved, or will not be kept (R10)."""
        known = self.told_due_at
        if not self.promised or known is None:
            return None
        moved = self.due_at > known and self.status in (*WORKING, "implemented")
        return known if self.status == "withdrawn" or moved else None

    @property
    def awaited(self) -> list[str]:
        """Its manager where consent waits, else its owner while anything is owed."""
        if self.pending:
            return after.manager(self)
        return [self.owner] if self.deadline else []

    @property
    def asked_for(self) -> datetime | None:
        """Since when consent waits."""
        return self.pending.at if self.pending else None

    def as_item(self) -> Item:
        """Return how the incident knows it."""
        return Item(
            id=self.id,
            kind="action",
            status=self.status,
            n=self.n,
            team=self.team,
            title=self.title,
            owner=self.owner,
            horizon=self.horizon,
            promised=self.promised,
            replaces=self.replaces,
            patch=self.patch,
            replacement=self.kind == "replacement",
            due_at=self.due_at,
            promised_due_at=self.promised_due_at,
            validated_at=self.validated_at,
            customer_message_due=self.customer_message_due,
            settled=self.status in _SETTLED and (self.ended or self.customer_message_due is None),
            revision=self.revision,
        )


def tell_replaced(item: ActionItem, now: datetime, *, validated: bool) -> None:
    """Tell the item that this one replaces, by itself: when it takes years, the incident is over by then."""
    said: dict[str, object] = {"by": item.id, "validated": validated}
    after.signal(item, f"{item.incident}/action/{item.replaces}", "replaced", said, now)


def end(
    item: ActionItem,
    status: Literal["done", "withdrawn"],
    now: datetime,
    line: str = "",
    by: str = SYSTEM,
    claimed: bool = False,
) -> None:
    """Settle it, and say so."""
    item.status, item.settled_at, item.pending = status, now, None
    # A withdrawn promise is over when customers know, or should have known.
    item.ended = item.customer_message_due is None
    after.report(item, now, line, "action", by, claimed)


def asked(pending: Pending) -> str:
    """Return what somebody wishes, in words."""
    wish = f"move it to {utc(pending.due)}" if pending.due else "withdraw it"
    return f"{pending.by} asks to {wish}: {cut(pending.reason, 300)}"


def tell_support(item: ActionItem, by: datetime, now: datetime) -> None:
    """Tell support that customers must hear something before a date."""
    what = "will not be kept" if item.status == "withdrawn" else f"moves to {utc(item.due_at)}"
    text = f"{item.incident}, {item.label}: what customers were promised for {utc(by)} {what}."
    how = f"Tell them before that date: `notify` with `actions: {item.n}`."
    after.tell(item, after.first_level(item, item.plan.support), f"{text} {how}", now)
