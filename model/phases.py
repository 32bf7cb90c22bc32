"""The life of an incident: opened, big, clear, verified, closed, reopened, absorbed (D3, E2, E5, E6, M3, X0)."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from model import engagement
from model.effects import Lookup, PlanRequest, Signal
from model.incident import (
    BEFORE_CLOSE,
    CALL_LEADERS,
    AlarmFact,
    Engagement,
    Incident,
    Phase,
    ReportFact,
    Responder,
    Statement,
    unique,
)
from model.plan import Plan
from model.times import ago

HANDOVER_WITHIN = timedelta(seconds=10)
"""How long a promoted incident waits for what the absorbed ones know before it pages by itself."""
SUSPECT = "usual suspect"
"""How the reason of a suspect's call begins (E2)."""
REPORTS_KEPT = 100
"""Customer reports an incident carries as evidence."""


def opened(incident: Incident, now: datetime) -> None:
    """Begin: the owner is called, the deployments are looked at, a big event gets its full response."""
    worst = engagement.worst_alarm(incident)
    how = engagement.described(worst) if worst else incident.title
    where = (
        f"{', '.join(incident.services)} in {', '.join(incident.regions)}"
        if incident.services
        else incident.title
    )
    incident.say("opened", f"SEV{incident.severity} {where}: {how}", now=now, by=incident.opened_by)
    if incident.linked_to:
        incident.say("observed", f"the same happened in {incident.linked_to}", now=now)
    enter(incident, Phase.ENGAGE, now)
    for service in incident.services:
        _engage_owner(incident, service, f"{service}: {how}", now)
    if not incident.services:
        engagement.call(incident, incident.plan.incident_response, f"declared: {incident.title}", now=now)
    if incident.detected_by in ("reports", "person"):
        broke(incident, "detect-first", f"detected by {incident.detected_by}", now)
    if incident.customers_hit:
        _support_joins(incident, now)
    if incident.big:
        incident.kind = "single_service"
        respond_fully(incident, f"{len(incident.services)} services at once", now)
    _worsened(incident, now)
    look_at_deployments(incident, now)


def _engage_owner(incident: Incident, service: str, reason: str, now: datetime) -> None:
    planned = incident.plan.services.get(service)
    if planned is None:
        return
    if not planned.known:
        incident.say(
            "unmapped", f"the catalogue has no service '{service}': incident response owns it", now=now
        )
    engagement.call(incident, planned.team, reason, now=now)


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
        _worsened(incident, now)


def restart_clocks(incident: Incident, severity: int, now: datetime) -> None:
    """Count the waiting times from now where nobody was to be woken so far; else the time waited counts."""
    if incident.severity >= engagement.NIGHT > severity:
        for row in incident.engagements.values():
            row.clock_from = now


def _worsened(incident: Incident, now: datetime) -> None:
    if (incident.severity == 1 or len(incident.regions) > 1) and incident.plan.call_leaders:
        why = "severity 1" if incident.severity == 1 else f"{len(incident.regions)} regions"
        engagement.call(incident, CALL_LEADERS, why, now=now)


def _support_joins(incident: Incident, now: datetime) -> None:
    engagement.call(incident, incident.plan.support, f"customers are hit: {incident.customers_hit}", now=now)


def customers_are_hit(incident: Incident, how: str, now: datetime) -> None:
    """Know that customers are hit: support joins, the severity is at least 2 (E1, design §5)."""
    if not incident.customers_hit:
        incident.customers_hit = how
        incident.say("reported", f"customers are hit: {how}", now=now)
        worsen(incident, 2, "customers are hit", now)
        _support_joins(incident, now)


def respond_fully(incident: Incident, why: str, now: datetime, by: str = "") -> None:
    """Make it a full response: incident response, support, every owner and the usual suspects; managers hear (E2, E5)."""
    if incident.big:
        return
    incident.kind = "multi_service"
    incident.big_since = now
    worsen(incident, 2, "full response", now)
    engagement.call(incident, incident.plan.incident_response, why, now=now, by=by)
    engagement.call(incident, incident.plan.support, why, now=now, by=by)
    for service in incident.services:
        _engage_owner(incident, service, f"{service} is impacted", now)
    if by or len(incident.services) != 1:
        incident.owe(PlanRequest(suspects=True, at=now), now=now, key=f"{incident.id}/plan/suspects")
    for team in incident.owners:
        tell_manager(incident, team, now)
    notify_detection(incident, now)


def call_suspects(incident: Incident, now: datetime) -> None:
    """Call the usual suspects' owners; the catalogue has said who they are (E2)."""
    for service in incident.plan.suspects:
        planned = incident.plan.services.get(service)
        if planned and service not in incident.services:
            engagement.call(incident, planned.team, f"{SUSPECT}: {service}", now=now)


def tell_manager(incident: Incident, team: str, now: datetime) -> None:
    """Tell an impacted team's manager at onset (E5)."""
    person = engagement.manager(incident, team)
    if person:
        text = f"{incident.id} SEV{incident.severity}: {team} is impacted in a multi-service event ({incident.title})."
        engagement.tell(incident, [team], text, now, people=[person])


class AlarmsChanged(BaseModel):
    """What `Detection` says to an incident about its alarms."""

    alarms: list[AlarmFact]
    plan: Plan | None = None


class Promotion(BaseModel):
    """What `Detection` says to the incident that takes the others in."""

    alarms: list[AlarmFact] = []
    plan: Plan | None = None
    absorbed: list[str] = []
    reason: str


class Absorption(BaseModel):
    """What `Detection` says to an incident that is taken in."""

    into: str
    reason: str


class Handover(BaseModel):
    """What an absorbed incident knows, for the one it is now part of."""

    source: str
    services: list[str] = []
    regions: list[str] = []
    opened_at: datetime
    severity: int = 3
    customers_hit: str = ""
    alarms: list[AlarmFact] = []
    engagements: list[Engagement] = []
    people: dict[str, Responder] = {}
    statements: list[Statement] = []
    reports: list[ReportFact] = []
    absorbed: list[str] = []
    plan: Plan | None = None


class Reported(BaseModel):
    """What `Detection` says to an incident about customer reports."""

    reports: list[ReportFact]
    over: str = ""
    plan: Plan | None = None


def alarms_changed(incident: Incident, change: AlarmsChanged, now: datetime) -> None:
    """Take in what alarms of this event say now."""
    if change.plan:
        incident.plan = incident.plan.merged(change.plan)
    for fact in change.alarms:
        known = incident.alarms.get(fact.key)
        incident.alarms[fact.key] = fact
        if fact.state == "OK":
            incident.say("alarm", f"{fact.service} in {fact.region}: {fact.alarm} is OK", now=now)
            continue
        _in_alarm(incident, fact, known, now)
    incident.clear_since = None if incident.in_alarm else incident.clear_since or now


def _in_alarm(incident: Incident, fact: AlarmFact, known: AlarmFact | None, now: datetime) -> None:
    said = fact.summary or engagement.described(fact)
    if fact.service in incident.services:
        again = "is in ALARM again" if known else "is in ALARM"
        incident.say("alarm", f"{fact.service} in {fact.region}: {fact.alarm} {again}: {said}", now=now)
    else:
        incident.services.append(fact.service)
        incident.say("joined_by_alarm", f"{fact.service} in {fact.region}: {fact.alarm}: {said}", now=now)
    _back_to_mitigate(incident, f"{fact.alarm} of {fact.service} is in ALARM", now)
    _wake(incident, now)
    _add_region(incident, fact.region, now)
    worsen(incident, fact.severity, f"{fact.alarm} of {fact.service}", now)
    owner = incident.plan.services[fact.service].team if fact.service in incident.plan.services else ""
    new = owner not in incident.engagements
    _engage_owner(incident, fact.service, f"{fact.service}: {fact.metric or fact.alarm}", now)
    if fact.source == "canary":
        customers_are_hit(incident, f"canary {fact.alarm}", now)
    if incident.big and new and owner:
        tell_manager(incident, owner, now)
    if incident.big and len(incident.services) == 2:
        incident.owe(PlanRequest(suspects=True, at=now), now=now, key=f"{incident.id}/plan/suspects")


def _add_region(incident: Incident, region: str, now: datetime) -> None:
    if region and region not in incident.regions:
        incident.regions.append(region)
        if len(incident.regions) > 1:
            worsen(incident, 1, f"regions {', '.join(incident.regions)}", now)
            broke(incident, "one-region", ", ".join(incident.regions), now)
            _worsened(incident, now)


def _wake(incident: Incident, now: datetime) -> None:
    """Call again whom a clear alarm let sleep (E6)."""
    incident.paging_stopped_at = None
    for team, row in list(incident.engagements.items()):
        if row.asleep:
            engagement.call(incident, team, "in alarm again", now=now)


def _back_to_mitigate(incident: Incident, why: str, now: datetime) -> None:
    if incident.phase == Phase.VERIFY:
        incident.say("verification_failed", why, now=now)
        incident.mitigated_at = None
        enter(incident, Phase.MITIGATE, now)
    elif incident.phase in (Phase.CLOSE, Phase.REFLECT, Phase.ALL_CLEAR):
        reopen(incident, why, now)


def reopen(incident: Incident, why: str, now: datetime, by: str = "allclear", claimed: bool = False) -> None:
    """Go back to mitigating: it was not over."""
    incident.say("reopened", why, now=now, by=by, claimed=claimed)
    incident.closed_at = incident.all_clear_at = incident.mitigated_at = None
    incident.close_reason = ""
    incident.clear_since = None
    enter(incident, Phase.MITIGATE, now)
    for team in incident.owners:
        engagement.call(incident, team, f"reopened: {why}", now=now)
    notify_detection(incident, now)


def promoted(incident: Incident, promotion: Promotion, now: datetime) -> None:
    """Become the one incident of a multi-service event; the others hand over before anybody new is paged."""
    if promotion.plan:
        incident.plan = incident.plan.merged(promotion.plan)
    incident.say("promoted", promotion.reason, now=now)
    for other in promotion.absorbed:
        if other not in incident.absorbed:
            incident.awaiting[other] = now + HANDOVER_WITHIN
            incident.absorbed.append(other)
    alarms_changed(incident, AlarmsChanged(alarms=promotion.alarms), now)
    respond_fully(incident, promotion.reason, now)


def absorb(incident: Incident, absorption: Absorption, now: datetime) -> None:
    """Hand everything over and end as part of another incident; who was paged is told quietly."""
    if incident.phase == Phase.ABSORBED:
        return
    incident.say("absorbed", f"part of {absorption.into}: {absorption.reason}", now=now)
    incident.absorbed_into = absorption.into
    enter(incident, Phase.ABSORBED, now)
    handover = Handover(
        source=incident.id,
        services=incident.services,
        regions=incident.regions,
        opened_at=incident.opened_at,
        severity=incident.severity,
        customers_hit=incident.customers_hit,
        alarms=list(incident.alarms.values()),
        engagements=list(incident.engagements.values()),
        people=incident.people,
        statements=incident.statements,
        reports=incident.reports,
        absorbed=incident.absorbed,
        plan=incident.plan,
    )
    _signal(incident, absorption.into, "handover", handover.model_dump(mode="json"), now)
    paged = [person for person, responder in incident.people.items() if responder.pages]
    if paged:
        text = f"{incident.id} is now part of {absorption.into} ({absorption.reason}). Nothing more to acknowledge."
        engagement.tell(incident, list(incident.engagements), text, now, people=paged)


def take_over(incident: Incident, handover: Handover, now: datetime) -> None:
    """Take in what an absorbed incident knows: its acknowledgements are kept, nobody is paged again for it."""
    incident.awaiting.pop(handover.source, None)
    incident.say("absorbed", f"{handover.source} is part of this incident", now=now)
    if handover.plan:
        incident.plan = incident.plan.merged(handover.plan)
    incident.absorbed = unique([*incident.absorbed, handover.source, *handover.absorbed])
    for row in handover.engagements:
        _merge_row(incident, row)
    for person, responder in handover.people.items():
        _merge_person(incident, person, responder)
    incident.statements += handover.statements
    incident.reports = [*incident.reports, *handover.reports][-REPORTS_KEPT:]
    for service in handover.services:
        if service not in incident.services:
            incident.services.append(service)
            incident.say("joined_by_alarm", f"{service} with {handover.source}", now=now)
            planned = incident.plan.services.get(service)
            if incident.big and planned:
                tell_manager(incident, planned.team, now)
        _engage_owner(incident, service, f"{service} is impacted", now)
    for fact in handover.alarms:
        incident.alarms.setdefault(fact.key, fact)
    for region in handover.regions:
        _add_region(incident, region, now)
    worsen(incident, handover.severity, handover.source, now)
    if handover.customers_hit:
        customers_are_hit(incident, handover.customers_hit, now)
    incident.clear_since = None if incident.in_alarm else incident.clear_since or now


def _merge_row(incident: Incident, row: Engagement) -> None:
    mine = incident.engagements.get(row.team)
    if mine is None or (mine.acknowledged_at is None and mine.called_at >= row.called_at):
        called_for = unique([*row.called_for, *(mine.called_for if mine else [])])
        incident.engagements[row.team] = row.model_copy(update={"called_for": called_for})
        return
    if mine.acknowledged_at is None:
        mine.acknowledged_at, mine.acknowledged_by = row.acknowledged_at, row.acknowledged_by
    mine.joined_at = mine.joined_at or row.joined_at


def _merge_person(incident: Incident, person: str, other: Responder) -> None:
    mine = incident.people.get(person)
    if mine is None:
        incident.people[person] = other
        return
    known = {page.key for page in mine.pages}
    mine.pages = sorted([*mine.pages, *(p for p in other.pages if p.key not in known)], key=lambda p: p.at)
    mine.acknowledged_at = mine.acknowledged_at or other.acknowledged_at
    mine.joined_at = mine.joined_at or other.joined_at


def reported(incident: Incident, change: Reported, now: datetime) -> None:
    """Take in customer reports as evidence (D5)."""
    if change.plan:
        incident.plan = incident.plan.merged(change.plan)
    for report in change.reports:
        incident.reports.append(report)
        whom = report.customer or f"{report.count} × {report.source}"
        incident.say(
            "reported", f"{report.service} in {report.region}, {whom}: {report.text or report.case}", now=now
        )
    incident.reports = incident.reports[-REPORTS_KEPT:]
    if change.over:
        customers_are_hit(incident, change.over, now)


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
    if incident.phase == Phase.REFLECT:
        incident.all_clear_at = now
        enter(incident, Phase.ALL_CLEAR, now)
        incident.say("all_clear", "nothing is owed any more", now=now)
    if incident.phase == Phase.ALL_CLEAR and incident.closed_at:
        last = incident.closed_at + incident.policy.reopen_within
        if last > now:
            due.append(last)
        elif not incident.ended:
            incident.ended = True
            notify_detection(incident, now)
            for other in incident.absorbed:
                _signal(incident, other, "end_absorbed", {}, now)
    return min(due, default=None)


def _advance_clear(incident: Incident, now: datetime) -> list[datetime]:
    """Nothing of the event is in alarm: verify at once, stop waking people, and after the window go to close."""
    if incident.clear_since is None or not incident.alarms:
        return []
    if incident.phase != Phase.VERIFY:
        enter(incident, Phase.VERIFY, now)
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
        incident.mitigated_at = incident.clear_since
        window = ago(incident.policy.verification_window)
        incident.say("verified", f"clear for {window}, not confirmed by a customer", now=now)
        enter(incident, Phase.CLOSE, now)
        notify_detection(incident, now)
        engagement.tell(
            incident, incident.owners, f"{incident.id} is mitigated: close it, with a reason.", now
        )
    return due


def _let_sleep(incident: Incident, now: datetime) -> None:
    incident.paging_stopped_at = now
    stopped = []
    for team, row in incident.engagements.items():
        if row.open:
            row.asleep = True
            stopped.append(team)
        elif row.reason.startswith(SUSPECT) and not row.released_at and team not in incident.owners:
            send_off(incident, team, "the alarms are clear", now)
    if stopped:
        incident.say(
            "paging_stopped", f"clear since {incident.clear_since:%H:%M}: {', '.join(stopped)}", now=now
        )
        paged = [p for t in stopped for p in engagement.members(incident, t) if p in incident.people]
        if paged:
            engagement.tell(
                incident, stopped, f"{incident.id} is clear again; stay in bed.", now, people=paged
            )
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
    _signal(incident, incident.detection, "incident_changed", payload, now)


def _signal(incident: Incident, workflow_id: str, name: str, payload: dict[str, Any], now: datetime) -> None:
    incident.owe(Signal(workflow_id=workflow_id, name=name, payload=payload), now=now)
