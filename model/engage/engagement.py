"""Calling people into an incident: who belongs to a team, what a page says, what is told quietly (E1-E6)."""

from datetime import datetime

from model.catalogue.plan import PlannedPerson
from model.effects import Outcome, Page, Recipient, Tell
from model.incident import CALL_LEADERS, AlarmFact, Engagement, Incident, Paged, Relief, Responder
from model.matter import unique

NIGHT = 4
"""From this severity on nobody is woken (E6)."""


def call(incident: Incident, team: str, reason: str, *, now: datetime, called_for: str = "", by: str = "") -> bool:
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
    fresh = Engagement(team=row.team, reason=row.reason, called_at=now, clock_from=now, called_for=row.called_for)
    incident.engagements[row.team] = fresh
    for person in members(incident, row.team):
        responder = incident.people.get(person)
        if responder and not responder.acknowledged_at:
            responder.off_at = now
        renew(incident, person)


def renew(incident: Incident, person: str) -> None:
    """Begin a new call of somebody who had been sent off duty."""
    responder = incident.people.get(person)
    if responder and responder.off_at:
        incident.people[person] = Responder(call=responder.call + 1, pages=responder.pages)


def levels(incident: Incident, team: str) -> list[list[str]]:
    """Return a team's escalation levels as they were when it was called."""
    if team == CALL_LEADERS:
        return [[person] for person in incident.plan.call_leaders]
    return incident.plan.teams[team].levels


def manager(incident: Incident, team: str) -> str:
    """Return a team's manager, or nothing."""
    return incident.plan.teams[team].manager if team in incident.plan.teams else ""


def members(incident: Incident, team: str) -> list[str]:
    """Return who belongs to a team: its on-call list, its manager (design §5), and who is still there after a shift."""
    listed = [person for level in levels(incident, team) for person in level]
    still = [relief.person for relief in incident.reliefs.values() if relief.team == team]
    return unique([*listed, manager(incident, team), *still])


def is_there(incident: Incident, person: str) -> bool:
    """Whether somebody has acknowledged and is on duty."""
    responder = incident.people.get(person)
    return responder is not None and responder.acknowledged_at is not None and responder.off_at is None


def to_relieve(incident: Incident, person: str) -> list[Relief]:
    """Return whom somebody is called to take over from."""
    return [it for it in incident.reliefs.values() if person in it.followers and not it.stays]


def teams_of(incident: Incident, person: PlannedPerson) -> list[str]:
    """Return the engaged teams a person belongs to."""
    return [team for team in incident.engagements if person.id in members(incident, team)]


def pages_of(responder: Responder | None) -> list[Paged]:
    """Return the pages of a person's current call."""
    return [page for page in responder.pages if page.call == responder.call] if responder else []


def pages_by_team(incident: Incident) -> dict[str, list[tuple[str, Paged]]]:
    """Return every team's pages, each with its person: one pass, where a question per team would be one for each."""
    found: dict[str, list[tuple[str, Paged]]] = {}
    for person, responder in incident.people.items():
        for paged in responder.pages:
            found.setdefault(paged.team, []).append((person, paged))
    return found


def page(incident: Incident, team: str, person: str, contact: int, level: int, now: datetime, *, why: str = "") -> None:
    """Owe one page to one person over one of their channels; `why` comes before what is wrong."""
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
        what=f"{why}{described(worst) if worst else incident.title}",
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
    own = [s for s in incident.services if s in incident.plan.services and incident.plan.services[s].team == team]
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


def page_ended(incident: Incident, key: str, outcome: Outcome, now: datetime) -> None:
    """Record how a page went; a failed one makes the next channel due at once."""
    for person, row in _paged_under(incident, key):
        if outcome.ok:
            row.confirmed = True
            how = f"; {outcome.reason}" if outcome.reason else ""
            incident.say("paged", f"{person} by {row.channel} (level {row.level}, {row.team}){how}", now=row.at)
            continue
        row.failed_at, row.final = now, not outcome.again
        row.rest_until = now + outcome.retry_after if outcome.retry_after else None
        contacts = incident.plan.people[person].contacts
        after = next_contact(incident, person, row.contact)
        following = contacts[after].channel if after is not None else ""
        then = f"next: {following}" if following else "no channel left: next level, and again later"
        incident.say("fallback", f"{row.channel} to {person} failed ({outcome.reason}); {then}", now=now)


def _paged_under(incident: Incident, key: str) -> list[tuple[str, Paged]]:
    """Return the page of a key with its person, whose name is in it: a thousand pages end, each among a thousand."""
    person = key.partition("/page/")[2].rpartition("/")[0]
    responder = incident.people.get(person)
    return [(person, row) for row in responder.pages if row.key == key] if responder else []


def next_contact(incident: Incident, person: str, after: int) -> int | None:
    """Return a person's next contact behind `after` (-1: the first) that does not bounce; None: there is none."""
    count = len(incident.plan.people[person].contacts)
    if after + 1 >= count:
        return None
    bounced = {page.contact for page in pages_of(incident.people.get(person)) if page.final}
    return next((n for n in range(after + 1, count) if n not in bounced), None)


def drop_pages(incident: Incident) -> None:
    """Take back pages that nobody needs any more and that have not left."""
    for key, owed in list(incident.owed.items()):
        if isinstance(owed.order, Page):
            responder = incident.people.get(owed.order.person)
            row = incident.engagements.get(owed.order.team)
            covered = responder is not None and (responder.acknowledged_at or responder.off_at)
            relieves = any(it.team == owed.order.team for it in to_relieve(incident, owed.order.person))
            if covered or (row is not None and not row.open and not relieves):
                del incident.owed[key]


def tell(incident: Incident, teams: list[str], text: str, now: datetime, people: list[str] | None = None) -> None:
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
