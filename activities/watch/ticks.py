"""The clock of a series: which tick a moment belongs to, and that a value is one."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from model.text import Refused
from model.times import iso, short

SHORTEST: Final = timedelta(seconds=10)
LONGEST: Final = timedelta(hours=6)


@dataclass
class Clock:
    """Counts ticks from the first sample on; a moment belongs to the nearest.

    Attributes:
        interval: Between two ticks.
        origin: The first sample's moment.
        last: The number of the last tick that passed, -1 before the first.
    """

    interval: timedelta
    origin: datetime | None = None
    last: int = -1

    def __post_init__(self) -> None:
        if not SHORTEST <= self.interval <= LONGEST:
            raise Refused(
                f"samples every {short(self.interval)} cannot be judged: {short(SHORTEST)} to {short(LONGEST)} can; "
                "for more or fewer, add them up first"
            )

    def tick_of(self, at: datetime) -> int:
        """Return the number of the tick a moment belongs to.

        Raises:
            Refused: The moment has no zone.
        """
        if at.tzinfo is None:
            raise Refused(f"{at} has no time zone: write for example {at.isoformat()}Z")
        return 0 if self.origin is None else round((at - self.origin) / self.interval)

    def missed(self, at: datetime) -> range:
        """Return the ticks that have passed before a moment's tick and brought nothing; `moment` says when they were.

        Raises:
            Refused: That tick itself has passed.
        """
        tick = self.tick_of(at)
        if tick <= self.last:
            raise Refused(
                f"{iso(at)} was judged already: samples are taken oldest first, one per {short(self.interval)}"
            )
        return range(self.last + 1, tick)

    def moment(self, tick: int) -> datetime:
        """Return the moment of a tick."""
        return (self.origin or datetime.fromtimestamp(0, UTC)) + tick * self.interval

    def advance(self, at: datetime) -> None:
        """Let the next tick pass; the first one sets the clock."""
        self.origin = self.origin or at
        self.last += 1

    def skip(self, ticks: int) -> None:
        """Let ticks pass that nobody looks at."""
        self.last += ticks


def measured(value: float | None) -> float | None:
    """Return a value that can be judged.

    Raises:
        Refused: It is infinite, or not a number.
    """
    if value is not None and not math.isfinite(value):
        raise Refused(f"{value} is no measurement: send a finite number, or nothing when there is none")
    return value
