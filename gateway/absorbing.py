"""What of an alarm Temporal has already: only a change of its state travels there.

A gateway remembers for a short while what Temporal accepted *from it*, and nothing else: after a restart, or when
something has been forgotten, the same is simply sent again, and `Detection` counts it as a repeat.

Several gateways do not know what the others sent. What another one sent in between can only be a change of state. So
one of several absorbs what is told as the same occurrence again (the same `at`, or the same `key`), and sends the rest;
a gateway that is alone also absorbs the same state without them.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from model.messages import Alarm

KEPT = 60.0
"""Seconds for which an accepted state is remembered. Then it is sent again, so that nothing that happened to it on
another way (the command line, a worker's rule) lasts longer than a minute. A thousand alarms that are repeated all the
time cost Temporal 17 signals a second this way."""
MOST = 100_000
"""Alarms remembered; those accepted longest ago go first. About 65 MB (650 bytes each, measured)."""

Key = tuple[str, str, str, bool]
"""Service, region, alarm and whether it is a test."""


class State(NamedTuple):
    """What was said of an alarm, as far as anybody would act on it."""

    partition: str
    state: str
    severity: int | None
    at: datetime | None
    key: str

    def acts_as(self, other: "State") -> bool:
        """Whether it comes to the same, whenever it was so."""
        return self[:3] == other[:3]


def key_of(alarm: Alarm) -> Key:
    """Return what an alarm is known by."""
    return alarm.service, alarm.region, alarm.alarm, alarm.test


def state_of(alarm: Alarm, partition: str) -> State:
    """Return what an alarm says."""
    return State(partition, alarm.state, alarm.severity, alarm.at, alarm.key)


class Memory:
    """What Temporal accepted from this gateway a short while ago."""

    def __init__(self, *, alone: bool = False, most: int = MOST, now: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing.

        Args:
            alone: No other gateway takes alarms.
            most: Alarms remembered.
            now: Seconds of a clock that is never set.
        """
        self._alone = alone
        self._most = most
        self._now = now
        self._last: OrderedDict[Key, tuple[State, float]] = OrderedDict()

    def knows(self, key: Key, said: State) -> bool:
        """Whether Temporal has this very state as the last of its alarm."""
        found = self._last.get(key)
        if found is None:
            return False
        last, since = found
        if not last.acts_as(said) or self._now() - since > KEPT:
            return False
        again = (said.at is not None and said.at == last.at) or (said.key != "" and said.key == last.key)
        return again or self._alone

    def accepted(self, key: Key, said: State) -> None:
        """Remember what Temporal has just accepted."""
        self._last[key] = (said, self._now())
        self._last.move_to_end(key)
        while len(self._last) > self._most:
            self._last.popitem(last=False)

    def forget(self, key: Key) -> None:
        """Forget an alarm, because something is on its way of which nobody knows how it will end."""
        self._last.pop(key, None)
