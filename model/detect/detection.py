"""What comes in, and what time makes due, in one partition (D1, D3, D5)."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel

from model import messages
from model.detect import crowd, opening, routing
from model.detect.correlation import several_sources
from model.detect.partition import Arrived, Detection, Silenced, Unreadable, key_of
from model.effects import Forward, Outcome, Owed, Signal, Start, failed
from model.message import parse_leniently
from model.messages import Answer
from model.text import Refused
from model.times import Moment

KEYS_KEPT = 2000
KEY_MARK = 12
"""Letters kept of a key's hash: of two thousand keys two are alike once in a hundred million times."""
ENDED_KEPT = timedelta(days=7)
"""For so long it is known what an alarm of a service may be linked to."""


def receive(state: Detection, name: str, payload: Any, now: datetime) -> None:
    """Take in a signal. What repeats a known state is counted; what cannot be read is kept and shown."""
    state.handled += 1
    message = messages.Alarm if name == "alarm" else messages.Report
    try:
        read, left_out = parse_leniently(message, payload)
    except ValueError as error:
        unreadable(state, name, str(error), payload, now)
        return
    if left_out:
        unreadable(state, name, f"taken, but without {'; '.join(left_out)}", payload, now)
    if read.key:
        mark = mark_of(read.key)
        if mark in state.keys:
            state.repeats += 1
            return
        state.keys[mark] = now
        while len(state.keys) > KEYS_KEPT:
            state.keys.pop(next(iter(state.keys)))
    if isinstance(read, messages.Alarm):
        if _repeats(state, read):
            state.repeats += 1
            return
        state.inbox.append(Arrived(at=now, alarm=read))
    elif isinstance(read, messages.Report):
        state.inbox.append(Arrived(at=now, report=read))


def mark_of(key: str) -> str:
    """Return what is kept of a sender's key."""
    return hashlib.sha256(key.encode()).hexdigest()[:KEY_MARK]


def _repeats(state: Detection, alarm: messages.Alarm) -> bool:
    """Whether the last word about this alarm said the same."""
    key = key_of(alarm.service, alarm.region, alarm.alarm, alarm.test)
    for waiting in reversed(state.inbox):
        a = waiting.alarm
        if a and a.alarm == alarm.alarm and key_of(a.service, a.region, a.alarm, a.test) == key:
            return a.state == alarm.state
    if crowd.has(state, alarm):
        return alarm.state == "ALARM"
    known = state.alarms.get(key)
    return (known.said if known else "OK") == alarm.state


def unreadable(state: Detection, name: str, why: str, payload: Any, now: datetime) -> None:
    """Keep what could not be read, or not wholly."""
    state.unreadable.append(Unreadable(at=now, name=name, why=why[:500], payload=repr(payload)[:300]))
    del state.unreadable[: -state.policy.unreadable_kept]


def declare(state: Detection, message: messages.Declare, now: datetime) -> Answer:
    """Open an incident by hand.

    Raises:
        Refused: A service named is part of an open incident already.
    """
    refuse_declared_twice(state, message)
    name = opening.new_id(state, now)
    state.inbox.append(Arrived(at=now, declare=message, declared_as=name))
    return Answer(incident=name, at=now, text=f"{name} is open")


def refuse_declared_twice(state: Detection, message: messages.Declare) -> None:
    """Refuse to open a second incident for a service.

    Raises:
        Refused: A service named is part of an open incident already.
    """
    for service in message.services:
        known = opening.covering(state, service, message.test)
        if known and not known.closed_at:
            raise Refused(f"{service} is part of {known.id} already: acknowledge, observe or make it big there")


def silence(state: Detection, message: messages.Silence, now: datetime) -> Answer:
    """Expect alarms of a service until a moment.

    Raises:
        Refused: The moment is past.
    """
    if message.until <= now:
        raise Refused(f"`until` is past (now {now:%Y-%m-%dT%H:%M:%SZ}); give a moment to come")
    state.silences.append(
        Silenced(
            service=message.service,
            region=message.region,
            until=message.until,
            reason=message.reason,
            by=message.by,
        )
    )
    where = message.region or "every region"
    return Answer(at=now, text=f"{message.service} in {where} is silent until {message.until:%Y-%m-%d %H:%M} UTC")


class IncidentChanged(BaseModel):
    """What an incident says to `Detection` about itself."""

    id: str
    kind: Literal["single_service", "multi_service"]
    phase: str
    closed_at: Moment | None = None
    ended: bool = False


def incident_changed(state: Detection, change: IncidentChanged, now: datetime) -> None:
    """Learn how an incident stands; an alarm that came for one that is over opens a new one."""
    known = state.incidents.get(change.id)
    if known is None or known.phase == "absorbed":
        return
    known.kind, known.phase, known.closed_at = change.kind, change.phase, change.closed_at
    if change.ended:
        routing.gone(state, known, now)


def advance(state: Detection, now: datetime) -> datetime | None:
    """Do what time alone makes due: several sources for long enough, silences that end, incidents that are past.

    Returns:
        When the next thing is due, or None.
    """
    due: list[datetime] = []
    for test in (False, True):
        for at, group in several_sources(state.alarms.mixed(test), state.policy) if routing.correlates(state) else []:
            known = opening.covering(state, group.services[0], test)
            if known is None or known.kind == "multi_service" or not opening.is_open(known):
                continue
            if at <= now:
                routing.make_event(state, group, test, now)
            else:
                due.append(at)
    due += routing.believe_again(state, now)
    if ended := [s for s in state.silences if s.until <= now]:
        state.silences = [s for s in state.silences if s not in ended]
    for watched in list(state.alarms.values()) if ended else []:
        if watched.silenced and not routing.is_silent(state, watched.fact.service, watched.fact.region, now):
            watched.silenced = False
            routing.place(state, watched, now)
    due += [s.until for s in state.silences]
    past = [(name, known) for name, known in state.incidents.items() if known.closed_at or known.ended]
    over = sum(known.ended for _, known in past)
    for name, known in past:
        if known.closed_at and known.phase != "absorbed" and not known.ended:
            last = known.closed_at + state.policy.reopen_within
            if last <= now:
                routing.gone(state, known, now)
            else:
                due.append(last)
        elif known.ended:
            keep_until = (known.closed_at or known.opened_at) + ENDED_KEPT
            forget = keep_until <= now or over > state.policy.incidents_kept
            if forget and not any(w.incident == name for w in state.alarms.values()):
                del state.incidents[name]
                over -= 1
    return min(due, default=None)


def next_for_each(state: Detection) -> dict[str, Owed]:
    """Return the oldest effect owed to each process: one that cannot be reached holds up no other."""
    first: dict[str, tuple[str, Owed]] = {}
    for key, owed in state.owed.items():
        order = owed.order
        target = f"detection/{order.partition}" if isinstance(order, Forward) else getattr(order, "workflow_id", key)
        first.setdefault(target, (key, owed))
    return dict(first.values())


def effect_ended(state: Detection, key: str, outcome: Outcome, now: datetime) -> None:
    """Take in how an owed effect went; a word to an incident that is gone opens a new one."""
    owed = state.owed.get(key)
    if owed is None:
        return
    if not outcome.ok and outcome.again:
        failed(owed, outcome, state.policy, now)
        return
    del state.owed[key]
    if not outcome.ok and isinstance(owed.order, Signal):
        known = state.incidents.get(owed.order.workflow_id)
        if known and known.phase != "absorbed":
            routing.gone(state, known, now)
    elif not outcome.ok and isinstance(owed.order, Start):
        _rename(state, owed.order, now)
    elif not outcome.ok:
        unreadable(state, owed.order.lane, outcome.reason, owed.order.model_dump(mode="json"), now)


def _rename(state: Detection, order: Start, now: datetime) -> None:
    """Open an incident under another name, because the first is taken: no incident is swallowed by a namesake."""
    name = opening.new_id(state, now)
    known = state.incidents.pop(order.workflow_id, None)
    if known:
        state.incidents[name] = known.model_copy(update={"id": name})
    for watched in state.alarms.values():
        if watched.incident == order.workflow_id:
            watched.incident = name
    for owed in state.owed.values():
        if isinstance(owed.order, Signal) and owed.order.workflow_id == order.workflow_id:
            owed.order.workflow_id = name
    renamed = Start(
        workflow=order.workflow,
        workflow_id=name,
        origin=f"{state.id}/{state.opened}",
        payload={**order.payload, "id": name},
    )
    before = dict(state.owed)
    state.owed.clear()
    state.owe(renamed, now)  # it begins before it is told anything
    state.owed |= before
