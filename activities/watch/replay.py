"""What a detector would have said about a series of the past: `allclear watch replay`."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

from activities.watch import Missing, Onset, Sample, Verdict
from activities.watch.detector import Detector
from activities.watch.series import read_series, spacing
from activities.watch.shortfall import SeasonalShortfall
from activities.watch.uptick import Uptick
from model.text import Refused

Kind: TypeAlias = Literal["shortfall", "uptick"]

ALARM: Final[dict[Onset, int]] = {"lost": 1, "high": 1, "short": 2}
"""What the column `alarm` says where something begins: 1 for a page, 2 for a partial shortfall."""
HEADER: Final = ("timestamp", "value", "expected", "score", "alarm")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the scores: a sample with what was said about it, and the code of the alarm that begins there."""

    sample: Sample
    verdict: Verdict | None
    alarm: int


@dataclass
class Replayed:
    """What a replay came to.

    Attributes:
        samples: Read.
        absent: Ticks of the clock that brought nothing.
        unjudged: Samples that came in a tick already judged, or out of order.
        pages: Onsets, a stuck one counted again every twelve hours; only after the training half.
        partial: Likewise, of partial shortfalls.
        interval: Between two samples.
        words: Each onset's time and reason.
    """

    samples: int
    interval: timedelta
    absent: int = 0
    unjudged: int = 0
    pages: int = 0
    partial: int = 0
    words: list[str] = field(default_factory=list)


def replay(
    source: Path, out: Path, detector: Kind = "shortfall", *, zone: str = "UTC", missing: Missing = "breaching"
) -> Replayed:
    """Judge a series and write `timestamp,value,expected,score,alarm`, a line for each of its samples.

    The first half trains, so nothing alarms in it. An absent sample gets a line of its own, without a value, only
    where an alarm begins with it.

    Raises:
        Refused: The series cannot be read or judged, or the scores cannot be written.
    """
    samples = read_series(source)
    told = Replayed(samples=len(samples), interval=spacing(samples))
    judge = make(detector, told.interval, zone=zone, missing=missing)
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for row in judged(samples, judge, told):
                writer.writerow(_line(row))
    except OSError as error:
        raise Refused(f"{out} cannot be written: {error.strerror}") from None
    return told


def make(kind: Kind, interval: timedelta, *, zone: str = "UTC", missing: Missing = "breaching") -> Detector:
    """Return a new detector.

    Raises:
        Refused: The interval is out of range, or there is no such zone.
    """
    if kind == "uptick":
        return Uptick(interval, zone=zone)
    return SeasonalShortfall(interval, zone=zone, missing=missing)


def judged(samples: Sequence[Sample], detector: Detector, told: Replayed) -> Iterator[Row]:
    """Yield the lines of a replay, and count in `told` what happened."""
    half = len(samples) // 2
    for number, sample in enumerate(samples):
        detector.learning = detector.learns_on or number < half
        try:
            *absent, verdict = detector.take(sample.at, sample.value)
        except Refused:
            told.unjudged += 1
            yield Row(sample, None, 0)
            continue
        told.absent += len(absent)
        for missed in absent:
            if alarm := _alarm(missed, told, training=number < half):
                yield Row(Sample(missed.at, None), missed, alarm)
        yield Row(sample, verdict, _alarm(verdict, told, training=number < half))


def _alarm(verdict: Verdict, told: Replayed, *, training: bool) -> int:
    if training or verdict.onset is None:
        return 0
    told.words.append(f"{verdict.at:%Y-%m-%d %H:%M} {verdict.onset}: {verdict.why}")
    if verdict.pages:
        told.pages += 1
    else:
        told.partial += 1
    return ALARM[verdict.onset]


def _line(row: Row) -> list[object]:
    verdict = row.verdict
    expected = "" if verdict is None or verdict.expected is None else f"{verdict.expected:.6g}"
    score = "" if verdict is None else f"{verdict.score:.4f}"
    value = "" if row.sample.value is None else row.sample.value
    at = row.sample.at
    return [f"{at:%Y-%m-%d %H:%M:%S}", value, expected, score, row.alarm]
