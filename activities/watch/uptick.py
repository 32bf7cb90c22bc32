"""More customer reports than at this time of the week (D5).

Cases, calls and mentions are rare and come in bursts. What came in the last 3, 8 and 24 samples is compared with the
mean of the same time of day and week; how many times that is unusual is learned from the series itself. One sample
counts for at most six times its expectation, so that an uptick is many reports for a while, not one storm of mentions.

A negative binomial tail was tried in its place: at the same false alarms it finds fewer fourfold upticks on bursty
series, because single storms set its limit.
"""

import math
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from activities.watch import Standing, Verdict
from activities.watch.detector import Detector
from activities.watch.held import Held
from activities.watch.season import Season
from activities.watch.windows import Windows
from model.text import Refused
from model.times import short

WINDOWS: Final = {3: 0.35, 8: 0.35, 24: 0.3}
"""Samples looked at together → false alarms a week this window may cost; together one."""
AROUND: Final = timedelta(hours=1)
"""Neighbours that count as the same time of day: rare events need many samples for a mean."""
TIMES: Final = 1.65
"""A window with fewer times the expected is never an uptick."""
CHANCE: Final = 3.0
"""Added to both sides, in units of the series' dispersion: one or two customers may be alone with it."""
CAP: Final = 6.0
"""Times the expected that one sample counts for at most, besides chance."""
PATIENT: Final = timedelta(days=3)
"""Half days before this teach no limit: the first means are of one or two days."""
LEARNED: Final = 6
"""Half days that must have taught a limit before anything can be an uptick."""
CALM: Final = 0.7
"""An uptick ends when its score has been below this for a while."""
WILD: Final = 3.75
"""A deviation counts at most this many times the usual one: a storm does not excuse the next."""


class Uptick(Detector):
    """Judges the report counts of a service and region; 15 to 30 minutes suit cases and calls."""

    kind = "uptick"
    learns_on = True  # bursts grow with a name: limits of last month are wrong for this one
    numbers: ClassVar = ("_spread", "_seen")

    def __init__(self, interval: timedelta, *, zone: str = "UTC") -> None:
        """Begin with no history.

        Args:
            interval: What one count covers, from 10 s to 6 h.
            zone: An IANA name: where "the same time of day" is the same.

        Raises:
            Refused: The interval is out of range, or there is no such zone.
        """
        super().__init__(interval, Season(interval, zone, AROUND))
        self._more = Windows(WINDOWS, math.log(TIMES), LEARNED)
        self._high = Held()
        self._spread, self._seen = 0.5, 0  # of the √ of a count; half is that of independent events

    def _readable(self, value: float | None) -> float | None:
        value = super()._readable(value)
        if value is not None and value < 0:
            raise Refused(f"{value:g} reports cannot come: send a count from 0 on")
        return value

    def _judge(self, at: datetime, value: float | None) -> Verdict:
        tick = self._season.count
        count = value or 0.0  # that nobody reported anything is a count too
        expected = self._season.expected_mean(at)
        self._season.put(count)
        if expected is None:
            return Verdict(at, value, None, 0.0, "learning", why="the first day only teaches what is usual")
        chance = CHANCE * max(1.0, 4 * math.pi / 2 * self._spread**2)
        self._more.put(min(count, CAP * expected + chance), expected)
        score, window = self._more.score("more", chance)
        self._learn(abs(math.sqrt(count) - math.sqrt(expected)))
        begins = self._high.take(score, CALM, tick, self._block)
        standing: Standing = "high" if self._high.on else "ok"
        return Verdict(at, value, expected, score, standing, "high" if begins else None, self._why(window))

    def _learn(self, deviation: float) -> None:
        """Learn how bursty the series is."""
        self._seen = min(self._seen + 1, 4 * self._season.per_day)
        if self._seen > self._season.per_day // 4:
            deviation = min(deviation, WILD * self._spread)
        self._spread += (deviation - self._spread) / self._seen

    def _half_day(self) -> None:
        self._more.half_day(self._season.count * self._clock.interval > PATIENT)

    def _forget_recent(self) -> None:
        self._more.clear()

    def _why(self, window: int) -> str:
        if not self._high.on:
            return ""
        window = window or max(WINDOWS)
        came, due = self._more.sums(window)
        return f"{came:.4g} reports in {short(window * self._clock.interval)}, about {due:.2g} are usual at this time"

    def _save(self) -> dict[str, Any]:
        return {"more": self._more.save(), "high": self._high.save()}

    def _load(self, numbers: dict[str, Any]) -> None:
        self._more.load(numbers["more"])
        self._high = Held(*numbers["high"])
