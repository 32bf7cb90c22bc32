"""The plan: the catalogue's facts that an incident froze at the moment it asked.

Workflow code never reads the catalogue, which changes under a replay. An activity hands it a plan, and
the plan lives in the incident's state: so it is small, every field has a default, and what a newer version
added is ignored.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict

from model.catalogue.catalog import GLOBAL, UNMAPPED, Catalog
from model.catalogue.entries import Contact, Service, Tenet
from model.catalogue.oncall import holds_until, levels_at

__all__ = [
    "AlarmFacts",
    "Contact",
    "Plan",
    "PlannedPerson",
    "PlannedService",
    "PlannedTeam",
    "Tenet",
    "facts_for",
    "plan_for",
]

ROOMS: Final = ("slack", "matrix")
"""Contacts by which people are invited to an incident's room and known there. They wake nobody: no page goes there."""
_ABOVE: Final = "above"
_BELOW: Final = "below"

V = TypeVar("V")


class _Planned(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class PlannedPerson(_Planned):
    """Somebody who may be woken or may decide; `teams` are all they are a member of, planned or not."""

    id: str = ""
    name: str = ""
    contacts: list[Contact] = []
    timezone: str = "UTC"
    teams: list[str] = []

    @property
    def mails(self) -> list[str]:
        """Their e-mail addresses in lower case, by which they are known too."""
        return [contact.address.casefold() for contact in self.contacts if contact.channel == "email"]


class PlannedTeam(_Planned):
    """A team's escalation levels at the moment of the plan, each a list of person ids.

    Attributes:
        until: When somebody's shift ends and the levels change; nothing where they always are as they are.
    """

    id: str = ""
    levels: list[list[str]] = []
    manager: str = ""
    until: datetime | None = None


class PlannedService(_Planned):
    """A service and its owner; `internal_names` are all words about it that must not reach customers."""

    id: str = ""
    known: bool = True
    team: str = ""
    customer_name: str = ""
    regions: list[str] = []
    depends_on: list[str] = []
    has_customers: bool = False
    internal_names: list[str] = []


class Plan(_Planned):
    """Whom an incident may wake, and what it must know about the services in it.

    Attributes:
        services: Those asked for, and the suspects' when asked.
        teams: Their owners, those asked for, incident response and support; the suspects' owners when asked.
        people: Everybody these teams and the call leaders name.
        incident_response: A team id.
        support: A team id.
        call_leaders: Person ids, in the order in which they are paged.
        suspects: The usual suspects' service ids, always (E2).
        tenets: The organisation's.
        customers_of: For each service that has any, its customers' ids, or, where they are many, those of their groups.
        customers_in: The same by region, for services of whose customers the region is known.
        account_teams: For each of these customers that has any, the people who look after them.
        tech_call: A link that may contain ``{incident}``, ``{call}`` and ``{secret}``.
        support_call: Likewise.
        fork_calls: Likewise, one per fork.
        call_phone: For who cannot open a link.
    """

    services: dict[str, PlannedService] = {}
    teams: dict[str, PlannedTeam] = {}
    people: dict[str, PlannedPerson] = {}
    incident_response: str = ""
    support: str = ""
    call_leaders: list[str] = []
    suspects: list[str] = []
    tenets: list[Tenet] = []
    customers_of: dict[str, list[str]] = {}
    customers_in: dict[str, dict[str, list[str]]] = {}
    account_teams: dict[str, list[str]] = {}
    tech_call: str = ""
    support_call: str = ""
    fork_calls: list[str] = []
    call_phone: str = ""

    def users_of(self, service: str, regions: Collection[str]) -> list[str]:
        """List a service's customers in some regions; all where it is not known, or the regions are not (C9)."""
        placed = self.customers_in.get(service)
        if placed is None or not regions or GLOBAL in regions:
            return self.customers_of.get(service, [])
        here = [name for region in (GLOBAL, *regions) for name in placed.get(region, [])]
        return list(dict.fromkeys(here))

    def merged(self, other: "Plan") -> "Plan":
        """Add what `other` knows and this plan does not.

        What was planned stays as it was: an escalation that has begun is not reshuffled by a catalogue edit
        during the event. Only a service that was unknown and has been added since becomes known, and a person
        gains contacts and teams, behind those they had.
        """
        ours = {
            name: service if service.known else other.services.get(name, service)
            for name, service in self.services.items()
        }
        return Plan(
            services={**ours, **_new(other.services, ours)},
            teams={**self.teams, **_new(other.teams, self.teams)},
            people={
                **{name: _richer(p, other.people.get(name)) for name, p in self.people.items()},
                **_new(other.people, self.people),
            },
            incident_response=self.incident_response or other.incident_response,
            support=self.support or other.support,
            call_leaders=self.call_leaders or other.call_leaders,
            suspects=self.suspects or other.suspects,
            tenets=self.tenets or other.tenets,
            customers_of={**self.customers_of, **_new(other.customers_of, self.customers_of)},
            customers_in={
                **self.customers_in,
                **{name: placed for name, placed in other.customers_in.items() if name not in self.customers_of},
            },
            account_teams={**self.account_teams, **_new(other.account_teams, self.account_teams)},
            tech_call=self.tech_call or other.tech_call,
            support_call=self.support_call or other.support_call,
            fork_calls=self.fork_calls or other.fork_calls,
            call_phone=self.call_phone or other.call_phone,
        )

    def person(self, by: str) -> PlannedPerson | None:
        """Find a person by id or e-mail address, in any case."""
        wanted = by.strip().casefold()
        mailed: PlannedPerson | None = None
        for person in self.people.values():
            if person.id.casefold() == wanted:
                return person
            if mailed is None and wanted in person.mails:
                mailed = person
        return mailed


class AlarmFacts(_Planned):
    """What the catalogue knows about one alarm.

    Attributes:
        known: Whether service and region are both known. If not, the alarm belongs to `partition` "unmapped",
            and still wakes `team`.
        service: As sent.
        service_known: Whether the service is in the catalogue.
        region: As sent, or `global` when nothing was sent.
        region_known: Whether a partition has that region.
        team: The owner; the incident response team for an unknown service.
        partition: Whose `Detection` gets the alarm.
        regions: Where the service runs.
        kpi_severity: The severity of the key metric of that name, if it says one.
        kpi_unit: Its unit.
        kpi_threshold: The value at which it is in alarm.
        kpi_alarm_when: On which side of the threshold: `above` or `below`.
        also_teams: Owners of what stands in front of the service, to be asked when traffic is missing (D4).
        has_customers: Whether the catalogue names a customer of the service.
    """

    known: bool = False
    service: str = ""
    service_known: bool = False
    region: str = GLOBAL
    region_known: bool = False
    team: str = ""
    partition: str = UNMAPPED
    regions: list[str] = []
    kpi_severity: int | None = None
    kpi_unit: str = ""
    kpi_threshold: float | None = None
    kpi_alarm_when: str = _ABOVE
    also_teams: list[str] = []
    has_customers: bool = False


def plan_for(
    catalog: Catalog,
    *,
    services: Sequence[str] = (),
    teams: Sequence[str] = (),
    people: Sequence[str] = (),
    suspects: bool = False,
    at: datetime,
) -> Plan:
    """Make the plan for some services and teams at a moment.

    Args:
        catalog: The catalogue as it is now.
        services: Service ids. One the catalogue does not know is planned for the incident response team, so
            that an alarm with a misspelt name still wakes somebody.
        teams: Team ids. One the catalogue does not know is left out; the caller says so.
        people: People asked for besides, by id or e-mail address.
        suspects: Whether the usual suspects and their owners are planned too (E2).
        at: The moment whose rotas count.

    Returns:
        The plan; incident response, support and the call leaders are always in it.
    """
    roles = catalog.roles
    wanted = list(dict.fromkeys([*services, *(catalog.suspects if suspects else [])]))
    planned = {name: _planned_service(catalog, name) for name in wanted}
    team_ids = [roles.incident_response, roles.support, *(s.team for s in planned.values()), *teams]
    found = {name: _planned_team(catalog, name, at) for name in dict.fromkeys(team_ids) if name in catalog.teams}
    customers_of = {name: customers for name in wanted if (customers := catalog.customers_of(name))}
    account_teams = {
        customer: list(team)
        for customer in dict.fromkeys(_flat(customers_of.values()))
        if (team := catalog.account_team(customer))
    }
    asked = [person.id for name in people if (person := catalog.person_by(name))]
    person_ids = [*(p for team in found.values() for p in (*_flat(team.levels), team.manager)), *asked]
    return Plan(
        services=planned,
        teams=found,
        people={
            name: _planned_person(catalog, name)
            for name in dict.fromkeys([*person_ids, *roles.call_leaders, *_flat(account_teams.values())])
            if name in catalog.people
        },
        incident_response=roles.incident_response,
        support=roles.support,
        call_leaders=list(roles.call_leaders),
        suspects=list(catalog.suspects),
        tenets=list(catalog.tenets),
        customers_of=customers_of,
        customers_in={name: placed for name in customers_of if (placed := catalog.customers_in(name))},
        account_teams=account_teams,
        tech_call=catalog.bridges.tech,
        support_call=catalog.bridges.for_support,
        fork_calls=catalog.bridges.forks,
        call_phone=catalog.bridges.phone,
    )


def facts_for(catalog: Catalog, service: str, region: str, metric: str) -> AlarmFacts:
    """Say what the catalogue knows about an alarm; never fails, whatever a sender wrote."""
    region = region or GLOBAL
    entry = catalog.services.get(service)
    if entry is None:
        home = catalog.partition_of(region)
        return AlarmFacts(
            service=service,
            region=region,
            region_known=home is not None or region == GLOBAL,
            team=catalog.roles.incident_response,
        )
    partition = _global_partition(catalog, entry) if region == GLOBAL else catalog.partition_of(region)
    by_name = {kpi.name.casefold(): kpi for kpi in entry.kpis}
    kpi = by_name.get(metric.strip().casefold())
    below = kpi is not None and kpi.alarm_above is None and kpi.alarm_below is not None
    return AlarmFacts(
        known=partition is not None,
        service=service,
        service_known=True,
        region=region,
        region_known=partition is not None,
        team=entry.team,
        partition=partition or UNMAPPED,
        regions=list(entry.regions) or [GLOBAL],
        kpi_severity=kpi.severity if kpi else None,
        kpi_unit=kpi.unit if kpi else "",
        kpi_threshold=(kpi.alarm_below if below else kpi.alarm_above) if kpi else None,
        kpi_alarm_when=_BELOW if below else _ABOVE,
        also_teams=_in_front_of(catalog, entry),
        has_customers=bool(catalog.customers_of(service)),
    )


def _planned_service(catalog: Catalog, name: str) -> PlannedService:
    entry = catalog.services.get(name)
    if entry is None:
        return PlannedService(id=name, known=False, team=catalog.roles.incident_response)
    return PlannedService(
        id=name,
        team=entry.team,
        customer_name=entry.customer_name,
        regions=list(entry.regions) or [GLOBAL],
        depends_on=list(entry.depends_on),
        has_customers=bool(catalog.customers_of(name)),
        internal_names=entry.secrets,
    )


def _planned_team(catalog: Catalog, name: str, at: datetime) -> PlannedTeam:
    team = catalog.teams[name]
    return PlannedTeam(id=name, levels=levels_at(team, at), manager=team.manager, until=holds_until(team, at))


def _planned_person(catalog: Catalog, name: str) -> PlannedPerson:
    entry = catalog.people[name]
    return PlannedPerson(
        id=name,
        name=entry.name or name,
        contacts=[contact for contact in entry.contact if contact.channel not in ROOMS],
        timezone=entry.timezone,
        teams=catalog.teams_of(name),
    )


def _global_partition(catalog: Catalog, entry: Service) -> str | None:
    """Name the partition that watches a service as a whole: its first region's, or that which has `global`.

    A service without regions in a catalogue whose partitions do not say so is watched by the first of them:
    somebody must.
    """
    regional = (catalog.partition_of(region) for region in entry.regions)
    found = next((name for name in regional if name), None) or catalog.partition_of(GLOBAL)
    return found or next(iter(catalog.partitions), None)


def _in_front_of(catalog: Catalog, entry: Service) -> list[str]:
    """List the owners of the usual suspects a service stands behind; of all of them when it names none."""
    behind = [name for name in entry.depends_on if name in catalog.suspects] or catalog.suspects
    owners = [catalog.services[name].team for name in behind if name in catalog.services]
    return [team for team in dict.fromkeys(owners) if team and team != entry.team]


def _flat(levels: Iterable[Iterable[str]]) -> list[str]:
    return [person for level in levels for person in level]


def _new(theirs: Mapping[str, V], ours: Mapping[str, V]) -> dict[str, V]:
    return {name: value for name, value in theirs.items() if name not in ours}


def _richer(ours: PlannedPerson, theirs: PlannedPerson | None) -> PlannedPerson:
    if theirs is None:
        return ours
    return ours.model_copy(
        update={
            "contacts": [*ours.contacts, *(c for c in theirs.contacts if c not in ours.contacts)],
            "teams": [*ours.teams, *(t for t in theirs.teams if t not in ours.teams)],
        }
    )
