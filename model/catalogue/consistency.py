"""What must be true between the entries of one catalogue; each finding in the words of the file."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from model.catalogue.entries import CALL, GLOBAL, INCIDENT, LABEL, SECRET, SOURCES, Contact, Finding
from model.catalogue.oncall import AHEAD, Trouble, gaps
from model.catalogue.reader import Reader
from model.catalogue.rotation import everybody
from model.policy import did_you_mean
from model.times import iso, shown

if TYPE_CHECKING:
    from model.catalogue.catalog import Catalog

_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+")
_NUMBER: Final = re.compile(r"\+[0-9][0-9 ()-]{5,}")
_PLACEHOLDER: Final = re.compile(r"\{[^}]*\}")
_FILLED_IN: Final = (INCIDENT, CALL, SECRET)
_CHANNELS: Final = ("email", "sms", "phone", "webhook", "pagerduty", "slack", "matrix")
_TOO_MANY_LEADERS: Final = 10  # C11: fewer than ten
_FEWEST_KPIS, _MOST_KPIS = 3, 5  # D6


class Checks:
    """What must be true between the entries of one catalogue."""

    def __init__(self, catalog: "Catalog", reader: Reader) -> None:
        """Check `catalog`; `reader` takes the findings, and knows what it found by itself."""
        self.catalog = catalog
        self.reader = reader
        self.error, self.warning = reader.error, reader.warning
        self.said, self.refer = reader.said, reader.refer

    def run(self) -> None:
        """Report everything that does not depend on the time."""
        self._people()
        self._teams()
        self._services()
        self._cycles()
        self._suspects_and_roles()
        self._customers()
        self._bridges()
        self._match()
        self._watchers()

    def _people(self) -> None:
        owners: dict[str, str] = {}
        for person in self.catalog.people.values():
            where = f"people.{person.id}"
            if not person.contact and not self.said(f"{where}.contact"):
                self.error(f"{where}.contact", "has no contact, so nobody could wake them")
            self._contacts(where, person.contact)
            for contact in person.contact:
                if contact.channel == "email" and contact.address:
                    other = owners.setdefault(contact.address.casefold(), person.id)
                    if other != person.id:
                        said = f"{contact.address} belongs to {shown(other)} already"
                        self.error(f"{where}.contact", said)

    def _contacts(self, where: str, contacts: Iterable[Contact]) -> None:
        for index, contact in enumerate(contacts):
            at = f"{where}.contact[{index}]"
            if not contact.channel or not contact.address:
                self.error(at, f"the {contact.channel or 'contact'} has no address")
            elif contact.channel == "email" and not _EMAIL.fullmatch(contact.address):
                self.error(at, f"{shown(contact.address)} is not an e-mail address")
            elif contact.channel in ("sms", "phone") and not _NUMBER.fullmatch(contact.address):
                self.warning(at, f"{shown(contact.address)} should begin with + and the country code")
            if contact.channel and contact.channel not in _CHANNELS:  # others exist; a near miss is a slip
                near = did_you_mean(contact.channel, _CHANNELS)
                if "did you mean" in near:
                    self.warning(at, f"{shown(contact.channel)} is an unusual channel{near}")

    def _teams(self) -> None:
        for team in self.catalog.teams.values():
            where = f"teams.{team.id}"
            if not team.on_call and not self.said(f"{where}.on_call"):
                self.error(f"{where}.on_call", "has no level, so nobody would be woken")
            for number, level in enumerate(team.on_call, 1):
                if not level:
                    self.error(f"{where}.on_call", f"level {number} is empty, so nobody would be woken")
                for person in everybody(level):
                    self.refer(f"{where}.on_call", person, "people", "person")
            for override in team.overrides:
                for person in (override.person, override.instead_of):
                    if person:
                        self.refer(f"{where}.overrides", person, "people", "person")
                if override.level and override.level > len(team.on_call):
                    self.error(f"{where}.overrides", f"there is no level {override.level}")
            if team.manager:
                self.refer(f"{where}.manager", team.manager, "people", "person")
            elif not self.said(f"{where}.manager"):
                self.error(f"{where}.manager", "has no manager, who is paged when nobody else answers")

    def _services(self) -> None:
        home = [region for regions in self.catalog.partitions.values() for region in regions]
        for service in self.catalog.services.values():
            where = f"services.{service.id}"
            if service.team:
                self.refer(f"{where}.team", service.team, "teams", "team")
            elif not self.said(f"{where}.team"):
                self.error(f"{where}.team", "has no team, so nobody would be woken")
            for region in service.regions:
                if region != GLOBAL and region not in home and not self.reader.unreadable("partitions"):
                    hint = did_you_mean(region, home)
                    self.error(f"{where}.regions", f"no partition has the region {shown(region)}{hint}")
            for other in service.depends_on:
                self.refer(f"{where}.depends_on", other, "services", "service")
            names = [kpi.name for kpi in service.kpis]
            for name in sorted(set(names)):
                if not name:
                    self.error(f"{where}.kpis", "one has no name")
                elif names.count(name) > 1:
                    self.error(f"{where}.kpis", f"two are called {shown(name)}")
            if not _FEWEST_KPIS <= len(names) <= _MOST_KPIS and not self.said(f"{where}.kpis"):
                said = f"key metrics: {len(names)}; three to five show its health (D6)"
                self.warning(f"{where}.kpis", said)

    def _cycles(self) -> None:
        """Name each circle of dependencies once, from the first of its services in the file."""
        services = self.catalog.services
        needs = {s.id: [d for d in dict.fromkeys(s.depends_on) if d in services] for s in services.values()}
        done: dict[str, bool] = {}
        for start in needs:
            path: list[str] = []
            stack = [(start, iter(needs[start]))] if start not in done else []
            while stack:  # no recursion: a chain may be longer than Python's stack
                name, rest = stack[-1]
                if name not in done:
                    done[name] = False
                    path.append(name)
                following = next(rest, None)
                if following is None:
                    done[name] = True
                    path.pop()
                    stack.pop()
                elif following not in done:
                    stack.append((following, iter(needs[following])))
                elif not done[following]:
                    circle = [*path[path.index(following) :], following]
                    text = " → ".join(circle)
                    self.error(f"services.{following}.depends_on", f"depends on itself: {text}")

    def _suspects_and_roles(self) -> None:
        for suspect in self.catalog.suspects:
            self.refer("suspects", suspect, "services", "service")
        roles = self.catalog.roles
        for role, team in (("incident_response", roles.incident_response), ("support", roles.support)):
            if team:
                self.refer(f"roles.{role}", team, "teams", "team")
            elif not self.said(f"roles.{role}"):
                self.error(f"roles.{role}", "is missing; name the team that does it in every incident")
        for leader in roles.call_leaders:
            self.refer("roles.call_leaders", leader, "people", "person")
        if not roles.call_leaders and not self.said("roles.call_leaders"):
            self.error("roles.call_leaders", "is missing; name who takes the decisions nobody has a rule for")
        if len(roles.call_leaders) >= _TOO_MANY_LEADERS:
            count = len(roles.call_leaders)
            self.warning("roles.call_leaders", f"{count} are many; fewer than ten know each other well (C11)")

    def _customers(self) -> None:
        for customer in self.catalog.customers.values():
            where = f"customers.{customer.id}"
            for service in customer.services:
                self.refer(f"{where}.services", service, "services", "service")
            for person in customer.account_team:
                self.refer(f"{where}.account_team", person, "people", "person")
            self._contacts(where, customer.contact)
            if not customer.services and not self.said(f"{where}.services"):
                self.warning(f"{where}.services", "uses no service, so it is never told anything")
            if not customer.contact and not self.said(f"{where}.contact"):
                self.warning(f"{where}.contact", "has no contact, so it is never told anything")
        for entry in self.catalog.services.values():
            where = f"services.{entry.id}.customer_name"
            nameless = not entry.customer_name and not self.said(where)
            if nameless and self.catalog.customers_of(entry.id):
                self.warning(where, "has customers but no name they know, so messages to them stay vague")

    def _bridges(self) -> None:
        bridges = self.catalog.bridges
        links = [("tech", bridges.tech), ("support", bridges.support)]
        links += [(f"forks[{number}]", link) for number, link in enumerate(bridges.forks)]
        for name, link in links:
            where = f"bridges.{name}"
            if link and not link.startswith(("https://", "http://")):
                self.error(where, f"{shown(link)} is not a link; it begins with https://")
            for placeholder in _PLACEHOLDER.findall(link):
                if placeholder not in _FILLED_IN:
                    self.error(where, f"{placeholder} is not known; filled in are {', '.join(_FILLED_IN)}")

    def _watchers(self) -> None:
        home = [region for regions in self.catalog.partitions.values() for region in regions]
        for section, entries in (("canaries", self.catalog.canaries), ("traffic", self.catalog.traffic)):
            for name, watcher in entries.items():
                self.refer(f"{section}.{name}.service", watcher.service, "services", "service")
                if watcher.region not in (*home, GLOBAL) and not self.reader.unreadable("partitions"):
                    hint = did_you_mean(watcher.region, home)
                    self.error(f"{section}.{name}.region", f"no partition has the region {shown(watcher.region)}{hint}")

    def _match(self) -> None:
        home = [region for regions in self.catalog.partitions.values() for region in regions]
        for index, rule in enumerate(self.catalog.match):
            where = f"match[{index}]"
            if self.said(where):
                continue
            for name in rule.source:
                if name not in SOURCES:
                    self.error(f"{where}.source", f"nobody is called {shown(name)}{did_you_mean(name, SOURCES)}")
            if not rule.when:
                self.error(f"{where}.when", "is missing; name the labels it is about, for example when: {app: shop-*}")
            if not (rule.service or rule.region or rule.metric or rule.severity or rule.kind):
                self.error(where, "says nothing; give service, region, metric, severity or kind")
            if rule.service and not LABEL.search(rule.service):
                self.refer(f"{where}.service", rule.service, "services", "service")
            fixed = rule.region and not LABEL.search(rule.region) and not self.reader.unreadable("partitions")
            if fixed and rule.region not in (*home, GLOBAL):
                hint = did_you_mean(rule.region, home)
                self.error(f"{where}.region", f"no partition has the region {shown(rule.region)}{hint}")


def gap_findings(catalog: "Catalog", at: datetime) -> list[Finding]:
    """Warn of when nobody will be on call, or somebody twice, before it hurts: from a moment on, `AHEAD` far.

    Calendars that have not been read say nothing.
    """
    found = []
    for team in catalog.teams.values():
        alike: dict[tuple[int, str], list[Trouble]] = {}
        for trouble in gaps(team, at, at + AHEAD):
            alike.setdefault((trouble.level, trouble.text), []).append(trouble)
        for (level, text), (first, *more) in alike.items():
            where = f"teams.{team.id}." + ("on_call" if level else "overrides")
            place = f"level {level}: " if level else ""
            again = f", and {len(more)} times more within {AHEAD.days} days" if more else ""
            said = f"{place}{text}, from {iso(first.since)} until {iso(first.until)}{again}"
            found.append(Finding(level="warning", where=where, text=said))
    return found
