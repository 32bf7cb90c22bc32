"""What people say while an incident is engaged: acknowledge, join, engage, release, lead, make big (E1-E6, C11).

Every rule looks first and refuses with a sentence; what it returns is what to do, and is called once.
"""

from collections.abc import Callable
from datetime import datetime

from model import messages
from model.close import next_days
from model.effects import PlanRequest
from model.engage import engagement
from model.engage.moves import restart_clocks
from model.incident import BEFORE_CLOSE, CALL_LEADERS, Engagement, Incident, Phase, Responder
from model.matter import Act
from model.messages import Answer
from model.permissions import require
from model.phases import reopen as go_back
from model.phases import respond_fully, send_off
from model.text import Refused

Commit = Callable[[], Answer]


def not_over(incident: Incident) -> None:
    """Let only an incident pass in which people can still do something.

    Raises:
        Refused: It is over.
    """
    if incident.ended:
        raise Refused(f"{incident.id} is over since {incident.closed_at:%Y-%m-%d %H:%M} UTC; declare a new incident")


def still_open(incident: Incident) -> None:
    """Let only an incident pass that is not closed.

    Raises:
        Refused: It is closed; how to reopen it is in the text.
    """
    not_over(incident)
    if incident.closed_at:
        raise Refused(f"{incident.id} is closed ({incident.phase}); `reopen` it with a reason if it is not over")


def the_team(act: Act[Incident], given: str) -> str:
    """Return the team a message is about: the one given, else the sender's engaged one, else the only one waiting.

    Raises:
        Refused: The team is not engaged, or it cannot be told which one is meant.
    """
    incident = act.matter
    if given:
        return engaged(incident, given).team
    own = engagement.teams_of(incident, act.person)
    if own:
        waiting = [team for team in own if incident.engagements[team].open]
        owning = [team for team in own if team in incident.owners]
        return (waiting or owning or own)[0]
    waiting = [team for team, row in incident.engagements.items() if row.open]
    if len(waiting) == 1:
        return waiting[0]
    raise Refused(f"say for which team: {', '.join(incident.engagements) or 'none is engaged yet'}")


def engaged(incident: Incident, team: str) -> Engagement:
    """Return a team's row.

    Raises:
        Refused: It is not engaged.
    """
    for name, row in incident.engagements.items():
        if name.casefold() == team.casefold():
            return row
    listed = ", ".join(incident.engagements) or "none"
    raise Refused(f"{team} is not engaged in {incident.id}; engaged are: {listed}. `engage` calls another team")


def acknowledge(act: Act[Incident]) -> Commit:
    """Take the page: one acknowledgement covers the person's teams (E6)."""
    message = act.message
    assert isinstance(message, messages.Acknowledge)
    still_open(act.matter)
    team = the_team(act, message.team)
    require(act, "acknowledge", team)

    def commit() -> Answer:
        covered = here(act, team)
        return act.answer(f"acknowledged for {', '.join(covered) or team}")

    return commit


def here(act: Act[Incident], team: str = "") -> list[str]:
    """Count the sender as there, for the team and for every engaged team of theirs.

    Returns:
        The teams that had been waiting for somebody.
    """
    incident, now = act.matter, act.now
    responder = incident.people.setdefault(act.by, Responder())
    if responder.off_at:
        responder.off_at = responder.joined_at = responder.acknowledged_at = None
    responder.acknowledged_at = responder.acknowledged_at or now
    covered = []
    for name in engagement.teams_of(incident, act.person) + ([team] if team in incident.engagements else []):
        row = incident.engagements[name]
        if row.acknowledged_at is None and row.released_at is None:
            row.acknowledged_at, row.acknowledged_by = now, act.by
            row.asleep = False
            covered.append(name)
    if covered:
        act.say("acknowledged", f"for {', '.join(covered)}")
        engagement.drop_pages(incident)
        if incident.phase == Phase.ENGAGE:
            incident.phase = Phase.COORDINATE
            incident.say("phase", Phase.COORDINATE.value, now=now)
    return covered


def joined(act: Act[Incident], team: str = "") -> None:
    """Count any act of a person as joining (design §5)."""
    here(act, team)
    responder = act.matter.people[act.by]
    if responder.joined_at is None:
        responder.joined_at = act.now
        teams = engagement.teams_of(act.matter, act.person)
        for name in teams or ([team] if team in act.matter.engagements else []):
            row = act.matter.engagements[name]
            row.joined_at = row.joined_at or act.now
        act.say("joined", f"for {', '.join(teams) or team}" if teams or team else "joined")


def join(act: Act[Incident]) -> Commit:
    """Be on the call."""
    message = act.message
    assert isinstance(message, messages.Join)
    still_open(act.matter)
    team = the_team(act, message.team)
    require(act, "join", team)

    def commit() -> Answer:
        joined(act, team)
        lead = act.matter.leader or "nobody leads yet"
        return act.answer(f"you are in for {team}; lead: {lead}")

    return commit


def engage(act: Act[Incident]) -> Commit:
    """Call a team in; whether the catalogue knows it, the catalogue is asked next."""
    message = act.message
    assert isinstance(message, messages.Engage)
    still_open(act.matter)
    require(act, "engage")
    row = act.matter.engagements.get(message.team)
    if row and not row.released_at and not row.asleep:
        raise Refused(f"{message.team} is engaged since {row.called_at:%H:%M} UTC ({row.reason})")

    def commit() -> Answer:
        joined(act)
        if message.team in act.matter.plan.teams:
            engagement.call(act.matter, message.team, message.reason, now=act.now, by=act.by)
        else:
            ask_catalogue(act.matter, message.team, message.reason, act.by, act.now)
        return act.answer(f"{message.team} is called: {message.reason}")

    return commit


def ask_catalogue(incident: Incident, team: str, reason: str, by: str, now: datetime) -> None:
    """Owe a question to the catalogue about a team this incident has no plan for yet."""
    incident.owe(PlanRequest(teams=[team], reason=reason, by=by, at=now), now=now)


def release(act: Act[Incident]) -> Commit:
    """Put a team on standby, with the evidence; a later alarm of theirs calls them back (E4)."""
    message = act.message
    assert isinstance(message, messages.Release)
    still_open(act.matter)
    team = the_team(act, message.team)
    require(act, "release", team)
    if act.matter.engagements[team].released_at:
        raise Refused(f"{team} is on standby already")

    def commit() -> Answer:
        joined(act)
        act.say("released", f"{team}: {message.reason}")
        send_off(act.matter, team, message.reason, act.now, by=act.by)
        return act.answer(f"{team} is on standby; an alarm of theirs calls them back")

    return commit


def lead(act: Act[Incident]) -> Commit:
    """Take the lead, or hand it over in words (C11)."""
    message = act.message
    assert isinstance(message, messages.Lead)
    still_open(act.matter)
    require(act, "lead")
    person = act.person
    if message.person:
        found = act.matter.plan.person(message.person)
        if found is None:
            raise Refused(f"'{message.person}' is nobody of this incident: {', '.join(sorted(act.matter.plan.people))}")
        person = found
    before = act.matter.leader
    if before and before != person.id and not message.handover:
        raise Refused(f"{before} leads: say in `handover` what is open, for example {message.example_json()}")

    def commit() -> Answer:
        joined(act)
        act.matter.leader = person.id
        how = f" from {before}: {message.handover}" if before and before != person.id else f". {message.handover}"
        act.say("lead", f"{person.id} leads{how}".rstrip(". "))
        if person.id != act.by:
            text = f"{act.matter.id}: you lead now. {message.handover}"
            engagement.tell(act.matter, [CALL_LEADERS], text, act.now, people=[person.id])
        return act.answer(f"{person.id} leads")

    return commit


def make_big(act: Act[Incident]) -> Commit:
    """Turn a single-service event into a full response (E1, E2)."""
    message = act.message
    assert isinstance(message, messages.MakeBig)
    still_open(act.matter)
    require(act, "make_big")
    if act.matter.big:
        raise Refused(f"{act.matter.id} is a full response already")

    def commit() -> Answer:
        joined(act)
        act.say("made_big", message.reason)
        respond_fully(act.matter, message.reason, act.now, by=act.by)
        return act.answer("full response: incident response, support and the usual suspects are called")

    return commit


def set_severity(act: Act[Incident]) -> Commit:
    """Set the severity; the waiting times follow it from now on."""
    message = act.message
    assert isinstance(message, messages.SetSeverity)
    still_open(act.matter)
    require(act, "set_severity")
    if message.severity == act.matter.severity:
        raise Refused(f"{act.matter.id} is SEV{message.severity} already")

    def commit() -> Answer:
        joined(act)
        incident = act.matter
        act.say("severity", f"SEV{incident.severity} → SEV{message.severity}: {message.reason}")
        restart_clocks(incident, message.severity, act.now)
        incident.severity = message.severity
        if message.severity == 1 and incident.plan.call_leaders:
            engagement.call(incident, CALL_LEADERS, "severity 1", now=act.now, by=act.by)
        return act.answer(f"{incident.id} is SEV{message.severity}")

    return commit


def stand_down(act: Act[Incident]) -> Commit:
    """Send a team off duty; everybody only once the alarms are clear (X4)."""
    message = act.message
    assert isinstance(message, messages.StandDown)
    not_over(act.matter)
    require(act, "stand_down")
    incident = act.matter
    if message.team:
        teams = [engaged(incident, message.team).team]
    else:
        teams = list(incident.engagements)
        if incident.in_alarm and incident.phase in BEFORE_CLOSE:
            firing = ", ".join(sorted({fact.service for fact in incident.in_alarm}))
            raise Refused(f"{firing} is in alarm: name one `team`; everybody can stand down once the alarms are clear")
    teams = [team for team in teams if not incident.engagements[team].released_at]
    if not teams:
        raise Refused("nobody is on duty any more")
    if message.team in incident.owners and any(
        incident.plan.services[fact.service].team == message.team
        for fact in incident.in_alarm
        if fact.service in incident.plan.services
    ):
        raise Refused(f"{message.team} owns what is in alarm; `release` needs the evidence that it is not them")

    def commit() -> Answer:
        joined(act)
        act.say("stood_down", f"{', '.join(teams)}: {message.reason}")
        for team in teams:
            send_off(incident, team, message.reason, act.now, by=act.by)
        if not message.team:
            next_days.say_plan(incident, act.now)
        return act.answer(f"off duty: {', '.join(teams)}")

    return commit


def reopen(act: Act[Incident]) -> Commit:
    """Say that it was not over."""
    message = act.message
    assert isinstance(message, messages.Reopen)
    not_over(act.matter)
    require(act, "reopen")
    if act.matter.phase in (Phase.ENGAGE, Phase.COORDINATE, Phase.MITIGATE):
        raise Refused(f"{act.matter.id} is open (phase {act.matter.phase})")

    def commit() -> Answer:
        go_back(act.matter, message.reason, act.now, by=act.by, claimed=act.claimed)
        joined(act)
        return act.answer("reopened, back to mitigating")

    return commit
