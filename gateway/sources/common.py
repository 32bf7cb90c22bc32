"""What several senders have in common: labels, severities in words, numbers in texts, moments."""

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, get_args

from model.messages import Source as Kind
from model.text import NAME_LIMIT, clean, one_line
from model.times import parse_moment

TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
"""The schema of labels."""
LONGEST: Final = 4096
"""Letters of a label."""
_WORDS: Final = {
    "page": 2,
    "critical": 2,
    "error": 3,
    "high": 2,
    "warning": 3,
    "warn": 3,
    "medium": 3,
    "low": 4,
    "info": 5,
    "normal": 5,
}
_LEVEL: Final = re.compile(r"(?:sev|p|s)?[- ]?([1-5])", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_NEVER: Final = "0001-01-01"  # Go's zero time: an alert that has not ended


def texts_of(value: Any) -> dict[str, str] | None:
    """Return labels with what counts as text; a label without a value is none."""
    if not isinstance(value, dict):
        return None
    return {line(name): line(text) for name, text in value.items() if text not in (None, "")}


def line(value: Any) -> str:
    """Return a value as one clean line, cut where no rule and no reader would look any more."""
    return one_line(clean(str(value)[:LONGEST]))


def without_nothing(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say something."""
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def stable(name: str, mark: str) -> str:
    """Return an alarm's name: as much of `name` as there is room for, and `mark`, which alone tells alarms apart."""
    return f"{name[: NAME_LIMIT - len(mark) - 1]}#{mark}"


def short_hash(*texts: str) -> str:
    """Return sixteen letters that other texts do not have."""
    return hashlib.sha256("\n".join(texts).encode(errors="replace")).hexdigest()[:16]


def severity_of(word: str) -> int | None:
    """Return the severity a word means: `critical`, `P2`, `sev3`, `4`; nothing where it means none."""
    level = _LEVEL.fullmatch(word)
    return int(level[1]) if level else _WORDS.get(word.casefold())


def kind_of(word: str | None) -> str | None:
    """Return the kind of alarm a label names; others use the label for something else."""
    return word if word in get_args(Kind) else None


def number_of(value: Any) -> float | None:
    """Return a number, or the first in a text like `4.2%`; none is no reason to lose an alarm."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        match = _NUMBER.search(value)
        value = match[0] if match else None
    try:
        number = float(value) if value is not None else math.nan
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def link_of(value: Any) -> str | None:
    """Return a link that a browser opens."""
    return value if isinstance(value, str) and value.startswith(("http://", "https://")) else None


def moment_of(value: Any) -> str | None:
    """Return a moment we can read, also one in milliseconds since 1970; otherwise it is now.

    One far in the future, or long past, is kept: `Detection` holds it within a few minutes of its arrival.
    """
    if isinstance(value, str) and value.startswith(_NEVER):
        return None
    try:
        if isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdigit()):
            return parse_moment(datetime.fromtimestamp(int(value) / 1000, UTC)).isoformat()
        return parse_moment(value).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def is_test(labels: Mapping[str, str]) -> bool | None:
    """Whether an alarm is a test; it is not written where it is none."""
    return labels.get("test", "").casefold() == "true" or None
