"""What came in the last few samples, as a share of what was expected, and how unusual that share is."""

import math
from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from model.detect.peaks import Peaks

MOST: Final = math.log(1000)
"""No share says more than this: nothing at all came."""

LESSON: Final = 1.5
"""An alarm raises its own limit at most this many times: real losses do not teach that losses are usual."""


class Windows:
    """Compares sums over several windows with limits learned from the past."""

    def __init__(self, rates: Mapping[int, float], least: float, learned: int) -> None:
        """Look at some windows.

        Args:
            rates: Samples in a window → false alarms a week it may cost.
            least: The share, as a distance from 1 in logarithms, below which nothing is unusual.
            learned: Half days that must have taught a limit before anything is.
        """
        self._rates = rates
        self._least = least
        self._learned = learned
        self._recent: deque[tuple[float, float]] = deque(maxlen=max(rates))
        self._peaks = {window: Peaks() for window in rates}
        self._limits = dict.fromkeys(rates, least)

    def put(self, came: float, due: float) -> None:
        """Take in what came in a sample, and what was expected of it."""
        self._recent.append((came, due))

    def clear(self) -> None:
        """Forget the last samples."""
        self._recent.clear()

    def score(self, chance: float) -> tuple[float, int]:
        """Return how much too little came in the most unusual window, 1 being its limit, and its length; or (0, 0).

        Args:
            chance: Added on both sides of each share, so that few events say little.
        """
        worst, where = 0.0, 0
        for window, peaks in self._peaks.items():
            if len(self._recent) < window:
                break
            came, due = self.sums(window)
            unusual = _shortfall(came + chance, due + chance)
            peaks.note(unusual)
            if peaks.known >= self._learned and unusual / self._limits[window] > worst:
                worst, where = unusual / self._limits[window], window
        return worst, where

    def sums(self, window: int) -> tuple[float, float]:
        """Return what came in the last samples, and what was expected."""
        came = due = 0.0
        for value, expected in islice(self._recent, max(0, len(self._recent) - window), None):
            came += value
            due += expected
        return came, due

    def half_day(self, teaches: bool) -> None:
        """End a half day; `teaches` is False for one that is no example of usual ones."""
        for window, peaks in self._peaks.items():
            peaks.close(teaches, self._limits[window] * LESSON if peaks.known >= self._learned else math.inf)
            self._limits[window] = max(peaks.limit(self._rates[window]), self._least)

    def save(self) -> dict[str, Any]:
        """Return everything as numbers."""
        return {
            "recent": list(self._recent),
            "peaks": [peaks.save() for peaks in self._peaks.values()],
            "limits": list(self._limits.values()),
        }

    def load(self, numbers: Mapping[str, Any]) -> None:
        """Continue from `save`."""
        self._recent.clear()
        self._recent.extend((came, due) for came, due in numbers["recent"])
        self._peaks = {window: Peaks.load(kept) for window, kept in zip(self._rates, numbers["peaks"], strict=True)}
        self._limits = dict(zip(self._rates, numbers["limits"], strict=True))


def _shortfall(came: float, due: float) -> float:
    if due <= came:
        return 0.0
    return min(math.log(due / came), MOST) if came > 0 else MOST
