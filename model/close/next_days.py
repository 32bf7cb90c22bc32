"""The plan for the next, intense days: who owes what by when, said when the 24/7 mode ends (X4)."""

from datetime import datetime

from model.close.items import Item
from model.engage import engagement
from model.incident import Incident
from model.matter import unique
from model.mitigate import patches

OPEN = ("open", "started", "implemented", "in_force")
"""Statuses of an action item that somebody still works on, or answers for."""


def say_plan(incident: Incident, now: datetime) -> None:
    """Write the plan into the ticket and bring it to everybody who is named in it, and to incident response."""
    lines = plan(incident)
    if not lines:
        return
    text = f"plan for the next days: {'; '.join(lines)}"
    incident.say("observed", f"note: {text}", now=now)
    team = incident.plan.incident_response
    heard = unique([*named(incident), *engagement.audience(incident, team)])
    listed = "\n".join(f"- {line}" for line in lines)
    whole = f"{incident.id}, the plan for the next days. The 24/7 mode has ended.\n{listed}"
    people = incident.plan.people
    teams = unique([team, *(t for person in heard if person in people for t in people[person].teams[:1])])
    engagement.tell(incident, teams, whole, now, people=heard)


def plan(incident: Incident) -> list[str]:
    """Return its lines, what is due first first; without a date last."""
    items = sorted((i for i in incident.items.values() if not _done(i)), key=lambda i: (i.due_at is None, i.due_at))
    lines = [_line(incident, item) for item in items]
    for patch in patches.in_force(incident):
        then = patches.successor(incident, patch) or "nothing replaces it yet"
        lines.append(f"patch {patches.named(patch)}, {patch.owner} owns it: {then}")
    lines += [f"dive into {service} ({_owner(incident, service)})" for service in to_dive_into(incident)]
    steps = next((checked.note for checked in incident.checked if checked.item == "next-steps" and checked.note), "")
    return [*lines, steps] if steps else lines


def named(incident: Incident) -> list[str]:
    """Return the people in it."""
    open_ = [item for item in incident.items.values() if not _done(item)]
    owners = [patch.owner for patch in patches.in_force(incident)]
    divers = [p for s in to_dive_into(incident) for p in engagement.audience(incident, _owner(incident, s))[:1]]
    return unique([*(person for item in open_ for person in (item.author, item.owner)), *owners, *divers])


def to_dive_into(incident: Incident) -> list[str]:
    """Return the services that the hypotheses name (M5)."""
    return unique(service for checked in incident.checked for service in checked.services)


def _owner(incident: Incident, service: str) -> str:
    planned = incident.plan.services.get(service)
    return planned.team if planned else incident.plan.incident_response


def _done(item: Item) -> bool:
    return item.status not in OPEN if item.kind == "action" else item.settled


def _line(incident: Incident, item: Item) -> str:
    due = f" by {item.due_at:%Y-%m-%d %H:%M} UTC" if item.due_at else ""
    if item.kind == "coe":
        return f"{item.author} writes the COE of {item.team}{due}"
    if item.kind == "rca":
        return f"{item.author or 'somebody to be named'} writes the customers' RCA, promised{due}"
    alone = "; what is in use needs a companion fix" if is_alone(incident, item) else ""
    standing = ", in force" if item.status == "in_force" else due
    return f"action {item.n}, {item.title} ({item.horizon}, {item.owner}){standing}{alone}"


def is_alone(incident: Incident, item: Item) -> bool:
    """Whether a replacement has no companion: a fix for what is in use until it is there (R9)."""
    if not item.replacement:
        return False
    others = [i for i in incident.items.values() if i.kind == "action" and i.n != item.n and not i.replacement]
    return item.replaces is None and not any(other.horizon in ("short", "mid") for other in others)
