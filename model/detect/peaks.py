"""Limits learned from what a statistic did before: no series needs a number of its own."""

import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

BLOCK: Final = timedelta(hours=12)
"""A statistic's largest value of each half day is kept: a stuck alarm counts again every twelve hours."""
BLOCKS_PER_WEEK: Final = timedelta(weeks=1) / BLOCK
BLOCKS_KEPT: Final = 112
"""Eight weeks."""
LONE: Final = 3.0
"""A peak more than this many times the next is an event of its own, not what is usual."""
OUTAGES: Final = 3
"""A week: a series that is empty more often than this, for no hour that the season knows, is empty now and then."""


@dataclass
class Peaks:
    """The largest values of a statistic, one per half day."""

    kept: list[float] = field(default_factory=list)
    current: float = 0.0

    @property
    def known(self) -> int:
        """Half days that taught something."""
        return len(self.kept)

    def note(self, value: float) -> None:
        """Take in a value."""
        if value > self.current:
            self.current = value

    def close(self, keep: bool = True, most: float = math.inf) -> None:
        """Begin the next half day; `keep` is False for one that is no example, `most` caps what is learned from it."""
        if keep:
            self.kept.append(min(self.current, most))
            del self.kept[:-BLOCKS_KEPT]
        self.current = 0.0

    def limit(self, per_week: float) -> float:
        """Return what the statistic exceeded at most `per_week` times a week, and a little more while few are known."""
        highest = sorted(self.kept, reverse=True)
        allowed = min(int(len(highest) / BLOCKS_PER_WEEK * per_week), len(highest) - 1)
        return highest[allowed] * (1 + 0.5 / len(highest)) if highest else 0.0

    def usual(self) -> float:
        """Return the largest value that is usual: outages of the past do not excuse the next.

        What stands alone is an outage: a few values, each more than `LONE` times all others. More often than
        `OUTAGES` it is how this series is.
        """
        highest = sorted(self.kept, reverse=True)
        for outages in range(min(math.ceil(len(highest) / BLOCKS_PER_WEEK * OUTAGES), len(highest) - 1), 0, -1):
            if highest[outages - 1] > LONE * highest[outages]:
                return highest[outages]
        return highest[0] if highest else 0.0

    def save(self) -> list[float]:
        """Return everything as numbers."""
        return [self.current, *self.kept]

    @classmethod
    def load(cls, numbers: list[float]) -> "Peaks":
        """Continue from `save`."""
        return cls(numbers[1:], numbers[0])
