"""Several incidents become one: the oldest is promoted, the others hand over what they know (D3, E2)."""

from datetime import datetime, timedelta

from pydantic import BaseModel, Field

from model import impact, phases
from model.catalogue.plan import Plan
from model.coordinate import support
from model.coordinate.desk import Desk
from model.effects import Outcome, PlanRequest
from model.engage import engagement, moves
from model.handing import FULL, LEAST, MOST, fitted
from model.incident import (
    CALL_LEADERS,
    AlarmFact,
    Engagement,
    Incident,
    Phase,
    Relief,
    ReportFact,
    Responder,
    Statement,
)
from model.matter import unique
from model.times import Moment

HANDOVER_WITHIN = timedelta(seconds=10)
"""How long a promoted incident waits for what the absorbed ones know before it pages by itself."""


class Promotion(BaseModel):
    """What `Detection` says to the incident that takes the others in."""

    alarms: list[AlarmFact] = []
    plan: Plan | None = None
    absorbed: list[str] = []
    reason: str


class Absorption(BaseModel):
    """What `Detection` says to an incident that is taken in."""

    into: str
    reason: str


class Handover(BaseModel):
    """What an absorbed incident knows, for the one it is now part of.

    Attributes:
        split: Why a service was taken out of an event; then it is the event that hands over who is on that service.
        left_out: It was too large to travel whole (`model.handing`).
    """

    source: str
    services: list[str] = []
    regions: list[str] = []
    opened_at: Moment
    severity: int = Field(default=3, ge=1, le=5)
    customers_hit: str = ""
    alarms: list[AlarmFact] = []
    engagements: list[Engagement] = []
    people: dict[str, Responder] = {}
    reliefs: dict[str, Relief] = {}
    statements: list[Statement] = []
    reports: list[ReportFact] = []
    absorbed: list[str] = []
    plan: Plan | None = None
    desk: Desk = Desk()
    split: str = ""
    left_out: bool = False


class SplitOff(BaseModel):
    """What `Detection` says to an event when a person takes a service out of it."""

    service: str
    into: str
    reason: str
    by: str = ""


class PageEnded(BaseModel):
    """How a page went that was under way when its incident was absorbed."""

    key: str
    ok: bool
    reason: str = ""
    again: bool = True
    retry_after: timedelta | None = None

    @property
    def outcome(self) -> Outcome:
        """Return it as the outcome it was."""
        return Outcome(ok=self.ok, reason=self.reason, again=self.again, retry_after=self.retry_after)


def promoted(incident: Incident, promotion: Promotion, now: datetime) -> None:
    """Become the one incident of a multi-service event; the others hand over before anybody new is paged."""
    if promotion.plan:
        incident.plan = incident.plan.merged(promotion.plan)
    incident.say("promoted", promotion.reason, now=now)
    for other in promotion.absorbed:
        if other not in incident.absorbed:
            incident.awaiting[other] = now + HANDOVER_WITHIN
            incident.absorbed.append(other)
    impact.alarms_changed(incident, impact.AlarmsChanged(alarms=promotion.alarms), now)
    phases.respond_fully(incident, promotion.reason, now)


def absorb(incident: Incident, absorption: Absorption, now: datetime) -> None:
    """Hand everything over and end as part of another incident; who was paged is told quietly."""
    if incident.phase == Phase.ABSORBED:
        return
    incident.say("absorbed", f"part of {absorption.into}: {absorption.reason}", now=now)
    incident.absorbed_into = absorption.into
    moves.enter(incident, Phase.ABSORBED, now)
    handover = Handover(
        source=incident.id,
        services=incident.services,
        regions=incident.regions,
        opened_at=incident.opened_at,
        severity=incident.severity,
        customers_hit=incident.customers_hit,
        alarms=list(incident.alarms.values()),
        engagements=list(incident.engagements.values()),
        people=incident.people,
        reliefs=incident.reliefs,
        statements=incident.statements,
        reports=incident.reports,
        absorbed=incident.absorbed,
        plan=incident.plan,
        desk=incident.desk,
    )
    moves.signal(incident, absorption.into, "handover", fitted(handover).model_dump(mode="json"), now)
    paged = [person for person, responder in incident.people.items() if responder.pages]
    if paged:
        text = f"{incident.id} is now part of {absorption.into} ({absorption.reason}). Nothing more to acknowledge."
        engagement.tell(incident, list(incident.engagements), text, now, people=paged)
    incident.engagements, incident.people, incident.reliefs = {}, {}, {}


def pass_page_on(incident: Incident, ended: PageEnded, now: datetime) -> None:
    """Tell the incident this one is part of how a page went: the page is on its books now."""
    moves.signal(incident, incident.absorbed_into, "page_ended", ended.model_dump(mode="json"), now)


def split_off(incident: Incident, split: SplitOff, now: datetime) -> None:
    """Go on without a service, and hand over who is on it; its team leaves, unless it owns more of the event."""
    if split.service not in incident.services:
        return
    incident.services.remove(split.service)
    for key in [key for key, fact in incident.alarms.items() if fact.service == split.service]:
        del incident.alarms[key]
    incident.clear_since = None if incident.in_alarm else incident.clear_since or now
    text = f"{split.service} is no part of this event any more, but of {split.into}: {split.reason}"
    incident.say("observed", f"note: {text}", now=now, by=split.by or "allclear")
    planned = incident.plan.services.get(split.service)
    row = incident.engagements.get(planned.team) if planned else None
    handover = Handover(
        source=incident.id,
        opened_at=incident.opened_at,
        severity=5,
        engagements=[row] if row else [],
        split=split.reason,
    )
    if row:
        of_team = set(engagement.members(incident, row.team))
        handover.people = {person: it for person, it in incident.people.items() if person in of_team}
        handover.reliefs = {key: it for key, it in incident.reliefs.items() if it.team == row.team}
        handover.statements = [said for said in incident.statements if said.team == row.team]
    moves.signal(incident, split.into, "handover", fitted(handover).model_dump(mode="json"), now)
    if row and row.team not in incident.owners and not row.released_at:
        phases.send_off(incident, row.team, text, now)


def take_over(incident: Incident, handover: Handover, now: datetime) -> None:
    """Take in what an absorbed incident knows: its acknowledgements are kept, nobody is paged again for it."""
    incident.awaiting.pop(handover.source, None)
    handover = fitted(handover, min(MOST, max(FULL - len(incident.model_dump_json().encode()), LEAST)))
    if handover.split:
        incident.say("opened", f"was part of {handover.source}: {handover.split}", now=now)
    else:
        rest = "; it was too large to be taken in whole: its own record has the rest" if handover.left_out else ""
        incident.say("absorbed", f"{handover.source} is part of this incident{rest}", now=now)
        incident.absorbed = unique([*incident.absorbed, handover.source, *handover.absorbed])
    if handover.plan:
        incident.plan = incident.plan.merged(handover.plan)
    for row in handover.engagements:
        if row.team in incident.plan.teams or row.team == CALL_LEADERS:
            _merge_row(incident, row)
    for person, responder in handover.people.items():
        if person in incident.plan.people:
            _merge_person(incident, person, responder)
    for key, relief in handover.reliefs.items():
        if relief.team in incident.engagements and relief.person in incident.plan.people:
            incident.reliefs.setdefault(key, relief)
    incident.statements += handover.statements
    support.take_over(incident, handover.desk)
    incident.reports = [*incident.reports, *handover.reports][-impact.REPORTS_KEPT :]
    for service in handover.services:
        if service not in incident.services:
            incident.services.append(service)
            incident.say("joined_by_alarm", f"{service} with {handover.source}", now=now)
            planned = incident.plan.services.get(service)
            if incident.big and planned:
                moves.tell_manager(incident, planned.team, now)
        moves.engage_owner(incident, service, f"{service} is impacted", now)
    unknown = [name for name in handover.services if name not in incident.plan.services]
    if unknown:
        incident.owe(PlanRequest(services=unknown, at=now), now=now)
    for fact in handover.alarms:
        incident.alarms.setdefault(fact.key, fact)
    for region in handover.regions:
        impact.add_region(incident, region, now)
    moves.worsen(incident, handover.severity, handover.source, now)
    if handover.customers_hit:
        moves.customers_are_hit(incident, handover.customers_hit, now)
    incident.clear_since = None if incident.in_alarm else incident.clear_since or now


def _merge_row(incident: Incident, row: Engagement) -> None:
    mine = incident.engagements.get(row.team)
    if mine is None or (mine.acknowledged_at is None and mine.called_at >= row.called_at):
        called_for = unique([*row.called_for, *(mine.called_for if mine else [])])
        incident.engagements[row.team] = row.model_copy(update={"called_for": called_for})
        return
    if mine.acknowledged_at is None:
        mine.acknowledged_at, mine.acknowledged_by = row.acknowledged_at, row.acknowledged_by
    mine.joined_at = mine.joined_at or row.joined_at


def _merge_person(incident: Incident, person: str, other: Responder) -> None:
    mine = incident.people.get(person)
    if mine is None:
        incident.people[person] = other
        return
    known = {page.key for page in mine.pages}
    mine.pages = sorted([*mine.pages, *(p for p in other.pages if p.key not in known)], key=lambda p: p.at)
    mine.acknowledged_at = mine.acknowledged_at or other.acknowledged_at
    mine.joined_at = mine.joined_at or other.joined_at
