"""More customer reports than at this time of the week (D5): one rule for the past in files and for what comes in.

Cases, calls and mentions are rare and come in bursts. What came in the last 3, 8 and 24 ticks is compared with the mean
of the same time of day and week; how many times that is unusual is learned from the series itself. One tick counts for
at most six times its expectation, so that an uptick is many reports for a while, not one storm of mentions.

A negative binomial tail was tried in its place: at the same false alarms it finds fewer fourfold upticks on bursty
series, because single storms set its limit.

A tick is judged as far as it has gone, so an uptick is seen with the report that makes it one. Within a tick the order
in which reports come changes nothing.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, PrivateAttr

from model.detect.counts import Counts
from model.detect.peaks import BLOCK, Peaks
from model.text import Refused
from model.times import find_zone, shown

WINDOWS: Final = {3: 0.35, 8: 0.35, 24: 0.3}
"""Ticks looked at together → share of the false alarms this window may cost."""
LONGEST: Final = max(WINDOWS)
AROUND: Final = timedelta(hours=1)
"""On both sides, what counts as the same time of day: rare events need many samples for a mean."""
TIMES: Final = 1.65
"""A window with fewer times the expected is never an uptick."""
CHANCE: Final = 3.0
"""Added to both sides, in units of the series' dispersion: one or two customers may be alone with it."""
CAP: Final = 6.0
"""Times the expected that one tick counts for at most, besides chance."""
PATIENT: Final = timedelta(days=3)
"""Half days before this teach no limit: the first means are of one or two days."""
LEARNED: Final = 6
"""Half days that must have taught a limit before anything can be an uptick."""
LESSON: Final = 1.5
"""An uptick raises its own limit at most this many times: real trouble does not teach that trouble is usual."""
WILD: Final = 3.75
"""A deviation counts at most this many times the usual one: a storm does not excuse the next."""
MOST: Final = math.log(1000)
"""No share says more than this: nothing at all was expected."""

DAYS: Final = range(1, 8)
WEEKS: Final = range(7, 29, 7)
"""Days back at which it was the same time of the week."""
FEW: Final = 3
"""Days or weeks from which on the busiest is left out of a mean."""
CLOCK_CHANGE: Final = timedelta(hours=3)
"""No zone moves its clocks further in a few weeks."""
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_LEAST: Final = math.log(TIMES)
_USUAL_SPREAD: Final = 0.5
_DECIMALS: Final = 3


class History(BaseModel):
    """What is remembered of one series of counts: a few kilobytes at most, for it is part of a state.

    Attributes:
        every: Seconds between two ticks; a history of another rhythm is of no use.
        began: The first tick, counted from 1970 on; -1 before anything came.
        tick: The tick that is under way.
        hours: What came in each hour of the last four weeks (in each tick, where these are longer); the last goes on.
        recent: What came in those of the last 24 ticks in which anything did.
        spread: The usual deviation of the √ of a tick's count; half of that of independent events is 0.4.
        seen: Ticks it was learned from.
        peaks: Per window, how unusual the most unusual moment of each half day was.
        highest: Likewise, of the half day that goes on.
        limits: Per window, what has to be exceeded.
    """

    model_config = ConfigDict(extra="ignore")

    every: float = 0.0
    began: int = -1
    tick: int = -1
    hours: Counts = []
    recent: dict[int, float] = {}
    spread: float = _USUAL_SPREAD
    seen: int = 0
    peaks: list[Counts] = [[] for _ in WINDOWS]
    highest: list[float] = [0.0 for _ in WINDOWS]
    limits: list[float] = [_LEAST for _ in WINDOWS]
    _dues: dict[int, float | None] = PrivateAttr(default_factory=dict)

    @property
    def learned(self) -> bool:
        """Whether it is long enough to say what is unusual."""
        return len(self.peaks[0]) >= LEARNED


@dataclass(frozen=True)
class Judged:
    """How unusual the last ticks are.

    Attributes:
        score: From 1 on it is an uptick.
        window: How far back they go.
        came: What came in them.
        due: What was expected.
    """

    score: float
    window: timedelta
    came: float
    due: float


class Rule:
    """Judges counts of one rhythm; histories are told apart from it because they are handed on."""

    def __init__(self, every: timedelta, zone: str = "UTC", a_week: float = 1.0) -> None:
        """Judge a count per tick.

        Args:
            every: What one count covers.
            zone: An IANA name: where "the same time of day" is the same.
            a_week: False alarms a week that one series may cost.

        Raises:
            Refused: There is no such zone.
        """
        found = find_zone(zone)
        if found is None:
            raise Refused(f"{shown(zone)} is not a time zone; write for example Europe/Paris or UTC")
        self.every = every
        self._zone = found
        self._fixed = zone == "UTC"
        self._rates = [share * a_week for share in WINDOWS.values()]
        self._bin = max(_HOUR, every)
        self._share = every / self._bin
        self._day = _DAY / self._bin
        self._reach = max(AROUND / self._bin, 0.5)
        self._kept = math.ceil((max(WEEKS) * _DAY + AROUND + CLOCK_CHANGE) / self._bin) + 2

    @property
    def memory(self) -> int:
        """How many ticks are remembered."""
        return int(self._kept / self._share)

    def tick_of(self, at: datetime) -> int:
        """Return the number of the tick a moment lies in."""
        return int(at.timestamp() // self.every.total_seconds())

    def reach(self, history: History, tick: int) -> None:
        """Let the ticks before this one end. One that has ended already is no step back."""
        every = self.every.total_seconds()
        if history.tick < 0 or history.every != every or tick - history.tick > self.memory:
            fresh = History(every=every, began=tick, tick=tick, hours=[0])
            for name in History.model_fields:
                setattr(history, name, getattr(fresh, name))
            history._dues.clear()
        while history.tick < tick:
            step = 1 if history.recent else min(tick, self._last_of_bin(history.tick) + 1) - history.tick
            self._learn(history, step)
            if history.recent:
                self._note(history)
            self._step(history, history.tick + step)

    def add(self, history: History, tick: int, count: float) -> None:
        """Count reports of a tick that is under way, or past; what was before the first tick is not remembered."""
        if tick < history.began:
            return
        place = len(history.hours) - 1 - (self._bin_of(history.tick) - self._bin_of(tick))
        if place < 0:
            return
        history.hours[place] += count
        if tick < history.tick:
            history._dues.clear()
        if history.tick - tick < LONGEST:
            history.recent[tick] = history.recent.get(tick, 0) + count

    def judge(self, histories: Sequence[History]) -> list[Judged]:
        """Say how unusual the last ticks of some series together are; all must have reached the same tick.

        Returns:
            Each window in which more came than expected, the most unusual first; none where too little is known.
        """
        if not histories or not all(history.learned for history in histories):
            return []
        came, due = self._last(histories)
        found = []
        for place, (window, unusual) in enumerate(self._unusual(histories, came, due)):
            if unusual:
                score = unusual / max(history.limits[place] for history in histories)
                found.append(Judged(score, window * self.every, sum(came[:window]), sum(due[:window])))
        return sorted(found, key=lambda judged: -judged.score)

    def due(self, history: History, tick: int) -> float | None:
        """Return what is expected in a tick; None in the first day."""
        known = history._dues
        if tick not in known:
            known[tick] = self._due(history, tick)
        return known[tick]

    def _due(self, history: History, tick: int) -> float | None:
        here = (tick + 0.5) * self._share
        first = self._bin_of(history.tick) - len(history.hours) + 1
        begins = max(history.began * self._share, first)

        def mean(days: range) -> float | None:
            found = []
            for back in days:
                middle = here - back * self._day + self._shift(tick, back)
                if middle - self._reach >= begins:
                    found.append(self._around(history, middle - first))
            if len(found) >= FEW:
                return (sum(found) - max(found)) / (len(found) - 1)
            return sum(found) / len(found) if found else None

        today = mean(DAYS)
        week = mean(WEEKS) if here - begins >= WEEKS[1] * self._day else None
        if today is None or week is None:
            return today if week is None else week
        return (today + week) / 2

    def _around(self, history: History, middle: float) -> float:
        """Return the mean of a tick around a place among the hours."""
        low, high = middle - self._reach, middle + self._reach
        total = 0.0
        for place in range(max(int(low), 0), min(math.ceil(high), len(history.hours))):
            total += history.hours[place] * (min(place + 1, high) - max(place, low))
        return total / (high - low) * self._share

    def _shift(self, tick: int, back: int) -> float:
        """Return by how much the same local time lay elsewhere, some days back."""
        if self._fixed:
            return 0.0
        at = datetime.fromtimestamp(tick * self.every.total_seconds(), UTC)
        offsets = [(moment.astimezone(self._zone).utcoffset() or timedelta()) for moment in (at, at - back * _DAY)]
        return (offsets[0] - offsets[1]) / self._bin

    def _last(self, histories: Sequence[History]) -> tuple[list[float], list[float]]:
        """Return what came in each of the last ticks, and what was expected, the newest first."""
        came, due = [0.0] * LONGEST, [0.0] * LONGEST
        for history in histories:
            for tick, count in history.recent.items():
                came[history.tick - tick] += count
            known = history._dues
            for back in range(LONGEST):
                tick = history.tick - back
                if tick not in known:
                    known[tick] = self._due(history, tick)
                due[back] += known[tick] or 0.0
        return came, due

    def _unusual(
        self, histories: Sequence[History], came: Sequence[float], due: Sequence[float]
    ) -> Iterator[tuple[int, float]]:
        """Yield each window, and how unusual what came in it is."""
        chance = max(CHANCE * max(1.0, 4 * math.pi / 2 * history.spread**2) for history in histories)
        capped = [min(count, CAP * expected + chance) for count, expected in zip(came, due, strict=True)]
        for window in WINDOWS:
            more, less = sum(capped[:window]), sum(due[:window])
            yield window, min(math.log((more + chance) / (less + chance)), MOST) if more > less else 0.0

    def _note(self, history: History) -> None:
        """Note how unusual the tick that ends was."""
        if self.due(history, history.tick) is None:
            return
        for place, (_, unusual) in enumerate(self._unusual([history], *self._last([history]))):
            history.highest[place] = max(history.highest[place], round(unusual, _DECIMALS))

    def _learn(self, history: History, ticks: int) -> None:
        """Learn how bursty the series is from the tick that ends, or from several in which nothing came."""
        due = self.due(history, history.tick)
        if due is None:
            return
        a_day = round(_DAY / self.every)
        deviation = abs(math.sqrt(history.recent.get(history.tick, 0)) - math.sqrt(due))
        history.seen = min(history.seen + ticks, 4 * a_day)
        if history.seen > a_day // 4:
            deviation = min(deviation, WILD * history.spread)
        history.spread += (deviation - history.spread) * min(ticks / history.seen, 1.0)

    def _step(self, history: History, tick: int) -> None:
        """Begin a tick; no more than one hour begins with it."""
        before, history.tick = history.tick, tick
        if self._bin_of(tick) != self._bin_of(before):
            history.hours = [*history.hours, 0.0][-self._kept :]
        for kept in (history.recent, history._dues):
            for old in [old for old in kept if tick - old >= LONGEST]:
                del kept[old]
        if self._half_day(tick) != self._half_day(before):
            self._teach(history)

    def _teach(self, history: History) -> None:
        """End a half day: what was most unusual in it is a little less so from now on."""
        if (history.tick - history.began) * self.every > PATIENT:
            learned = history.learned
            for place, rate in enumerate(self._rates):
                known = Peaks(history.peaks[place], history.highest[place])
                known.close(most=round(history.limits[place] * LESSON, _DECIMALS) if learned else math.inf)
                history.peaks[place] = known.kept
                history.limits[place] = max(known.limit(rate), _LEAST)
        history.highest = [0.0 for _ in WINDOWS]

    def _bin_of(self, tick: int) -> int:
        return math.floor(tick * self._share + 1e-9)

    def _last_of_bin(self, tick: int) -> int:
        return math.ceil((self._bin_of(tick) + 1) / self._share - 1e-9) - 1

    def _half_day(self, tick: int) -> int:
        return int(tick * self.every // BLOCK)
