"""What people say of an action item: begun, moved, built, tried, handed over, not wanted any more (R9-R11).

A small slip goes at once, a larger one and a promise that is taken back wait for the manager's consent.
"""

from datetime import datetime

from model.effects import PlanRequest
from model.matter import Act, unique
from model.messages import Answer
from model.reflect import after, after_messages
from model.reflect.action_item import (
    TRIALS_KEPT,
    WORKING,
    ActionItem,
    Pending,
    TakingOver,
    Trial,
    asked,
    end,
    tell_replaced,
    tell_support,
)
from model.reflect.after import Commit
from model.text import Refused, cut
from model.times import ago, utc


def start(act: Act[ActionItem]) -> Commit:
    """Say that work has begun."""
    item = act.matter
    after.require(act, "start")
    if item.status != "open":
        raise Refused(f"{item.id} is {item.status} already")

    def commit() -> Answer:
        item.status, item.started_at = "started", _fact(act)
        _say(act, "started")
        return act.answer(f"{item.name} is started; due {utc(item.due_at)}")

    return commit


def replan(act: Act[ActionItem]) -> Commit:
    """Change the way, or move the date: a small slip at once, a larger one when the manager agrees (R10)."""
    message = act.message
    assert isinstance(message, after_messages.Replan)
    item, due = act.matter, message.due
    after.require(act, "replan")
    if item.status not in WORKING:
        raise Refused(f"{item.id} is {item.status}: its date was {utc(item.due_at)}; next it is to be validated")
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
        return act.answer(f"due {utc(item.due_at)}{tail}" if moved else "the plan is changed; date and goal stay")

    return commit


def _move(item: ActionItem, due: datetime, approach: str) -> str:
    """Take a new date and approach, and return both in words."""
    moved = f"moved from {utc(item.due_at)} to {utc(due)}" if due != item.due_at else "replanned"
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
    after.require(act, "agree")
    if pending is None:
        raise Refused(f"nothing of {item.id} waits for consent; it is {item.status}, due {utc(item.due_at)}")

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
        return act.answer(f"agreed: due {utc(due)}")

    return commit


def _promise_moved(item: ActionItem, now: datetime) -> None:
    by = item.customer_message_due
    if by is None:
        return
    gone = "withdrawn" if item.status == "withdrawn" else "moved"
    after.report(item, now, f"promise {gone}: customers must be told before {utc(by)} ({item.name})", "action")
    tell_support(item, by, now)


def implemented(act: Act[ActionItem]) -> Commit:
    """Say that it is built: from now on it is to be validated (R11)."""
    message = act.message
    assert isinstance(message, after_messages.Implemented)
    item = act.matter
    after.require(act, "implemented")
    if item.status not in WORKING:
        raise Refused(f"{item.id} is {item.status} already")

    def commit() -> Answer:
        item.status, item.implemented_at, item.evidence = "implemented", _fact(act), message.evidence
        item.started_at = item.started_at or item.implemented_at
        item.pending = None
        _say(act, f"implemented: {cut(message.evidence, 300)}")
        by = item.validation_due_at or act.now
        how = cut(item.validation, 300) or "try the same conditions"
        return act.answer(f"implemented; now validate it by {utc(by)}: {how}")

    return commit


def validated(act: Act[ActionItem]) -> Commit:
    """Say how the trial went: done only when the same conditions did not lead to the same failure (R11)."""
    message = act.message
    assert isinstance(message, after_messages.Validated)
    item = act.matter
    after.require(act, "validated")
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
    text = f"{item.incident}, {item.label}: {line}. It is started again, due {utc(item.due_at)}."
    after.tell(item, [item.owner, *after.manager(item), *response], text, act.now)
    return act.answer(f"not done: {item.name} is started again, due {utc(item.due_at)}")


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
    end(item, "done", act.now)
    return act.answer(f"validated: {item.name} is done")


def hand_over(act: Act[ActionItem]) -> Commit:
    """Give it to another owner."""
    message = act.message
    assert isinstance(message, after_messages.HandOver)
    item = act.matter
    after.require(act, "hand_over")
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
    after.require(act, "withdraw")
    if item.status == "withdrawn":
        raise Refused(f"{item.id} is withdrawn already; customers are to hear it before {utc(item.told_due_at)}")

    def commit() -> Answer:
        if item.promised and item.status in (*WORKING, "implemented"):
            return _ask(act, Pending(what="withdraw", by=act.by, at=act.now, reason=message.reason))
        _withdrawn(act, f"withdrawn: {message.reason}")
        return act.answer(f"{item.name} is withdrawn")

    return commit


def _withdrawn(act: Act[ActionItem], line: str) -> None:
    item = act.matter
    end(item, "withdrawn", act.now, f"{item.label}: {line}", act.by, act.claimed)
    _promise_moved(item, act.now)
    after.tell(item, [item.owner, *after.manager(item)], f"{item.incident}, {item.label}: {line}", act.now)


def _fact(act: Act[ActionItem]) -> datetime:
    """Return when it was so: never before the item began."""
    return max(act.at, act.matter.opened_at or act.at)


def _say(act: Act[ActionItem], text: str) -> None:
    item = act.matter
    after.report(item, act.now, f"{item.label}: {text}", "action", act.by, act.claimed)
