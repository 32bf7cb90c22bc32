"""What the house is told: the live status for account teams and support, and the joining screen (C2, C6, C8)."""

from datetime import datetime

from model.coordinate import calls
from model.coordinate.audience import LISTED, desk_team, latest, targets, whom
from model.coordinate.wording import InternalFacts, InternalKind, InternalText
from model.effects import Compose
from model.engage import engagement
from model.incident import Incident
from model.matter import unique

ACCOUNT_TEAMS = "account-teams"
"""Who looks after the impacted customers, as the recipient of an internal message (C8)."""


def account_people(incident: Incident) -> list[str]:
    """Return who looks after the customers concerned."""
    concerned = unique([*targets(incident), *incident.desk.told])
    return unique(person for customer in concerned for person in incident.plan.account_teams.get(customer, []))


def tell_house(incident: Incident, kind: InternalKind, now: datetime) -> None:
    """Owe account teams and support the status as it is (C8)."""
    people = account_people(incident)
    support = desk_team(incident)
    order = Compose(
        incident=incident.id,
        facts=internal_facts(incident, kind, now),
        to=[ACCOUNT_TEAMS, support] if people else [support],
        people=unique([*people, *engagement.audience(incident, support)]),
        at=now,
    )
    incident.owe(order, now=now)


def heads_up(incident: Incident, now: datetime) -> None:
    """Let account teams know before their customers do, once (C6)."""
    desk = incident.desk
    if desk.heads_up_at is None:
        desk.heads_up_at = desk.internal_at = now
        desk.internal_open = True
        tell_house(incident, "heads_up", now)


def composed(incident: Incident, order: Compose, text: str) -> None:
    """Bring what a template made; the status is kept as the summary of the event (C7)."""
    made = InternalText(internal=text)
    if isinstance(order.facts, InternalFacts) and order.facts.kind != "joining":
        incident.desk.summary = made
    # With the time of its facts: what customers get in the same moment comes after it (C6).
    engagement.tell(incident, order.to, made.internal, order.at, people=order.people)


def internal_facts(incident: Incident, kind: InternalKind, now: datetime) -> InternalFacts:
    """Return what the house may know: everything, in a few lines."""
    desk = incident.desk
    feeling = desk.feelings[-1] if desk.feelings else None
    return InternalFacts(
        kind=kind,
        at=now,
        incident=incident.id,
        title=incident.title,
        state=_state(incident),
        services=incident.services,
        regions=incident.regions,
        since=incident.opened_at,
        lead=incident.leader,
        event_manager=desk.event_manager,
        customers_hit=incident.customers_hit,
        known=_known(incident),
        trying=[
            f"{p.n} {p.kind} {p.target} ({p.status}): {p.why}"
            for p in incident.proposals
            if p.status in ("waiting", "running", "executed", "failed")
        ][-5:],
        customers=_customers(incident),
        asked=[f"{q.text} ({q.count} ×){': ' + q.answer.external if q.answer else ''}" for q in desk.questions[-5:]],
        feeling=f"{feeling.tendency}: {feeling.text}" if feeling else "",
        told=[f"{m.at:%H:%M} {whom(m.to)}: {m.text}" for m in incident.messages if m.audience == "external"][-2:],
        told_next=desk.next_at,
        state_within=f"{int(incident.policy.impact_within.total_seconds() // 60)} min",
        tech_call=calls.sayable(calls.tech(incident)),
        support_call=calls.sayable(calls.support(incident)),
    )


def _state(incident: Incident) -> str:
    kind = "full response" if incident.big else "single-service event"
    test = "TEST, " if incident.test else ""
    return f"{test}SEV{incident.severity}, {kind}, {incident.phase.value}"


def _known(incident: Incident) -> list[str]:
    lines = [
        f"in alarm: {f.service} in {f.region}, {engagement.described(f)} since {f.since:%H:%M}"
        for f in incident.in_alarm
    ][:6]
    if not lines and incident.clear_since:
        lines.append(f"nothing in alarm since {incident.clear_since:%H:%M}")
    for team in unique(statement.team for statement in incident.statements):
        said = latest(incident, team)
        if said:
            words = "; ".join(w for w in (said.customers, said.text) if w)
            lines.append(f"{team} at {said.at:%H:%M}: impacted {said.impacted}{'; ' + words if words else ''}")
    seen = [entry for entry in incident.timeline if entry.what == "observed"][-3:]
    return lines[:20] + [f"{entry.at:%H:%M} {entry.by}: {entry.text[:300]}" for entry in seen]


def _customers(incident: Incident) -> list[str]:
    """Return the customers concerned: who looks after them, how often they turned to us, most often first."""
    contacts = incident.desk.contacts
    concerned = unique([*targets(incident), *incident.desk.told, *contacts])

    def often(customer: str) -> int:
        return -contacts[customer].count if customer in contacts else 0

    lines = []
    for customer in sorted(concerned, key=often)[:LISTED]:
        team = ", ".join(incident.plan.account_teams.get(customer, []))
        calls = f"{contacts[customer].count} contacts" if customer in contacts else "no contact yet"
        lines.append(f"{customer}{f' ({team})' if team else ''}: {calls}")
    more = len(concerned) - LISTED
    return [*lines, f"and {more} more"] if more > 0 else lines
