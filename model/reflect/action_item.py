"""One promised fix, from the promise until it was tried against the failure it should prevent (R8-R11).

The plan may change, the goal and the promise may not: every date that moves is counted against one rule, in total.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel

from model.close.items import Item
from model.effects import PlanRequest
from model.matter import SYSTEM, Act, unique
from model.messages import Answer
from model.reflect import after, after_messages
from model.reflect.after import After, Commit
from model.text import Refused, cut, one_line
from model.times import Moment, ago

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

    by: str = ""
    validated: bool = True


class CustomersTold(BaseModel):
    """The signal `customers_told`: customers have read when it comes now; without a date, that it does not come."""

    due: Moment | None = None


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


# --- what people say ------------------------------------------------------------------------------------


def start(act: Act[ActionItem]) -> Commit:
    """Say that work has begun."""
    item = act.matter
    _may(act, "start")
    if item.status != "open":
        raise Refused(f"{item.id} is {item.status} already")

    def commit() -> Answer:
        item.status, item.started_at = "started", _fact(act)
        _say(act, "started")
        return act.answer(f"{item.name} is started; due {day(item.due_at)}")

    return commit


def replan(act: Act[ActionItem]) -> Commit:
    """Change the way, or move the date: a small slip at once, a larger one when the manager agrees (R10)."""
    message = act.message
    assert isinstance(message, after_messages.Replan)
    item, due = act.matter, message.due
    _may(act, "replan")
    if item.status not in WORKING:
        raise Refused(f"{item.id} is {item.status}: its date was {day(item.due_at)}; next it is to be validated")
    if due is None and not message.plan:
        raise Refused(f"say what changes, `plan` or `due`: {message.example_json()}")
    if due is not None and due <= act.now:
        raise Refused(f"`due` is past (now {act.now:%Y-%m-%dT%H:%M:%SZ})")
    asks = due is not None and due > item.due_at and item.slip_to(due) > item.allowance

    def commit() -> Answer:
        if due is not None and asks:
            return _ask(act, Pending(what="replan", by=act.by, at=act.now, reason=message.reason, due=due,
                                     approach=message.plan))  # fmt: skip
        moved = due is not None and due != item.due_at
        if due is not None:
            item.pending = None
        line = _move(item, due or item.due_at, message.plan)
        _say(act, f"{line}: {message.reason}")
        if moved:
            _promise_moved(item, act.now)
        spent = item.slip_to(item.due_at)
        tail = f" (slipped {ago(spent)} of {ago(item.allowance)} without asking)" if spent else ""
        return act.answer(f"due {day(item.due_at)}{tail}" if moved else "the plan is changed; date and goal stay")

    return commit


def _move(item: ActionItem, due: datetime, approach: str) -> str:
    """Take a new date and approach, and return both in words."""
    moved = f"moved from {day(item.due_at)} to {day(due)}" if due != item.due_at else "replanned"
    item.due_at = due
    item.approach = approach or item.approach
    return f"{moved}, now: {cut(approach, 300)}" if approach else moved


def _ask(act: Act[ActionItem], pending: Pending) -> Answer:
    item = act.matter
    item.pending = pending
    who = " or ".join(unique([*after.manager(item), *item.plan.call_leaders]))
    waits = f"waits for {who} to `agree`"
    if pending.due:
        slip = ago(item.slip_to(pending.due))
        waits = f"slips {slip} in total, {ago(item.allowance)} go without asking: {waits}"
    _say(act, f"{asked(pending)}; {waits}")
    return act.answer(waits)


def agree(act: Act[ActionItem]) -> Commit:
    """Consent to what waits; customers are owed a message where a promise moves (R10)."""
    message = act.message
    assert isinstance(message, after_messages.Agree)
    item, pending = act.matter, act.matter.pending
    _may(act, "agree")
    if pending is None:
        raise Refused(f"nothing of {item.id} waits for consent; it is {item.status}, due {day(item.due_at)}")

    def commit() -> Answer:
        item.pending = None
        words = f": {message.reason}" if message.reason else ""
        if pending.what == "withdraw":
            _withdrawn(act, f"withdrawn for {pending.by} ({cut(pending.reason, 300)}), agreed{words}")
            return act.answer(f"{item.name} is withdrawn")
        due = pending.due or item.due_at
        before = item.slip_to(item.due_at)
        line = _move(item, due, pending.approach)
        item.slipped, item.agreed_due_at = before, due
        if item.promised:
            item.promised_due_at = due
        _say(act, f"{line} for {pending.by} ({cut(pending.reason, 300)}), agreed{words}")
        _promise_moved(item, act.now)
        return act.answer(f"agreed: due {day(due)}")

    return commit


def _promise_moved(item: ActionItem, now: datetime) -> None:
    by = item.customer_message_due
    if by is None:
        return
    gone = "withdrawn" if item.status == "withdrawn" else "moved"
    after.report(item, now, f"promise {gone}: customers must be told before {day(by)} ({item.name})", "action")
    tell_support(item, by, now)


def implemented(act: Act[ActionItem]) -> Commit:
    """Say that it is built: from now on it is to be validated (R11)."""
    message = act.message
    assert isinstance(message, after_messages.Implemented)
    item = act.matter
    _may(act, "implemented")
    if item.status not in WORKING:
        raise Refused(f"{item.id} is {item.status} already")

    def commit() -> Answer:
        item.status, item.implemented_at, item.evidence = "implemented", _fact(act), message.evidence
        item.started_at = item.started_at or item.implemented_at
        item.pending = None
        _say(act, f"implemented: {cut(message.evidence, 300)}")
        by = item.validation_due_at or act.now
        how = cut(item.validation, 300) or "try the same conditions"
        return act.answer(f"implemented; now validate it by {day(by)}: {how}")

    return commit


def validated(act: Act[ActionItem]) -> Commit:
    """Say how the trial went: done only when the same conditions did not lead to the same failure (R11)."""
    message = act.message
    assert isinstance(message, after_messages.Validated)
    item = act.matter
    _may(act, "validated")
    if item.status in WORKING:
        raise Refused(f"{item.id} is {item.status}: send `implemented` with the evidence first")
    if item.status != "implemented":
        raise Refused(f"{item.id} is {item.status} already")

    def commit() -> Answer:
        trial = Trial(at=_fact(act), by=act.by, passed=message.passed, method=message.method, evidence=message.evidence)
        item.trials = [*item.trials, trial][-TRIALS_KEPT:]
        return _passed(act, trial) if trial.passed else _failed(act, trial)

    return commit


def _failed(act: Act[ActionItem], trial: Trial) -> Answer:
    item = act.matter
    item.failed_trials += 1
    item.status, item.implemented_at = "started", None
    words = f"{cut(trial.method, 300)} — {cut(trial.evidence, 300)}"
    line = f"VALIDATION FAILED ({item.failed_trials}): the same conditions led to the same failure: {words}"
    _say(act, line)
    response = after.first_level(item, item.plan.incident_response)
    text = f"{item.incident}, {item.label}: {line}. It is started again, due {day(item.due_at)}."
    after.tell(item, [item.owner, *after.manager(item), *response], text, act.now)
    return act.answer(f"not done: {item.name} is started again, due {day(item.due_at)}")


def _passed(act: Act[ActionItem], trial: Trial) -> Answer:
    item = act.matter
    item.status, item.validated_at, item.pending = "validated", trial.at, None
    _say(act, f"validated: {cut(trial.method, 300)} — {cut(trial.evidence, 300)}")
    if item.replaces is not None:
        tell_replaced(item, act.now, validated=True)
    if item.horizon == "short" and not item.replaced_by:
        item.status = "in_force"
        after.report(item, act.now)
        return act.answer(f"validated; {item.name} stays in force until what replaces it is validated")
    _end(item, "done", act.now)
    return act.answer(f"validated: {item.name} is done")


def hand_over(act: Act[ActionItem]) -> Commit:
    """Give it to another owner."""
    message = act.message
    assert isinstance(message, after_messages.HandOver)
    item = act.matter
    _may(act, "hand_over")
    person = item.plan.person(message.owner)
    if person is None and not message.team:
        known = ", ".join(sorted(item.plan.people))
        raise Refused(f"'{message.owner}' is not known here, name their `team` too; known are {known}")
    if person is not None and person.id == item.owner:
        raise Refused(f"{item.id} is {person.id}'s already")

    def commit() -> Answer:
        if person is not None:
            team = message.team if message.team in person.teams else ""
            _own(item, person.id, team, act.by, act.now, message.reason)
            return act.answer(f"{item.name} is {person.id}'s now")
        item.taking_over = TakingOver(owner=message.owner, team=message.team, by=act.by)
        order = PlanRequest(teams=unique([message.team, *item.teams]), at=act.now, by=act.by)
        item.owe(order, now=act.now)
        return act.answer(f"the catalogue is asked who {message.owner} is; then {item.name} is theirs")

    return commit


def taken_over(item: ActionItem, teams: list[str], now: datetime) -> None:
    """Give it to whom the catalogue was asked about, now that it has answered about some teams."""
    wish = item.taking_over
    if wish is None or wish.team not in teams:
        return
    item.taking_over = None
    person = item.plan.person(wish.owner)
    if person is not None:
        _own(item, person.id, wish.team if wish.team in person.teams else "", wish.by, now, "")
        return
    text = f"{item.id} stays with {item.owner}: the catalogue has no '{wish.owner}' in {wish.team}."
    item.say("refused", text, now=now, by=wish.by)
    after.tell(item, [wish.by], text, now)


def _own(item: ActionItem, owner: str, team: str, by: str, now: datetime, reason: str) -> None:
    before, item.owner = item.owner, owner
    teams = item.plan.people[owner].teams
    if team or item.team not in teams:
        item.team = team or (teams[0] if teams else item.team)
    words = f": {reason}" if reason else ""
    after.report(item, now, f"{item.label}: {owner} owns it, before {before}{words}", "action", by)
    item.greeted = False


def withdraw(act: Act[ActionItem]) -> Commit:
    """Say that it is not wanted any more; a promise to customers is withdrawn only by consent (R10)."""
    message = act.message
    assert isinstance(message, after_messages.Withdraw)
    item = act.matter
    _may(act, "withdraw")
    if item.status == "withdrawn":
        raise Refused(f"{item.id} is withdrawn already; customers are to hear it before {day(item.told_due_at)}")

    def commit() -> Answer:
        if item.promised and item.status in (*WORKING, "implemented"):
            return _ask(act, Pending(what="withdraw", by=act.by, at=act.now, reason=message.reason))
        _withdrawn(act, f"withdrawn: {message.reason}")
        return act.answer(f"{item.name} is withdrawn")

    return commit


def _withdrawn(act: Act[ActionItem], line: str) -> None:
    item = act.matter
    _end(item, "withdrawn", act.now, f"{item.label}: {line}", act.by, act.claimed)
    _promise_moved(item, act.now)
    after.tell(item, [item.owner, *after.manager(item)], f"{item.incident}, {item.label}: {line}", act.now)


# --- what other processes say ---------------------------------------------------------------------------


def replaced(item: ActionItem, by: Replaced, now: datetime) -> None:
    """Learn that what replaces this one has begun, or is validated: then a short-term fix in force is done (R8)."""
    if item.replaced_by or item.ended:
        return
    if not by.validated:
        item.successor = by.by
        return
    item.replaced_by = by.by or "its successor"
    line = f"{item.label}: {item.replaced_by} is validated"
    if item.status == "in_force":
        _end(item, "done", now, f"{line}; this one is done")
        return
    after.report(item, now, line, "action")
    text = f"{line}; it is {item.status}: finish it, or `withdraw` it if nothing of it is needed."
    after.tell(item, [item.owner], text, now)


def tell_replaced(item: ActionItem, now: datetime, *, validated: bool) -> None:
    """Tell the item that this one replaces, by itself: when it takes years, the incident is over by then."""
    said: dict[str, object] = {"by": item.id, "validated": validated}
    after.signal(item, f"{item.incident}/action/{item.replaces}", "replaced", said, now)


def customers_told(item: ActionItem, told: CustomersTold, now: datetime) -> None:
    """Learn what customers have read; a date that has moved again since is still to be told."""
    if item.customer_message_due is None:
        return
    if item.status == "withdrawn":
        item.told_due_at, item.ended = None, True
        after.report(item, now, f"{item.name}: customers know that it does not come", "action")
        return
    item.told_due_at = told.due or item.due_at
    after.report(item, now, f"{item.name}: customers know that it is due {day(item.told_due_at)}", "action")


# --- small words -----------------------------------------------------------------------------------------


def _may(act: Act[ActionItem], message: str) -> None:
    after.still_open(act.matter)
    after.require(act, message)


def _fact(act: Act[ActionItem]) -> datetime:
    """Return when it was so: never before the item began."""
    return max(act.at, act.matter.opened_at or act.at)


def _say(act: Act[ActionItem], text: str) -> None:
    item = act.matter
    after.report(item, act.now, f"{item.label}: {text}", "action", act.by, act.claimed)


def _end(
    item: ActionItem,
    status: Literal["done", "withdrawn"],
    now: datetime,
    line: str = "",
    by: str = SYSTEM,
    claimed: bool = False,
) -> None:
    item.status, item.settled_at, item.pending = status, now, None
    # A withdrawn promise is over when customers know, or should have known.
    item.ended = item.customer_message_due is None
    after.report(item, now, line, "action", by, claimed)


def day(at: datetime | None) -> str:
    """Return a moment as people write it."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "?"


def asked(pending: Pending) -> str:
    """Return what somebody wishes, in words."""
    wish = f"move it to {day(pending.due)}" if pending.due else "withdraw it"
    return f"{pending.by} asks to {wish}: {cut(pending.reason, 300)}"


def tell_support(item: ActionItem, by: datetime, now: datetime) -> None:
    """Tell support that customers must hear something before a date."""
    what = "will not be kept" if item.status == "withdrawn" else f"moves to {day(item.due_at)}"
    text = f"{item.incident}, {item.label}: what customers were promised for {day(by)} {what}."
    how = f"Tell them before that date: `notify` with `actions: {item.n}`."
    after.tell(item, after.first_level(item, item.plan.support), f"{text} {how}", now)
