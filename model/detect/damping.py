"""Alarms that flap (D1): one that changes its mind too often is held still, and said so, until it has been quiet.

A flapping alarm is news once. While it is damped it counts as being in ALARM, whatever it says: half of the time it
is, and an incident that ends and begins again every few minutes wakes people for nothing. When it has kept still for
long enough, its last state is what counts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from model.times import Moment, short


class Flapping(BaseModel):
    """What must be remembered of an alarm to see that it flaps; never more than a few moments.

    Attributes:
        changes: The last changes of state, oldest first.
        since: When it was damped; None while it is not.
        count: Changes since then, the one that damped it included.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    changes: list[Moment] = []
    since: Moment | None = None
    count: int = 0


@dataclass(frozen=True)
class Damping:
    """What is said about an alarm at a moment.

    Attributes:
        damped: It is held still.
        until: When that ends if it says nothing more; None while it is not damped.
        why: In words, empty while it is not damped.
    """

    damped: bool
    until: datetime | None = None
    why: str = ""


@dataclass(frozen=True)
class Rule:
    """When an alarm flaps.

    Attributes:
        changes: This many changes of state are still no flapping (policy `flap_changes`).
        within: The window in which they are counted (policy `flap_within`).
        quiet_for: How long it must keep still to be believed again (policy `flap_quiet_for`).
    """

    changes: int
    within: timedelta
    quiet_for: timedelta


def changed(alarm: Flapping, at: datetime, rule: Rule) -> Flapping:
    """Take in that an alarm changed its state; a moment before the last change counts as that."""
    last = alarm.changes[-1] if alarm.changes else at
    at = max(at, last)
    if alarm.since and at >= last + rule.quiet_for:
        alarm = Flapping()
    changes = [*alarm.changes, at][-(rule.changes + 1) :]
    if alarm.since:
        return Flapping(changes=changes, since=alarm.since, count=alarm.count + 1)
    if len(changes) > rule.changes and at - changes[0] <= rule.within:
        return Flapping(changes=changes, since=at, count=1)
    return Flapping(changes=changes)


def damping(alarm: Flapping, now: datetime, rule: Rule) -> Damping:
    """Say whether an alarm is damped at a moment, until when, and why."""
    if not alarm.since or not alarm.changes:
        return Damping(False)
    until = alarm.changes[-1] + rule.quiet_for
    if now >= until:
        return Damping(False)
    more = f" and {alarm.count - 1} times since" if alarm.count > 1 else ""
    why = (
        f"flapping: it changed more than {rule.changes} times in {short(rule.within)}{more}; "
        f"held in ALARM until it has been quiet for {short(rule.quiet_for)}"
    )
    return Damping(True, until, why)


def effective(alarm: Flapping, state: Literal["ALARM", "OK"], now: datetime, rule: Rule) -> Literal["ALARM", "OK"]:
    """Return the state that counts: ALARM while it is damped, else what it said last."""
    return "ALARM" if damping(alarm, now, rule).damped else state
