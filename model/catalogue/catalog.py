"""The catalogue: who there is, what they own, whom to wake (design §4), and what can be wrong in it.

People write it as YAML; this module takes what a YAML reader returns. `check` names all problems at once, in
the words of the file, because a catalogue is mended in one sitting or not at all (`consistency` has what it looks for).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final, TypeVar

from pydantic import PrivateAttr

from model.catalogue.consistency import Checks, gap_findings
from model.catalogue.customers import ANYWHERE, Directory
from model.catalogue.entries import (
    GLOBAL,
    SOURCES,
    Bridges,
    CatalogError,
    Contact,
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
from model.catalogue.reader import CALL_LEADERS, UNMAPPED, Reader
from model.catalogue.rotation import Level
from model.detect.canaries import Canary
from model.detect.traffic import Traffic
from model.policy import Policy

__all__ = [
    "CALL_LEADERS",
    "GLOBAL",
    "SOURCES",
    "UNMAPPED",
    "Bridges",
    "Catalog",
    "CatalogError",
    "Contact",
    "Customer",
    "Finding",
    "Kpi",
    "Level",
    "Match",
    "Person",
    "Roles",
    "Service",
    "Team",
    "Tenet",
    "check",
    "gap_findings",
]

_NOBODY: Final = Directory()


class Catalog(Entry):
    """A checked catalogue. Made by `load`; everything it refers to exists."""

    organisation: str = ""
    partitions: dict[str, list[str]] = {}
    people: dict[str, Person] = {}
    teams: dict[str, Team] = {}
    services: dict[str, Service] = {}
    suspects: list[str] = []
    roles: Roles = Roles()
    customers: dict[str, Customer] = {}
    tenets: list[Tenet] = []
    bridges: Bridges = Bridges()
    match: list[Match] = []
    canaries: dict[str, Canary] = {}
    traffic: dict[str, Traffic] = {}
    policy: Policy = Policy()

    # Not written in the catalogue: it comes from elsewhere, and is looked up, never copied into anything.
    _directory: Directory = PrivateAttr(default_factory=lambda: _NOBODY)

    @classmethod
    def load(cls, data: Mapping[str, Any] | None) -> "Catalog":
        """Make a catalogue of what a YAML reader returned.

        Raises:
            CatalogError: With every finding, when one of them is an error.
        """
        catalog, findings = _read(data)
        if any(finding.level == "error" for finding in findings):
            raise CatalogError(findings)
        return catalog

    def person_by(self, text: str) -> Person | None:
        """Find a person by id or e-mail address, in any case."""
        return self._people_by_text.get(text.strip().casefold())

    def team_by(self, text: str) -> Team | None:
        """Find a team by its id, in any case."""
        return _any_case(self.teams, text)

    def service_by(self, text: str) -> Service | None:
        """Find a service by its id, in any case: for what people type. Machines are exact: see `service`."""
        return _any_case(self.services, text)

    def service(self, service_id: str) -> Service | None:
        """Find a service by its exact id."""
        return self.services.get(service_id)

    def owner(self, service_id: str) -> Team | None:
        """Find the team that owns a service; None for a service the catalogue does not know."""
        service = self.services.get(service_id)
        return self.teams.get(service.team) if service else None

    def teams_of(self, person_id: str) -> list[str]:
        """List the teams a person is a member of: on any level, or as its manager (design §5)."""
        return list(self._teams_by_person.get(person_id, ()))

    def partition_of(self, region: str) -> str | None:
        """Name the partition of a region; None for a region that no partition has."""
        return next((name for name, regions in self.partitions.items() if region in regions), None)

    def customers_of(self, service_id: str) -> list[str]:
        """List the customers that use a service; where they are many, the groups they are in."""
        named = self._customers_by_service.get(service_id, ())
        return list(dict.fromkeys([*named, *self._directory.customers_of(service_id)]))

    def customers_in(self, service_id: str) -> dict[str, list[str]]:
        """List the same by region, where the table beside the catalogue says so; else nothing.

        Who may be anywhere, as those the catalogue names itself, is in the region `global`.
        """
        placed = self._directory.customers_in(service_id)
        if set(placed) <= {ANYWHERE}:
            return {}
        named = self._customers_by_service.get(service_id, [])
        anywhere = list(dict.fromkeys([*named, *placed.get(ANYWHERE, [])]))
        return {**placed, **({ANYWHERE: anywhere} if anywhere else {})}

    def customer(self, id: str) -> Customer | None:
        """Find a customer by id: one the catalogue names, else one of the table beside it."""
        return self.customers.get(id) or self._directory.customer(id)

    def members(self, id: str) -> list[str]:
        """List who is in a group of customers; a customer is in a group of their own."""
        members = self._directory.members(id)
        return [id] if members is None else members

    def account_team(self, id: str) -> list[str]:
        """List who looks after a customer, or the customers of a group."""
        named = self.customers.get(id)
        return list(named.account_team) if named else self._directory.account_team(id)

    def is_used_by(self, service_id: str, id: str) -> bool:
        """Whether a customer uses a service."""
        named = self.customers.get(id)
        return (named is not None and service_id in named.services) or self._directory.uses(id, service_id)

    def resources(self, id: str, services: Iterable[str]) -> dict[str, list[str]]:
        """List by region what a customer calls their own parts of some services."""
        return self._directory.resources(id, services)

    @property
    def customers_tabled(self) -> int:
        """How many customers are known from the table beside the catalogue."""
        return len(self._directory)

    def with_customers(self, directory: Directory) -> "Catalog":
        """Return the catalogue with the customers of a table beside those it names itself."""
        copied = self.model_copy()
        copied._directory = directory
        return copied

    def matched(self, source: str, labels: Mapping[str, str]) -> dict[str, Any]:
        """Say what the rules know of an alarm that `source` sent with these labels, in the fields of an alarm.

        For each field, the first rule that fits and says it wins.
        """
        said: dict[str, Any] = {}
        for rule in self.rules_for(source):
            if rule.fits(labels):
                said = {**rule.given(labels), **said}
        return said

    def rules_for(self, source: str) -> list[Match]:
        """List the rules about what `source` sends, in their order."""
        return self._rules_by_source.get(source, [])

    def internal_names(self) -> list[str]:
        """List every word that no customer may read, of all services, sorted."""
        public = {service.customer_name.casefold() for service in self.services.values()}
        names = {name for service in self.services.values() for name in service.secrets}
        return sorted(name for name in names if name.casefold() not in public)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "Catalog":
        """Copy, and forget what was looked up: pydantic would copy the indexes below as they are."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("_people_by_text", "_teams_by_person", "_customers_by_service", "_rules_by_source"):
            copied.__dict__.pop(name, None)
        return copied

    # Asked on every message and for every person of a plan: built once, the catalogue never changes.
    @cached_property
    def _rules_by_source(self) -> dict[str, list[Match]]:
        return {name: [rule for rule in self.match if not rule.source or name in rule.source] for name in SOURCES}

    @cached_property
    def _people_by_text(self) -> dict[str, Person]:
        found: dict[str, Person] = {}
        for person in self.people.values():
            mails = [contact.address for contact in person.contact if contact.channel == "email"]
            for text in (person.id, *mails):
                found.setdefault(text.casefold(), person)
        return found

    @cached_property
    def _teams_by_person(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for team in self.teams.values():
            for person in team.members:
                found.setdefault(person, []).append(team.id)
        return found

    @cached_property
    def _customers_by_service(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for customer in self.customers.values():
            for service in dict.fromkeys(customer.services):
                found.setdefault(service, []).append(customer.id)
        return found


def check(data: Mapping[str, Any] | None, at: datetime | None = None) -> list[Finding]:
    """Name everything that is wrong in a catalogue, all at once; an empty list is a good catalogue.

    Args:
        data: What a YAML reader returned.
        at: The moment from which on the on-call lists are looked at for gaps, `AHEAD` far; without it, not at all.
    """
    return _read(data, at)[1]


def _read(data: Any, at: datetime | None = None) -> tuple[Catalog, list[Finding]]:
    reader = Reader(data, list(Catalog.model_fields))
    catalog = Catalog(**reader.parts())
    checks = Checks(catalog, reader)
    checks.run()
    if at is not None:
        reader.findings += gap_findings(catalog, at)
    return catalog, reader.findings


V = TypeVar("V")


def _any_case(entries: Mapping[str, V], text: str) -> V | None:
    wanted = text.strip().casefold()
    return next((entry for name, entry in entries.items() if name.casefold() == wanted), None)
