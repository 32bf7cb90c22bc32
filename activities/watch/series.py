"""Series in files: two columns, `timestamp,value`."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

from activities.watch import Sample
from activities.watch.ticks import measured
from model.text import Refused

FEWEST: Final = 3
"""Samples that tell an interval."""


def read_series(path: Path) -> list[Sample]:
    """Return the samples of a CSV file in its order; an empty value is an absent sample, no zone means UTC.

    Raises:
        Refused: The file is not there, or a line cannot be read; the line is named.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"{path} is not a CSV file in UTF-8: {error}") from None
    if not rows or [name.strip().lower() for name in rows[0]] != ["timestamp", "value"]:
        raise Refused(f"{path} begins with {','.join(rows[0]) if rows else 'nothing'}; its header is timestamp,value")
    return [_sample(row, number) for number, row in enumerate(rows[1:], start=2)]


def spacing(samples: Sequence[Sample]) -> timedelta:
    """Return the usual time between two samples, in whole seconds.

    Raises:
        Refused: There are too few to tell.
    """
    apart = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(samples) if later.at > earlier.at]
    if len(apart) < FEWEST:
        raise Refused(f"{len(samples)} samples do not tell how far apart they come; a week of them teaches a detector")
    return timedelta(seconds=max(1, round(median(apart))))


def _sample(row: list[str], number: int) -> Sample:
    if len(row) != 2:
        raise Refused(f"line {number} has {len(row)} columns; a line is for example 2026-03-02T09:00:00Z,12.5")
    try:
        at = datetime.fromisoformat(row[0].strip())
    except ValueError:
        raise Refused(f"line {number}: {row[0]!r} is no timestamp; write for example 2026-03-02T09:00:00Z") from None
    text = row[1].strip()
    try:
        value = measured(float(text)) if text else None
    except ValueError:
        raise Refused(f"line {number}: {text!r} is no number") from None
    except Refused as refused:
        raise Refused(f"line {number}: {refused}") from None
    return Sample(at if at.tzinfo else at.replace(tzinfo=UTC), value)
