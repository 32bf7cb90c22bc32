"""What is usual at this time of the day and week, on one series."""

import math
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from activities.watch.saved import Saved
from model.text import Refused
from model.times import find_zone, shown

Floats: TypeAlias = npt.NDArray[np.float32]
Lags: TypeAlias = npt.NDArray[np.int_]

WEEKS: Final = 4
"""Weeks remembered: enough that one bad week does not move the median."""
DAYS: Final = 7
AROUND: Final = timedelta(minutes=15)
"""Neighbours on both sides that count as the same time of day (measured in NAB; wider blurs the mornings)."""
CLOCK_CHANGE: Final = timedelta(hours=3)
"""No zone moves its clocks further in a few weeks."""
DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(weeks=1)
HOUR_SECONDS: Final = 3600


class Season:
    """Remembers four weeks of a series and says what is expected now.

    What is expected is the median at the same time of day on the last seven days, averaged from the third week on
    with the median at the same time of week. A zone makes "the same time" the local one, so that a change of the
    clocks is no change of traffic.
    """

    def __init__(self, interval: timedelta, zone: str = "UTC") -> None:
        """Remember a sample per `interval`; `zone` is where the customers live.

        Raises:
            Refused: There is no such zone.
        """
        self.interval = interval
        found = find_zone(zone)
        if found is None:
            raise Refused(f"{shown(zone)} is not a time zone; write for example Europe/Paris or UTC")
        self._zone = found
        self.per_day = max(1, round(DAY / interval))
        self.per_week = max(1, round(WEEK / interval))
        self._around = int(AROUND / interval)
        near = np.arange(-self._around, self._around + 1)
        self._by_day = (np.arange(1, DAYS + 1)[:, None] * self.per_day - near).ravel()
        self._by_week = (np.arange(1, WEEKS + 1)[:, None] * self.per_week - near).ravel()
        self._near = len(near)
        self._ring: Floats = np.full(
            WEEKS * self.per_week + self._around + math.ceil(CLOCK_CHANGE / interval) + 1, np.nan, np.float32
        )
        self.count = 0
        self._shift_hour = -1
        self._shifts: tuple[Lags | int, Lags | int] = (0, 0)

    def put(self, value: float | None) -> None:
        """Remember the next sample; None is a gap."""
        self._ring[self.count % len(self._ring)] = math.nan if value is None else value
        self.count += 1

    @property
    def memory(self) -> int:
        """How many samples are remembered."""
        return len(self._ring)

    def skip(self, samples: int) -> None:
        """Remember that nothing is known of the next samples."""
        for _ in range(min(samples, self.memory)):
            self.put(None)
        self.count += max(0, samples - self.memory)

    def expected(self, at: datetime) -> float | None:
        """Return the usual value of the sample not yet put; None in the first day."""
        if self.count < self.per_day + self._around:
            return None
        by_day, by_week = self._clock_changes(at)
        today = _median(self._rows(self._by_day, by_day))
        if self.count >= 2 * self.per_week:
            week = _median(self._rows(self._by_week, by_week))
            today = (today + week) / 2 if today == today else week
        return today if today == today else None

    def lowest(self, share: float) -> float:
        """Return the value below which only this share of the memory lies; zero of an empty one."""
        known = self._ring[np.isfinite(self._ring)]
        return float(np.quantile(known, share)) if len(known) else 0.0

    def _rows(self, lags: Lags, shift: Lags | int) -> Floats:
        """Return what was put at these lags, a row per day or week; NaN where nothing is known."""
        # Every lag lies within the ring, so a place before the first sample is a slot that nobody has filled.
        rows: Floats = self._ring[(self.count - lags + shift) % len(self._ring)].reshape(-1, self._near)
        return rows

    def _clock_changes(self, at: datetime) -> tuple[Lags | int, Lags | int]:
        """Return by how many samples the same local time lay elsewhere, for each lag."""
        hour = int(at.timestamp()) // HOUR_SECONDS
        if hour != self._shift_hour:
            self._shift_hour = hour
            self._shifts = (self._shift(at, DAY, DAYS), self._shift(at, WEEK, WEEKS))
        return self._shifts

    def _shift(self, at: datetime, step: timedelta, times: int) -> Lags | int:
        now = at.astimezone(self._zone).utcoffset() or timedelta()
        then = [(at - k * step).astimezone(self._zone).utcoffset() or timedelta() for k in range(1, times + 1)]
        moved = [round((now - offset) / self.interval) for offset in then]
        return np.repeat(np.array(moved), self._near) if any(moved) else 0

    def save(self) -> Saved:
        """Return everything that a restart must not lose."""
        return Saved({"count": self.count}, {"ring": self._ring})

    def load(self, saved: Saved) -> None:
        """Continue from what was saved by a season of the same interval."""
        numbers: dict[str, Any] = saved.numbers
        self.count = numbers["count"]
        self._ring = saved.arrays["ring"].copy()


def _median(rows: Floats) -> float:
    values = np.sort(rows, axis=None)  # NaN last
    known = len(values) - int(np.count_nonzero(np.isnan(values)))
    middle = known // 2
    if not known:
        return math.nan
    if known % 2:
        return float(values[middle])
    return (float(values[middle - 1]) + float(values[middle])) / 2
