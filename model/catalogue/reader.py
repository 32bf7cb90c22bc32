"""Reading a catalogue: from what a YAML reader returns to typed entries, every mistake named (design §4)."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from model.catalogue.entries import (
    Bridges,
    Customer,
    Entry,
    Finding,
    Kpi,
    Match,
    Person,
    Roles,
    Service,
    Team,
    Tenet,
)
from model.detect.canaries import Canary
from model.detect.traffic import Traffic
from model.policy import Policy, did_you_mean, unknown_policy_name
from model.times import shown

UNMAPPED: Final = "unmapped"
"""Where alarms go that the catalogue does not know (design §2); no partition may be called so."""
CALL_LEADERS: Final = "call-leaders"
"""The row under which call leaders are shown (design §4); no team may be called so."""

_RESERVED: Final = {"partitions": UNMAPPED, "teams": CALL_LEADERS, "customers": "public"}
# Ids are parts of workflow ids (paths), of `service@version` and of what people say aloud.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

E = TypeVar("E", Person, Team, Service, Customer)
M = TypeVar("M", bound=BaseModel)
W = TypeVar("W", Canary, Traffic)


class _TenetEntry(Entry):
    """A tenet as it is written; `Tenet` itself is carried by incidents, and reads whatever versions wrote."""

    id: str = ""
    text: str = ""


class Reader:
    """Reads one catalogue and collects what is wrong, going on wherever something can still be said."""

    def __init__(self, data: Any, keys: Collection[str]) -> None:
        self.findings: list[Finding] = []
        if data is not None and not isinstance(data, Mapping):
            self.error("catalogue", f"{shown(data)} is not a catalogue; it has people:, teams:, services:, ...")
            data = None
        self.data: dict[str, Any] = {}
        for key, value in (data or {}).items():
            if key in keys:
                self.data[key] = value
            else:
                self.error(str(key), f"unknown key{did_you_mean(key, keys)}")
        self.ids = {section: self._ids(section) for section in ("people", "teams", "services", "customers")}

    def parts(self) -> dict[str, Any]:
        """Read everything; what cannot be read is reported, and missing from the result."""
        return {
            "organisation": self._text("organisation"),
            "partitions": self._partitions(),
            "people": self._entries("people", Person),
            "teams": self._entries("teams", Team),
            "services": self._entries("services", Service),
            "suspects": self._strings("suspects", self.data.get("suspects")),
            "roles": self._one("roles", self._mapping("roles"), Roles),
            "customers": self._entries("customers", Customer),
            "tenets": self._tenets(),
            "canaries": self._watchers("canaries", Canary),
            "traffic": self._watchers("traffic", Traffic),
            "bridges": self._one("bridges", self._mapping("bridges"), Bridges),
            "match": self._match(),
            "policy": self._policy(),
        }

    # --- Saying what is wrong ---------------------------------------------------------------------

    def error(self, where: str, text: str) -> None:
        """Report what makes the catalogue unusable."""
        self.findings.append(Finding(level="error", where=where, text=text))

    def warning(self, where: str, text: str) -> None:
        """Report what should be better, and hinders nothing."""
        self.findings.append(Finding(level="warning", where=where, text=text))

    def said(self, where: str) -> bool:
        """Whether something was found there already, so that one mistake is not reported twice."""
        return any(f.where == where or f.where.startswith((where + ".", where + "[")) for f in self.findings)

    def unreadable(self, section: str) -> bool:
        """Whether a section could not be read at all, so that references into it say nothing."""
        return any(f.where == section for f in self.findings)

    def refer(self, where: str, name: str, section: str, what: str) -> None:
        """Report a reference to something that does not exist."""
        known = self.ids[section]
        if name not in known and not self.unreadable(section):
            self.error(where, f"there is no {what} {shown(name)}{did_you_mean(name, known)}")

    def explain(self, where: str, item: ErrorDetails, model: type[BaseModel]) -> None:
        """Put one of pydantic's errors into the words of the file."""
        path = where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"])
        kind, value = item["type"], shown(item["input"])
        if kind == "extra_forbidden":
            fields = (Kpi if "kpis" in item["loc"] else model).model_fields
            text = f"unknown key{did_you_mean(item['loc'][-1], [name for name in fields if name != 'id'])}"
        elif kind == "string_type":
            quotable = isinstance(item["input"], int | float | date)
            text = f"{value} is not read as text; write it in quotes" if quotable else f"{value} is not text"
        elif kind == "list_type":
            text = f"{value} is not a list; write for example [a, b]"
        elif kind in ("model_type", "dict_type"):
            text = f"{value} is not an entry with keys and values"
        elif kind.startswith(("int_", "float_", "finite_")):
            text = f"{value} is not a {'whole ' if kind.startswith('int') else ''}number"
        elif kind == "refused":
            text = item["msg"]
        else:
            text = f"{value}: {item['msg'][:1].lower()}{item['msg'][1:]}"
        self.error(path, text)

    # --- Reading ----------------------------------------------------------------------------------

    def _mapping(self, section: str) -> Mapping[Any, Any]:
        value = self.data.get(section)
        if value is None or isinstance(value, Mapping):
            return value or {}
        if not self.said(section):
            self.error(section, f"{shown(value)} is not a mapping; write {section}: and below it id: ...")
        return {}

    def _text(self, key: str) -> str:
        value = self.data.get(key)
        if value is not None and not isinstance(value, str):
            self.error(key, f"{shown(value)} is not read as text; write it in quotes")
        return value if isinstance(value, str) else ""

    def _strings(self, where: str, value: Any) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.error(where, f"{shown(value)} is not a list; write for example [a, b]")
            return []
        for index, item in enumerate(value):
            if not isinstance(item, str):
                self.error(f"{where}[{index}]", f"{shown(item)} is not read as text; write it in quotes")
        return [item for item in value if isinstance(item, str)]

    def _ids(self, section: str) -> dict[str, None]:
        """List the ids of a section in the order of the file."""
        found: dict[str, str] = {}
        for key in self._mapping(section):
            where = f"{section}.{key}"
            if not isinstance(key, str):
                self.error(where, f"{shown(key)} is not read as text; write it in quotes")
                continue
            if not _ID.fullmatch(key):
                self.error(where, f"{shown(key)} is no id: letters, digits and . _ - only, no blanks")
            if key.casefold() == _RESERVED.get(section):
                self.error(where, f"{shown(key)} has a meaning of its own; choose another id")
            if (other := found.setdefault(key.casefold(), key)) != key:
                self.error(where, f"differs from {shown(other)} only in case; nobody is that exact at night")
        return {key: None for key in self._mapping(section) if isinstance(key, str)}

    def _one(self, where: str, values: Any, model: type[M], **fixed: str) -> M:
        """Read one entry; what cannot be read is reported and left out, the rest is still checked."""
        if values is not None and not isinstance(values, Mapping):
            self.error(where, f"{shown(values)} is not an entry with keys and values")
            values = None
        given: dict[str, Any] = {}
        for key, value in (values or {}).items():
            if not isinstance(key, str) or key in fixed:
                self.error(f"{where}.{key}", f"unknown key{did_you_mean(key, model.model_fields)}")
            elif value is not None:  # a key with nothing behind it is as good as none
                given[key] = value
        try:
            return model.model_validate({**given, **fixed})
        except ValidationError as refusal:
            errors = refusal.errors(include_url=False)
            for item in errors:
                self.explain(where, item, model)
            bad = {item["loc"][0] for item in errors if item["loc"]}
            return model.model_validate({**{k: v for k, v in given.items() if k not in bad}, **fixed})

    def _entries(self, section: str, model: type[E]) -> dict[str, E]:
        raw = self._mapping(section)
        return {name: self._one(f"{section}.{name}", raw[name], model, id=name) for name in self.ids[section]}

    def _watchers(self, section: str, model: type[W]) -> dict[str, W]:
        """Read canaries or series; one that cannot be read is reported and left out, for it could not look."""
        found: dict[str, W] = {}
        for name, values in self._mapping(section).items():
            where = f"{section}.{name}"
            if not isinstance(name, str) or not _ID.fullmatch(name):
                self.error(where, f"{shown(name)} is no id: letters, digits and . _ - only, no blanks")
                continue
            if not isinstance(values, Mapping):
                self.error(where, f"{shown(values)} is not an entry with keys and values")
                continue
            try:
                found[name] = model.model_validate({**values, "id": name})
            except ValidationError as refusal:
                for item in refusal.errors(include_url=False):
                    self.explain(where, item, model)
        return found

    def _partitions(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        home: dict[str, str] = {}
        for name, value in self._mapping("partitions").items():
            where = f"partitions.{name}"
            regions = self._strings(where, value)
            for word in (name, *regions):
                if not isinstance(word, str) or not _ID.fullmatch(word):
                    self.error(where, f"{shown(word)} is no id: letters, digits and . _ - only, no blanks")
            if name == _RESERVED["partitions"]:
                self.error(where, f"{shown(name)} is where unknown alarms go; choose another name")
            for region in regions:
                if (other := home.setdefault(region, str(name))) != str(name):
                    self.error(where, f"the region {shown(region)} is in {shown(other)} already")
            found[str(name)] = regions
        if not any(found.values()) and not self.said("partitions"):
            self.error("partitions", "there is no region; write for example partitions: {public: [eu-west]}")
        return found

    def _tenets(self) -> list[Tenet]:
        value = self.data.get("tenets")
        if value is not None and (not isinstance(value, Sequence) or isinstance(value, str)):
            self.error("tenets", f"{shown(value)} is not a list; write for example - {{id: ..., text: ...}}")
            value = None
        entries = [self._one(f"tenets[{i}]", item, _TenetEntry) for i, item in enumerate(value or [])]
        seen: list[str] = []
        for index, entry in enumerate(entries):
            where = f"tenets[{index}]"
            if not (entry.id and entry.text) and not self.said(where):
                self.error(where, "a tenet needs an id and a text")
            if entry.id and entry.id in seen:
                self.error(where, f"there is a tenet {shown(entry.id)} already")
            seen.append(entry.id)
        return [Tenet(id=entry.id, text=entry.text) for entry in entries]

    def _match(self) -> list[Match]:
        value = self.data.get("match")
        if value is not None and (not isinstance(value, Sequence) or isinstance(value, str)):
            self.error(
                "match", f"{shown(value)} is not a list; write for example - {{when: {{app: shop}}, service: ...}}"
            )
            value = None
        return [self._one(f"match[{index}]", item, Match) for index, item in enumerate(value or [])]

    def _policy(self) -> Policy:
        given = self._mapping("policy")
        for name in given:
            if name not in Policy.model_fields:
                self.error(f"policy.{name}", unknown_policy_name(name))
        try:
            return Policy().overridden({k: v for k, v in given.items() if k in Policy.model_fields})
        except ValidationError as refusal:
            for item in refusal.errors(include_url=False):
                self.explain("policy", item, Policy)
            return Policy()
