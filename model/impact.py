"""What alarms and customers say about an event while it lasts (D1, D5, E2, E6)."""

from datetime import datetime

from pydantic import BaseModel

from model import phases
from model.catalogue.plan import Plan
from model.effects import PlanRequest
from model.engage import engagement, moves
from model.incident import (
    AlarmFact,
    Incident,
    ReportFact,
)

REPORTS_KEPT = 100
"""Customer reports an incident carries as evidence."""


class AlarmsChanged(BaseModel):
    """What `Detection` says to an incident about its alarms."""

    alarms: list[AlarmFact]
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
        if known:  # who has many alarms to keep has said these once
            fact.summary, fact.link = fact.summary or known.summary, fact.link or known.link
        incident.alarms[fact.key] = fact
        if fact.state == "OK":
            incident.say("alarm", f"{fact.service} in {fact.region}: {fact.alarm} is OK", now=now)
            continue
        if fact.flapping and known and known.state == "ALARM":
            incident.say("alarm", f"{fact.service} in {fact.region}: {fact.alarm} is {fact.flapping}", now=now)
            continue
        _in_alarm(incident, fact, known, now)
    incident.clear_since = None if incident.in_alarm else incident.clear_since or now


def _in_alarm(incident: Incident, fact: AlarmFact, known: AlarmFact | None, now: datetime) -> None:
    said = "; ".join(text for text in (fact.summary or engagement.described(fact), fact.flapping) if text)
    if fact.service in incident.services:
        again = "is in ALARM again" if known else "is in ALARM"
        incident.say("alarm", f"{fact.service} in {fact.region}: {fact.alarm} {again}: {said}", now=now)
    else:
        incident.services.append(fact.service)
        incident.say("joined_by_alarm", f"{fact.service} in {fact.region}: {fact.alarm}: {said}", now=now)
    phases.back_to_mitigate(incident, f"{fact.alarm} of {fact.service} is in ALARM", now)
    _wake(incident, now)
    add_region(incident, fact.region, now)
    moves.worsen(incident, fact.severity, f"{fact.alarm} of {fact.service}", now)
    owner = incident.plan.services[fact.service].team if fact.service in incident.plan.services else ""
    new = owner not in incident.engagements
    moves.engage_owner(incident, fact.service, f"{fact.service}: {fact.metric or fact.alarm}", now)
    if fact.source == "canary":
        moves.customers_are_hit(incident, f"canary {fact.alarm}", now)
    if incident.big and new and owner:
        moves.tell_manager(incident, owner, now)
    if incident.big and len(incident.services) == 2:
        incident.owe(PlanRequest(suspects=True, at=now), now=now, key=f"{incident.id}/plan/suspects")


def add_region(incident: Incident, region: str, now: datetime) -> None:
    """Note that a region is impacted; a second one is severity 1 and breaks the tenet (L4, design §5)."""
    if region and region not in incident.regions:
        incident.regions.append(region)
        if len(incident.regions) > 1:
            moves.worsen(incident, 1, f"regions {', '.join(incident.regions)}", now)
            moves.broke(incident, "one-region", ", ".join(incident.regions), now)
            moves.call_leaders(incident, now)


def _wake(incident: Incident, now: datetime) -> None:
    """Call again whom a clear alarm let sleep (E6)."""
    incident.paging_stopped_at = None
    for team, row in list(incident.engagements.items()):
        if row.asleep:
            engagement.call(incident, team, "in alarm again", now=now)


def reported(incident: Incident, change: Reported, now: datetime) -> None:
    """Take in customer reports as evidence (D5)."""
    if change.plan:
        incident.plan = incident.plan.merged(change.plan)
    for report in change.reports:
        incident.reports.append(report)
        if report.customer:
            incident.desk.heard_of(report.customer, report.case, report.count, report.at)
        whom = report.customer or f"{report.count} × {report.source}"
        incident.say(
            "reported",
            f"{report.service} in {report.region}, {whom}: {report.text or report.case}",
            link=report.link,
            now=now,
        )
    incident.reports = incident.reports[-REPORTS_KEPT:]
    if change.over:
        moves.customers_are_hit(incident, change.over, now)
