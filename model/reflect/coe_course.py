"""What time makes due of a COE: its author greeted, reminded, asked again; and who hears it (R1)."""

from datetime import datetime

from model.effects import Outcome
from model.matter import unique
from model.reflect import after
from model.reflect.coe import Coe
from model.times import add_working_days, utc


def advance(coe: Coe, now: datetime) -> datetime | None:
    """Do everything that is due; return when the next thing is."""
    if coe.begun_at is None:
        _opened(coe, now)
    due = [after.keep(coe)]
    if not coe.ended:
        _greet(coe, now)
        due += [after.refresh(coe, now), _remind(coe, now), _overdue(coe, now)]
    return min((at for at in due if at and at > now), default=None)


def _opened(coe: Coe, now: datetime) -> None:
    coe.assigned_at = coe.opened_at = coe.assigned_at or coe.opened_at or now
    coe.due_at = coe.due_at or due_for(coe, coe.assigned_at)
    after.begin(coe, now)


def due_for(coe: Coe, assigned_at: datetime) -> datetime:
    """Return by when it is due: sooner where the customers' RCA rests on it (design §5)."""
    if coe.customers_hit:
        return assigned_at + coe.policy.coe_due
    author = coe.plan.people.get(coe.author)
    return add_working_days(assigned_at, coe.policy.coe_due_without_rca, author.timezone if author else "UTC")


def _greet(coe: Coe, now: datetime) -> None:
    if after.may_greet(coe):
        coe.greeted = True
        text = f"{coe.incident}: you write the {coe.name}, due {utc(coe.due_at)}. It is not about blame."
        after.tell(coe, [coe.author], f"{text} Hand it in with `submit` to {coe.id}.", now)


def _remind(coe: Coe, now: datetime) -> datetime | None:
    due_now, later = after.soon(coe, now)
    if due_now:
        after.tell(coe, coe.awaited, f"{coe.id}: {_owed(coe)} by {utc(coe.deadline)}.", now)
    return later


def _owed(coe: Coe) -> str:
    if coe.status == "submitted":
        return f"the {coe.level} review of draft {coe.digest} is due"
    return "the returned text is due again" if coe.status == "returned" else "the text is due"


def _overdue(coe: Coe, now: datetime) -> datetime | None:
    """Ask the author, then the manager too; a review that waits is the manager's, then the call leaders'."""
    since = coe.deadline
    if since is None:
        return None
    this, due = after.round_due(coe, "overdue", since, now)
    if this is None:
        return due
    heard = list(coe.awaited)
    if this.with_manager:
        heard += coe.plan.call_leaders if coe.status == "submitted" else after.manager(coe)
    heard = unique(heard)
    after.tell(coe, heard, f"{coe.id}: {_owed(coe)} since {utc(since)}, {this.overdue}.", now)
    if this.worth_a_line:
        line = f"{coe.name}: {_owed(coe)} since {utc(since)} ({', '.join(heard)} asked)"
        after.report(coe, now, line, "overdue")
    return due


def effect_ended(coe: Coe, key: str, outcome: Outcome, now: datetime) -> None:
    """Take in how an owed effect went."""
    after.effect_ended(coe, key, outcome, now)
