"""What time makes due of an action item, and what others say of it: chased, overdue, consent waited for (R8, R10)."""

from datetime import datetime

from model.effects import Outcome, PlanRequest
from model.matter import unique
from model.reflect import after
from model.reflect.action_item import (
    WORKING,
    ActionItem,
    CustomersTold,
    Pending,
    Replaced,
    asked,
    end,
    tell_replaced,
    tell_support,
)
from model.reflect.action_rules import taken_over
from model.text import cut
from model.times import ago, utc


def advance(item: ActionItem, now: datetime) -> datetime | None:
    """Do everything that is due; return when the next thing is."""
    if item.begun_at is None:
        _opened(item, now)
    due = [after.keep(item)]
    if not item.ended:
        _greet(item, now)
        duties = (_chase, _remind, _overdue, _consent, _in_force, _customers)
        due += [after.refresh(item, now), *(duty(item, now) for duty in duties)]
    return min((at for at in due if at and at > now), default=None)


def _opened(item: ActionItem, now: datetime) -> None:
    _recognise_owner(item)
    item.team = item.team or item.plan.incident_response
    item.opened_at = item.opened_at or now
    item.first_due_at = item.agreed_due_at = item.due_at
    if item.promised:
        item.promised_due_at = item.promised_due_at or item.due_at
        item.told_due_at = item.promised_due_at
    after.begin(item, now)
    if item.replaces is not None:
        tell_replaced(item, now, validated=False)


def _recognise_owner(item: ActionItem) -> None:
    """Know the owner by id, whatever a COE's author wrote, and the team that is theirs."""
    person = item.plan.person(item.owner)
    if person:
        item.owner = person.id
        item.team = item.team or (person.teams[0] if person.teams else "")


def _greet(item: ActionItem, now: datetime) -> None:
    _recognise_owner(item)
    if after.may_greet(item):
        item.greeted = True
        promise = " It is promised to customers." if item.promised else ""
        text = f"{item.incident}, {item.label} is yours, due {utc(item.due_at)}.{promise}"
        after.tell(item, [item.owner], f"{text} Goal: {cut(item.goal, 300)}", now)


def _chase(item: ActionItem, now: datetime) -> datetime | None:
    """Ask for a short-term fix day and night until it is in place: built and validated (R8, X1)."""
    if item.horizon != "short" or item.deadline is None or item.opened_at is None:
        return None
    every = item.policy.short_term_every
    due = after.next_regular(item.opened_at, item.reminded.get("chase"), every)
    if due > now:
        return due
    item.reminded["chase"] = now
    text = f"{item.incident}, {item.label}: is it in place? It is short-term, open for {ago(now - item.opened_at)}."
    after.tell(item, [item.owner], f"{text} Send `{_next_word(item)}` with the evidence, or say what you need.", now)
    return after.next_regular(item.opened_at, now, every)


def _next_word(item: ActionItem) -> str:
    return "validated" if item.status == "implemented" else "implemented"


def _remind(item: ActionItem, now: datetime) -> datetime | None:
    due_now, later = after.soon(item, now)
    if due_now and item.deadline:
        text = f"{item.incident}, {item.label}: to be {_next_word(item)} by {utc(item.deadline)}"
        after.tell(item, [item.owner], f"{text}; if it will be later, say so now.", now)
    return later


def _overdue(item: ActionItem, now: datetime) -> datetime | None:
    if item.deadline is None:
        return None
    since = item.deadline
    this, due = after.round_due(item, "overdue", since, now)
    if this is None:
        return due
    what = _next_word(item)
    heard = [item.owner]
    if this.with_manager or item.promised:
        heard += after.manager(item)
    if this.first and item.promised:
        heard += [*after.first_level(item, item.plan.support), *item.plan.call_leaders]
    heard = unique(heard)
    text = f"{item.incident}, {item.label} is {this.overdue}: to be {what} by {utc(since)}."
    if item.promised:
        text += " Customers were promised it: they must hear when it comes."
    after.tell(item, heard, f"{text} Send `{what}`{', or `replan`' if item.status in WORKING else ''}.", now)
    if this.worth_a_line:
        line = f"{item.label} is overdue since {utc(since)}: not {what} ({', '.join(heard)} asked)"
        after.report(item, now, line, "overdue")
    return due


def _consent(item: ActionItem, now: datetime) -> datetime | None:
    """Ask the manager for consent at once, and again while it waits; call leaders hear what waits for long."""
    if item.pending is None:
        return None
    if item.pending.due and item.pending.due <= now:
        _too_late(item, item.pending, now)
        return None
    this, due = after.round_due(item, "consent", item.pending.at, now)
    due = min(due, item.pending.due) if item.pending.due else due
    if this is None:
        return due
    heard = after.manager(item) + (item.plan.call_leaders if this.with_manager else [])
    after.tell(
        item, heard, f"{item.incident}, {item.label}: {asked(item.pending)}. Send `agree`, or talk to them.", now
    )
    return due


def _too_late(item: ActionItem, pending: Pending, now: datetime) -> None:
    """Let a wish go that nobody agreed to before its own date."""
    item.pending = None
    text = f"{item.label}: nobody agreed before {utc(pending.due or now)}; `replan` again with a date to come"
    after.report(item, now, text, "action")
    after.tell(item, [item.owner, pending.by, *after.manager(item)], f"{item.incident}, {text}.", now)


def _in_force(item: ActionItem, now: datetime) -> datetime | None:
    """Ask for the successor of a fix that was never meant to stay (R8)."""
    due = item.asks_again_at
    if due is None or due > now:
        return due
    item.reminded["in_force"] = now
    text = f"{item.incident}, {item.label} is still in force since {utc(item.validated_at)}"
    text += (
        f", because {item.successor} is not validated yet."
        if item.successor
        else f": where is what replaces it? (`add_action` with `replaces: {item.n}`)"
    )
    after.tell(item, [item.owner, *after.manager(item)], text, now)
    return item.asks_again_at


def _customers(item: ActionItem, now: datetime) -> datetime | None:
    """Say it again before the old date, and loudly at it: customers hear of a moved promise before (R10)."""
    by = item.customer_message_due
    if by is None:
        return None
    before = by - item.policy.remind_before
    if before <= now < by and item.reminded.get("customers_soon") != by:
        item.reminded["customers_soon"] = by
        tell_support(item, by, now)
    if by <= now and item.reminded.get("customers_late") != by:
        item.reminded["customers_late"] = by
        text = f"{item.id}: the promise for {utc(by)} was not kept, and customers were not told before."
        support = after.first_level(item, item.plan.support)
        after.tell(item, [*support, *after.manager(item), *item.plan.call_leaders], text, now)
        # There is no date left before which they could hear it: what was withdrawn is over.
        item.ended = item.status == "withdrawn"
        line = f"{item.name}: promise for {utc(by)} not kept, and customers were not told before"
        after.report(item, now, line, "overdue")
    return min((at for at in (before, by) if at > now), default=None)


def effect_ended(item: ActionItem, key: str, outcome: Outcome, now: datetime) -> None:
    """Take in how an owed effect went."""
    owed = item.owed.get(key)
    after.effect_ended(item, key, outcome, now)
    if owed and isinstance(owed.order, PlanRequest) and key not in item.owed:
        taken_over(item, owed.order.teams, now)


def replaced(item: ActionItem, by: Replaced, now: datetime) -> None:
    """Learn that what replaces this one has begun, or is validated: then a short-term fix in force is done (R8)."""
    if item.replaced_by or item.ended:
        return
    if not by.validated:
        item.successor = by.by
        return
    item.replaced_by = by.by
    line = f"{item.label}: {item.replaced_by} is validated"
    if item.status == "in_force":
        end(item, "done", now, f"{line}; this one is done")
        return
    after.report(item, now, line, "action")
    text = f"{line}; it is {item.status}: finish it, or `withdraw` it if nothing of it is needed."
    after.tell(item, [item.owner], text, now)


def customers_told(item: ActionItem, told: CustomersTold, now: datetime) -> None:
    """Learn what customers have read; a date that has moved again since is still to be told."""
    if item.customer_message_due is None:
        return
    if item.status == "withdrawn":
        item.told_due_at, item.ended = None, True
        after.report(item, now, f"{item.name}: customers know that it does not come", "action")
        return
    item.told_due_at = told.due or item.due_at
    after.report(item, now, f"{item.name}: customers know that it is due {utc(item.told_due_at)}", "action")
