"""Series that look like a service's traffic, made on the spot."""

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np

from activities.watch import Sample, Verdict
from activities.watch.detector import Detector

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
TEN = timedelta(minutes=10)
PER_DAY = 144


def traffic(
    weeks: float,
    *,
    start: datetime = MONDAY,
    zone: tzinfo = UTC,
    peak: float = 900.0,
    factor: Callable[[datetime], float] = lambda _: 1.0,
    seed: int = 7,
) -> list[Sample]:
    """Return requests per ten minutes: people who sleep at night and work less at the weekend, with chance in it."""
    chance = np.random.default_rng(seed)
    moments = [start + number * TEN for number in range(round(weeks * 7 * PER_DAY))]
    means = []
    for at in moments:
        local = at.astimezone(zone)
        hour = local.hour + local.minute / 60
        shape = 0.15 + 0.85 * max(0.0, math.sin((hour - 6) / 16 * math.pi)) ** 2
        weekend = 0.6 if local.weekday() > 4 else 1.0
        means.append(peak * shape * weekend * factor(at))
    counts = chance.poisson(np.array(means) * chance.gamma(50, 1 / 50, len(means)))
    return [Sample(at, float(count)) for at, count in zip(moments, counts, strict=True)]


def play(detector: Detector, samples: Iterable[Sample]) -> Iterator[Verdict]:
    """Yield every verdict about some samples."""
    for sample in samples:
        yield from detector.take(sample.at, sample.value)


def onsets(verdicts: Iterable[Verdict], since: datetime) -> list[str]:
    """Return what begins from a moment on."""
    return [verdict.onset for verdict in verdicts if verdict.onset and verdict.at >= since]
