"""The life of an incident: opened, big, clear, verified, closed, reopened, absorbed (D3, E2, E5, E6, M3, X0)."""

from datetime import datetime

from model.close.items import all_settled
from model.effects import Lookup, PlanRequest
from model.engage import engagement, moves
from model.incident import (
    BEFORE_CLOSE,
    Incident,
    Phase,
)
from model.matter import unique
from model.times import ago

SUSPECT = "usual suspect"
"""How the reason of a suspect's call begins (E2)."""
SUSPECTED = "suspected"
"""And that of the owner of a dependency which the impacted services share (D3)."""


def opened(incident: Incident, now: datetime) -> None:
    """Begin: the owner is called, the deployments are looked at, a big event gets its full response."""
    worst = engagement.worst_alarm(incident)
    how = engagement.described(worst) if worst else incident.title
    where = f"{', '.join(incident.services)} in {', '.join(incident.regions)}" if incident.services else incident.title
    incident.say("opened", f"SEV{incident.severity} {where}: {how}", now=now, by=incident.opened_by)
    if incident.linked_to:
        incident.say("observed", f"the same happened in {incident.linked_to}", now=now)
    moves.enter(incident, Phase.ENGAGE, now)
    for service in incident.services:
        moves.engage_owner(incident, service, f"{service}: {how}", now)
    if not incident.services:
        engagement.call(incident, incident.plan.incident_response, f"declared: {incident.title}", now=now)
    if incident.detected_by in ("reports", "person"):
        moves.broke(incident, "detect-first", f"detected by {incident.detected_by}", now)
    if incident.customers_hit:
        moves.call_support(incident, now)
    if incident.big:
        incident.kind = "single_service"
        respond_fully(incident, f"{len(incident.services)} services at once", now)
    moves.call_leaders(incident, now)
    look_at_deployments(incident, now)


def look_at_deployments(incident: Incident, now: datetime) -> None:
    """Ask for deployments around the start, everywhere: the first thing looked at (M2)."""
    start = min((fact.since for fact in incident.alarms.values()), default=incident.opened_at)
    order = Lookup(
        incident=incident.id,
        services=incident.services,
        since=start - incident.policy.deployment_window,
        until=now,
        test=incident.test,
    )
    incident.owe(order, now=now, key=f"{incident.id}/lookup/deployments")


def respond_fully(incident: Incident, why: str, now: datetime, by: str = "") -> None:
    """Make it a full response: incident response, support, owners, usual suspects; managers hear (E2, E5)."""
    if incident.big:
        return
    incident.kind = "multi_service"
    incident.big_since = now
    moves.worsen(incident, 2, "full response", now)
    engagement.call(incident, incident.plan.incident_response, why, now=now, by=by)
    engagement.call(incident, incident.plan.support, why, now=now, by=by)
    for service in incident.services:
        moves.engage_owner(incident, service, f"{service} is impacted", now)
    if by or len(incident.services) != 1:
        incident.owe(PlanRequest(suspects=True, at=now), now=now, key=f"{incident.id}/plan/suspects")
    for team in incident.owners:
        moves.tell_manager(incident, team, now)
    moves.notify_detection(incident, now)


def call_suspects(incident: Incident, now: datetime) -> None:
    """Call the usual suspects' owners; the catalogue has said who they are (E2)."""
    for service in incident.plan.suspects:
        planned = incident.plan.services.get(service)
        if planned and service not in incident.services:
            engagement.call(incident, planned.team, f"{SUSPECT}: {service}", now=now)


def reopen(incident: Incident, why: str, now: datetime, by: str = "allclear", claimed: bool = False) -> None:
    """Go back to mitigating: it was not over."""
    incident.say("reopened", why, now=now, by=by, claimed=claimed)
    incident.closed_at = incident.all_clear_at = incident.mitigated_at = incident.looked_back_at = None
    incident.close_reason = ""
    incident.clear_since = None
    incident.recovered_for = []
    moves.enter(incident, Phase.MITIGATE, now)
    for team in incident.owners:
        engagement.call(incident, team, f"reopened: {why}", now=now)
    moves.notify_detection(incident, now)


def advance(incident: Incident, now: datetime) -> datetime | None:
    """Do what is due in the incident's course.

    Returns:
        When the next thing is due, or None.
    """
    for other, deadline in list(incident.awaiting.items()):
        if deadline <= now:
            del incident.awaiting[other]
    due = [*incident.awaiting.values()]
    if incident.phase in BEFORE_CLOSE:
        due += _advance_clear(incident, now)
    if incident.phase == Phase.REFLECT and all_settled(incident.items.values()):
        incident.all_clear_at = now
        moves.enter(incident, Phase.ALL_CLEAR, now)
        incident.say("all_clear", "nothing is owed any more", now=now)
    if incident.phase == Phase.ALL_CLEAR and incident.closed_at:
        last = incident.closed_at + incident.policy.reopen_within
        if last > now:
            due.append(last)
        elif not incident.ended:
            incident.ended = True
            moves.notify_detection(incident, now)
            for other in incident.absorbed:
                moves.signal(incident, other, "end_absorbed", {}, now)
    return min(due, default=None)


def _advance_clear(incident: Incident, now: datetime) -> list[datetime]:
    """Nothing of the event is in alarm: verify, stop waking people, and after the window go to close."""
    if incident.clear_since is None:
        return []
    if incident.phase != Phase.VERIFY:
        moves.enter(incident, Phase.VERIFY, now)
    due = []
    quiet = incident.clear_since + incident.policy.stop_paging_when_clear_for
    if not incident.paging_stopped_at:
        if quiet > now:
            due.append(quiet)
        else:
            _let_sleep(incident, now)
    verified = incident.clear_since + incident.policy.verification_window
    if verified > now:
        due.append(verified)
    else:
        _verified(incident, now)
    return due


def _verified(incident: Incident, now: datetime) -> None:
    incident.mitigated_at = incident.clear_since
    incident.first_mitigated_at = incident.first_mitigated_at or incident.clear_since
    canaries = [fact.alarm for fact in incident.alarms.values() if fact.source == "canary"]
    eyes = unique([*incident.recovered_for, *canaries])
    seen = f"confirmed by {', '.join(eyes[:5])}" if eyes else "not confirmed by a customer"
    incident.say("verified", f"clear for {ago(incident.policy.verification_window)}, {seen}", now=now)
    for proposal in incident.proposals:
        if proposal.status == "executed":
            proposal.verified_at = proposal.verified_at or now
    moves.enter(incident, Phase.CLOSE, now)
    moves.notify_detection(incident, now)
    engagement.tell(incident, incident.owners, f"{incident.id} is mitigated: close it, with a reason.", now)


def back_to_mitigate(incident: Incident, why: str, now: datetime) -> None:
    """Go back: what seemed mitigated is not (M3), or was not over."""
    if incident.phase == Phase.VERIFY:
        incident.say("verification_failed", why, now=now)
        incident.mitigated_at = incident.clear_since = None
        incident.recovered_for = []
        moves.enter(incident, Phase.MITIGATE, now)
    elif incident.phase in (Phase.CLOSE, Phase.REFLECT, Phase.ALL_CLEAR):
        reopen(incident, why, now)


def _let_sleep(incident: Incident, now: datetime) -> None:
    incident.paging_stopped_at = now
    stopped = []
    for team, row in incident.engagements.items():
        if row.open:
            row.asleep = True
            stopped.append(team)
        elif row.reason.startswith((SUSPECT, SUSPECTED)) and not row.released_at and team not in incident.owners:
            send_off(incident, team, "the alarms are clear", now)
    if stopped:
        incident.say("paging_stopped", f"clear since {incident.clear_since:%H:%M}: {', '.join(stopped)}", now=now)
        paged = [p for t in stopped for p in engagement.members(incident, t) if p in incident.people]
        if paged:
            engagement.tell(incident, stopped, f"{incident.id} is clear again; stay in bed.", now, people=paged)
        engagement.drop_pages(incident)


def send_off(incident: Incident, team: str, why: str, now: datetime, by: str = "allclear") -> None:
    """Send a team off duty; a later alarm of theirs calls them back (E4, X4)."""
    row = incident.engagements[team]
    row.released_at = now
    told = []
    for person in engagement.members(incident, team):
        responder = incident.people.get(person)
        others = (
            [t for t in engagement.teams_of(incident, incident.plan.people[person]) if t != team]
            if (person in incident.plan.people)
            else []
        )
        if responder and all(incident.engagements[t].released_at for t in others):
            responder.off_at = now
            told.append(person)
    if told:
        engagement.tell(incident, [team], f"{incident.id}: {team} can stand down ({why}).", now, people=told)
    engagement.drop_pages(incident)
