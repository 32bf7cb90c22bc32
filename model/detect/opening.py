"""Incidents as a partition knows them: found again, named, opened, told (D1, D3, D5, E2)."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from model.catalogue.plan import Plan
from model.coordinate.desk import Desk
from model.detect.partition import Detection, Known, Watched
from model.effects import Forward, Signal, Start
from model.impact import AlarmsChanged, Reported
from model.incident import AlarmFact, Incident, ReportFact
from model.matter import unique
from model.message import Message

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""What an incident's short name is made of: nothing that sounds or looks like something else (no 0/O, 1/I)."""
TOGETHER = 50
"""Alarms, or reports, of one word to an incident. It hears one word after the other: three hundred alone would take it
from one of its turns to the next, while it is called a hundred times."""
INCIDENT = "Incident"
"""The workflow type an incident runs as."""


def is_open(known: Known) -> bool:
    """Whether an alarm may still join an incident: it is not in `close` or later."""
    return not known.ended and known.closed_at is None and known.phase not in ("close", "absorbed")


def covering(state: Detection, service: str, test: bool) -> Known | None:
    """Return the incident of a service: the open one, or the one that may still be reopened."""
    last = None
    for known in state.incidents.values():
        if service in known.services and known.test == test and not known.ended:
            if is_open(known):
                return known
            last = known
    return last


def new_id(state: Detection, now: datetime) -> str:
    """Return the next incident's id: the day, and four or more characters that can be said aloud."""
    state.opened += 1
    digest = int.from_bytes(hashlib.sha256(f"{state.id} {state.opened} {now.isoformat()}".encode()).digest())
    letters = ""
    while True:
        digest, index = divmod(digest, len(LETTERS))
        letters += LETTERS[index]
        name = f"INC-{now:%Y%m%d}-{letters}"
        if len(letters) >= 4 and name not in state.incidents:
            return name


def open_incident(state: Detection, alarms: list[Watched], now: datetime, **given: Any) -> str:
    """Open an incident for alarms, or for what `given` says (reports, a person).

    What customers said about its services of late is evidence of it, and counted per customer (C7).
    """
    name = given.pop("id", "") or new_id(state, now)
    facts = [w.fact for w in alarms]
    services = given.pop("services", None) or unique(f.service for f in facts)
    regions = given.pop("regions", None) or unique(f.region for f in facts)
    plan = given.pop("plan", Plan())
    for watched in alarms:
        watched.incident = name
        plan = plan.merged(watched.plan) if watched.plan else plan
        watched.plan = None
    first = facts[0] if facts else None
    test = given.pop("test", any(w.test for w in alarms))
    reports = given.pop("reports", None) or _reports(state, services, test, now)
    incident = Incident(
        **{
            "id": name,
            "clock_shift": state.clock_shift,
            "detection": state.id,
            "test": test,
            "title": title_of(first) if first else "",
            "severity": min((f.severity for f in facts), default=3),
            "opened_at": now,
            "detected_by": first.source if first else "person",
            "linked_to": _linked(state, services),
            "alarms": {f.key: f for f in facts},
            "services": services,
            "regions": regions,
            "plan": plan,
            "policy": state.policy,
            "reports": reports,
            "desk": _desk(reports),
            **given,
        }
    )
    if any(f.source == "canary" for f in facts):
        incident.customers_hit = "a canary fails"
        incident.severity = min(incident.severity, 2)
    state.incidents[name] = Known(
        id=name, services=services, regions=regions, kind=incident.kind, test=incident.test, opened_at=now
    )
    origin = f"{state.id}/{state.opened}"
    payload = incident.model_dump(mode="json")
    state.owe(Start(workflow=INCIDENT, workflow_id=name, origin=origin, payload=payload), now)
    return name


def _reports(state: Detection, services: Sequence[str], test: bool, now: datetime) -> list[ReportFact]:
    since = now - state.policy.reports_within
    return [r.fact for r in state.reports if r.service in services and r.test == test and r.at >= since]


def _desk(reports: Sequence[ReportFact]) -> Desk:
    desk = Desk()
    for report in reports:
        if report.customer:
            desk.heard_of(report.customer, report.case, report.count, report.at)
    return desk


def title_of(fact: AlarmFact) -> str:
    """Return what an alarm's incident is called."""
    return fact.summary or f"{fact.service} {fact.metric or fact.alarm} in {fact.region}"


def _linked(state: Detection, services: list[str]) -> str:
    ended = [k for k in state.incidents.values() if k.closed_at and set(k.services) & set(services)]
    return ended[-1].id if ended else ""


def tell_alarms(state: Detection, incident: str, facts: list[AlarmFact], plan: Plan | None, now: datetime) -> None:
    """Say to an incident how alarms are: together with what it has still to be told, where that is the last."""
    change = AlarmsChanged(alarms=facts, plan=plan)
    waiting = _still_to_be_said(state, incident, "alarms_changed")
    if waiting is None or len(waiting.payload["alarms"]) >= TOGETHER:
        state.owe(Signal(workflow_id=incident, name="alarms_changed", payload=change.model_dump(mode="json")), now)
        return
    waiting.payload["alarms"] += [fact.model_dump(mode="json") for fact in facts]
    if plan:
        before = Plan.model_validate(waiting.payload["plan"] or {})
        waiting.payload["plan"] = before.merged(plan).model_dump(mode="json")


def tell_reports(state: Detection, incident: str, report: ReportFact, over: str, now: datetime) -> None:
    """Say to an incident what a customer reported, and why that is more than usual; likewise."""
    waiting = _still_to_be_said(state, incident, "reported")
    if waiting is None or len(waiting.payload["reports"]) >= TOGETHER:
        change = Reported(reports=[report], over=over)
        state.owe(Signal(workflow_id=incident, name="reported", payload=change.model_dump(mode="json")), now)
        return
    waiting.payload["reports"].append(report.model_dump(mode="json"))
    waiting.payload["over"] = waiting.payload["over"] or over


def _still_to_be_said(state: Detection, incident: str, name: str) -> Signal | None:
    """Return the last word owed to an incident, if it is of that name and not the first, which may be on its way."""
    words = [owed.order for owed in state.owed.values() if getattr(owed.order, "workflow_id", "") == incident]
    last = words[-1] if len(words) > 1 else None
    return last if isinstance(last, Signal) and last.name == name else None


def forward(state: Detection, partition: str, name: str, message: Message) -> Forward:
    """Return the order to hand a message to the partition it belongs to."""
    payload = message.model_dump(mode="json")
    return Forward(partition=partition, name=name, payload=payload, clock_shift=state.clock_shift)
