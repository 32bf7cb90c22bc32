"""An incident as a whole: what is due now, how an effect went, what the record still lacks."""

from datetime import datetime

from model import absorption, phases
from model.catalogue.plan import Plan
from model.close import closing, follow_up
from model.coordinate import drafts, statements, support, ticket
from model.effects import (
    Compose,
    Execute,
    Lookup,
    Notice,
    Outcome,
    Page,
    PlanRequest,
    Publication,
    Tell,
    failed,
    next_retry,
)
from model.engage import engagement, escalation, moves, shifts, suspects
from model.incident import Incident, Phase, Sent
from model.mitigate import ladder


def advance(incident: Incident, now: datetime) -> datetime | None:
    """Do everything that is due.

    Returns:
        When the next thing is due, or None.
    """
    if incident.phase == Phase.DETECT:
        phases.opened(incident, now)
    course = phases.advance(incident, now)
    if incident.phase == Phase.CLOSE and incident.looked_back_at is None:
        incident.looked_back_at = now
        closing.suggest(incident, now)
        follow_up.start_rca(incident, now)
    # Before the escalation: what the desk calls for is paged in the same turn.
    desk = support.advance(incident, now)
    asked = statements.advance(incident, now)
    suspects.advance(incident, now)
    relieved = shifts.advance(incident, now)
    called = escalation.advance(incident, now)
    mitigating = ladder.advance(incident, now)
    incident.trim()
    due = [course, desk, asked, relieved, called, mitigating, next_retry(incident.owed), incident.record_retry_at]
    return min((at for at in due if at and at > now), default=None)


def end_absorbed(incident: Incident) -> None:
    """End with the incident this one became part of."""
    if incident.phase == Phase.ABSORBED:
        incident.ended = True


def effect_ended(incident: Incident, key: str, outcome: Outcome, now: datetime) -> None:
    """Take in how an owed effect went: done, to be tried again, or given up with a word."""
    owed = incident.owed.get(key)
    if owed is None:
        return
    order = owed.order
    if isinstance(order, Page):
        del incident.owed[key]
        if incident.phase == Phase.ABSORBED:
            ended = absorption.PageEnded(
                key=key, ok=outcome.ok, reason=outcome.reason, again=outcome.again, retry_after=outcome.retry_after
            )
            absorption.pass_page_on(incident, ended, now)
        else:
            engagement.page_ended(incident, key, outcome, now)
        return
    if isinstance(order, Execute):
        del incident.owed[key]
        ladder.execution_ended(incident, order, outcome, now)
        return
    if isinstance(order, Notice):
        outcome = drafts.noticed(incident, order, outcome, now)
    if not outcome.ok and outcome.again:
        if owed.tries == 0 and isinstance(order, Lookup | PlanRequest | Tell | Compose | Notice | Publication):
            incident.say("fallback", f"{order.lane} waits: {outcome.reason}", now=now)
        failed(owed, outcome, incident.policy, now)
        return
    del incident.owed[key]
    if not outcome.ok:
        incident.say("fallback", f"{order.lane} was given up: {outcome.reason}", now=now)
    elif isinstance(order, Tell):
        drafts.keep(incident, Sent(at=order.at, audience="internal", to=order.to, text=order.text))
        # The first line: a whole screen would hide what was said by people.
        incident.say("told", f"{', '.join(order.to)}: {order.text.partition(chr(10))[0]}", now=order.at)
    elif isinstance(order, Compose):
        drafts.composed(incident, order, outcome.text, now)
    elif isinstance(order, Publication):
        drafts.published(incident, order)
    elif isinstance(order, Lookup):
        ticket.deployments_known(incident, outcome, now)
    elif isinstance(order, PlanRequest):
        _planned(incident, order, outcome, now)


def _planned(incident: Incident, order: PlanRequest, outcome: Outcome, now: datetime) -> None:
    if outcome.plan:
        # A name somebody typed is no service: only what the catalogue knows becomes part of the plan.
        known = {name: s for name, s in outcome.plan.services.items() if s.known or name in incident.services}
        incident.plan = incident.plan.merged(outcome.plan.model_copy(update={"services": known}))
    ladder.owners_known(incident)
    if order.shift:
        shifts.known(incident, order, outcome.plan or Plan(), now)
        return
    for service in order.services:
        planned = incident.plan.services.get(service)
        if planned and service in incident.services and planned.team not in incident.engagements:
            moves.engage_owner(incident, service, f"{service} is impacted", now)
    for team in order.teams:
        if team in incident.plan.teams:
            engagement.call(incident, team, order.reason, now=now, by=order.by)
        else:
            incident.say("refused", f"engage {team}: the catalogue has no such team", now=now, by=order.by)
    if order.suspects:
        phases.call_suspects(incident, now)
    if order.common:
        suspects.learned(incident, outcome.suspected, now)
