"""What is written down while it happens: observations, statements, notes, deployments (C3, C4, M2, X3)."""

from datetime import datetime

from model import messages
from model.close.look_back import undone_by
from model.effects import Deployment, Outcome
from model.engage.moves import customers_are_hit
from model.engage.response import Commit, joined, not_over, still_open, the_team
from model.incident import Improvement, Incident, Statement
from model.matter import Act
from model.messages import Answer
from model.mitigate import ladder
from model.permissions import require
from model.phases import send_off


def observe(act: Act[Incident]) -> Commit:
    """Write an observation with its time into the ticket."""
    message = act.message
    assert isinstance(message, messages.Observe)
    not_over(act.matter)
    team = the_team(act, message.team)
    require(act, "observe", team)

    def commit() -> Answer:
        if not act.matter.closed_at:
            joined(act)
        act.say("observed", f"{message.kind}: {message.text}", link=message.link)
        return act.answer("in the ticket")

    return commit


def note(act: Act[Incident]) -> Commit:
    """Keep an opportunity to improve for the post-mortem; the live page does not show it."""
    message = act.message
    assert isinstance(message, messages.Note)
    not_over(act.matter)
    team = the_team(act, message.team)
    require(act, "note", team)

    def commit() -> Answer:
        act.matter.notes.append(Improvement(at=act.at, team=team, by=act.by, text=message.text))
        return act.answer(f"noted for the post-mortem of {team}")

    return commit


def state_impact(act: Act[Incident]) -> Commit:
    """State a team's impact: 'yes' with customers knows them hit, 'no' is standby with evidence (C3, E4)."""
    message = act.message
    assert isinstance(message, messages.StateImpact)
    still_open(act.matter)
    team = the_team(act, message.team)
    require(act, "state_impact", team)

    def commit() -> Answer:
        incident = act.matter
        joined(act)
        incident.statements.append(
            Statement(
                at=act.at,
                team=team,
                by=act.by,
                impacted=message.impacted,
                customers=message.customers,
                text=message.text,
                link=message.link,
                again_at=message.again_at,
            )
        )
        again = f"again at {message.again_at:%H:%M}" if message.again_at else ""
        words = "; ".join(w for w in (message.customers, message.text, again) if w)
        act.say(
            "statement",
            f"{team} impacted: {message.impacted}{'; ' + words if words else ''}",
            link=message.link,
        )
        if message.impacted == "yes" and _has_customers(incident, team):
            customers_are_hit(incident, message.customers or f"{team} states impact", act.now)
        if message.impacted == "no" and team not in incident.owners:
            act.say("released", f"{team}: not us. {message.text}".rstrip())
            send_off(incident, team, message.text or "not us", act.now, by=act.by)
        return act.answer(f"{team}: impacted {message.impacted}")

    return commit


def _has_customers(incident: Incident, team: str) -> bool:
    return any(s.team == team and s.has_customers for s in incident.plan.services.values())


def deployments_known(incident: Incident, outcome: Outcome, now: datetime) -> None:
    """Write the answer about deployments into the ticket, also when it is 'none' (M2); asked again at the end (M4)."""
    if incident.suspicion:
        incident.say("observed", f"change: {undone_by(incident, outcome.deployments)}", now=now)
        return
    ranked: list[Deployment] = []
    if outcome.deployments is None:
        text = "deployments: no source is configured, so nobody knows"
    elif not (ranked := suspicious(incident, outcome.deployments)):
        text = f"deployments: none running or started within {_window(incident)} before the first alarm, in any service"
    else:
        text = "deployments around the start: " + "; ".join(said(d) for d in ranked)
    incident.suspicion = text
    incident.say("observed", f"change: {text}", now=now)
    ladder.suspect(incident, ranked, now)


def _window(incident: Incident) -> str:
    return f"{int(incident.policy.deployment_window.total_seconds() // 60)} min"


def said(deployment: Deployment) -> str:
    """Return a deployment as people write it: 'service@version since 09:00'."""
    state = f"finished {deployment.finished:%H:%M}" if deployment.finished else "still running"
    return f"{deployment.service}@{deployment.version} started {deployment.started:%H:%M}, {state}"


def suspicious(incident: Incident, deployments: list[Deployment]) -> list[Deployment]:
    """Return deployments running at the first alarm, or started shortly before or since, everywhere (M2).

    An impacted service's come first, then the closest to the first alarm.
    """
    start = min((fact.since for fact in incident.alarms.values()), default=incident.opened_at)
    since = start - incident.policy.deployment_window
    near = [d for d in deployments if d.started >= since or d.finished is None or d.finished >= start]
    return sorted(
        near, key=lambda d: (d.service not in incident.services, abs(d.started - start), d.service, d.version)
    )
