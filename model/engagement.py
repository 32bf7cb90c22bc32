"""Who is called, over which channel, and when the next one is (E1-E6, design §5).

Nothing here is scheduled: what is due follows from the facts, the severity and the policy, so that a changed
severity, an acknowledgement or a restart needs no timer to be moved.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from model.effects import Page, Recipient, Tell, backoff
from model.incident import BEFORE_CLOSE, CALL_LEADERS, AlarmFact, Engagement, Incident, Paged, Responder, unique
from model.plan import PlannedPerson
from model.times import ago, next_working_morning

SHOUT_MOST = timedelta(days=1)
"""The longest pause between two rounds to everybody when nobody answers (E3: never silence)."""
NIGHT = 4
"""From this severity on nobody is woken (E6)."""


@dataclass(frozen=True)
class Step:
    """The next thing to do for a team, and when."""

    at: datetime
    kind: Literal["level", "page", "manager", "beyond", "leaders", "exhausted", "shout"]
    person: str = ""
    contact: int = 0
    level: int = 0


def call(
    incident: Incident, team: str, reason: str, *, now: datetime, called_for: str = "", by: str = ""
) -> bool:
    """Call a team: new, or back from standby. A team already called is not called again.

    Returns:
        Whether this changed anything.
    """
    row = incident.engagements.get(team)
    if team not in incident.plan.teams and team != CALL_LEADERS:
        return False
    if row is None:
        row = Engagement(team=team, reason=reason, called_at=now, clock_from=now)
        incident.engagements[team] = row
        incident.say("engaged", f"{team}: {reason}", now=now, by=by or "allclear")
    elif row.released_at or row.asleep:
        _call_back(incident, row, now)
        incident.say("called_back", f"{team}: {reason}", now=now, by=by or "allclear")
    elif not called_for or called_for in row.called_for:
        return False
    if called_for:
        row.called_for = unique([*row.called_for, called_for])
    return True


def _call_back(incident: Incident, row: Engagement, now: datetime) -> None:
    fresh = Engagement(
        team=row.team, reason=row.reason, called_at=now, clock_from=now, called_for=row.called_for
    )
    incident.engagements[row.team] = fresh
    for person in members(incident, row.team):
        responder = incident.people.get(person)
        if responder and not responder.acknowledged_at:
            responder.off_at = now
        _renew(incident, person)


def levels(incident: Incident, team: str) -> list[list[str]]:
    """Return a team's escalation levels as they were when it was called."""
    if team == CALL_LEADERS:
        return [[person] for person in incident.plan.call_leaders]
    return incident.plan.teams[team].levels


def manager(incident: Incident, team: str) -> str:
    """Return a team's manager, or nothing."""
    return incident.plan.teams[team].manager if team in incident.plan.teams else ""


def members(incident: Incident, team: str) -> list[str]:
    """Return who belongs to a team: its on-call list and its manager (design §5)."""
    listed = [person for level in levels(incident, team) for person in level]
    return unique([*listed, manager(incident, team)])


def teams_of(incident: Incident, person: PlannedPerson) -> list[str]:
    """Return the engaged teams a person belongs to."""
    return [team for team in incident.engagements if person.id in members(incident, team)]


def pages_of(responder: Responder | None) -> list[Paged]:
    """Return the pages of a person's current call."""
    return [page for page in responder.pages if page.call == responder.call] if responder else []


def answered_elsewhere(incident: Incident, row: Engagement) -> bool:
    """Whether somebody who was called because this team did not answer is there."""
    return any(
        row.team in other.called_for and other.acknowledged_at for other in incident.engagements.values()
    )


def next_step(incident: Incident, row: Engagement) -> Step | None:
    """Return what is to be done next for a team, or nothing."""
    if not row.open or incident.phase not in BEFORE_CLOSE or incident.awaiting:
        return None
    return min(_steps(incident, row), key=lambda step: step.at, default=None)


def _steps(incident: Incident, row: Engagement) -> Iterator[Step]:
    yield from _level_step(incident, row)
    yield from _page_steps(incident, row)
    if incident.severity < NIGHT:
        yield from _beyond_steps(incident, row)
    yield from _exhausted_steps(incident, row)


def _level_step(incident: Incident, row: Engagement) -> Iterator[Step]:
    reached = len(row.level_at)
    planned = levels(incident, row.team)
    if reached < len(planned):
        yield Step(_level_due(incident, row, reached), "level", level=reached + 1)
    elif incident.severity >= NIGHT and not row.manager_at and manager(incident, row.team):
        yield Step(_level_due(incident, row, reached), "manager")


def _level_due(incident: Incident, row: Engagement, reached: int) -> datetime:
    since = max(row.level_at[-1], row.clock_from) if row.level_at else row.clock_from
    if incident.severity >= NIGHT:
        return next_working_morning(since, _timezone(incident, row), incident.policy.working_morning_hour)
    if reached == 0 or _dead(incident, row, reached):
        return since
    return since + _within(incident.policy.next_level_within.at(incident.severity))


def _timezone(incident: Incident, row: Engagement) -> str:
    for level in levels(incident, row.team):
        for person in level:
            if person in incident.plan.people:
                return incident.plan.people[person].timezone
    return "UTC"


def _dead(incident: Incident, row: Engagement, reached: int) -> bool:
    """Whether nobody of the level reached last can be reached over any channel."""
    return all(_tried_all(incident, person) for person in levels(incident, row.team)[reached - 1])


def _tried_all(incident: Incident, person: str) -> bool:
    planned = incident.plan.people.get(person)
    if planned is None or not planned.contacts:
        return True
    failed = {page.contact for page in pages_of(incident.people.get(person)) if page.failed_at}
    return len(failed) >= len(planned.contacts)


def _page_steps(incident: Incident, row: Engagement) -> Iterator[Step]:
    for number, level in enumerate(levels(incident, row.team)[: len(row.level_at)], start=1):
        for person in level:
            yield from _page_step(incident, row, person, number, row.level_at[number - 1])
    if row.manager_at:
        number = len(levels(incident, row.team)) + 1
        yield from _page_step(incident, row, manager(incident, row.team), number, row.manager_at)


def _page_step(
    incident: Incident, row: Engagement, person: str, level: int, since: datetime
) -> Iterator[Step]:
    planned = incident.plan.people.get(person)
    responder = incident.people.get(person)
    if (
        planned is None
        or not planned.contacts
        or (responder and responder.acknowledged_at and not responder.off_at)
    ):
        return
    pages = pages_of(responder)
    if not pages:
        yield Step(since, "page", person, 0, level)
        return
    last = pages[-1]
    following = last.contact + 1
    if last.failed_at is None:
        if following < len(planned.contacts) and incident.severity < NIGHT:
            wait = _within(incident.policy.next_channel_within.at(incident.severity))
            yield Step(max(last.at, row.clock_from) + wait, "page", person, following, level)
    elif following < len(planned.contacts):
        yield Step(last.failed_at, "page", person, following, level)
    else:
        rounds = sum(page.contact == 0 for page in pages)
        yield Step(last.failed_at + backoff(incident.policy, rounds + 3), "page", person, 0, level)


def _beyond_steps(incident: Incident, row: Engagement) -> Iterator[Step]:
    if row.team == CALL_LEADERS:
        return
    policy, severity = incident.policy, incident.severity
    beyond = policy.beyond_team_within.at(severity)
    if beyond is not None:
        if not row.manager_at and manager(incident, row.team):
            yield Step(row.clock_from + beyond, "manager")
        if not row.beyond_at and not _is_beyond(incident, row):
            yield Step(row.clock_from + beyond, "beyond")
    elif len(row.level_at) >= len(levels(incident, row.team)):
        step = _within(policy.next_level_within.at(severity))
        last = max([row.clock_from, *row.level_at])
        if not row.manager_at and manager(incident, row.team):
            yield Step(last + step, "manager")
        elif not row.beyond_at and not _is_beyond(incident, row):
            yield Step(max(last, row.manager_at or last) + step, "beyond")
    leaders = policy.call_leader_within.at(severity)
    if leaders is not None and not row.leaders_at and incident.plan.call_leaders:
        if not answered_elsewhere(incident, row):
            yield Step(row.clock_from + leaders, "leaders")


def _is_beyond(incident: Incident, row: Engagement) -> bool:
    return row.team == incident.plan.incident_response or not incident.plan.incident_response


def _exhausted_steps(incident: Incident, row: Engagement) -> Iterator[Step]:
    if row.called_for or row.team == CALL_LEADERS or answered_elsewhere(incident, row):
        return
    if row.exhausted_at is None:
        if len(row.level_at) < len(levels(incident, row.team)):
            return
        pending = _level_step(incident, row) if incident.severity >= NIGHT else _beyond_steps(incident, row)
        if next(pending, None) is None:
            times = [row.clock_from, *row.level_at, row.manager_at, row.beyond_at, row.leaders_at]
            last = max(at for at in times if at)
            yield Step(last + _patience(incident), "exhausted")
    elif incident.severity < NIGHT:
        pause = min(incident.policy.shout_again_every * (1 << min(max(row.shouts - 1, 0), 12)), SHOUT_MOST)
        yield Step(row.shouted_at + pause if row.shouted_at else row.exhausted_at, "shout")


def _patience(incident: Incident) -> timedelta:
    within = incident.policy.next_level_within.at(incident.severity)
    return within if within is not None else timedelta(days=1)


def _within(duration: timedelta | None) -> timedelta:
    return duration if duration is not None else timedelta()


def advance(incident: Incident, now: datetime) -> datetime | None:
    """Do everything that is due for the called teams.

    Returns:
        When the next thing is due, or None.
    """
    waiting: list[datetime] = []
    rows = list(incident.engagements)
    while rows:
        row = incident.engagements[rows.pop(0)]
        before = len(incident.engagements)
        while (step := next_step(incident, row)) and step.at <= now:
            _do(incident, row, step, now)
        if step:
            waiting.append(step.at)
        rows += list(incident.engagements)[before:]
    waiting += _chase_joining(incident, now)
    return min(waiting, default=None)


def _do(incident: Incident, row: Engagement, step: Step, now: datetime) -> None:
    if step.kind == "level":
        _reach(incident, row, step.level, now)
    elif step.kind == "page":
        page(incident, row.team, step.person, step.contact, step.level, now)
    elif step.kind == "manager":
        row.manager_at = now
        _renew(incident, manager(incident, row.team))
        _cover(incident, row, [manager(incident, row.team)])
    elif step.kind == "beyond":
        row.beyond_at = now
        _call_beyond(incident, row, incident.plan.incident_response, now)
    elif step.kind == "leaders":
        row.leaders_at = now
        _call_beyond(incident, row, CALL_LEADERS, now)
    elif step.kind == "exhausted":
        row.exhausted_at = now
        called = ", ".join(person for person in members(incident, row.team) if person in incident.people)
        incident.say(
            "exhausted", f"nobody of {row.team} answered in {ago(now - row.called_at)} ({called})", now=now
        )
        tell(incident, [incident.plan.incident_response], f"Nobody of {row.team} can be reached.", now)
    else:
        _shout(incident, row, now)


def _reach(incident: Incident, row: Engagement, level: int, now: datetime) -> None:
    row.level_at.append(now)
    people = levels(incident, row.team)[level - 1]
    if not any(incident.plan.people[p].contacts for p in people if p in incident.plan.people):
        incident.say(
            "nobody_on_call", f"{row.team}, level {level}: nobody with a contact is on call", now=now
        )
    for person in people:
        _renew(incident, person)
    _cover(incident, row, people)


def _renew(incident: Incident, person: str) -> None:
    """Begin a new call of somebody who had been sent off duty."""
    responder = incident.people.get(person)
    if responder and responder.off_at:
        incident.people[person] = Responder(call=responder.call + 1, pages=responder.pages)


def _cover(incident: Incident, row: Engagement, people: list[str]) -> None:
    """Let somebody who has acknowledged already stand for this team too (E6)."""
    for person in people:
        responder = incident.people.get(person)
        if responder and responder.acknowledged_at and not responder.off_at:
            row.acknowledged_at, row.acknowledged_by = responder.acknowledged_at, person
            row.joined_at = row.joined_at or responder.joined_at
            return


def _call_beyond(incident: Incident, row: Engagement, team: str, now: datetime) -> None:
    other = incident.engagements.get(team)
    reason = f"{row.team} has not answered for {ago(now - row.called_at)}"
    call(incident, team, reason, now=now, called_for=row.team)
    if other and not other.open:
        tell(incident, [team], f"{reason}.", now)


def _shout(incident: Incident, row: Engagement, now: datetime) -> None:
    row.shouted_at = now
    row.shouts += 1
    everybody = unique(
        [
            *members(incident, row.team),
            *members(incident, incident.plan.incident_response),
            *incident.plan.call_leaders,
        ]
        if incident.plan.incident_response in incident.plan.teams
        else [*members(incident, row.team), *incident.plan.call_leaders]
    )
    for person in everybody:
        planned = incident.plan.people.get(person)
        responder = incident.people.get(person)
        shouted = responder and any(page.at == now for page in responder.pages)
        if planned and not shouted and not (responder and responder.acknowledged_at):
            for contact in range(len(planned.contacts)):
                page(incident, row.team, person, contact, len(levels(incident, row.team)) + 2, now)


def page(incident: Incident, team: str, person: str, contact: int, level: int, now: datetime) -> None:
    """Owe one page to one person over one of their channels."""
    planned = incident.plan.people[person]
    responder = incident.people.setdefault(person, Responder())
    key = f"{incident.id}/page/{person}/{len(responder.pages) + 1}"
    where = planned.contacts[contact]
    responder.pages.append(
        Paged(
            at=now,
            team=team,
            channel=where.channel,
            contact=contact,
            level=level,
            call=responder.call,
            key=key,
        )
    )
    worst = worst_alarm(incident)
    order = Page(
        incident=incident.id,
        person=person,
        name=planned.name,
        contact=where,
        team=team,
        level=level,
        severity=incident.severity,
        service=_which(incident, team, worst.service if worst else ""),
        region=worst.region if worst else ", ".join(incident.regions),
        what=described(worst) if worst else incident.title,
        opened_at=incident.opened_at,
        at=now,
        customers_hit=True if incident.customers_hit else None,
        tech_call=incident.plan.tech_call,
        call_phone=incident.plan.call_phone,
        test=incident.test,
    )
    incident.owe(order, now=now, key=key)


def _which(incident: Incident, team: str, worst: str) -> str:
    """Return what the page is about: the team's own impacted service, else the worst, and how many more."""
    own = [
        s for s in incident.services if s in incident.plan.services and incident.plan.services[s].team == team
    ]
    named = own[0] if own else worst or ", ".join(incident.services[:1])
    more = len(incident.services) - 1
    return f"{named} +{more}" if more > 0 and incident.big else named


def worst_alarm(incident: Incident) -> AlarmFact | None:
    """Return the alarm to speak of first: the most severe one, in ALARM if any is."""
    facts = incident.in_alarm or list(incident.alarms.values())
    return min(facts, key=lambda fact: (fact.severity, fact.since), default=None)


def described(fact: AlarmFact) -> str:
    """Return an alarm in a few characters: 'error-rate 4%>1%'."""
    named = fact.metric or fact.alarm
    if fact.value is None:
        return named
    limit = f">{fact.threshold:g}{fact.unit}" if fact.threshold is not None else ""
    return f"{named} {fact.value:g}{fact.unit}{limit}"


def page_ended(incident: Incident, key: str, *, ok: bool, reason: str, now: datetime) -> None:
    """Record how a page went; a failed one makes the next channel due at once."""
    found = [
        (person, row)
        for person, responder in incident.people.items()
        for row in responder.pages
        if row.key == key
    ]
    for person, row in found:
        if ok:
            row.confirmed = True
            incident.say("paged", f"{person} by {row.channel} (level {row.level}, {row.team})", now=row.at)
            continue
        row.failed_at = now
        contacts = incident.plan.people[person].contacts
        following = contacts[row.contact + 1].channel if row.contact + 1 < len(contacts) else ""
        then = f"next: {following}" if following else "no channel left: next level, and again later"
        incident.say("fallback", f"{row.channel} to {person} failed ({reason}); {then}", now=now)


def drop_pages(incident: Incident) -> None:
    """Take back pages that nobody needs any more and that have not left."""
    for key, owed in list(incident.owed.items()):
        if isinstance(owed.order, Page):
            responder = incident.people.get(owed.order.person)
            row = incident.engagements.get(owed.order.team)
            covered = responder is not None and (responder.acknowledged_at or responder.off_at)
            if covered or (row is not None and not row.open):
                del incident.owed[key]


def _chase_joining(incident: Incident, now: datetime) -> list[datetime]:
    """In a full response, page once more who acknowledged and did not come; then tell incident response."""
    if not incident.big or incident.phase not in BEFORE_CLOSE or incident.severity >= NIGHT:
        return []
    waiting = []
    within = incident.policy.join_within
    for person, responder in incident.people.items():
        if not responder.acknowledged_at or responder.joined_at or responder.off_at or responder.join_told_at:
            continue
        since = responder.join_chased_at or max(responder.acknowledged_at, _big_since(incident))
        if since + within > now:
            waiting.append(since + within)
        elif not responder.join_chased_at:
            responder.join_chased_at = now
            team = next(
                iter(teams_of(incident, incident.plan.people[person])), incident.plan.incident_response
            )
            page(incident, team, person, 0, 1, now)
            waiting.append(now + within)
        else:
            responder.join_told_at = now
            text = f"{person} acknowledged at {responder.acknowledged_at:%H:%M} and has not joined."
            tell(incident, [incident.plan.incident_response], text, now)
    return waiting


def _big_since(incident: Incident) -> datetime:
    return incident.big_since or incident.opened_at


def tell(
    incident: Incident, teams: list[str], text: str, now: datetime, people: list[str] | None = None
) -> None:
    """Tell teams something without waking anybody: over the first contact of whoever is there, or was called."""
    to = unique(teams)
    heard = people if people is not None else [p for team in to for p in audience(incident, team)]
    recipients = [
        Recipient(person=person, contact=incident.plan.people[person].contacts[0])
        for person in unique(heard)
        if person in incident.plan.people and incident.plan.people[person].contacts
    ]
    order = Tell(incident=incident.id, to=to, recipients=recipients, text=text, at=now, test=incident.test)
    incident.owe(order, now=now)


def audience(incident: Incident, team: str) -> list[str]:
    """Return who of a team hears a quiet message: those already paged, else the first level."""
    if team not in incident.plan.teams and team != CALL_LEADERS:
        return []
    there = [person for person in members(incident, team) if person in incident.people]
    planned = levels(incident, team)
    return there or (planned[0] if planned else [])
