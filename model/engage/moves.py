"""Steps that several phases of an incident take: a phase entered, a severity raised, an owner called."""

from datetime import datetime
from typing import Any

from model.coordinate import calls
from model.effects import Signal
from model.engage import engagement
from model.incident import (
    CALL_LEADERS,
    Incident,
    Phase,
)


def enter(incident: Incident, phase: Phase, now: datetime) -> None:
    """Go to a phase, and say so."""
    if incident.phase != phase:
        incident.phase = phase
        incident.say("phase", phase.value, now=now)


def broke(incident: Incident, tenet: str, how: str, now: datetime) -> None:
    """Say that the incident broke a tenet, where the organisation holds it (L4)."""
    held = next((t for t in incident.plan.tenets if t.id == tenet), None)
    if held and tenet not in incident.broken_tenets:
        incident.broken_tenets.append(tenet)
        incident.say("tenet_broken", f"{tenet}: {held.text} ({how})", now=now)


def worsen(incident: Incident, severity: int, why: str, now: datetime) -> None:
    """Raise the severity to at least `severity` (1 is worst); it is never lowered by itself."""
    if severity < incident.severity:
        incident.say("severity", f"SEV{incident.severity} → SEV{severity}: {why}", now=now)
        restart_clocks(incident, severity, now)
        incident.severity = severity
        call_leaders(incident, now)


def restart_clocks(incident: Incident, severity: int, now: datetime) -> None:
    """Count the waiting times from now where nobody was to be woken so far; else the time waited counts."""
    if incident.severity >= engagement.NIGHT > severity:
        for row in incident.engagements.values():
            row.clock_from = now


def call_leaders(incident: Incident, now: datetime) -> None:
    """Call a call leader where the severity or the regions ask for one (C11)."""
    if (incident.severity == 1 or len(incident.regions) > 1) and incident.plan.call_leaders:
        why = "severity 1" if incident.severity == 1 else f"{len(incident.regions)} regions"
        engagement.call(incident, CALL_LEADERS, why, now=now)


def call_support(incident: Incident, now: datetime) -> None:
    """Call support, because customers are hit (E1)."""
    engagement.call(incident, incident.plan.support, f"customers are hit: {incident.customers_hit}", now=now)


def customers_are_hit(incident: Incident, how: str, now: datetime) -> None:
    """Know that customers are hit: support joins, the severity is at least 2 (E1, design §5)."""
    if not incident.customers_hit:
        incident.customers_hit = how
        incident.say("reported", f"customers are hit: {how}", now=now)
        worsen(incident, 2, "customers are hit", now)
        call_support(incident, now)


def engage_owner(incident: Incident, service: str, reason: str, now: datetime) -> None:
    """Call the owner of a service; incident response owns what the catalogue does not know."""
    planned = incident.plan.services.get(service)
    if planned is None:
        return
    if not planned.known:
        incident.say("unmapped", f"the catalogue has no service '{service}': incident response owns it", now=now)
    engagement.call(incident, planned.team, reason, now=now)


def tell_manager(incident: Incident, team: str, now: datetime) -> None:
    """Tell an impacted team's manager at onset; the first of them is the service leader on the support call (E5)."""
    person = engagement.manager(incident, team)
    if not person:
        return
    text = f"{incident.id} SEV{incident.severity}: {team} is impacted in a multi-service event ({incident.title})."
    if not incident.desk.service_leader:
        incident.desk.service_leader = person
        incident.say("lead", f"{person} ({team}) is the service leader on the support call", now=now)
        link = calls.sayable(calls.support(incident))
        text += f" A service leader sits on the support call, and that is you: {link or 'the link is on your page'}."
    engagement.tell(incident, [team], text, now, people=[person])


def notify_detection(incident: Incident, now: datetime) -> None:
    """Tell `Detection` what it needs for the next alarm: whether this incident is open, and how big."""
    if not incident.detection:
        return
    payload: dict[str, Any] = {
        "id": incident.id,
        "kind": incident.kind,
        "phase": incident.phase.value,
        "closed_at": incident.closed_at.isoformat() if incident.closed_at else None,
        "ended": incident.ended,
    }
    signal(incident, incident.detection, "incident_changed", payload, now)


def signal(incident: Incident, workflow_id: str, name: str, payload: dict[str, Any], now: datetime) -> None:
    """Owe another process of ours a word."""
    incident.owe(Signal(workflow_id=workflow_id, name=name, payload=payload), now=now)
