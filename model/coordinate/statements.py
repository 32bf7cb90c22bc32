"""Everybody at once: who joins gets one screen, every team is asked for its impact, what is missing is chased (C2, C3).

The page and the joining screen are the question, so nobody is asked one by one.
"""

from datetime import datetime

from model.coordinate.audience import latest
from model.coordinate.briefing import internal_facts
from model.coordinate.desk import Asked
from model.effects import Compose
from model.engage import engagement
from model.incident import CALL_LEADERS, Engagement, Incident, Phase
from model.matter import unique

TOGETHER = 50
"""People one screen is brought to; the next one follows when it is done."""
CHASED = (Phase.ENGAGE, Phase.COORDINATE, Phase.MITIGATE)
"""While it lasts; verification stops it."""


def advance(incident: Incident, now: datetime) -> datetime | None:
    """Do everything that is due.

    Returns:
        When the next thing is due, or None.
    """
    if incident.phase == Phase.ABSORBED or incident.awaiting:
        return None
    if not incident.closed_at:
        _welcome(incident, now)
        if any(said.impacted == "no" for said in incident.statements):
            for report in incident.reports:
                compare(incident, report.service, report.text or f"{report.count} × {report.source}", now)
    if incident.phase not in CHASED:
        return None
    chased = [_chase(incident, row, now) for row in incident.engagements.values()]
    return min((at for at in chased if at), default=None)


def _welcome(incident: Incident, now: datetime) -> None:
    """Owe the joining screen to who has joined since the last one; one screen for all who come together (C2)."""
    desk = incident.desk
    new = {
        person: responder.joined_at
        for person, responder in incident.people.items()
        if responder.joined_at and not responder.off_at and desk.welcomed.get(person) != responder.joined_at
    }
    under_way = any(
        isinstance(owed.order, Compose) and owed.order.facts.kind == "joining" for owed in incident.owed.values()
    )
    if not new or under_way:
        return
    now_told = dict(list(new.items())[:TOGETHER])
    desk.welcomed.update(now_told)
    people = [person for person in now_told if person in incident.plan.people]
    teams = unique(t for person in people for t in _teams(incident, person))
    order = Compose(
        incident=incident.id, facts=internal_facts(incident, "joining", now), to=teams, people=people, at=now
    )
    incident.owe(order, now=now)


def _teams(incident: Incident, person: str) -> list[str]:
    """Return a person's engaged teams; the first of their own for who came without being called."""
    planned = incident.plan.people[person]
    return engagement.teams_of(incident, planned) or planned.teams[:1]


def due(incident: Incident, row: Engagement) -> datetime | None:
    """Return when a team owes a statement; none where it owes none.

    "Not known yet, again at" moves it; whoever runs the process and owns nothing impacted owes none.
    """
    runs = row.team in (incident.plan.incident_response, incident.plan.support, CALL_LEADERS)
    if row.joined_at is None or row.released_at or row.asleep or (runs and row.team not in incident.owners):
        return None
    said = latest(incident, row.team)
    within = incident.policy.impact_within
    if said is None or said.at < row.called_at:
        return row.joined_at + within
    if said.impacted != "unknown":
        return None
    return max(said.again_at, said.at) if said.again_at else said.at + within


def _chase(incident: Incident, row: Engagement, now: datetime) -> datetime | None:
    """Remind the person once, then let incident response ask.

    At severity 4 and 5 the reminder is all: whoever has joined by day may be asked, but incident response is not
    called into what is no more than a ticket (E6).
    """
    when = due(incident, row)
    if when is None or when > now:
        return when
    asked = incident.desk.asked.get(row.team)
    if asked is None or asked.due != when:
        asked = incident.desk.asked[row.team] = Asked(due=when)
    if asked.chased_at is None:
        asked.chased_at = now
        text = (
            f"{incident.id}: is {row.team} impacted? Say it with the update state_impact: yes, no, or unknown with "
            "`again_at`. `no` with its evidence is an answer too."
        )
        engagement.tell(incident, [row.team], text, now, people=_who(incident, row))
    if incident.severity >= engagement.NIGHT:
        return None
    leader_at = asked.chased_at + incident.policy.impact_chase_by_leader
    if asked.told_at is None and leader_at > now:
        return leader_at
    if asked.told_at is None:
        asked.told_at = now
        who = ", ".join(_who(incident, row))
        text = f"{row.team} owes an impact statement since {when:%H:%M}; {who} was reminded at {asked.chased_at:%H:%M}"
        incident.say("statement_missing", text, now=now)
        engagement.tell(incident, [incident.plan.incident_response], f"{incident.id}: {text}.", now)
    return None


def _who(incident: Incident, row: Engagement) -> list[str]:
    """Return who of a team is reminded: who acknowledged, else who has joined."""
    members = engagement.members(incident, row.team)
    there = [p for p in members if (r := incident.people.get(p)) and r.joined_at and not r.off_at]
    first = [row.acknowledged_by] if row.acknowledged_by in there else there[:1]
    return first or engagement.audience(incident, row.team)[:1]


def compare(incident: Incident, service: str, said: str, now: datetime) -> None:
    """Say when customers contradict a team: it stated no impact, they report some (C6). Once per statement."""
    planned = incident.plan.services.get(service)
    stated = latest(incident, planned.team) if planned else None
    if planned is None or stated is None or stated.impacted != "no":
        return
    if incident.desk.contradicted.get(planned.team) == stated.at:
        return
    incident.desk.contradicted[planned.team] = stated.at
    text = f"customers contradict {planned.team}, who stated no impact at {stated.at:%H:%M}: {service}, {said}"
    incident.say("observed", f"correlation: {text}", now=now)
    teams = [planned.team, incident.plan.incident_response]
    engagement.tell(incident, teams, f"{incident.id}: {text}. Please look again.", now)
