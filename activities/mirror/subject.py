"""What a mirror shows: made of the record, and of what the live catalogue knows of the people in it."""

from collections.abc import Iterable, Mapping
from typing import Any

from activities.mirror import Guest, Subject
from link import catalog as live
from model.coordinate import calls
from model.incident import Incident, Phase
from model.matter import unique
from model.times import iso

OVER = (Phase.ALL_CLEAR, Phase.ABSORBED)


def of_incident(incident: Incident) -> Subject:
    """Return an incident as it is shown: who is on it belongs to its room, and who is only paged does not yet."""
    here = [id for id, it in incident.people.items() if (it.joined_at or it.acknowledged_at) and it.off_at is None]
    catalog = live.live()
    bridges = catalog.bridges if catalog else None
    made = {calls.TECH: bridges.tech, calls.SUPPORT: bridges.for_support if incident.big else ""} if bridges else {}
    found = {name: calls.sayable(calls.link(template, incident.id, name)) for name, template in made.items()}
    return Subject(
        id=incident.id,
        kind="incident",
        title=incident.title or incident.id,
        body="\n".join(_facts(incident)),
        severity=incident.severity,
        phase=str(incident.phase).replace("_", " "),
        open=incident.phase not in OVER,
        services=incident.services,
        regions=incident.regions,
        calls={name: link for name, link in found.items() if link},
        guests=_guests(unique([*here, *([incident.leader] if incident.leader else [])])),
        test=incident.test,
    )


def _facts(incident: Incident) -> Iterable[str]:
    yield f"Opened {iso(incident.opened_at)}, detected by {incident.detected_by}."
    yield f"Services: {', '.join(incident.services) or 'none yet'}; regions: {', '.join(incident.regions) or 'none'}."
    if incident.customers_hit:
        yield f"Customers: {incident.customers_hit}."
    if incident.absorbed_into:
        yield f"Part of {incident.absorbed_into}."
    if incident.linked_to:
        yield f"Follows {incident.linked_to}."


def of_action_item(state: Mapping[str, Any]) -> Subject:
    """Return an action item as it is shown: its owner's, open until it was tried against the failure (R11)."""
    due = str(state.get("due_at") or "")
    status = str(state.get("status") or "")
    owner = str(state.get("owner") or "")
    return Subject(
        id=str(state["id"]),
        kind="action_item",
        title=str(state.get("title") or state["id"]),
        body="\n".join(
            line
            for line in (
                f"From {state.get('incident')}, horizon {state.get('horizon') or 'unknown'}.",
                f"Team {state.get('team')}, owner {owner or 'nobody'}.",
                f"Due {due}." if due else "",
                "It counts once it was tried against the failure.",
            )
            if line
        ),
        phase=status.replace("_", " "),
        open=not state.get("ended"),
        parent=str(state.get("incident") or ""),
        guests=_guests([owner] if owner else []),
        test=bool(state.get("test")),
    )


def _guests(people: Iterable[str]) -> list[Guest]:
    catalog = live.live()
    known = catalog.people if catalog else {}
    return [
        Guest(person=id, name=known[id].name if id in known else id, contacts=known[id].contact if id in known else [])
        for id in people
    ]
