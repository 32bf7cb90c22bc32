"""What people say to hand over what they do, or to stay on after their shift (C6, C11)."""

from model import messages
from model.catalogue.plan import PlannedPerson
from model.effects import PlanRequest
from model.engage import engagement, shifts
from model.engage.response import Commit, engaged, joined, still_open
from model.incident import Incident, Relief
from model.matter import Act
from model.messages import Answer
from model.permissions import INCIDENT_RESPONSE, LEADERS, SUPPORT, require, standing
from model.text import Refused


def hand_off(act: Act[Incident]) -> Commit:
    """Hand over one's part, one role of it, or say that one stays on."""
    message = act.message
    assert isinstance(message, messages.HandOff)
    still_open(act.matter)
    require(act, "hand_off")
    if message.stays:
        return _stay(act, message)
    if not message.person and not message.role and message.text:
        return _leave_words(act, message)
    if not message.person:
        raise Refused(f"say in `person` who takes it, for example {message.example_json()}")
    taker = act.matter.plan.person(message.person)
    if taker and taker.id == act.by:
        raise Refused("that is you; to stay on after your shift, send `stays: true`")
    return _hand_role(act, message, taker) if message.role else _hand_part(act, message, taker)


def _hand_role(act: Act[Incident], message: messages.HandOff, taker: PlannedPerson | None) -> Commit:
    incident = act.matter
    if taker is None:
        raise Refused(f"'{message.person}' is nobody of this incident: {', '.join(sorted(incident.plan.people))}")
    is_lead = message.role == "lead"
    holder = incident.leader if is_lead else incident.desk.event_manager
    name = "the lead" if is_lead else "the support call"
    steers = standing(incident, act.person) & {INCIDENT_RESPONSE, LEADERS}
    if act.by != holder and not steers:
        raise Refused(f"{holder or 'nobody'} has {name}, and hands it over; so may incident response")
    if not is_lead and not standing(incident, taker) & {SUPPORT, INCIDENT_RESPONSE}:
        raise Refused(f"{taker.id} is neither of support nor of incident response, who run the support call")
    if not message.text:
        raise Refused(f"say in `text` what is open, for example {message.example_json()}")

    def commit() -> Answer:
        joined(act)
        if is_lead:
            incident.leader = taker.id
        else:
            incident.desk.event_manager = taker.id
        act.say("lead", f"{taker.id} has {name}{f' from {holder}' if holder else ''}: {message.text}")
        text = f"{incident.id}: you have {name} now. {message.text}"
        engagement.tell(incident, taker.teams[:1], text, act.now, people=[taker.id])
        return act.answer(f"{taker.id} has {name}")

    return commit


def _hand_part(act: Act[Incident], message: messages.HandOff, taker: PlannedPerson | None) -> Commit:
    """Hand over the sender's duty for their teams; whom this incident does not know yet, the catalogue is asked for."""
    incident = act.matter
    teams = _own(act, message.team)
    for team in teams if taker else []:
        if taker and team not in taker.teams and taker.id not in engagement.members(incident, team):
            others = ", ".join(p for p in engagement.members(incident, team) if p != act.by)
            raise Refused(f"{taker.id} is not of {team}; of it are {others or 'no others here'}. Name one `team`")

    def commit() -> Answer:
        joined(act)
        name = taker.id if taker else message.person
        act.say("shift", f"{', '.join(teams)}: {act.by} hands over to {name}. {message.text}".rstrip())
        for team in teams:
            relief = Relief(team=team, person=act.by, since=act.now, words=message.text)
            relief.level = len(engagement.levels(incident, team))  # nobody but who was named is called
            incident.reliefs[f"{team}/{act.by}"] = relief
            if taker:
                shifts.call(incident, relief, [taker.id], act.now)
        if taker is None:
            order = PlanRequest(teams=teams, people=[message.person], shift="named", by=act.by, at=act.now)
            incident.owe(order, now=act.now)
        if taker and engagement.is_there(incident, taker.id):
            return act.answer(f"{name} takes over {', '.join(teams)}")
        called = f"{name} is called to take over {', '.join(teams)}"
        return act.answer(f"{called}; you are off duty once they have acknowledged")

    return commit


def _leave_words(act: Act[Incident], message: messages.HandOff) -> Commit:
    """Keep words for whoever follows by the rota."""
    incident = act.matter
    teams = _turning(act, message)

    def commit() -> Answer:
        joined(act)
        for team in teams:
            relief = incident.reliefs.setdefault(f"{team}/{act.by}", _ahead(act, team))
            relief.words = message.text
        act.say("shift", f"{', '.join(teams)}: {act.by} hands over to who follows. {message.text}")
        return act.answer(f"who follows you for {', '.join(teams)} will read it")

    return commit


def _turning(act: Act[Incident], message: messages.HandOff) -> list[str]:
    """Return the sender's teams whose shift ends, or has ended.

    Raises:
        Refused: There is none.
    """
    incident, own = act.matter, _own(act, message.team)
    rota = [team for team in own if team in incident.plan.teams and incident.plan.teams[team].until]
    teams = [team for team in own if team in rota or f"{team}/{act.by}" in incident.reliefs]
    if not teams:
        who = f"name in `person` who takes it, for example {message.example_json()}"
        raise Refused(f"no shift of yours is known to end: {', '.join(own)} has no rota, you stay anyway; or {who}")
    return teams


def _ahead(act: Act[Incident], team: str) -> Relief:
    """Return what is said before a shift has ended."""
    planned = act.matter.plan.teams.get(team)
    on_call = planned is not None and any(act.by in level for level in planned.levels)
    since = planned.until if planned and planned.until and on_call else act.now
    return Relief(team=team, person=act.by, since=since)


def _stay(act: Act[Incident], message: messages.HandOff) -> Commit:
    incident = act.matter
    teams = _turning(act, message)

    def commit() -> Answer:
        joined(act)
        for team in teams:
            relief = incident.reliefs.setdefault(f"{team}/{act.by}", _ahead(act, team))
            called = [person for person in relief.followers if not engagement.is_there(incident, person)]
            relief.stays, relief.followers, relief.words = True, [], message.text
            text = f"{incident.id}: {act.by} stays for {team}; nothing to take over now."
            if called:
                engagement.tell(incident, [team], text, act.now, people=called)
        engagement.drop_pages(incident)
        act.say("shift", f"{', '.join(teams)}: {act.by} stays on. {message.text}".rstrip())
        return act.answer(f"you stay for {', '.join(teams)} until the next shift ends")

    return commit


def _own(act: Act[Incident], given: str) -> list[str]:
    """Return the engaged teams of the sender, or the one given.

    Raises:
        Refused: They have none, or not that one.
    """
    own = [t for t in engagement.teams_of(act.matter, act.person) if not act.matter.engagements[t].released_at]
    team = engaged(act.matter, given).team if given else ""
    if team and team not in own:
        raise Refused(f"you are not on duty for {team}; you are for {', '.join(own) or 'no team'}")
    if not own:
        raise Refused(f"you are on duty for no team of {act.matter.id}: there is nothing to hand over")
    return [team] if team else own
