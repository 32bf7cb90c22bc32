"""Who may be behind an event: what its services stand on together (D3, E2). Shown as suspicion, never as a verdict."""

from datetime import datetime

from model.catalogue.catalog import Catalog
from model.detect.common import Graph
from model.effects import PlanRequest, Suspected
from model.engage import engagement
from model.incident import BEFORE_CLOSE, Incident
from model.phases import SUSPECTED
from model.policy import Policy


def graph_of(catalog: Catalog) -> Graph:
    """Return who depends on whom; made once per catalogue."""
    return Graph({name: service.depends_on for name, service in catalog.services.items()})


def in_common(catalog: Catalog, graph: Graph, impacted: list[str], policy: Policy) -> list[Suspected]:
    """Return what impacted services stand on together, the likeliest first, each with its owner and the reason."""
    return [
        Suspected(
            service=found.dependency,
            team=catalog.services[found.dependency].team,
            why=found.words,
            explains_most=2 * len(found.explained) >= found.impacted,
        )
        for found in graph.common(impacted, most=policy.suspects_shown)
        if found.dependency in catalog.services
    ]


def advance(incident: Incident, now: datetime) -> None:
    """Ask the catalogue what the impacted services have in common, again whenever there are others."""
    services = sorted(incident.services)
    if not incident.big or incident.phase not in BEFORE_CLOSE or incident.awaiting or len(services) < 2:
        return
    key = f"{incident.id}/plan/common"
    if services == incident.explained_for or key in incident.owed:
        return
    incident.explained_for = services
    incident.owe(PlanRequest(common=services, at=now), now=now, key=key)


def learned(incident: Incident, suspected: list[Suspected], now: datetime) -> None:
    """Show the dependencies that explain the event, and call the owner of the first with the usual suspects.

    One that was called before is left as it is: who showed that it is not them is not called for the same again.
    """
    before = {known.service for known in incident.suspected}
    incident.suspected = suspected
    for found in suspected:
        if found.service not in before:
            incident.say("observed", f"correlation: {found.why}", now=now)
    first = next((found for found in suspected if found.explains_most), None)
    if first and first.team not in incident.engagements:
        engagement.call(incident, first.team, f"{SUSPECTED}: {first.why}", now=now)
