"""What a number of the policy may be, how people write it, and what they are told when it is none."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    model_validator,
)
from pydantic_core import PydanticCustomError

from model.times import Duration, refusing, shown

WAKING: Final = (1, 2, 3)
"""The severities that page people; 4 and 5 become a ticket and never wake anybody (E6)."""

_WAKING_TEXTS: Final = tuple(str(severity) for severity in WAKING)
_SHORTEST_ROUND: Final = timedelta(milliseconds=100)
_WORKING_DAYS: Final = re.compile(r"([0-9]{1,4})\s*(?:d|days?|working days?)?")
_PERCENT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{shown(value)} is not a whole number; write for example 3")
    return value


def _working_days(value: object) -> int:
    if isinstance(value, str) and (match := _WORKING_DAYS.fullmatch(value.strip().lower())):
        return int(match[1])
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{shown(value)} is not a number of working days; write for example 10 or 10d")
    return value


def _share(value: object) -> float:
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value.strip())):
        return float(match[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{shown(value)} is not a share; write for example 0.2 or 20%")
    return float(value)


def _not_for_ever(value: timedelta) -> timedelta:
    # A round of no length would spin for ever; drills in real time count in seconds, so this stays far below.
    if value < _SHORTEST_ROUND:
        raise refuse("a repeated round takes at least 0.1s")
    return value


def refuse(text: str) -> PydanticCustomError:
    """Return an error that says just this sentence."""
    return PydanticCustomError("refused", "{text}", {"text": text})


Count = Annotated[int, BeforeValidator(refusing(_whole))]
WorkingDays = Annotated[int, BeforeValidator(refusing(_working_days)), Field(ge=0, le=1000)]
"""A number of working days (Monday to Friday), to be counted with `model.times.add_working_days`."""
Share = Annotated[float, BeforeValidator(refusing(_share)), Field(ge=0, le=1)]
"""A share from 0 to 1; people may write ``20%``."""
Round = Annotated[Duration, AfterValidator(_not_for_ever)]
"""The time between two rounds of something that repeats, so never zero."""


class BySeverity(RootModel[dict[int, Duration | None]]):
    """A duration for each severity that wakes people; none means that this never happens at that severity."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _severities(cls, data: Any) -> Any:
        if isinstance(data, BySeverity):
            return data
        if not isinstance(data, Mapping):
            said = f"{shown(data)} is not a duration for each severity"
            raise refuse(f"{said}; write for example {{1: 2m, 3: 5m}}")
        for severity in data:
            if str(severity) not in _WAKING_TEXTS:
                said = f"{shown(severity)} is no severity that wakes people"
                raise refuse(f"{said}: 1, 2 and 3 do, 4 and 5 never")
        return {int(severity): value for severity, value in data.items()}

    def at(self, severity: int) -> timedelta | None:
        """Return the duration at this severity; None when it never happens there."""
        return self.root.get(severity)

    def merged(self, given: Any, template: "BySeverity") -> Any:
        """Merge what a person wrote over this; one duration alone is meant wherever `template` has one."""
        if isinstance(given, BySeverity):
            given = given.root
        if isinstance(given, Mapping):
            # In JSON, and sometimes in YAML, a severity is text; what is no severity stays, to be refused.
            read = {int(s) if str(s) in _WAKING_TEXTS else s: d for s, d in given.items()}
            return {**self.root, **read}
        if given is None:
            return given  # an empty line in YAML; to say "never" takes an explicit {1: null}
        return {**self.root, **{s: given for s, d in template.root.items() if d is not None}}


def minutes(by_severity: dict[int, int | None]) -> BySeverity:
    """Return minutes by severity; None means never."""
    return BySeverity({s: None if m is None else timedelta(minutes=m) for s, m in by_severity.items()})


def named(default: Any, description: str, **bounds: Any) -> Any:
    """Return a number; the description has its row or source, its meaning and, where it is no duration, its unit."""
    return Field(default=default, description=description, **bounds)


SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Numbers(BaseModel):
    """Numbers of one part of the process, which `Policy` puts together."""

    model_config = ConfigDict(extra="forbid", frozen=True)
