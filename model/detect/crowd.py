"""Many alarms of one service: the first are kept one by one, all others together as one more alarm (D1).

A service of ten thousand hosts may have an alarm for each. They are one event, one team, one page; kept one by one they
would fill the state of `Detection` and of the incident, and a state over 2 MiB stops a workflow for good.
"""

import hashlib

from model import messages
from model.detect.partition import MARK, Detection, key_of

NAME = "many-more"
"""The alarm that stands for the crowd."""


def has(state: Detection, alarm: messages.Alarm) -> bool:
    """Whether an alarm is in ALARM as one of a crowd."""
    return _mark(alarm) in state.crowds.get(_where(alarm), ())


def stands_for(state: Detection, alarm: messages.Alarm) -> messages.Alarm | None:
    """Return the alarm to be decided about: itself, the one of its crowd, or none where that one stays as it is.

    A crowd is in ALARM from its first member until its last is OK.
    """
    where, mark = _where(alarm), _mark(alarm)
    members = state.crowds.get(where, {})
    if alarm.state == "OK":
        if mark not in members:
            return alarm
        del members[mark]
        if members:
            return None
        del state.crowds[where]
        return _of_crowd(alarm)
    if not members and not _crowded(state, alarm):
        return alarm
    if sum(map(len, state.crowds.values())) < state.policy.crowd_members:
        state.crowds.setdefault(where, {})[mark] = None
    return None if members else _of_crowd(alarm)


def _of_crowd(alarm: messages.Alarm) -> messages.Alarm:
    summary = f"many alarms of {alarm.service} at once, {alarm.alarm} among them"
    return alarm.model_copy(update={"alarm": NAME, "summary": summary, "key": ""})


def _crowded(state: Detection, alarm: messages.Alarm) -> bool:
    if key_of(alarm.service, alarm.region, alarm.alarm, alarm.test) in state.alarms:
        return False
    there = state.alarms.count(alarm.service, alarm.region, alarm.test)
    return there >= state.policy.crowd or (there > 0 and len(state.alarms) >= state.policy.alarms_kept)


def _where(alarm: messages.Alarm) -> str:
    return f"{'test/' if alarm.test else ''}{alarm.service}/{alarm.region}"


def _mark(alarm: messages.Alarm) -> str:
    return hashlib.sha256(alarm.alarm.encode()).hexdigest()[:MARK]
