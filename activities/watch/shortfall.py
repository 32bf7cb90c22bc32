"""Traffic that should be there and is not (D4).

Two questions, because they earn different trust. *Is nothing left?* At least three samples in a row with next to
nothing, or absent, in which more is missing than in any such run before: that pages. *Is a part missing?* What came in
the last 3, 12 and 24 samples, as a share of what was expected, is lower than it usually ever is: severity 4, until a
canary, an alarm or reports agree. How low is unusual is learned from the series itself, never set.

The z score and CUSUM of the first experiments gave way to shares over windows: at the same false alarms these find
nearly twice as many three-quarter losses on bursty series, and a share can be said in a sentence.
"""

import math
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from activities.watch import Missing, Onset, Standing, Verdict
from activities.watch.detector import Detector
from activities.watch.held import Held
from activities.watch.season import Season
from activities.watch.windows import Windows
from model.detect.peaks import Peaks
from model.times import short

LOST_AFTER: Final = 3
"""Samples of next to nothing, 3 of 3: one is a late scrape, two a restart."""
NEXT_TO_NOTHING: Final = 0.1
"""Share of the expected that still counts as all lost."""
LOWEST: Final = 0.002
"""Share of the memory that lies below "the lowest ever": its rarest samples are outages of the past."""
SLACK: Final = 1.2
"""A run pages when this many times more is missing in it than in the largest usual one."""
HAPPENS: Final = 0.01
"""Share of samples with next to nothing from which on chance has a part in a run of three."""
CERTAIN: Final = 1.5
"""Then this must be missing at least, in units of the series' dispersion: a quiet night is no outage."""
NEW: Final = 10.0
"""The same before `LEARNED` half days: by chance alone once in 20,000 runs."""
WINDOWS: Final = {3: 0.2, 12: 0.4, 24: 0.4}
"""Samples looked at together → false alarms a week this window may cost; together one."""
SHARE: Final = 0.65
"""A window with more than this share of the expected is never short: that is what quiet days look like."""
CHANCE: Final = 3.0
"""Added to both sides of a share, in units of the series' dispersion: at night one call more or less is chance."""
LEVEL: Final = timedelta(hours=6)
"""Time constant of the level: a quiet day is followed, an hour's outage is not."""
PATIENT: Final = timedelta(days=3)
"""Half days before this teach no limit: the first medians are of one or two days."""
LEARNED: Final = 6
"""Half days that must have taught a limit before a part can be short."""
CALM: Final = 0.7
"""A shortfall ends when its score has been below this for a while."""
LEAST_SPREAD: Final = 0.03
"""Of the expected: a series computed by a formula must not alarm on its rounding."""
GAUSS: Final = math.sqrt(math.pi / 2)
"""A normal distribution's standard deviation per mean absolute deviation."""


class SeasonalShortfall(Detector):
    """Judges how much traffic came of what is usual at this time of the day and week."""

    kind = "shortfall"
    learns_on = False  # what is injected into the other half must not teach that it is usual
    numbers: ClassVar = (
        "_level",
        "_spread",
        "_lowest",
        "_below",
        "_run",
        "_mass",
        "_absent",
        "_nothings",
        "_in_block",
        "_limits",
    )

    def __init__(self, interval: timedelta, *, zone: str = "UTC", missing: Missing = "breaching") -> None:
        """Begin with no history.

        Args:
            interval: Between two samples, from 10 s to 6 h.
            zone: An IANA name: where "the same time of day" is the same.
            missing: What an absent sample means.

        Raises:
            Refused: The interval is out of range, or there is no such zone.
        """
        self._season = Season(interval, zone)  # on a √ scale: counts vary as much at night as by day
        super().__init__(interval, self._season)
        self._missing = missing
        self._pull = min(1.0, interval / LEVEL)
        self._parts = Windows(WINDOWS, -math.log(SHARE), LEARNED)
        self._mass_peaks, self._absent_peaks = Peaks(), Peaks()
        self._limits: list[float] = []  # of the mass, and of the run of absent samples
        self._lost, self._short = Held(), Held()
        self._in_block = False  # all was lost in this half day
        self._level = self._spread = self._lowest = self._mass = 0.0
        self._below = self._run = self._absent = self._seen = self._nothings = 0

    def _judge(self, at: datetime, value: float | None) -> Verdict:
        tick = self._season.count
        usual = self._season.expected(at)
        base = self._lowest if usual is None else max(0.0, usual + self._level)
        root = None if value is None else math.copysign(math.sqrt(abs(value)), value)
        self._season.put(root)
        expected = base * base
        told = None if usual is None else expected
        if value is None and self._missing != "breaching":
            return self._no_fault(at, told)
        lost = self._nothing(value, expected)
        part, window = (0.0, 0) if value is None or usual is None else self._part(value, expected)
        if usual is not None and root is not None and lost < 1:
            self._follow(root - base, base)
        begins = self._lost.take(lost, 1.0, tick, self._block)
        falls = value is not None and self._short.take(part, CALM, tick, self._block) and not self._lost.on
        self._in_block = self._in_block or self._lost.on
        onset: Onset | None = "lost" if begins else "short" if falls else None
        return Verdict(at, value, told, max(lost, part), self._standing(told), onset, self._why(value, told, window))

    def _nothing(self, value: float | None, expected: float) -> float:
        """Return how much speaks for all being lost; 1 is enough."""
        if value is None:  # interrupts no run: what is absent did not come
            self._absent += 1
        elif self._next_to_nothing(value, expected):
            self._absent, self._run, self._mass = 0, self._run + 1, self._mass + expected
        else:
            self._absent, self._run, self._mass = 0, 0, 0.0
        self._seen += value is not None
        self._nothings += value is not None and (self._run > 0 or value <= 0)
        if self._run >= LOST_AFTER:
            self._mass_peaks.note(self._mass)
        if self._absent >= LOST_AFTER:
            self._absent_peaks.note(self._absent)
        if not self._limits:
            return 0.0
        most, longest = self._limits
        if self._nothings - self._run > HAPPENS * self._seen:
            most = max(most, self._dispersion() * (CERTAIN if self._mass_peaks.known >= LEARNED else NEW))
        missing = self._mass / most if most > 0 else math.inf if self._mass > 0 else 0.0
        absent = min(self._absent / LOST_AFTER, self._absent / longest)
        return max(min(self._run / LOST_AFTER, missing), absent)

    def _next_to_nothing(self, value: float, expected: float) -> bool:
        return value <= NEXT_TO_NOTHING * expected and value <= max(self._lowest, 0.0) ** 2 and expected > 0

    def _part(self, value: float, expected: float) -> tuple[float, int]:
        """Return how much speaks for a part being missing, and in how many samples. Absent ones say nothing here."""
        self._parts.put(max(value, 0.0), expected)
        return self._parts.score(CHANCE * self._dispersion())

    def _follow(self, residual: float, base: float) -> None:
        """Learn the level, and how far below the expected is usual: bursts upward say nothing about that."""
        if self._below > self._season.per_day // 4:
            most = 3 * max(self._sigma(), LEAST_SPREAD * base)
            residual = max(-most, min(most, residual))
        self._level += residual * self._pull
        if residual < 0:
            self._below = min(self._below + 1, 4 * self._season.per_day)
            self._spread += (-residual - self._spread) / self._below

    def _sigma(self) -> float:
        return self._spread * GAUSS

    def _dispersion(self) -> float:
        """Return variance per mean: the √ of a count varies by half the root of it."""
        return 4 * self._sigma() ** 2

    def _half_day(self) -> None:
        self._parts.half_day(self._season.count * self._clock.interval > PATIENT and not self._in_block)
        self._mass_peaks.close()
        self._absent_peaks.close()
        self._limits = [self._mass_peaks.usual() * SLACK, self._absent_peaks.usual() + 1]
        self._in_block = self._lost.on
        self._lowest = self._season.lowest(LOWEST)

    def _forget_recent(self) -> None:
        self._parts.clear()
        self._run, self._absent, self._mass = 0, 0, 0.0

    def _no_fault(self, at: datetime, expected: float | None) -> Verdict:
        """Judge an absent sample that is not counted as missing traffic."""
        if self._missing == "not_breaching":
            self._run, self._absent, self._mass = 0, 0, 0.0
            self._lost.take(0.0, 1.0, self._season.count, self._block)
            self._short.take(0.0, CALM, self._season.count, self._block)
        standing: Standing = "unknown" if self._missing == "missing" else self._standing(expected)
        return Verdict(at, None, expected, 0.0, standing, None, "no sample came")

    def _standing(self, expected: float | None) -> Standing:
        if self._lost.on:
            return "lost"
        if self._short.on:
            return "short"
        return "learning" if expected is None else "ok"

    def _why(self, value: float | None, expected: float | None, window: int) -> str:
        usual = "" if expected is None else f"; about {expected:.3g} are usual at this time"
        if self._lost.on and value is None:
            return f"no sample for {short(self._absent * self._clock.interval)}{usual}"
        if self._lost.on and self._run:
            return f"next to nothing for {short(self._run * self._clock.interval)}{usual}"
        if self._lost.on:
            return f"{value:.4g} came again{usual}"
        if self._short.on:
            window = window or max(WINDOWS)
            came, due = self._parts.sums(window)
            share = f", {100 * came / due:.0f} %" if due > 0 else ""
            return f"{came:.4g} in {short(window * self._clock.interval)} of about {due:.3g} that are usual{share}"
        return "" if expected is not None else "the first day only teaches what is usual"

    def _save(self) -> dict[str, Any]:
        return {
            "parts": self._parts.save(),
            "mass": self._mass_peaks.save(),
            "absents": self._absent_peaks.save(),
            "lost": self._lost.save(),
            "short": self._short.save(),
        }

    def _load(self, numbers: dict[str, Any]) -> None:
        self._parts.load(numbers["parts"])
        self._mass_peaks, self._absent_peaks = Peaks.load(numbers["mass"]), Peaks.load(numbers["absents"])
        self._lost, self._short = Held(*numbers["lost"]), Held(*numbers["short"])
