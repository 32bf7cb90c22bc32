"""The weekly operational review: what is to be talked about, gathered once, read by everybody for a day (L1, L4)."""

from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel

from model.catalogue.plan import Plan
from model.close.closing_messages import AddAction
from model.close.items import Item, ItemChanged
from model.effects import Outcome, Start, backoff
from model.matter import Act, unique
from model.messages import Answer
from model.reflect import after
from model.reflect.after import After, Commit
from model.text import Refused
from model.times import Moment

WEEK: Final = timedelta(days=7)
"""L1: what a review looks back on."""
LIVES: Final = timedelta(days=1)
"""L1: for this long actions can be added: the meeting, and the morning after it."""


class Week(BaseModel):
    """What is to be gathered."""

    review: str
    date: str
    since: Moment
    until: Moment


class Gathered(BaseModel):
    """What came of gathering it.

    Attributes:
        counts: What there is to talk about, in words and numbers, in order.
        files: Where the documents lie, the one to read first.
    """

    outcome: Outcome = Outcome()
    counts: dict[str, int] = {}
    files: list[str] = []


class OpsReview(After):
    """Everything a weekly review knows."""

    date: str = ""
    status: Literal["gathering", "ready", "done"] = "gathering"
    counts: dict[str, int] = {}
    files: list[str] = []
    gathered_at: Moment | None = None
    gather_tries: int = 0
    gather_retry_at: Moment | None = None
    gather_error: str = ""
    items: dict[str, Item] = {}

    @property
    def name(self) -> str:
        """What people call it."""
        return f"review of {self.date}"

    @property
    def over_at(self) -> datetime | None:
        """Until when actions can be added."""
        return self.begun_at + LIVES if self.begun_at else None

    def as_item(self) -> Item:
        """Refuse: a review belongs to no incident."""
        raise TypeError("a review is no item")


def id_of(date: str) -> str:
    """Return a review's workflow id."""
    return f"ops-review/{date}"


def new(plan: Plan, now: datetime, clock_shift: timedelta, *, test: bool = False) -> OpsReview:
    """Return the review of the day."""
    date = f"{now:%Y-%m-%d}"
    return OpsReview(
        id=id_of(date),
        date=date,
        title=f"Operational review of {date}",
        team=plan.incident_response,
        plan=plan,
        clock_shift=clock_shift,
        test=test,
        opened_at=now,
    )


# --- what becomes due -----------------------------------------------------------------------------------


def advance(review: OpsReview, now: datetime) -> datetime | None:
    """Do everything that is due.

    Returns:
        When the next thing is due, or None.
    """
    if review.begun_at is None:
        review.begun_at = now
        review.say("opened", review.title, now=now)
    if not review.ended and review.over_at and review.over_at <= now:
        _end(review, now)
    over = None if review.ended else review.over_at
    due = [after.keep(review), over, review.gather_retry_at]
    return min((at for at in due if at and at > now), default=None)


def _end(review: OpsReview, now: datetime) -> None:
    review.ended = True
    review.gather_retry_at = None
    if review.gathered_at is None:
        text = f"{review.id} could not be gathered: {review.gather_error or 'nothing answered'}"
        review.say("fallback", text, now=now)
        after.tell(review, after.first_level(review, review.plan.incident_response), text, now)
    review.status = "done"
    review.say("closed", f"action items added: {len(review.items)}", now=now)


def wanted(review: OpsReview, now: datetime) -> Week | None:
    """Return what is to be gathered now, if anything is."""
    waits = review.gather_retry_at is not None and review.gather_retry_at > now
    if review.ended or review.gathered_at or waits or review.opened_at is None:
        return None
    return Week(review=review.id, date=review.date, since=review.opened_at - WEEK, until=review.opened_at)


def gathered(review: OpsReview, found: Gathered, now: datetime) -> None:
    """Take in how gathering went; incident response and every manager hear where it lies."""
    if review.ended:
        return
    if not found.outcome.ok:
        review.gather_tries += 1
        review.gather_error = found.outcome.reason
        review.gather_retry_at = now + backoff(review.policy, review.gather_tries)
        if review.gather_tries == 1:
            review.say("fallback", f"gathering waits: {found.outcome.reason}", now=now)
        return
    review.gathered_at, review.gather_retry_at, review.gather_error = now, None, ""
    review.status, review.counts, review.files = "ready", found.counts, found.files
    review.say("observed", counted(review), now=now, link=review.files[0] if review.files else "")
    where = f" It lies in {review.files[0]}." if review.files else ""
    after.tell(review, audience(review.plan), f"{review.title}: {counted(review)}.{where}", now)


def counted(review: OpsReview) -> str:
    """Return what there is to talk about: 'incidents: 3, COEs to review: 2'."""
    said = [f"{words}: {number}" for words, number in review.counts.items() if number]
    return ", ".join(said) or "nothing is open"


def audience(plan: Plan) -> list[str]:
    """Return who is told: incident response, which runs it, and every manager."""
    response = plan.teams.get(plan.incident_response)
    people = [person for level in response.levels for person in level] if response else []
    return unique([*people, *(team.manager for team in plan.teams.values()), *plan.call_leaders])


# --- what people say ------------------------------------------------------------------------------------


def add_action(act: Act[OpsReview]) -> Commit:
    """Begin an action item that belongs to no single incident; everybody is invited."""
    message = act.message
    assert isinstance(message, AddAction)
    review = act.matter
    if review.ended:
        raise Refused(f"{review.id} is over; add it to an incident, or to the next review")
    owner = review.plan.person(message.owner)
    if owner is None:
        raise Refused(f"'{message.owner}' is nobody of the catalogue")
    if message.due <= act.now:
        raise Refused(f"`due` is past (now {act.now:%Y-%m-%dT%H:%M:%SZ})")
    if message.replaces is not None and not 1 <= message.replaces <= len(review.items):
        raise Refused(f"`replaces` names item {message.replaces}, which is none of this review")
    if message.horizon == "long" and message.kind is None:
        raise Refused("a long-term item says whether it is `incremental` or a `replacement` (`kind`)")

    def commit() -> Answer:
        number = len(review.items) + 1
        name = f"{review.id}/action/{number}"
        fields = message.model_dump(mode="json", exclude={"by", "key", "at", "test", "due"})
        fields |= {
            "owner": owner.id,
            "team": next(iter(owner.teams), ""),
            "due_at": message.due.isoformat(),
            "n": number,
        }
        promised = message.due if message.promised else None
        item = {**fields, "id": name, "kind": "action", "status": "open", "promised_due_at": promised}
        review.items[name] = Item.model_validate(item)
        act.say("action", f"{number}: {message.title} ({message.horizon}, {owner.id})")
        shared: dict[str, object] = {
            "id": name,
            "incident": review.id,
            "clock_shift": review.clock_shift.total_seconds(),
            "test": review.test,
            "plan": _narrowed(review.plan, [*owner.teams, *act.person.teams]).model_dump(mode="json"),
            "policy": review.policy.model_dump(mode="json"),
            "opened_at": act.now.isoformat(),
        }
        order = Start(workflow="ActionItem", workflow_id=name, origin=name, payload={**shared, **fields})
        review.owe(order, now=act.now, key=f"{name}/start")
        return act.answer(f"{name}, due {message.due:%Y-%m-%d}")

    return commit


def _narrowed(plan: Plan, teams: list[str]) -> Plan:
    """Return what an item needs of the whole organisation's plan: a state stays small (design §2)."""
    wanted_teams = unique([plan.incident_response, plan.support, *teams])
    kept = {team: plan.teams[team] for team in wanted_teams if team in plan.teams}
    people = {person for team in kept.values() for level in [*team.levels, [team.manager]] for person in level}
    people |= set(plan.call_leaders)
    return plan.model_copy(
        update={"teams": kept, "people": {name: it for name, it in plan.people.items() if name in people}}
    )


def item_changed(review: OpsReview, change: ItemChanged, now: datetime) -> None:
    """Learn how an item of this review stands, while it lives."""
    review.items[change.item.id] = change.item
    if change.line and not review.ended:
        review.say(change.what, change.line, now=now, by=change.by)
