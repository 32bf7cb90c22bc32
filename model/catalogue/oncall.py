"""Who is on call, at a moment: the one place that turns a team's rota into people."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from model.catalogue.entries import Team
from model.catalogue.rotation import Calendar, Override, changes, people_at

FAR: Final = timedelta(days=366)
"""How far ahead a next turn is looked for: the longest that still says something to who asks."""
AHEAD: Final = timedelta(days=28)
"""How far ahead gaps are looked for: four turns of a week, enough to find somebody else."""
_STEP: Final = timedelta(days=28)
_SOON: Final = timedelta(days=2)
_INSTANT: Final = timedelta(microseconds=1)


class Turn(BaseModel):
    """Who comes next on a level, and when; nobody, where a gap begins."""

    model_config = ConfigDict(frozen=True)

    level: int
    people: list[str]
    at: datetime


class Trouble(BaseModel):
    """Something that will hurt: nobody on call, or somebody twice.

    Attributes:
        kind: `gap` (nobody), `double` (a level that calls only people called before, or two overrides for one place),
            `idle` (an override for somebody who is not on call then).
        level: Counted from 1; 0 when it is about an override alone.
        since: When it begins, or the beginning of what was looked at.
        until: When it ends, or the end of what was looked at.
        text: What it is, without the times.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["gap", "double", "idle"]
    level: int
    since: datetime
    until: datetime
    text: str


def levels_at(team: Team, at: datetime) -> list[list[str]]:
    """List the escalation levels of a team at a moment, each a list of person ids, first come first woken.

    Args:
        team: The team as the catalogue knows it. A calendar that has not been read has nobody.
        at: The moment asked for.
    """
    active = [it for it in team.overrides if it.since <= at < it.until]
    return [_overridden(people, number, active) for number, people in enumerate(_written_at(team, at), 1)]


def next_at(team: Team, at: datetime) -> list[Turn]:
    """Say for each level who comes next, and when; a level that stays as it is for a year is left out."""
    now = levels_at(team, at)
    found: dict[int, Turn] = {}
    begin = at
    while len(found) < len(now) and begin < at + FAR:
        # One part overlaps the next by nothing: `begin` itself has been looked at, as the end of the part before.
        for moment in (*_changes(team, begin, begin + _STEP), begin + _STEP):
            for number, people in enumerate(levels_at(team, moment), 1):
                if number not in found and people != now[number - 1]:
                    found[number] = Turn(level=number, people=people, at=moment)
        begin += _STEP
    return [found[number] for number in sorted(found)]


def holds_until(team: Team, at: datetime) -> datetime | None:
    """Return when a team's levels, as they are at a moment, change; nothing for levels that are always the same.

    One looks ahead for `AHEAD` at most: where nothing changes until then, that is when to look again.
    """
    if all(isinstance(level, list) for level in team.on_call) and not any(it.until > at for it in team.overrides):
        return None
    now, begin = levels_at(team, at), at
    for end in (at + _SOON, at + AHEAD):
        for moment in _changes(team, begin, end):
            if levels_at(team, moment) != now:
                return moment
        begin = end - _INSTANT  # `_changes` leaves out both ends
    return at + AHEAD


def gaps(team: Team, since: datetime, until: datetime) -> list[Trouble]:
    """Find when nobody will be on call, who will be on call twice, and overrides that contradict or change nothing.

    Args:
        team: The team as the catalogue knows it.
        since: The moment from which on one looks.
        until: The moment at which one stops.

    Returns:
        By level, then in order of time. Calendars that have not been read are left out: they say nothing yet.
    """
    found: list[Trouble] = []
    unread = {n for n, level in enumerate(team.on_call, 1) if isinstance(level, Calendar) and level.booked is None}
    written = {n for n, level in enumerate(team.on_call, 1) if level}  # an empty list is an error of the file
    spans = [(begin, end, levels_at(team, begin)) for begin, end in _spans(team, since, until)]
    for number in sorted(written - unread):
        found += _stretches(spans, number, "gap", _nobody)
        found += _stretches(spans, number, "double", _no_back_up)
    found += _contradictions(team, since, until)
    if not unread:
        found += [it for override in team.overrides if (it := _idle(team, override, since, until))]
    return found


def _written_at(team: Team, at: datetime) -> list[list[str]]:
    return [people_at(level, at) for level in team.on_call]


def _overridden(people: list[str], number: int, active: list[Override]) -> list[str]:
    """Apply the overrides all at once, so that a swap is not undone by its second half; of two, the later counts."""
    whole = [it.person for it in active if not it.instead_of and (it.level or 1) == number]
    if whole:
        return whole[-1:]
    instead = {it.instead_of: it.person for it in active if it.level in (None, number)}
    return list(dict.fromkeys(instead.get(person, person) for person in people))


def _changes(team: Team, since: datetime, until: datetime) -> list[datetime]:
    moments = {moment for level in team.on_call for moment in changes(level, since, until)}
    moments |= {moment for it in team.overrides for moment in (it.since, it.until) if since < moment < until}
    return sorted(moments)


def _spans(team: Team, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Cut a time into parts in each of which nothing changes."""
    edges = [since, *_changes(team, since, until), until]
    yield from pairwise(edges)


def _stretches(
    spans: list[tuple[datetime, datetime, list[list[str]]]],
    number: int,
    kind: Literal["gap", "double"],
    wrong: Callable[[list[list[str]], int], str],
) -> list[Trouble]:
    """Join the parts in which the same is wrong."""
    found: list[Trouble] = []
    for begin, end, levels in spans:
        text = wrong(levels, number)
        if text and found and found[-1].until == begin and found[-1].text == text:
            found[-1] = found[-1].model_copy(update={"until": end})
        elif text:
            found.append(Trouble(kind=kind, level=number, since=begin, until=end, text=text))
    return found


def _nobody(levels: list[list[str]], number: int) -> str:
    return "" if levels[number - 1] else "nobody is on call"


def _no_back_up(levels: list[list[str]], number: int) -> str:
    people = levels[number - 1]
    before = {person for level in levels[: number - 1] for person in level}
    if not people or not before.issuperset(people):
        return ""
    return f"only {', '.join(people)}, on call on a level before already: nobody new is woken"


def _contradictions(team: Team, since: datetime, until: datetime) -> list[Trouble]:
    found = []
    for index, one in enumerate(team.overrides):
        for other in team.overrides[index + 1 :]:
            begin, end = max(one.since, other.since, since), min(one.until, other.until, until)
            same = one.instead_of == other.instead_of and one.person != other.person
            if begin < end and same and _share_a_level(one, other):
                place = one.instead_of or f"level {one.level or 1}"
                text = f"both {one.person} and {other.person} stand in for {place}; {other.person}, the later, counts"
                found.append(Trouble(kind="double", level=0, since=begin, until=end, text=text))
    return found


def _share_a_level(one: Override, other: Override) -> bool:
    if not one.instead_of:
        return (one.level or 1) == (other.level or 1)
    return one.level is None or other.level is None or one.level == other.level


def _idle(team: Team, override: Override, since: datetime, until: datetime) -> Trouble | None:
    """Report an override in force between two moments that changes nothing in all its time."""
    if not override.instead_of or override.until <= since or override.since >= until:
        return None
    for begin, _ in _spans(team, override.since, override.until):
        levels = enumerate(_written_at(team, begin), 1)
        if any(override.instead_of in people for number, people in levels if override.level in (None, number)):
            return None
    text = f"{override.person} stands in for {override.instead_of}, who is not on call then: it changes nothing"
    return Trouble(kind="idle", level=0, since=override.since, until=override.until, text=text)
