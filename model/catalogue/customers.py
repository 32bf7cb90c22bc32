"""Customers by the thousand: who uses which service where, read from a table beside the catalogue (C8, C9).

An incident freezes its plan, and a plan lives in its state, which has a limit. So a service's few customers are
planned by name, and many as groups of which only the names are carried; who is in a group, and how they are reached, is
looked up when a message goes.
"""

import csv
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import StringIO
from typing import Final
from zlib import crc32

from model.catalogue.entries import Contact, Customer
from model.policy import did_you_mean
from model.text import Refused
from model.times import shown

COLUMNS: Final = ("customer", "name", "service", "region", "contact", "account_team", "resources")
"""Of the table; the first row names those it has."""
NEEDED: Final = ("customer", "service", "contact")
NAMED: Final = 200
"""Customers of a service that a plan names one by one: more, and a message's list takes more room than the rest."""
GROUP: Final = 500
"""Customers in a group, about: a message to them takes seconds, and what is repeated after a failure stays small."""
ANYWHERE: Final = "global"
"""The region of who names none: told wherever the service is impacted."""
FINDINGS: Final = 200
"""Findings kept; the rest is counted."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EMAIL: Final = re.compile(r"[^\s@:]+@[^\s@]+")
_GROUP: Final = re.compile(r"([^@~]+)@([^@~]+)~([1-9]\d*)of([1-9]\d*)")


@dataclass(slots=True)
class _Known:
    """What the table says of a customer, over all rows."""

    name: str = ""
    contacts: dict[tuple[str, str], None] = field(default_factory=dict)
    account_team: dict[str, None] = field(default_factory=dict)
    uses: dict[str, dict[str, dict[str, None]]] = field(default_factory=dict)


class Directory:
    """The customers of a table. Every look-up takes well under a millisecond, a group's first a few."""

    def __init__(self, known: Mapping[str, _Known] | None = None) -> None:
        """Index what a table says; `read_customers` makes one."""
        self._known = dict(known or {})
        self._users: dict[str, dict[str, list[str]]] = {}
        teams: dict[tuple[str, str], dict[str, None]] = {}
        for id, customer in self._known.items():
            for service, regions in customer.uses.items():
                for region in regions:
                    self._users.setdefault(service, {}).setdefault(region, []).append(id)
                    teams.setdefault((service, region), {}).update(customer.account_team)
        self._teams = {place: list(team) for place, team in teams.items()}
        self._placed = {service: self._names(service) for service in self._users}
        self._groups = lru_cache(maxsize=64)(self._split)

    def __len__(self) -> int:
        return len(self._known)

    def customers_of(self, service: str) -> list[str]:
        """Return a service's customers by their ids, or, where they are many, the groups they are in."""
        return list(dict.fromkeys(name for names in self._placed.get(service, {}).values() for name in names))

    def customers_in(self, service: str) -> dict[str, list[str]]:
        """Return the same by region; those who name none are in `ANYWHERE`."""
        return {region: list(names) for region, names in self._placed.get(service, {}).items()}

    def customer(self, id: str) -> Customer | None:
        """Return a customer; None for one the table does not have."""
        found = self._known.get(id)
        if found is None:
            return None
        contacts = [Contact(channel=channel, address=address) for channel, address in found.contacts]
        return Customer(
            id=id,
            name=found.name,
            services=list(found.uses),
            contact=contacts,
            account_team=list(found.account_team),
        )

    def members(self, id: str) -> list[str] | None:
        """Return who is in a group now; None for what is no group's name."""
        named = _GROUP.fullmatch(id)
        if named is None:
            return None
        service, region, number, count = named.groups()
        return list(self._groups(service, region, int(count))[int(number) - 1]) if int(number) <= int(count) else []

    def account_team(self, id: str) -> list[str]:
        """Return who looks after a customer; for a place's first group, after all customers there: once is enough."""
        if id in self._known:
            return list(self._known[id].account_team)
        named = _GROUP.fullmatch(id)
        return self._teams.get((named[1], named[2]), []) if named and named[3] == "1" else []

    def uses(self, id: str, service: str) -> bool:
        """Whether a customer uses a service."""
        found = self._known.get(id)
        return found is not None and service in found.uses

    def resources(self, id: str, services: Iterable[str]) -> dict[str, list[str]]:
        """Return what a customer calls their own parts of some services, by region."""
        found = self._known.get(id)
        named: dict[str, dict[str, None]] = {}
        for service in services if found else ():
            for region, parts in found.uses.get(service, {}).items() if found else ():
                if parts:
                    named.setdefault(region, {}).update(parts)
        return {region: list(parts) for region, parts in named.items()}

    def _names(self, service: str) -> dict[str, list[str]]:
        """Return the names of a service's customers, or of their groups, by region."""
        regions = self._users[service]
        if len({id for ids in regions.values() for id in ids}) <= NAMED:
            return regions
        return {region: _group_names(service, region, len(ids)) for region, ids in regions.items()}

    def _split(self, service: str, region: str, count: int) -> list[list[str]]:
        """Deal a place's customers out: whoever was in a group stays in it while the table changes."""
        groups: list[list[str]] = [[] for _ in range(count)]
        for id in self._users.get(service, {}).get(region, []):
            groups[crc32(id.encode()) % count].append(id)
        return groups


def _group_names(service: str, region: str, customers: int) -> list[str]:
    count = -(-customers // GROUP)
    return [f"{service}@{region}~{number}of{count}" for number in range(1, count + 1)]


def read_customers(
    text: str, *, services: Collection[str], regions: Collection[str], people: Collection[str]
) -> tuple[Directory, list[str]]:
    """Read a table; rows that cannot be read are named, the others taken.

    Args:
        text: CSV whose first row names the columns. A customer has a row per service and region; without a region,
            wherever the service is. Several contacts, people or resources have semicolons between. A contact is
            `channel:address`, or an e-mail address.
        services: Those the catalogue knows.
        regions: Likewise.
        people: Likewise: who may be in an account team.

    Returns:
        The customers, and what is wrong, as `line 7, region: …`.

    Raises:
        Refused: It is no such table, or broken in the middle: nothing of it can be trusted then.
    """
    table = _Table(services, regions, people)
    rows = csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        columns = _columns(next(rows, []))
        for row in rows:
            if row:
                table.take(rows.line_num, columns, row)
    except csv.Error as error:
        raise Refused(f"line {rows.line_num}: {error}; is a quote not closed?") from None
    return Directory(table.told()), table.findings


def _columns(header: Sequence[str]) -> list[str]:
    columns = [name.strip().casefold() for name in header]
    wrong = [name for name in columns if name not in COLUMNS]
    lacks = [name for name in NEEDED if name not in columns]
    if wrong or lacks or len(set(columns)) != len(columns):
        said = f"{shown(wrong[0])} is no column" if wrong else f"the column {lacks[0]} is missing" if lacks else "twice"
        raise Refused(f"line 1: {said}; the first row names the columns: {','.join(COLUMNS)}")
    return columns


class _Table:
    """What has been read so far, and what was wrong with it."""

    def __init__(self, services: Collection[str], regions: Collection[str], people: Collection[str]) -> None:
        self._services, self._people = frozenset(services), frozenset(people)
        self._regions = frozenset([*regions, ANYWHERE])
        self._known: dict[str, _Known] = {}
        self._lines: dict[str, int] = {}
        self._said: list[str] = []
        self._more = 0

    @property
    def findings(self) -> list[str]:
        return [*self._said, *([f"and {self._more} more"] if self._more else [])]

    def take(self, line: int, columns: Sequence[str], row: Sequence[str]) -> None:
        """Take a row, or say what is wrong with it."""
        if len(row) != len(columns):
            return self._wrong(line, "row", f"has {len(row)} fields, the first row {len(columns)}")
        it = {name: value.strip() for name, value in zip(columns, row, strict=True)}
        id, service, region = it["customer"], it["service"], it.get("region", "") or ANYWHERE
        if not _ID.fullmatch(id):
            return self._wrong(line, "customer", f"{shown(id)} is no id: letters, digits, and . _ - behind the first")
        if service not in self._services:
            return self._unknown(line, "service", service, self._services)
        if region not in self._regions:
            return self._unknown(line, "region", region, self._regions)
        contacts = self._contacts(line, it["contact"])
        if contacts is None:
            return None
        customer = self._known.setdefault(id, _Known())
        self._lines.setdefault(id, line)
        customer.name = customer.name or it.get("name", "")
        customer.contacts.update(dict.fromkeys(contacts))
        customer.account_team.update(dict.fromkeys(self._team(line, it.get("account_team", ""))))
        parts = customer.uses.setdefault(service, {}).setdefault(region, {})
        parts.update(dict.fromkeys(_several(it.get("resources", ""))))
        return None

    def told(self) -> dict[str, _Known]:
        """Return the customers who can be told anything; the others are named."""
        for id in [id for id, customer in self._known.items() if not customer.contacts]:
            del self._known[id]
            self._wrong(self._lines[id], "contact", f"{id} has none in any row, so they are never told anything")
        return self._known

    def _contacts(self, line: int, text: str) -> list[tuple[str, str]] | None:
        """Return the contacts in a field; None, and said, where one cannot be read: half of them would look whole."""
        found = []
        for contact in _several(text):
            channel, colon, address = contact.partition(":")
            channel, address = (channel.strip().lower(), address.strip()) if colon else ("email", contact)
            if not channel or not address or (channel == "email" and not _EMAIL.fullmatch(address)):
                self._wrong(line, "contact", f"{shown(contact)} is neither an e-mail address nor channel:address")
                return None
            found.append((channel, address))
        return found

    def _team(self, line: int, text: str) -> list[str]:
        """Return the people in a field the catalogue knows; the customer is told all the same."""
        found = _several(text)
        for person in found:
            if person not in self._people:
                self._unknown(line, "account_team", person, self._people)
        return [person for person in found if person in self._people]

    def _unknown(self, line: int, name: str, value: str, known: Collection[str]) -> None:
        # Likeness is looked for only while it is shown: it takes longer than all the rest.
        hint = did_you_mean(value, sorted(known)) if len(self._said) < FINDINGS else ""
        self._wrong(line, name, f"the catalogue does not know {shown(value)}{hint}")

    def _wrong(self, line: int, name: str, text: str) -> None:
        if len(self._said) < FINDINGS:
            self._said.append(f"line {line}, {name}: {text}")
        else:
            self._more += 1


def _several(text: str) -> list[str]:
    return [part for part in map(str.strip, text.split(";")) if part]
