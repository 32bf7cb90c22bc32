"""Whom would this wake, and when: the real rules, run ahead in virtual time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from model import course, phases
from model.catalogue.catalog import Catalog
from model.catalogue.oncall import Turn, levels_at, next_at
from model.catalogue.plan import AlarmFacts, Plan, facts_for, plan_for
from model.effects import Outcome, PlanRequest, Tell
from model.incident import AlarmFact, Incident
from model.matter import unique

LONGEST: Final = timedelta(days=30)
"""How far the rules are run ahead: a holiday's length."""
TURNS: Final = 2000
"""And how often at most."""


@dataclass
class Wake:
    """Somebody is called at a moment over a channel."""

    after: timedelta
    at: datetime
    person: str
    channel: str
    team: str
    level: int


@dataclass
class Story:
    """What comes of one alarm that nobody answers.

    Attributes:
        facts: What the catalogue knows about it.
        severity: As the rules take it.
        wakes: Every page, in order, until then.
        exhausted: When everybody has been called, and nobody has answered; nothing if that never comes.
        everybody: Who is called then, all at once over every channel; nobody, where nobody is woken.
        told: Who is told without being woken.
        also: Whom a multi-service event would wake at once, besides.
        managers: Who would be told then, at onset.
        on_call: The levels of the service's team, each with who is on call.
        next: Who comes next on which of them, and when.
    """

    facts: AlarmFacts
    severity: int
    wakes: list[Wake] = field(default_factory=list)
    exhausted: timedelta | None = None
    everybody: list[str] = field(default_factory=list)
    also: list[Wake] = field(default_factory=list)
    managers: list[str] = field(default_factory=list)
    on_call: list[list[str]] = field(default_factory=list)
    next: list[Turn] = field(default_factory=list)


def explain(
    catalog: Catalog, service: str, region: str, *, at: datetime, severity: int | None = None, metric: str = ""
) -> Story:
    """Run an alarm of a service ahead, as if nobody answered."""
    facts = facts_for(catalog, service, region, metric)
    story = Story(facts, severity or facts.kpi_severity or 3)
    alone = _Ahead(catalog, _incident(catalog, facts, story.severity, metric, at))
    for moment in alone.run():
        row = alone.incident.engagements.get(facts.team)
        if row and row.exhausted_at:
            story.exhausted = moment - at
            break
    pages = alone.wakes(at)
    story.wakes = [it for it in pages if it.after != story.exhausted]
    story.everybody = unique(it.person for it in pages if it.after == story.exhausted)
    _add_multi_service(story, catalog, facts, metric, at)
    if team := catalog.teams.get(facts.team):
        story.on_call, story.next = levels_at(team, at), next_at(team, at)
    return story


def _add_multi_service(story: Story, catalog: Catalog, facts: AlarmFacts, metric: str, at: datetime) -> None:
    big = _Ahead(catalog, _incident(catalog, facts, story.severity, metric, at))
    big.turn(at)
    before = len(big.wakes(at))
    # By a person, because the rules spare the suspects where one service is in alarm alone.
    phases.respond_fully(big.incident, "a multi-service event", at, by="you")
    big.turn(at)
    story.also = big.wakes(at)[before:]
    # Support and account teams hear of it too; this is about leaders (E5).
    leading = [team.manager for team in big.incident.plan.teams.values()]
    story.managers = [person for person in big.told if person in leading]


class _Ahead:
    """An incident whose effects all succeed at once, and which nobody answers."""

    def __init__(self, catalog: Catalog, incident: Incident) -> None:
        self.incident = incident
        self.told: list[str] = []
        self._catalog = catalog

    def run(self) -> Iterator[datetime]:
        """Go from one thing that is due to the next."""
        now: datetime | None = self.incident.opened_at
        last = self.incident.opened_at + LONGEST
        for _ in range(TURNS):
            if now is None or now > last:
                return
            due = self.turn(now)
            yield now
            now = due

    def turn(self, now: datetime) -> datetime | None:
        """Do what is due, and all that is owed for it."""
        due = course.advance(self.incident, now)
        while self.incident.owed:
            key, owed = next(iter(self.incident.owed.items()))
            plan: Plan | None = None
            if isinstance(owed.order, PlanRequest):
                order = owed.order
                plan = plan_for(
                    self._catalog, services=order.services, teams=order.teams, suspects=order.suspects, at=order.at
                )
            elif isinstance(owed.order, Tell):
                self.told += [it.person for it in owed.order.recipients]
            course.effect_ended(self.incident, key, Outcome(plan=plan), now)
            due = course.advance(self.incident, now)
        self.incident.recorded = self.incident.next_seq - 1
        return due

    def wakes(self, since: datetime) -> list[Wake]:
        """Return every page so far, in order."""
        found = [
            Wake(page.at - since, page.at, person, page.channel, page.team, page.level)
            for person, responder in self.incident.people.items()
            for page in responder.pages
        ]
        return sorted(found, key=lambda it: it.at)


def _incident(catalog: Catalog, facts: AlarmFacts, severity: int, metric: str, at: datetime) -> Incident:
    fact = AlarmFact(
        alarm="explained",
        service=facts.service,
        region=facts.region,
        metric=metric,
        since=at,
        severity=severity,
        threshold=facts.kpi_threshold,
        unit=facts.kpi_unit,
    )
    return Incident(
        id="INC-00000000-WHOM",
        title=f"{facts.service} in {facts.region}",
        severity=severity,
        opened_at=at,
        alarms={fact.key: fact},
        services=[facts.service],
        regions=[facts.region],
        plan=plan_for(catalog, services=[facts.service], at=at),
        policy=catalog.policy,
    )
