"""The support desk's clock: when customers and account teams hear, by whose act, and what is said when nobody acts.

Nothing here is scheduled: what is due follows from the facts, what was promised, and the policy (C6-C9, design §5).
"""

from datetime import datetime

from model.coordinate import briefing, drafts, forks
from model.coordinate.audience import desk_team, interval, latest, stage, targets
from model.coordinate.desk import Desk, Draft, Fork, Stage
from model.coordinate.wording import ExternalKind
from model.engage import engagement
from model.incident import BEFORE_CLOSE, CALL_LEADERS, Incident, Phase
from model.matter import unique

SEVERE = 2
"""From this severity on an alarm of a service that customers use is probably theirs too (C9)."""
KIND: dict[Stage, ExternalKind] = {"wrong": "first", "mitigated": "mitigated", "resolved": "resolved"}
"""What customers hear who have heard nothing yet."""
ASKED: dict[Stage, ExternalKind] = {"wrong": "update", "mitigated": "mitigated", "resolved": "resolved"}
"""What the clock asks support for."""


def advance(incident: Incident, now: datetime) -> datetime | None:
    """Do everything that is due at the desk.

    Returns:
        When the next thing is due, or None.
    """
    forks.advance(incident, now)
    if incident.phase == Phase.ABSORBED or incident.awaiting:
        return None
    if incident.ended:
        _last_word(incident, now)
        return None
    _event_manager(incident, now)
    if incident.desk.first_at is None:
        _begin(incident, now)
    _newcomers(incident, now)
    _turn(incident, now)
    due = [_unless_held(incident, now), _ask(incident, now), _status(incident, now)]
    return min((at for at in due if at), default=None)


def _event_manager(incident: Incident, now: datetime) -> None:
    """Let the first of support to acknowledge run the support call (C6)."""
    desk = incident.desk
    if engagement.is_there(incident, desk.event_manager):
        return
    own = _of(incident, incident.plan.support)
    there = sorted((incident.people[p].acknowledged_at, p) for p in own if engagement.is_there(incident, p))
    if there:
        desk.event_manager = there[0][1]
        incident.say("lead", f"{desk.event_manager} runs the support call (event manager)", now=now)


def _of(incident: Incident, team: str) -> list[str]:
    """Return who is of a team: on call for it, or has acknowledged for it; its manager may be here for another."""
    if team not in incident.plan.teams:
        return []
    row = incident.engagements.get(team)
    on_call = [person for level in engagement.levels(incident, team) for person in level]
    return unique([*on_call, row.acknowledged_by if row else ""])


def probably_wrong(incident: Incident) -> bool:
    """Whether customers should hear something (C9).

    They are hit; or several services are in trouble; or a severe alarm is on a service of theirs, and its owner has
    not said that it does not reach them.
    """
    if incident.customers_hit:
        return True
    if stage(incident) != "wrong" or incident.severity >= engagement.NIGHT:
        return False
    severe = [fact.service for fact in incident.in_alarm if fact.severity <= SEVERE]
    return incident.big or any(_theirs(incident, service) for service in severe)


def _theirs(incident: Incident, service: str) -> bool:
    planned = incident.plan.services.get(service)
    if planned is None or not planned.has_customers:
        return False
    said = latest(incident, planned.team)
    return said is None or said.impacted != "no"


def _begin(incident: Incident, now: datetime) -> None:
    """Begin: at once when customers are known to be hit, else with a draft for support."""
    desk = incident.desk
    begun = [d for d in desk.drafts if d.status in ("waiting", "held", "blocked")]
    if incident.closed_at or not (probably_wrong(incident) or incident.phase == Phase.VERIFY):
        drafts.drop(incident, "nothing looks wrong for customers any more", now)
        for draft in begun:
            draft.status = "dropped"
    elif incident.customers_hit and targets(incident) and not any(d.status == "blocked" for d in begun):
        made = desk.waiting or Draft(kind="first", at=now)
        made.kind = KIND[stage(incident)]
        drafts.send(incident, made, now)
    elif probably_wrong(incident):
        if incident.big or incident.customers_hit:
            briefing.heads_up(incident, now)
        if not begun:
            drafts.draft(incident, KIND[stage(incident)], now, now + incident.policy.external_hold)


def _newcomers(incident: Incident, now: datetime) -> None:
    """Tell customers of services that are impacted since, at once: the others know already."""
    desk = incident.desk
    if desk.said != "wrong" or stage(incident) != "wrong" or not desk.told:
        return
    known = {*desk.told, *(c for d in desk.drafts if d.status == "blocked" for c in d.to)}
    new = [c for c in targets(incident) if c not in known]
    if new and not any(d.status == "going" for d in desk.drafts):
        drafts.send(incident, Draft(kind="first", at=now), now, only=new)


def _turn(incident: Incident, now: datetime) -> None:
    """Follow the event: normal again, over, or back; each is a draft, sent unless held."""
    desk, here = incident.desk, stage(incident)
    waiting = desk.waiting
    if desk.held_at and desk.held_at != here:
        desk.held_at = ""
    if waiting and waiting.kind in ("mitigated", "resolved", "again") and waiting.kind != _turned(desk, here):
        if not waiting.clock:
            drafts.drop(incident, f"it is {here} now", now)
            desk.asked_for = None
        waiting = desk.waiting
    kind = _turned(desk, here)
    blocked = any(d.status == "blocked" and d.kind == kind for d in desk.drafts[-1:])
    if kind is None or desk.held_at == here or blocked or (waiting and waiting.kind == kind):
        return
    goes = now + incident.policy.external_hold
    if desk.next_at and desk.next_at > now:
        goes = min(goes, desk.next_at)
    alone = kind != "resolved" and _alone(incident)
    drafts.draft(incident, kind, now, None if alone else goes)


def _turned(desk: Desk, here: Stage) -> ExternalKind | None:
    """Return what customers have not heard yet about how the event stands."""
    if not desk.said or desk.said == here:
        return None
    turned: dict[Stage, ExternalKind] = {"wrong": "again", "mitigated": "mitigated", "resolved": "resolved"}
    return turned[here]


def _alone(incident: Incident) -> bool:
    """Whether enough has gone out with nobody behind it: from here on it takes a person."""
    return incident.desk.unattended >= incident.policy.external_unattended


def _unless_held(incident: Incident, now: datetime) -> datetime | None:
    """Send the waiting draft when its time has come."""
    desk, waiting = incident.desk, incident.desk.waiting
    due = _goes_at(incident, waiting) if waiting else None
    if waiting is None or due is None or due > now:
        return due
    if waiting.kind == "resolved":
        desk.unattended = 0
    elif waiting.kind != "first":
        desk.unattended += 1
    waiting.kind = "unattended" if waiting.clock else waiting.kind
    drafts.send(incident, waiting, now)
    return None


def _last_word(incident: Incident, now: datetime) -> None:
    """Send what was going to go anyway: nobody can hold it any more."""
    waiting = incident.desk.waiting
    if waiting and waiting.kind == "resolved" and waiting.goes_at and targets(incident):
        drafts.send(incident, waiting, now)


def _goes_at(incident: Incident, waiting: Draft) -> datetime | None:
    """Return when a draft goes by itself: the first only once somebody of support or incident response is there."""
    if waiting.goes_at is None or not targets(incident):
        return None
    if waiting.kind != "first":
        return waiting.goes_at
    there = _attended_at(incident)
    return max(waiting.goes_at, there) if there and stage(incident) == "wrong" else None


def _attended_at(incident: Incident) -> datetime | None:
    """Return when the first of support or incident response acknowledged who is still there.

    In an event of one service it takes support: incident response may be there only because its owner was not.
    """
    wanted = (incident.plan.support, incident.plan.incident_response if incident.big else "")
    people = [person for team in wanted for person in _of(incident, team) if engagement.is_there(incident, person)]
    times = [incident.people[person].acknowledged_at for person in people]
    return min((at for at in times if at), default=None)


def _ask(incident: Incident, now: datetime) -> datetime | None:
    """Ask support for the promised message while there is time to write it."""
    desk = incident.desk
    if desk.next_at is None or incident.closed_at:
        return None
    due = _ask_at(incident, desk.next_at)
    if due > now:
        return due
    here = stage(incident)
    # A promise that could not be kept is asked for again, and louder.
    overdue = desk.asked_for == desk.next_at
    answered = desk.answered_at is not None and (desk.asked_at is None or desk.answered_at >= desk.asked_at)
    beyond = here != "resolved" and (overdue or (_alone(incident) and not answered))
    by_itself = here != "resolved" and not overdue and not _alone(incident)
    desk.asked_at, desk.asked_for = now, desk.next_at
    if desk.waiting is None or desk.waiting.goes_at is None or desk.waiting.clock:
        drafts.draft(incident, ASKED[here], now, desk.next_at if by_itself else None, by_clock=True)
    if beyond:
        _page_beyond(incident, now)
    return _ask_at(incident, desk.next_at)


def _ask_at(incident: Incident, promised: datetime) -> datetime:
    desk = incident.desk
    if desk.asked_at and desk.asked_for == promised:
        return desk.asked_at + interval(incident, desk.asked_at)
    early = promised - incident.policy.external_hold
    return max(early, desk.last_at) if desk.last_at else early


def _page_beyond(incident: Incident, now: datetime) -> None:
    """Page support's next level and a call leader: customers wait, and nobody answers (design §5)."""
    desk = incident.desk
    desk.rounds += 1
    why = f"customers wait for a message; {desk.unattended} went out with nobody behind them"
    for team, people in ((desk_team(incident), _next_level(incident)), (CALL_LEADERS, _leader(incident))):
        row = incident.engagements.get(team)
        if row is None or row.released_at or row.asleep:
            engagement.call(incident, team, why, now=now)
            continue
        for person in people:
            _page(incident, team, person, now)
    teams = [desk_team(incident), CALL_LEADERS]
    engagement.tell(incident, teams, f"{incident.id}: {why}. Write one, or send the draft.", now)


def _next_level(incident: Incident) -> list[str]:
    team = desk_team(incident)
    row = incident.engagements.get(team)
    reached = len(row.level_at) if row else 0
    beyond = engagement.levels(incident, team)[reached:] if team in incident.plan.teams else []
    return [*beyond[incident.desk.rounds - 1 :], [engagement.manager(incident, team)]][0]


def _leader(incident: Incident) -> list[str]:
    row = incident.engagements.get(CALL_LEADERS)
    there = [row.acknowledged_by] if row and row.acknowledged_by in incident.plan.call_leaders else []
    return (there or incident.plan.call_leaders)[:1]


def _page(incident: Incident, team: str, person: str, now: datetime) -> None:
    planned, responder = incident.plan.people.get(person), incident.people.get(person)
    if planned is None or not planned.contacts or (responder and any(p.at == now for p in responder.pages)):
        return
    contact = min(incident.desk.rounds, len(planned.contacts)) - 1
    engagement.page(incident, team, person, contact, len(engagement.levels(incident, team)) + 1, now)


def _status(incident: Incident, now: datetime) -> datetime | None:
    """Tell account teams the live status in their rhythm, and once more when it is over (C8)."""
    desk = incident.desk
    if desk.heads_up_at is None or desk.internal_at is None:
        return None
    if incident.phase not in BEFORE_CLOSE:
        if desk.internal_open:
            desk.internal_open = False
            desk.internal_at = now
            briefing.tell_house(incident, "status", now)
        return None
    desk.internal_open = True
    due = desk.internal_at + incident.policy.internal_every
    if due > now:
        return due
    desk.internal_at = now
    briefing.tell_house(incident, "status", now)
    return now + incident.policy.internal_every


def take_over(incident: Incident, other: Desk) -> None:
    """Take in the desk of an absorbed incident: what its customers were told and promised stands."""
    desk = incident.desk
    desk.told = unique([*desk.told, *other.told])
    desk.said = "wrong" if "wrong" in (desk.said, other.said) else desk.said or other.said
    desk.first_at, desk.next_at = _earlier(desk.first_at, other.first_at), _earlier(desk.next_at, other.next_at)
    desk.last_at = max((at for at in (desk.last_at, other.last_at) if at), default=None)
    desk.service_leader = desk.service_leader or other.service_leader
    desk.heads_up_at = _earlier(desk.heads_up_at, other.heads_up_at)
    desk.internal_at = desk.internal_at or other.internal_at
    desk.unattended = max(desk.unattended, other.unattended)
    desk.seeing, desk.workaround = desk.seeing or other.seeing, desk.workaround or other.workaround
    for customer, contacts in other.contacts.items():
        desk.heard_of(customer, "", contacts.count, contacts.last_at)
        if customer in desk.contacts:
            desk.contacts[customer].cases = unique([*desk.contacts[customer].cases, *contacts.cases])
    desk.questions = [*desk.questions, *(q for q in other.questions if desk.question(q.text) is None)]
    desk.feelings = sorted([*desk.feelings, *other.feelings], key=lambda feeling: feeling.at)
    desk.welcomed = {**other.welcomed, **desk.welcomed}
    for fork in other.open_forks:
        desk.forks.append(Fork.model_validate({**fork.model_dump(), "n": len(desk.forks) + 1, "parent": 0}))


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at), default=None)
