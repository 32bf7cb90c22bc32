"""The end of a shift in an open incident: who follows is told, then paged, and only then does who was there leave.

For every role: a team's responder, whoever leads, who runs the support call, who stays on the bridge (E3, C5, C6, C11).
Nothing here is scheduled: what is due follows from the plan, which knows until when its levels hold.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from model.catalogue.plan import Plan, PlannedTeam
from model.effects import PlanRequest
from model.engage import engagement, escalation
from model.incident import BEFORE_CLOSE, CALL_LEADERS, Engagement, Incident, Relief, Responder
from model.matter import unique
from model.times import ago

LEAD = "the lead"


def advance(incident: Incident, now: datetime) -> datetime | None:
    """Do what is due: ask who is on call next, call them, let go who was relieved.

    Returns:
        When the next thing is due, or None.
    """
    if incident.phase not in BEFORE_CLOSE or incident.awaiting:
        return None
    _volunteers(incident, now)
    due = [*_ask(incident, now), *(at for key in list(incident.reliefs) for at in _relieve(incident, key, now))]
    return min(due, default=None)


def known(incident: Incident, order: PlanRequest, plan: Plan, now: datetime) -> None:
    """Take in who is on call after a shift's end, or somebody who was named."""
    if order.shift == "named":
        _named(incident, order, now)
        return
    for team in order.teams:
        before, following = incident.plan.teams.get(team), plan.teams.get(team)
        if before is None:
            continue
        if following is None:
            _put(incident, before.model_copy(update={"until": None}))
            incident.say("shift", f"{team} has left the catalogue: who is there stays, nobody follows", now=now)
        elif order.shift == "ahead":
            _tell_ahead(incident, before, following, now)
        else:
            _change(incident, before, following, now)


def wakes(incident: Incident) -> bool:
    """Whether who follows is paged: not by night's severities, nor for an event that is clear (E6)."""
    return incident.severity < engagement.NIGHT and incident.clear_since is None


def call(incident: Incident, relief: Relief, people: list[str], now: datetime) -> None:
    """Call people to take over: a page each, of a call of their own; told only, where nobody is woken."""
    relief.followers = unique([*relief.followers, *people])
    relief.called_at = now
    for person in people:
        responder = incident.people.get(person)
        if responder and not engagement.is_there(incident, person):
            incident.people[person] = Responder(call=responder.call + 1, pages=responder.pages)
    if not wakes(incident):
        text = f"{incident.id}: take over {relief.team} from {relief.person}: acknowledge it."
        asked = [person for person in people if not engagement.is_there(incident, person)]
        engagement.tell(incident, [relief.team], text, now, people=asked)


def open_matters(incident: Incident) -> str:
    """Say in words what who takes over must know: the phase, what waits, what was promised (C11)."""
    said = [f"phase {incident.phase}"]
    if incident.in_alarm:
        said.append(f"in alarm: {', '.join(unique(fact.service for fact in incident.in_alarm)[:4])}")
    for proposal in incident.proposals:
        if proposal.status in ("waiting", "running"):
            said.append(f"{proposal.n} {proposal.kind} {proposal.target} {proposal.status}")
    if incident.desk.waiting:
        said.append(f"draft {incident.desk.waiting.n} for customers waits")
    if incident.desk.next_at:
        said.append(f"customers hear again by {incident.desk.next_at:%H:%M} UTC")
    said += [f"fork {fork.n} {fork.team}: {fork.topic}" for fork in incident.desk.open_forks]
    return "; ".join(said)


def _named(incident: Incident, order: PlanRequest, now: datetime) -> None:
    """Call who was named by a person, now that the catalogue has said who that is."""
    found = incident.plan.person(order.people[0])
    for team in order.teams:
        relief = incident.reliefs.get(_key(team, order.by))
        if relief is None or relief.followers or relief.stays:
            continue
        if found and team in found.teams:
            call(incident, relief, [found.id], now)
            continue
        del incident.reliefs[_key(team, order.by)]
        refused = f"hand_off of {team} to {order.people[0]}: nobody of that team is called so"
        incident.say("refused", refused, now=now, by=order.by)
        engagement.tell(incident, [team], f"{incident.id}: {refused}; you go on.", now, people=[order.by])


def _volunteers(incident: Incident, now: datetime) -> None:
    """Let who came though they are not on call belong to their team until its next shift's end."""
    turning = {name for name, row in incident.engagements.items() if not row.released_at and _has_rota(incident, name)}
    if not turning:
        return
    for person in list(incident.people):
        planned = incident.plan.people.get(person)
        if planned is None or not engagement.is_there(incident, person):
            continue
        for team in planned.teams:
            if team in turning and person not in engagement.members(incident, team):
                incident.reliefs[_key(team, person)] = Relief(team=team, person=person, since=now, stays=True)


def _has_rota(incident: Incident, team: str) -> bool:
    return team in incident.plan.teams and incident.plan.teams[team].until is not None


def _ask(incident: Incident, now: datetime) -> Iterator[datetime]:
    """Ask who follows, once before a shift's end and once at it: people swap in between."""
    ended, ahead = [], dict[datetime, list[str]]()
    for team, planned in incident.plan.teams.items():
        end = planned.until
        if end is None:
            continue
        if end <= now:
            if incident.shifts_asked.get(team) != end:
                incident.shifts_asked[team] = end
                ended.append(team)
            continue
        yield end
        tell = end - incident.policy.shift_told_before
        if _on_duty(incident, planned) and incident.shifts_told.get(team) != end:
            if tell > now:
                yield tell
            else:
                incident.shifts_told[team] = end
                ahead.setdefault(end, []).append(team)
    if ended:
        incident.owe(PlanRequest(teams=ended, shift="ended", at=now), now=now)
    for end, teams in ahead.items():
        incident.owe(PlanRequest(teams=teams, shift="ahead", at=end), now=now)


def _on_duty(incident: Incident, planned: PlannedTeam) -> list[str]:
    """Return who of a team's shift is there, and who stayed on from the one before."""
    row = incident.engagements.get(planned.id)
    if row is None or row.released_at:
        return []
    still = [relief.person for relief in incident.reliefs.values() if relief.team == planned.id]
    people = unique([*(person for level in planned.levels for person in level), *still])
    return [person for person in people if engagement.is_there(incident, person)]


def _leaving(incident: Incident, before: PlannedTeam, following: PlannedTeam) -> list[str]:
    """Return who is there and on call no more, unless they said that they stay."""
    after = {person for level in following.levels for person in level}
    kept = [r.person for r in incident.reliefs.values() if r.stays and r.team == before.id and r.since == before.until]
    return [person for person in _on_duty(incident, before) if person not in after and person not in kept]


def _level_of(incident: Incident, planned: PlannedTeam, person: str) -> int:
    on = next((number for number, level in enumerate(planned.levels, 1) if person in level), 0)
    relief = incident.reliefs.get(_key(planned.id, person))
    return on or (relief.level if relief else 1)


def _followers(following: PlannedTeam, level: int) -> tuple[int, list[str]]:
    """Return the level that follows another, and its people: the same, else the nearest with somebody on it."""
    numbers = sorted(range(1, len(following.levels) + 1), key=lambda number: (abs(number - level), number))
    return next(((n, following.levels[n - 1]) for n in numbers if following.levels[n - 1]), (level, []))


def _tell_ahead(incident: Incident, before: PlannedTeam, following: PlannedTeam, now: datetime) -> None:
    team, end = before.id, before.until
    if end is None:
        return
    for person in _leaving(incident, before, following):
        _, people = _followers(following, _level_of(incident, before, person))
        others = ", ".join(people) or "nobody"
        incident.say("shift", f"{team}: {person}'s shift ends at {end:%H:%M} UTC, {others} follows", now=now)
        follow = f"{incident.id} SEV{incident.severity} {incident.title}: at {end:%H:%M} UTC you take over {team} from"
        if people:
            engagement.tell(incident, [team], f"{follow} {person}.", now, people=people)
        text = (
            f"{incident.id}: your shift for {team} ends at {end:%H:%M} UTC, {others} follows and is called then. Say in"
            " `hand_off` what is open, or that you stay; you are off duty once somebody has taken over."
        )
        engagement.tell(incident, [team], text, now, people=[person])


def _change(incident: Incident, before: PlannedTeam, following: PlannedTeam, now: datetime) -> None:
    row, leaving = incident.engagements.get(before.id), _leaving(incident, before, following)
    levels = {person: _level_of(incident, before, person) for person in leaving}
    _put(incident, following)
    on_call = {person for level in following.levels for person in level}
    for key, relief in list(incident.reliefs.items()):
        if relief.team == before.id and relief.person in on_call:
            del incident.reliefs[key]  # back on call by the rota
    for person in leaving:
        _begin(incident, following, person, levels[person], now)
    if row is not None and row.open:
        _call_the_new_shift(incident, row, before, following, now)


def _begin(incident: Incident, following: PlannedTeam, person: str, level: int, now: datetime) -> None:
    level, people = _followers(following, level)
    relief = Relief(team=following.id, person=person, since=now, level=level)
    old = incident.reliefs.get(_key(following.id, person))
    relief.words = old.words if old else ""
    incident.reliefs[_key(following.id, person)] = relief
    how = f"{following.id}: {person}'s shift has ended"
    if people:
        said = f"{how}, called to take over: {', '.join(people)}; {person} stays until somebody has"
        incident.say("shift", said, now=now)
        call(incident, relief, people, now)
        return
    relief.missed_at = now
    incident.say("nobody_on_call", f"{how}, and nobody is on call after it: {person} stays", now=now)
    _tell_missed(incident, relief, now)


def _call_the_new_shift(
    incident: Incident, row: Engagement, before: PlannedTeam, following: PlannedTeam, now: datetime
) -> None:
    """Nobody of the old shift had answered: what is called from now on is the new one."""
    on_call = unique(person for level in following.levels for person in level)
    gone = [p for level in before.levels for p in level if p not in on_call and p in incident.people]
    called = ", ".join(on_call) or "nobody"
    incident.say("shift", f"{row.team}: the shift has ended, nobody had answered; on call now: {called}", now=now)
    for person in unique(gone):
        if not engagement.is_there(incident, person) and not _needed_elsewhere(incident, person, row.team):
            incident.people[person].off_at = now
    if gone:
        text = f"{incident.id}: your shift has ended; {called} is called."
        engagement.tell(incident, [row.team], text, now, people=gone)
    engagement.drop_pages(incident)
    if incident.severity >= engagement.NIGHT:
        row.clock_from, row.level_at, row.manager_at = now, [], None
        return
    for level in following.levels[: len(row.level_at)]:
        for person in level:
            engagement.renew(incident, person)
        escalation.cover(incident, row, level)


def _relieve(incident: Incident, key: str, now: datetime) -> Iterator[datetime]:
    """Let somebody go whom another has relieved; until then call on: channels, levels, incident response."""
    relief = incident.reliefs[key]
    if relief.stays or relief.since > now:
        return
    if not engagement.is_there(incident, relief.person):
        del incident.reliefs[key]
        engagement.drop_pages(incident)
        return
    taker = next((person for person in relief.followers if engagement.is_there(incident, person)), None)
    if taker:
        _take_over(incident, relief, taker, now)
        return
    if relief.called_at is None or not wakes(incident):
        return
    due = _next_call(incident, relief)
    while due is not None and due <= now:
        _call_on(incident, relief, now)
        due = _next_call(incident, relief)
    if due is not None:
        yield due
    yield from _pages(incident, relief, now)


def _next_call(incident: Incident, relief: Relief) -> datetime | None:
    """Return when the next level is called, incident response is told, or everybody is called again."""
    if relief.called_at is None:
        return None
    if relief.missed_at:
        return relief.called_at + incident.policy.shout_again_every
    return relief.called_at + (incident.policy.next_level_within.at(incident.severity) or timedelta())


def _call_on(incident: Incident, relief: Relief, now: datetime) -> None:
    planned = incident.plan.teams.get(relief.team)
    beyond = planned.levels[relief.level :] if planned else []
    if beyond and not relief.missed_at:
        relief.level += 1
        call(incident, relief, [p for p in beyond[0] if p not in relief.followers and p != relief.person], now)
        return
    first, relief.missed_at = relief.missed_at is None, relief.missed_at or now
    call(incident, relief, [] if first else relief.followers, now)
    if first:
        who, waited = ", ".join(relief.followers), ago(now - relief.since)
        said = f"{relief.team}: nobody has taken over from {relief.person} in {waited} ({who}); {relief.person} stays"
        incident.say("shift", said, now=now)
        _tell_missed(incident, relief, now)


def _tell_missed(incident: Incident, relief: Relief, now: datetime) -> None:
    team, response = relief.team, incident.plan.incident_response
    heard = unique([*engagement.audience(incident, response), engagement.manager(incident, team), relief.person])
    text = f"{incident.id}: nobody takes over {team} from {relief.person}, whose part has ended. Find somebody."
    engagement.tell(incident, unique([team, response]), text, now, people=heard)


def _pages(incident: Incident, relief: Relief, now: datetime) -> Iterator[datetime]:
    since = relief.called_at or now
    row = Engagement(team=relief.team, reason="", called_at=since, clock_from=since)
    for person in relief.followers:
        while step := next(escalation.page_step(incident, row, person, relief.level, since), None):
            if step.at > now:
                yield step.at
                break
            why = f"take over from {relief.person}: "
            engagement.page(incident, relief.team, person, step.contact, step.level, now, why=why)


def _take_over(incident: Incident, relief: Relief, taker: str, now: datetime) -> None:
    team, person = relief.team, relief.person
    del incident.reliefs[_key(team, person)]
    leaves = not _needed_elsewhere(incident, person, team)
    roles = pass_roles(incident, person, taker, team, everything=leaves)
    words = relief.words or open_matters(incident)
    also = f", with {' and '.join(roles)}" if roles else ""
    off = f"; {person} is off duty" if leaves else ""
    incident.say("shift", f"{team}: {taker} takes over from {person}{also}{off}. {words}", now=now)
    if incident.leader == taker and LEAD in roles:
        incident.say("lead", f"{taker} leads from {person}: {words}", now=now)
        response = engagement.audience(incident, incident.plan.incident_response)
        heard = [p for p in response if p not in (person, taker)]
        if heard:
            text = f"{incident.id}: {taker} leads now, from {person}, whose shift has ended."
            engagement.tell(incident, [incident.plan.incident_response], text, now, people=heard)
    text = f"{incident.id}: you take over {team} from {person}{also}. {words}"
    engagement.tell(incident, [team], text, now, people=[taker])
    if leaves:
        incident.people[person].off_at = now
    thanks = "You are off duty, thank you." if leaves else "You are still here for another team."
    text = f"{incident.id}: {taker} has taken over {team} from you{also}. {thanks}"
    engagement.tell(incident, [team], text, now, people=[person])
    engagement.drop_pages(incident)


def _needed_elsewhere(incident: Incident, person: str, team: str) -> bool:
    planned = incident.plan.people.get(person)
    others = engagement.teams_of(incident, planned) if planned else []
    return any(t != team and not incident.engagements[t].released_at for t in others)


def pass_roles(incident: Incident, person: str, taker: str, team: str, *, everything: bool) -> list[str]:
    """Give what somebody holds to who takes over: what belongs to the team, or everything.

    Returns:
        What was given, in words.
    """
    desk, roles = incident.desk, []
    if incident.leader == person and (everything or team in (incident.plan.incident_response, CALL_LEADERS)):
        incident.leader = taker
        roles.append(LEAD)
    if desk.event_manager == person and (everything or team == incident.plan.support):
        desk.event_manager = taker
        roles.append("the support call")
    for fork in desk.open_forks:
        if fork.stays == person and fork.team == team:
            fork.stays = taker
            roles.append(f"the bridge for fork {fork.n}")
    return roles


def _put(incident: Incident, team: PlannedTeam) -> None:
    incident.plan = incident.plan.model_copy(update={"teams": {**incident.plan.teams, team.id: team}})


def _key(team: str, person: str) -> str:
    return f"{team}/{person}"
