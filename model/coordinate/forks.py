"""Forked calls: a team leaves the bridge for a call of its own, and somebody of it stays; forks end (C5)."""

from datetime import datetime

from model.coordinate import calls, desk_messages
from model.coordinate.desk import Fork
from model.engage import engagement
from model.engage.response import Commit, joined, still_open, the_team
from model.incident import Incident, Phase
from model.matter import Act
from model.messages import Answer
from model.permissions import require
from model.text import Refused


def fork(act: Act[Incident]) -> Commit:
    """Leave the bridge with a team; one of it stays."""
    message = act.message
    assert isinstance(message, desk_messages.Fork)
    still_open(act.matter)
    team = the_team(act, message.team)
    require(act, "fork", team)
    stays = _who_stays(act, team, message.stays)
    parent = _named(act.matter, message.from_) if message.from_ else None

    def commit() -> Answer:
        joined(act)
        desk = act.matter.desk
        made = Fork(
            n=len(desk.forks) + 1,
            team=team,
            topic=message.topic,
            by=act.by,
            stays=stays,
            link=calls.fork(act.matter, len(desk.forks) + 1),
            parent=parent.n if parent else 0,
            opened_at=act.now,
        )
        desk.forks.append(made)
        left = f" from {name(act.matter, parent)}" if parent else ""
        link = calls.sayable(made.link)
        act.say("forked", f"{name(act.matter, made)}{left}: {team}, {message.topic}; {stays} stays", link=link)
        text = f"{act.matter.id}: you stay on the bridge for {team}; the others are on {link or 'their own call'}."
        engagement.tell(act.matter, [team], text, act.now, people=[stays])
        where = link or ("its call is on your page of the incident" if made.link else "")
        return act.answer(f"{name(act.matter, made)} is open{': ' + where if where else ''}; {stays} stays")

    return commit


def _who_stays(act: Act[Incident], team: str, given: str) -> str:
    """Return who of a team stays: somebody else of it who is there.

    Raises:
        Refused: Nobody would stay; who could is in the text.
    """
    incident = act.matter
    there = [p for p in engagement.members(incident, team) if p != act.by and _is_there(incident, p)]
    said = f"there of {team}, apart from you: {', '.join(there) or 'nobody; call somebody else of your team first'}"
    if not given:
        if len(there) == 1:
            return there[0]
        raise Refused(f"say in `stays` who of {team} stays on the bridge; {said}")
    person = incident.plan.person(given)
    if person is None or person.id not in engagement.members(incident, team):
        raise Refused(f"{given} is not of {team}: one of the team stays on the bridge; {said}")
    if person.id == act.by:
        raise Refused(f"you are the one who leaves: somebody else of {team} stays on the bridge; {said}")
    if person.id not in there:
        raise Refused(f"{person.id} has not come yet: they acknowledge first, or somebody else stays; {said}")
    return person.id


def _is_there(incident: Incident, person: str) -> bool:
    responder = incident.people.get(person)
    return responder is not None and responder.acknowledged_at is not None and responder.off_at is None


def name(incident: Incident, fork: Fork) -> str:
    """Return what a fork is called: it is how its call is found, too."""
    return f"{incident.id}-{calls.fork_name(fork.n)}"


def rejoin(act: Act[Incident]) -> Commit:
    """End a fork: its people are back."""
    message = act.message
    assert isinstance(message, desk_messages.Rejoin)
    still_open(act.matter)
    ending = _named(act.matter, message.fork) if message.fork else _own(act)
    require(act, "rejoin", ending.team)

    def commit() -> Answer:
        joined(act)
        ending.ended_at = act.now
        act.say("rejoined", f"{ending.team} is back from {name(act.matter, ending)}: {ending.topic}")
        return act.answer(f"{name(act.matter, ending)} has ended; {ending.team} is back on the bridge")

    return commit


def _named(incident: Incident, given: str) -> Fork:
    """Return an open fork by its number or name.

    Raises:
        Refused: There is none of that name; the open ones are in the text.
    """
    wanted = given.casefold().removeprefix("fork-").removeprefix("fork").strip(" #")
    for fork in incident.desk.open_forks:
        if wanted == str(fork.n) or given.casefold() == name(incident, fork).casefold():
            return fork
    raise Refused(f"no fork {given} is open; {_listed(incident)}")


def _own(act: Act[Incident]) -> Fork:
    """Return the fork that is meant without being named: the sender's team's, else the only one.

    Raises:
        Refused: It cannot be told which.
    """
    forks = act.matter.desk.open_forks
    own = [fork for fork in forks if fork.team in engagement.teams_of(act.matter, act.person)]
    for meant in (own, forks):
        if len(meant) == 1:
            return meant[0]
    raise Refused(f"say which `fork` ends; {_listed(act.matter)}" if forks else "no fork is open")


def _listed(incident: Incident) -> str:
    forks = [f"{fork.n} ({fork.team}: {fork.topic[:60]})" for fork in incident.desk.open_forks]
    return f"open are {', '.join(forks)}" if forks else "none is open"


def advance(incident: Incident, now: datetime) -> None:
    """End the forks that nobody needs any more: the incident is closed, or the team has gone."""
    for fork in incident.desk.open_forks:
        row = incident.engagements.get(fork.team)
        gone = "the incident is closed" if incident.closed_at else ""
        if not gone and row and row.released_at:
            gone = f"{fork.team} is off duty"
        if gone and incident.phase != Phase.ABSORBED:
            fork.ended_at = now
            incident.say("rejoined", f"{name(incident, fork)} ends: {gone}", now=now)
