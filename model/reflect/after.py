"""What COEs, the RCA and action items have in common: who may speak, who is told, and what their incident hears."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from model.catalogue.plan import PlannedPerson
from model.close.items import Item, ItemChanged
from model.effects import Outcome, PlanRequest, Recipient, Signal, Tell, failed, next_retry
from model.matter import SYSTEM, Act, Matter, What, unique
from model.messages import Answer
from model.policy import Policy
from model.text import Refused
from model.times import Moment, ago

Commit = Callable[[], Answer]

_JUST_NOW: Final = timedelta(minutes=1)
HOLDER: Final = "whoever it is assigned to"
TEAM: Final = "their team"
MANAGER: Final = "the team's manager"
INCIDENT_RESPONSE: Final = "incident response"
SUPPORT: Final = "support"
LEADERS: Final = "call leaders"

_WORKERS = (HOLDER, TEAM, LEADERS)
_DECIDERS = (MANAGER, LEADERS)
TABLE: Final[dict[str, tuple[str, ...]]] = {
    "submit": (HOLDER, TEAM, INCIDENT_RESPONSE, SUPPORT, LEADERS),
    "review": _DECIDERS,
    "approve": _DECIDERS,
    "recall": (HOLDER, *_DECIDERS, INCIDENT_RESPONSE, SUPPORT),
    "start": _WORKERS,
    "replan": _WORKERS,
    "agree": _DECIDERS,
    "implemented": _WORKERS,
    "validated": (*_WORKERS, INCIDENT_RESPONSE),
    "hand_over": (HOLDER, *_DECIDERS, INCIDENT_RESPONSE),
    "withdraw": (HOLDER, *_DECIDERS),
}
"""Message → who may send it (design §5), as in `model.permissions`."""


class After(Matter):
    """What the state of everything that follows from an incident begins with.

    Attributes:
        incident: The workflow id of where it belongs.
        begun_at: When its process began to run.
        asked_at: When the catalogue was last asked who belongs to the team.
        known_at: When it answered last.
        greeted: Whoever it is assigned to has been told.
        reminded: Which reminder was sent when: each is sent once, over restarts and downtimes.
        revision: Counts what the incident was told, so that it can tell old news.
        alone: The incident is over; there is nobody to tell any more.
    """

    incident: str = ""
    team: str = ""
    opened_at: Moment | None = None
    begun_at: Moment | None = None
    asked_at: Moment | None = None
    known_at: Moment | None = None
    greeted: bool = False
    reminded: dict[str, Moment] = {}
    revision: int = 0
    alone: bool = False

    @property
    def holder(self) -> str:
        """Whoever it is assigned to."""
        return ""

    @property
    def name(self) -> str:
        """What people call it, in a line."""
        return self.id

    @property
    def teams(self) -> list[str]:
        """The teams it belongs to; the first is `team`."""
        return [self.team] if self.team else []

    @property
    def about(self) -> list[str]:
        """The services it speaks about."""
        return []

    @property
    def deadline(self) -> datetime | None:
        """By when the next thing is owed; None while nothing is."""
        return None

    @property
    def asks_again_at(self) -> datetime | None:
        """When somebody is asked again while nothing is owed."""
        return None

    @property
    def awaited(self) -> list[str]:
        """The people it waits for."""
        return []

    @property
    def asked_for(self) -> datetime | None:
        """Since when somebody is asked for a decision; None where nobody is."""
        return None

    @abstractmethod
    def as_item(self) -> Item:
        """Return how the incident knows it."""


AnyAfter = TypeVar("AnyAfter", bound=After)


def begin(matter: After, now: datetime) -> None:
    """Begin: the catalogue is asked whom the team means now, the incident hears how it stands."""
    matter.begun_at = now
    matter.opened_at = matter.opened_at or now
    matter.say("opened", f"{matter.name}: {matter.title}", now=now)
    ask_catalogue(matter, now)
    report(matter, now)


def ask_catalogue(matter: After, now: datetime) -> None:
    """Ask whom the teams and services mean now."""
    matter.asked_at = now
    order = PlanRequest(services=matter.about, teams=matter.teams, at=now)
    matter.owe(order, now=now, key=f"{matter.id}/plan/fresh")


def refresh(matter: After, now: datetime) -> datetime:
    """Ask the catalogue again when its answer is old; return when that is."""
    fresh_for = matter.policy.plan_fresh_for
    due = (matter.asked_at or now) + fresh_for
    if due <= now:
        ask_catalogue(matter, now)
        due = now + fresh_for
    return due


def keep(matter: After) -> datetime | None:
    """Let old lines go that the record has; return when an effect, or the record, is tried again."""
    matter.trim()
    return min((at for at in (next_retry(matter.owed), matter.record_retry_at) if at), default=None)


# --- people -------------------------------------------------------------------------------------------


def manager(matter: After) -> list[str]:
    """Return the manager of the team, or the call leaders where it has none."""
    found = [planned.manager for team in matter.teams if (planned := matter.plan.teams.get(team))]
    return unique(found) or list(matter.plan.call_leaders)


def first_level(matter: After, team: str) -> list[str]:
    """Return whom a team's quiet messages reach."""
    planned = matter.plan.teams.get(team)
    return list(planned.levels[0]) if planned and planned.levels else []


def standing(matter: After, person: PlannedPerson) -> set[str]:
    """Return what a person is in this matter, in the table's words."""
    planned = [matter.plan.teams[team] for team in matter.teams if team in matter.plan.teams]
    held = set()
    if person.id == matter.holder:
        held.add(HOLDER)
    if set(person.teams) & set(matter.teams) or any(person.id in level for team in planned for level in team.levels):
        held.add(TEAM)
    if any(person.id == team.manager for team in planned):
        held |= {MANAGER, TEAM}
    if matter.plan.incident_response in person.teams:
        held.add(INCIDENT_RESPONSE)
    if matter.plan.support in person.teams:
        held.add(SUPPORT)
    if person.id in matter.plan.call_leaders:
        held.add(LEADERS)
    return held


def require(act: Act[AnyAfter], message: str) -> None:
    """Let the act pass if its matter is not over, and its sender may do it.

    Raises:
        Refused: It is, or they may not; then the text names who may.
    """
    if act.matter.ended:
        raise Refused(f"{act.matter.id} is over ({act.matter.as_item().status})")
    allowed = TABLE[message]
    if not standing(act.matter, act.person) & set(allowed):
        who = ", ".join(f"{role}{_named(act.matter, role)}" for role in allowed)
        raise Refused(f"{act.by} may not {message} {act.matter.id}; this may: {who}")


def _named(matter: After, role: str) -> str:
    planned = [matter.plan.teams[team] for team in matter.teams if team in matter.plan.teams]
    people: dict[str, list[str]] = {
        HOLDER: [matter.holder],
        TEAM: [person for team in planned for level in team.levels for person in level],
        MANAGER: [team.manager for team in planned],
        INCIDENT_RESPONSE: first_level(matter, matter.plan.incident_response),
        SUPPORT: first_level(matter, matter.plan.support),
        LEADERS: matter.plan.call_leaders,
    }
    named = unique(people[role])[:6]
    return f" ({', '.join(named)})" if named else ""


def tell(matter: After, people: Iterable[str], text: str, now: datetime) -> None:
    """Tell people something, quietly; where nobody of them can be reached, incident response hears it."""
    heard = unique(people)
    recipients = _reachable(matter, heard)
    missing = [person for person in heard if person not in [r.person for r in recipients]]
    if missing or not heard:
        matter.say("fallback", f"no contact is known of {', '.join(missing) or 'anybody'}: {text}", now=now)
    if not recipients:
        response = first_level(matter, matter.plan.incident_response)
        recipients = _reachable(matter, [*manager(matter), *response])
        text = f"{text} (for {', '.join(missing) or 'whoever it concerns'}, whom we cannot reach)"
    if not recipients:
        report(matter, now, f"nobody can be told: {text}", "fallback")
        return
    order = Tell(incident=matter.id, to=matter.teams[:1], recipients=recipients, text=text, at=now, test=matter.test)
    matter.owe(order, now=now)


def _reachable(matter: After, people: Iterable[str]) -> list[Recipient]:
    known = matter.plan.people
    return [
        Recipient(person=person, contact=known[person].contacts[0])
        for person in people
        if person in known and known[person].contacts
    ]


def may_greet(matter: After) -> bool:
    """Whether whoever it is assigned to is to be told now: their contact is known, or nobody knows it."""
    if matter.greeted:
        return False
    return matter.holder in matter.plan.people or matter.known_at is not None


# --- reminders ------------------------------------------------------------------------------------------


def once(matter: After, reminder: str, at: datetime, now: datetime) -> bool:
    """Whether this reminder is to be sent now; it is noted, and never sent again."""
    if now < at or reminder in matter.reminded:
        return False
    matter.reminded[reminder] = now
    return True


def next_round(policy: Policy, since: datetime, last: datetime | None) -> datetime:
    """Return when something owed since a date is asked for: at that date, then daily, later more rarely.

    The moments are a fixed grid from the date on: a downtime sends one reminder, not all that were missed.
    """
    if last is None or last < since:
        return since
    daily = next_regular(since, last, policy.overdue_every)
    if daily - since <= policy.overdue_calm_after:
        return daily
    return next_regular(since, last, policy.overdue_calm_every)


def next_regular(since: datetime, last: datetime | None, every: timedelta) -> datetime:
    """Return when something that repeats is next due, on a fixed grid that begins one round after `since`."""
    if last is None or last < since:
        return since + every
    return since + ((last - since) // every + 1) * every


def soon(matter: After, now: datetime) -> tuple[bool, datetime | None]:
    """Whether the deadline is to be recalled now, once for each date it has had; and else when."""
    deadline = matter.deadline
    if deadline is None or matter.reminded.get("soon") == deadline or matter.opened_at is None:
        return False, None
    at = deadline - matter.policy.remind_before
    if at <= matter.opened_at or now >= deadline:
        return False, None
    if now < at:
        return False, at
    matter.reminded["soon"] = deadline
    return True, None


class Round:
    """One reminder of something overdue: for how long, and whether it says anything new.

    Attributes:
        late: For how long it is overdue.
        first: It is the first one since that date.
        escalates: The manager hears it for the first time.
        calm: It is one of the rarer rounds.
    """

    def __init__(self, policy: Policy, since: datetime, last: datetime | None, now: datetime) -> None:
        """Take since when it is owed, and when it was asked for last."""
        before = last - since if last is not None and last >= since else None
        self.late = now - since
        self.first = before is None
        self.with_manager = self.late >= policy.overdue_manager_after
        self.escalates = self.with_manager and (before is None or before < policy.overdue_manager_after)
        self.calm = self.late >= policy.overdue_calm_after

    @property
    def overdue(self) -> str:
        """In words: 'overdue', later 'overdue for 3 d'."""
        return "overdue" if self.first and self.late < _JUST_NOW else f"overdue for {ago(self.late)}"

    @property
    def worth_a_line(self) -> bool:
        """Whether the incident's timeline should have it; the daily rounds between say nothing new."""
        return self.first or self.escalates or self.calm


def round_due(matter: After, reminder: str, since: datetime, now: datetime) -> tuple[Round | None, datetime]:
    """Return the round to be made now, if one is, and when the next one is due."""
    last = matter.reminded.get(reminder)
    due = next_round(matter.policy, since, last)
    if due > now:
        return None, due
    matter.reminded[reminder] = now
    return Round(matter.policy, since, last, now), next_round(matter.policy, since, now)


# --- the incident -----------------------------------------------------------------------------------------


def report(
    matter: After, now: datetime, line: str = "", what: What = "observed", by: str = SYSTEM, claimed: bool = False
) -> None:
    """Tell the incident how the matter stands, with a line for its timeline; the line is kept here too."""
    matter.revision += 1
    if line:
        matter.say(what, line, now=now, by=by, claimed=claimed)
    change = ItemChanged(item=matter.as_item(), what=what, line=line, by=by)
    signal(matter, matter.incident, "item_changed", change.model_dump(mode="json"), now)


def signal(matter: After, workflow_id: str, name: str, payload: dict[str, object], now: datetime) -> None:
    """Owe another process of ours a word; an incident that is over hears nothing any more."""
    if workflow_id and not (matter.alone and workflow_id == matter.incident):
        matter.owe(Signal(workflow_id=workflow_id, name=name, payload=payload), now=now)


def effect_ended(matter: After, key: str, outcome: Outcome, now: datetime) -> None:
    """Take in how an owed effect went: done, to be tried again, or given up with a word."""
    owed = matter.owed.get(key)
    if owed is None:
        return
    order = owed.order
    if not outcome.ok and outcome.again:
        if owed.tries == 0:
            matter.say("fallback", f"{order.lane} waits: {outcome.reason}", now=now)
        failed(owed, outcome, matter.policy, now)
        return
    del matter.owed[key]
    if isinstance(order, Signal):
        _signalled(matter, order, outcome, now)
    elif not outcome.ok:
        matter.say("fallback", f"{order.lane} was given up: {outcome.reason}", now=now)
    elif isinstance(order, Tell):
        heard = ", ".join(recipient.person for recipient in order.recipients)
        matter.say("told", f"{heard}: {order.text}", now=order.at)
    elif isinstance(order, PlanRequest) and outcome.plan:
        # The new answer leads: who is manager or on call now counts, not who was during the event.
        matter.plan = outcome.plan.merged(matter.plan)
        matter.known_at = now


def _signalled(matter: After, order: Signal, outcome: Outcome, now: datetime) -> None:
    if outcome.ok or order.workflow_id != matter.incident:
        return
    if not matter.alone:
        matter.alone = True
        matter.say("observed", f"{matter.incident} is over; this goes on without it", now=now)
        for key, owed in list(matter.owed.items()):
            if isinstance(owed.order, Signal) and owed.order.workflow_id == matter.incident:
                del matter.owed[key]
    if order.name == "actions_accepted":
        text = f"{matter.id}: its actions could not begin, because {matter.incident} is over; begin them by hand."
        tell(matter, [matter.holder, *manager(matter)], text, now)
