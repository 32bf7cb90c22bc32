"""Every number that decides who is woken, who decides and what leaves the house (design §5).

Each has a name, a unit and a reason in this folder and nowhere else, in the file of its part of the process, and any
can be overridden: per organisation in the catalogue's `policy:`, per rehearsal in a drill's. Row ids such as E3 refer
to `docs/process.md`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import ValidationInfo, model_validator

from model.policy.detecting import Detecting
from model.policy.kinds import WAKING, BySeverity, Round, refuse
from model.policy.knowing import Knowing
from model.policy.learning import Learning
from model.policy.limits import Limits
from model.policy.mitigating import Mitigating
from model.policy.paging import Paging
from model.policy.telling import Telling
from model.text import did_you_mean
from model.times import short, shown

__all__ = ["WAKING", "BySeverity", "Policy", "Round", "did_you_mean", "unknown_policy_name"]


# Backwards: pydantic takes the last one's fields first, and people read them in the order of the process.
class Policy(Limits, Learning, Mitigating, Telling, Knowing, Detecting, Paging):
    """The numbers in force. Fields are durations unless their description names another unit.

    A name that does not exist is refused, with the names it may have meant. Only JSON is read more kindly,
    since that is how an incident carries its policy in its own state: a name that a newer version wrote is
    ignored there, because a refusal would stop a running incident.
    """

    @model_validator(mode="before")
    @classmethod
    def _as_people_write(cls, data: Any, info: ValidationInfo) -> Any:
        """Refuse misspelt names helpfully, and fill in the severities that an override leaves out."""
        if not isinstance(data, Mapping):
            return data
        unknown = [name for name in data if name not in cls.model_fields]
        if unknown and info.mode == "python":
            raise refuse("; ".join(unknown_policy_name(name) for name in unknown))
        return {name: cls._filled(name, value) for name, value in data.items() if name not in unknown}

    @model_validator(mode="after")
    def _can_happen(self) -> "Policy":
        if self.aggregate_teams > self.aggregate_services:
            raise refuse(
                f"aggregate_teams ({self.aggregate_teams}) is more than aggregate_services "
                f"({self.aggregate_services}): so few services never have so many teams"
            )
        return self

    @classmethod
    def _filled(cls, name: str, value: Any, base: BySeverity | None = None) -> Any:
        template = cls.model_fields[name].default
        return (base or template).merged(value, template) if isinstance(template, BySeverity) else value

    def overridden(self, overrides: Mapping[str, Any] | None) -> "Policy":
        """Return this policy with some numbers replaced; what is not named stays.

        Args:
            overrides: Name to value, as people write them in YAML. A number by severity may be given for some
                severities only, or as one duration for all that have one by default.

        Raises:
            pydantic.ValidationError: With a sentence for each name or value that cannot be read.
        """
        given = dict(overrides or {})
        merged = {name: getattr(self, name) for name in type(self).model_fields}
        for name, value in given.items():
            base = merged.get(name)
            merged[name] = self._filled(name, value, base) if isinstance(base, BySeverity) else value
        return Policy.model_validate(merged)

    def described(self) -> list[tuple[str, str, str]]:
        """List every number as name, value and reason, for the CLI and the guides."""
        return [
            (name, _written(getattr(self, name)), field.description or "")
            for name, field in type(self).model_fields.items()
        ]


def unknown_policy_name(name: object) -> str:
    """Say that there is no such number, and which it may have been."""
    return f"there is no policy number {shown(name)}{did_you_mean(name, Policy.model_fields)}"


def _written(value: Any) -> str:
    if isinstance(value, timedelta):
        return short(value)
    if isinstance(value, BySeverity):
        return ", ".join(f"{s}: {'never' if d is None else short(d)}" for s, d in sorted(value.root.items()))
    return str(value)
