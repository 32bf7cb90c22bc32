"""Watching: what is measured of a service from the outside, and what a detector says about it (D1–D6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

WATCH = "watch"
"""Activity: runs a region's canaries, traffic models and report counts, and signals changes only."""

Missing: TypeAlias = Literal["breaching", "not_breaching", "ignore", "missing"]
"""What a sample that should be there and is not means, in CloudWatch's words: as bad as can be, all well, as it
was, or that nothing is known."""

Onset: TypeAlias = Literal["lost", "short", "high"]
Standing: TypeAlias = Literal["learning", "unknown", "ok", "short", "lost", "high"]
"""How a series stands. `lost` and `high` page, `short` is severity 4 until something else agrees."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement, or that there was none (`value` None)."""

    at: datetime
    value: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a detector says about one sample.

    Attributes:
        at: The sample's moment.
        value: What came; None when nothing came.
        expected: What the history made expect; None while there is too little of it.
        score: How much speaks for an alarm; from 1 on it is one.
        standing: How the series stands after this sample.
        onset: What begins here, and again every twelve hours while it stays; None otherwise.
        why: In words, whenever it is not `ok`.
    """

    at: datetime
    value: float | None
    expected: float | None
    score: float
    standing: Standing
    onset: Onset | None = None
    why: str = ""

    @property
    def pages(self) -> bool:
        """Whether this alone is worth waking somebody."""
        return self.standing in ("lost", "high")


class Metrics(Protocol):
    """Something that has stored series."""

    async def read(self, query: str, since: datetime, until: datetime) -> Sequence[Sample]:
        """Return the samples of the one series a query names, oldest first.

        Raises:
            Failed: It did not answer, or the query names no or several series.
        """
        ...
