"""The entries of the catalogue, each as people write it (design §4).

They say what shape an entry has; what must be true between entries is checked in `model.catalogue.catalog`.
"""

import re
from collections.abc import Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from model.catalogue.rotation import Level, Override, everybody, read_levels, read_overrides
from model.times import find_zone, shown

SOURCES: Final = ("allclear", "alertmanager", "cloudwatch", "eventbridge", "grafana", "datadog", "cloudevents")
"""Who sends alarms, as the gateway's addresses are called: `/alarms/{source}`."""
GLOBAL: Final = "global"
"""The region of a service that has none."""
LABEL: Final = re.compile(r"\{([^{}]*)\}")
"""Where a rule takes a word from a label: `{app}`."""


def _refuse(text: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{text}", {"text": text})


class Entry(BaseModel):
    """What every entry has in common: misspelt keys are refused, and nobody changes it later."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Contact(BaseModel):
    """One way to reach somebody. In the catalogue it is written as one line: ``email: ana@example.test``."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    channel: str = ""
    address: str = ""

    @model_validator(mode="before")
    @classmethod
    def _one_line(cls, data: Any) -> Any:
        if isinstance(data, Contact):
            return data
        if isinstance(data, Mapping) and (not data or "channel" in data or "address" in data):
            return data  # as it is kept, not as people write it
        if not isinstance(data, Mapping):
            raise _refuse(f"{shown(data)} names no channel; write for example - email: ana@example.test")
        if len(data) > 1:
            raise _refuse(f"{', '.join(map(str, data))} are one entry; their order counts: one list item each")
        ((channel, address),) = data.items()
        if isinstance(address, int | float):
            raise _refuse(f"the {channel} address is read as a number; write it in quotes")
        if address is not None and not isinstance(address, str):
            raise _refuse(f"the {channel} address {shown(address)} is not text")
        return {"channel": str(channel).strip().lower(), "address": str(address or "").strip()}


class Person(Entry):
    """Somebody who can be woken, or can decide.

    Attributes:
        id: Short and easy to type.
        name: As it is shown to others.
        contact: In the order in which they are tried.
        timezone: An IANA zone; mornings and working days are counted there.
    """

    id: str
    name: str = ""
    contact: list[Contact] = []
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _real_zone(cls, name: str) -> str:
        if find_zone(name) is None:
            raise _refuse(f"{shown(name)} is not a time zone; write for example Europe/Paris or UTC")
        return name


class Team(Entry):
    """People who own services.

    Attributes:
        id: As services name their owner.
        name: As it is shown to people.
        on_call: Escalation levels, first come first woken.
        overrides: Who stands in for whom, for a while.
        manager: A person's id.
    """

    id: str
    name: str = ""
    on_call: list[Level] = []
    overrides: list[Override] = []
    manager: str = ""

    @field_validator("on_call", mode="before")
    @classmethod
    def _levels(cls, data: Any) -> Any:
        return read_levels(data)

    @field_validator("overrides", mode="before")
    @classmethod
    def _overrides(cls, data: Any) -> Any:
        return read_overrides(data)

    @property
    def members(self) -> list[str]:
        """Everybody ever on any level, who stands in, and the manager: each once, in the order they would be woken."""
        on_call = [person for level in self.on_call for person in everybody(level)]
        stand_ins = [override.person for override in self.overrides]
        return [person for person in dict.fromkeys([*on_call, *stand_ins, self.manager]) if person]


class Kpi(Entry):
    """A key performance metric of a service, and when it is in alarm (D6)."""

    name: str = ""
    unit: str = ""
    alarm_above: float | None = None
    alarm_below: float | None = None
    severity: int | None = Field(default=None, ge=1, le=5)


class Service(Entry):
    """Something a team runs and others, or customers, use.

    Attributes:
        id: Its name in alarms.
        team: The owner.
        regions: Where it runs; empty, or `global`, when it is one for all.
        customer_name: What customers call it. Without one they are told about it in general words.
        depends_on: Services it needs.
        components: Parts and libraries, never named to customers.
        internal_names: Further words never said to customers.
        kpis: Three to five key performance metrics.
    """

    id: str
    team: str = ""
    regions: list[str] = []
    customer_name: str = ""
    depends_on: list[str] = []
    components: list[str] = []
    internal_names: list[str] = []
    kpis: list[Kpi] = []

    @property
    def secrets(self) -> list[str]:
        """Words that must not reach customers: internal names, components, and an id that looks technical.

        An id that contains a digit or a hyphen looks technical (design §3); the name customers know is
        never internal.
        """
        technical = [self.id] if re.search(r"[0-9-]", self.id) else []
        names = [*self.internal_names, *self.components, *technical]
        public = self.customer_name.casefold()
        return [name for name in dict.fromkeys(names) if name and name.casefold() != public]


class Roles(Entry):
    """Who does what in every incident: two teams, and a few very senior people (C11)."""

    incident_response: str = ""
    support: str = ""
    call_leaders: list[str] = []


class Customer(Entry):
    """Somebody who is told, personally, when a service of theirs is impacted."""

    id: str
    name: str = ""
    services: list[str] = []
    contact: list[Contact] = []
    account_team: list[str] = []


class Tenet(BaseModel):
    """A short sentence that breaks ties (L4)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = ""
    text: str = ""


INCIDENT: Final = "{incident}"
CALL: Final = "{call}"
SECRET: Final = "{secret}"


class Bridges(Entry):
    """Where people meet: static links, or templates of them, and a number for who cannot open one.

    A template has places for ``{incident}``, ``{call}`` (`tech`, `support`, `fork-1`) and ``{secret}`` (letters that
    nobody guesses; such a call is reached through the signed page only).

    Attributes:
        tech: For who mends it (C1). With ``{call}`` it makes the others too, where they are left out.
        support: For who speaks with customers (C6).
        forks: For teams that leave the bridge (C5), dealt out in turn.
    """

    tech: str = ""
    support: str = ""
    forks: list[str] = []
    phone: str = ""

    @field_validator("forks", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @property
    def for_support(self) -> str:
        """The support call's template."""
        return self.support or (self.tech if CALL in self.tech else "")


class Match(Entry):
    """A rule that says what alarms from outside mean here. For each field, the first rule that says it wins.

    Attributes:
        source: The senders it is about; empty: all.
        when: Label → patterns, of which one must fit; `*` and `?` stand for any text and any letter, a pattern
            without text fits a label that is not there. All labels named must fit.
        service: What the alarm's service becomes; `{app}` is replaced by the label `app`.
        region: Likewise, its region.
        metric: Likewise, its metric.
        severity: Its severity.
        kind: What kind of alarm it is (D1, D2, D4).
    """

    source: list[str] = []
    when: dict[str, list[str]] = {}
    service: str = ""
    region: str = ""
    metric: str = ""
    severity: int | None = Field(default=None, ge=1, le=5)
    kind: Literal["service", "subsystem", "canary", "traffic"] | None = None

    @field_validator("source", mode="before")
    @classmethod
    def _one_source(cls, data: Any) -> Any:
        return [data] if isinstance(data, str) else data

    @field_validator("when", mode="before")
    @classmethod
    def _one_pattern(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {label: [found] if isinstance(found, str) else found for label, found in data.items()}

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether the rule is about an alarm with these labels."""
        return all(
            any(_pattern(text).fullmatch(labels.get(label, "")) for text in texts) for label, texts in self.when.items()
        )

    def given(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """Return what the rule says, in the fields of an alarm; a word whose label is not there is not said."""
        said: dict[str, Any] = {}
        for field in ("service", "region", "metric"):
            text = getattr(self, field)
            if text and all(labels.get(label) for label in LABEL.findall(text)):
                said[field] = LABEL.sub(lambda found: labels[found[1]], text)
        if self.severity is not None:
            said["severity"] = self.severity
        if self.kind is not None:
            said["source"] = self.kind
        return said


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(translate(text))


class Finding(BaseModel):
    """One thing that is wrong in a catalogue; `where` is the path to it in the file."""

    model_config = ConfigDict(frozen=True)

    level: Literal["error", "warning"]
    where: str
    text: str

    def __str__(self) -> str:
        """Write the finding on one line."""
        return f"{self.level}: {self.where}: {self.text}"


class CatalogError(Exception):
    """The catalogue cannot be used; `findings` holds everything that was found, warnings too."""

    def __init__(self, findings: list[Finding]) -> None:
        """Keep the findings and put them into the message, one per line."""
        self.findings = findings
        super().__init__("\n".join(str(finding) for finding in findings))
