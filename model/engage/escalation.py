"""Who is called, over which channel, and when the next one is (E1-E6, design §5).

Nothing here is scheduled: what is due follows from the facts, the severity and the policy, so that a changed
severity, an acknowledgement or a restart needs no timer to be moved.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from model.effects import backoff
from model.engage import engagement
from model.incident import BEFORE_CLOSE, CALL_LEADERS, Engagement, Incident, Paged
from model.matter import unique
from model.times import ago, next_working_morning

SHOUT_MOST = timedelta(days=1)
"""The longest pause between two rounds to everybody when nobody answers (E3: never silence)."""


@dataclass(frozen=True)
class Step:
    """The next thing to do for a team, and when."""

    at: datetime
    kind: Literal["level", "page", "manager", "beyond", "leaders", "exhausted", "shout"]
    person: str = ""
    contact: int = 0
    level: int = 0


def answered_elsewhere(incident: Incident) -> frozenset[str]:
    """Return the teams for whom somebody who was called because they did not answer is there."""
    rows = incident.engagements.values()
    return frozenset(team for other in rows if other.called_for and other.acknowledged_at for team in other.called_for)


def next_step(incident: Incident, row: Engagement, answered: frozenset[str]) -> Step | None:
    """Return what is to be done next for a team, or nothing; `answered` is `answered_elsewhere`."""
    if not row.open or incident.phase not in BEFORE_CLOSE or incident.awaiting:
        return None
    return min(_steps(incident, row, answered), key=lambda step: step.at, default=None)


def _steps(incident: Incident, row: Engagement, answered: frozenset[str]) -> Iterator[Step]:
    yield from _level_step(incident, row)
    yield from _page_steps(incident, row)
    if incident.severity < engagement.NIGHT:
        yield from _beyond_steps(incident, row, answered)
    yield from _exhausted_steps(incident, row, answered)


def _level_step(incident: Incident, row: Engagement) -> Iterator[Step]:
    reached = len(row.level_at)
    planned = engagement.levels(incident, row.team)
    if reached < len(planned):
        yield Step(_level_due(incident, row, reached), "level", level=reached + 1)
    elif incident.severity >= engagement.NIGHT and not row.manager_at and engagement.manager(incident, row.team):
        yield Step(_level_due(incident, row, reached), "manager")


def _level_due(incident: Incident, row: Engagement, reached: int) -> datetime:
    since = max(row.level_at[-1], row.clock_from) if row.level_at else row.clock_from
    if incident.severity >= engagement.NIGHT:
        return next_working_morning(since, _timezone(incident, row), incident.policy.working_morning_hour)
    if reached == 0 or _dead(incident, row, reached):
        return since
    return since + _within(incident.policy.next_level_within.at(incident.severity))


def _timezone(incident: Incident, row: Engagement) -> str:
    for level in engagement.levels(incident, row.team):
        for person in level:
            if person in incident.plan.people:
                return incident.plan.people[person].timezone
    return "UTC"


def _dead(incident: Incident, row: Engagement, reached: int) -> bool:
    """Whether nobody of the level reached last can be reached over any channel."""
    return all(_tried_all(incident, person) for person in engagement.levels(incident, row.team)[reached - 1])


def _tried_all(incident: Incident, person: str) -> bool:
    planned = incident.plan.people.get(person)
    if planned is None or not planned.contacts:
        return True
    failed = {page.contact for page in engagement.pages_of(incident.people.get(person)) if page.failed_at}
    return len(failed) >= len(planned.contacts)


def _page_steps(incident: Incident, row: Engagement) -> Iterator[Step]:
    for number, level in enumerate(engagement.levels(incident, row.team)[: len(row.level_at)], start=1):
        for person in level:
            yield from page_step(incident, row, person, number, row.level_at[number - 1])
    if row.manager_at:
        number = len(engagement.levels(incident, row.team)) + 1
        yield from page_step(incident, row, engagement.manager(incident, row.team), number, row.manager_at)


def page_step(incident: Incident, row: Engagement, person: str, level: int, since: datetime) -> Iterator[Step]:
    """Yield the next page of one person, who is called since a moment: first, next channel, or another round."""
    planned = incident.plan.people.get(person)
    responder = incident.people.get(person)
    if planned is None or not planned.contacts or (responder and responder.acknowledged_at and not responder.off_at):
        return
    pages = engagement.pages_of(responder)
    if not pages:
        yield Step(since, "page", person, 0, level)
        return
    last = pages[-1]
    following = engagement.next_contact(incident, person, last.contact)
    if last.failed_at is None:
        if following is not None and incident.severity < engagement.NIGHT:
            wait = _within(incident.policy.next_channel_within.at(incident.severity))
            yield Step(max(last.at, row.clock_from) + wait, "page", person, following, level)
    elif following is not None:
        yield Step(last.failed_at, "page", person, following, level)
    else:
        yield _next_round(incident, person, pages, last.failed_at, level)


def _next_round(incident: Incident, person: str, pages: list[Paged], failed_at: datetime, level: int) -> Step:
    """Begin again with the contact that may be tried soonest: not one that bounces, nor while its provider rests."""
    count = len(incident.plan.people[person].contacts)
    bounced = {page.contact for page in pages if page.final}
    steps = []
    for contact in [n for n in range(count) if n not in bounced] or range(count):
        over_it = [page for page in pages if page.contact == contact]
        due = failed_at + backoff(incident.policy, len(over_it) + 3)
        rest = over_it[-1].rest_until if over_it else None
        steps.append(Step(max(due, rest) if rest else due, "page", person, contact, level))
    return min(steps, key=lambda step: (step.at, step.contact))


def _beyond_steps(incident: Incident, row: Engagement, answered: frozenset[str]) -> Iterator[Step]:
    if row.team == CALL_LEADERS:
        return
    policy, severity = incident.policy, incident.severity
    beyond = policy.beyond_team_within.at(severity)
    if beyond is not None:
        if not row.manager_at and engagement.manager(incident, row.team):
            yield Step(row.clock_from + beyond, "manager")
        if not row.beyond_at and not _is_beyond(incident, row):
            yield Step(row.clock_from + beyond, "beyond")
    elif len(row.level_at) >= len(engagement.levels(incident, row.team)):
        step = _within(policy.next_level_within.at(severity))
        last = max([row.clock_from, *row.level_at])
        if not row.manager_at and engagement.manager(incident, row.team):
            yield Step(last + step, "manager")
        elif not row.beyond_at and not _is_beyond(incident, row):
            yield Step(max(last, row.manager_at or last) + step, "beyond")
    leaders = policy.call_leader_within.at(severity)
    wanted = bool(incident.plan.call_leaders) and not row.leaders_at and row.team not in answered
    if leaders is not None and wanted:
        yield Step(row.clock_from + leaders, "leaders")


def _is_beyond(incident: Incident, row: Engagement) -> bool:
    return row.team == incident.plan.incident_response or not incident.plan.incident_response


def _exhausted_steps(incident: Incident, row: Engagement, answered: frozenset[str]) -> Iterator[Step]:
    if row.called_for or row.team == CALL_LEADERS or row.team in answered:
        return
    if row.exhausted_at is None:
        if len(row.level_at) < len(engagement.levels(incident, row.team)):
            return
        pending = (
            _level_step(incident, row)
            if incident.severity >= engagement.NIGHT
            else _beyond_steps(incident, row, answered)
        )
        if next(pending, None) is None:
            times = [row.clock_from, *row.level_at, row.manager_at, row.beyond_at, row.leaders_at]
            last = max(at for at in times if at)
            yield Step(last + _patience(incident), "exhausted")
    elif incident.severity < engagement.NIGHT:
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
    answered = answered_elsewhere(incident)
    while rows:
        row = incident.engagements[rows.pop(0)]
        before = len(incident.engagements)
        while (step := next_step(incident, row, answered)) and step.at <= now:
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
        engagement.page(incident, row.team, step.person, step.contact, step.level, now)
    elif step.kind == "manager":
        row.manager_at = now
        engagement.renew(incident, engagement.manager(incident, row.team))
        cover(incident, row, [engagement.manager(incident, row.team)])
    elif step.kind == "beyond":
        row.beyond_at = now
        _call_beyond(incident, row, incident.plan.incident_response, now)
    elif step.kind == "leaders":
        row.leaders_at = now
        _call_beyond(incident, row, CALL_LEADERS, now)
    elif step.kind == "exhausted":
        row.exhausted_at = now
        called = ", ".join(person for person in engagement.members(incident, row.team) if person in incident.people)
        incident.say("exhausted", f"nobody of {row.team} answered in {ago(now - row.called_at)} ({called})", now=now)
        engagement.tell(incident, [incident.plan.incident_response], f"Nobody of {row.team} can be reached.", now)
    else:
        _shout(incident, row, now)


def _reach(incident: Incident, row: Engagement, level: int, now: datetime) -> None:
    row.level_at.append(now)
    people = engagement.levels(incident, row.team)[level - 1]
    if not any(incident.plan.people[p].contacts for p in people if p in incident.plan.people):
        incident.say("nobody_on_call", f"{row.team}, level {level}: nobody with a contact is on call", now=now)
    for person in people:
        engagement.renew(incident, person)
    cover(incident, row, people)


def cover(incident: Incident, row: Engagement, people: list[str]) -> None:
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
    engagement.call(incident, team, reason, now=now, called_for=row.team)
    if other and not other.open:
        engagement.tell(incident, [team], f"{reason}.", now)


def _shout(incident: Incident, row: Engagement, now: datetime) -> None:
    row.shouted_at = now
    row.shouts += 1
    everybody = unique(
        [
            *engagement.members(incident, row.team),
            *engagement.members(incident, incident.plan.incident_response),
            *incident.plan.call_leaders,
        ]
        if incident.plan.incident_response in incident.plan.teams
        else [*engagement.members(incident, row.team), *incident.plan.call_leaders]
    )
    for person in everybody:
        planned = incident.plan.people.get(person)
        responder = incident.people.get(person)
        shouted = responder and any(page.at == now for page in responder.pages)
        if planned and not shouted and not (responder and responder.acknowledged_at):
            for contact in range(len(planned.contacts)):
                engagement.page(
                    incident, row.team, person, contact, len(engagement.levels(incident, row.team)) + 2, now
                )


def _chase_joining(incident: Incident, now: datetime) -> list[datetime]:
    """In a full response, page once more who acknowledged and did not come; then tell incident response."""
    if not incident.big or incident.phase not in BEFORE_CLOSE or incident.severity >= engagement.NIGHT:
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
                iter(engagement.teams_of(incident, incident.plan.people[person])), incident.plan.incident_response
            )
            engagement.page(incident, team, person, 0, 1, now)
            waiting.append(now + within)
        else:
            responder.join_told_at = now
            text = f"{person} acknowledged at {responder.acknowledged_at:%H:%M} and has not joined."
            engagement.tell(incident, [incident.plan.incident_response], text, now)
    return waiting


def _big_since(incident: Incident) -> datetime:
    return incident.big_since or incident.opened_at
