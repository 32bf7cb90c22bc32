"""Whom an event concerns, and how it stands in customers' words (C8, C9)."""

from datetime import datetime, timedelta

from model.coordinate.desk import Stage
from model.coordinate.wording import Names
from model.incident import BEFORE_CLOSE, Incident, Phase, Statement
from model.matter import unique

LISTED = 20
"""Customers named one by one in a line; the rest is a number."""


def stage(incident: Incident) -> Stage:
    """Return how the event stands, as customers would call it."""
    if incident.phase == Phase.VERIFY:
        return "mitigated"
    return "wrong" if incident.phase in BEFORE_CLOSE else "resolved"


def latest(incident: Incident, team: str) -> Statement | None:
    """Return what a team said last about its impact."""
    return next((s for s in reversed(incident.statements) if s.team == team), None)


def impacted(incident: Incident) -> list[str]:
    """Return the impacted services: wide at first, without those whose owner has stated no impact (C9)."""

    def cleared(service: str) -> bool:
        planned = incident.plan.services.get(service)
        said = latest(incident, planned.team) if planned else None
        return said is not None and said.impacted == "no"

    return [service for service in incident.services if not cleared(service)] or incident.services


def targets(incident: Incident) -> list[str]:
    """Return the customers to be told: those of the impacted services, in the event's regions where that is known.

    Where a person narrowed it: those they named, and those of services that are impacted since.
    """
    desk, services = incident.desk, impacted(incident)
    if desk.narrowed is not None:
        services = [service for service in services if service not in desk.narrowed_for]
    concerned = [c for service in services for c in incident.plan.users_of(service, incident.regions)]
    return unique([*(desk.narrowed or []), *concerned])


def hit(incident: Incident) -> list[str]:
    """Return the customers to whom an account is owed: those concerned at the end, and whoever turned to us about it.

    As far as the facts go: the catalogue says which services a customer uses, only a table also in which regions.
    """
    reported = (report.customer for report in incident.reports)
    return unique([*targets(incident), *incident.desk.contacts, *reported])


def names(incident: Incident) -> Names:
    """Return the words that must not leave, as this incident knows them."""
    return Names.of_plan(incident.plan)


def interval(incident: Incident, now: datetime) -> timedelta:
    """Return how long customers wait for the next message: longer once it has lasted (design §5)."""
    policy, first = incident.policy, incident.desk.first_at
    calm = first is not None and now - first >= policy.external_calm_after
    return policy.external_calm_every if calm else policy.external_every


def whom(customers: list[str]) -> str:
    """Return customers as a line."""
    if not customers:
        return "nobody"
    more = f" and {len(customers) - LISTED} more" if len(customers) > LISTED else ""
    return ", ".join(customers[:LISTED]) + more


def desk_team(incident: Incident) -> str:
    """Return who answers for the desk: support, or incident response where there is none."""
    plan = incident.plan
    return plan.support if plan.support in plan.teams else plan.incident_response
