"""A campaign: one lesson brought to everybody it concerns, and measured until it has arrived (L3)."""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel

from model.close import closing_messages
from model.close.items import Item
from model.effects import Start
from model.engage.response import joined, not_over
from model.incident import Incident
from model.learn.campaign_messages import Finish, Measure, Rung, StartRung
from model.matter import Act
from model.message import parse_leniently
from model.messages import Answer
from model.permissions import require
from model.reflect import after
from model.reflect.after import After, Commit
from model.text import Refused, cut, one_line
from model.times import Moment, ago

RUNGS: Final[dict[Rung, str]] = {
    "education": "people know it, and how it is done",
    "distributed": "everybody acts, by a date, the most exposed first",
    "centralized": "a new default, nobody has to act; begun slowly and tested, then faster",
}
"""The rungs in their order, in words."""

VALUES_KEPT: Final = 100
"""L3: the last measurements kept, besides the first and the worst: a state stays small (design §2)."""
UNREADABLE_EVERY: Final = timedelta(days=1)
"""Design §3: a sender whose measurements cannot be read is named this often; all of them are counted."""

Status = Literal["running", "stalled", "done", "finished"]
"""`done` was measured, `finished` was said by a person."""


class Reading(BaseModel):
    """One measurement: how much was still to go."""

    at: Moment
    value: float
    source: str = ""


class Campaign(After):
    """Everything a campaign knows.

    Attributes:
        target: What is to be left to go, at most, in the metric's own measure, 0 to 1.
        rung_since: When it came to its rung.
        values: Measurements by time: the first, the worst, and the last ones.
        started_value: The first one: 100 %, those affected at the start.
        mark: The value at which progress was seen last, and `progressed_at` when.
        stalled_at: Since when it has been known to stall.
        unread: Measurements that could not be read.
    """

    slug: str
    lesson: str = ""
    metric: str = ""
    target: float = 0
    owner: str = ""
    status: Status = "running"
    due_at: Moment
    rung: Rung = "education"
    rung_since: Moment | None = None
    values: list[Reading] = []
    started_value: float | None = None
    mark: float | None = None
    progressed_at: Moment | None = None
    stalled_at: Moment | None = None
    finished_at: Moment | None = None
    unread: int = 0
    unread_said_at: Moment | None = None

    @property
    def holder(self) -> str:
        """Its owner."""
        return self.owner

    @property
    def name(self) -> str:
        """What people call it."""
        return f"campaign {self.slug}"

    @property
    def deadline(self) -> datetime | None:
        """By when its target is to be reached."""
        return None if self.ended else self.due_at

    @property
    def awaited(self) -> list[str]:
        """Its owner, while it stalls."""
        return [self.owner] if self.status == "stalled" else []

    @property
    def asked_for(self) -> datetime | None:
        """Since when its owner is asked to move it up."""
        return self.stalled_at

    @property
    def latest(self) -> Reading | None:
        """The newest measurement."""
        return self.values[-1] if self.values else None

    @property
    def next_rung(self) -> Rung | None:
        """The rung above; None on the last one."""
        order = list(RUNGS)
        above = order[order.index(self.rung) + 1 :]
        return above[0] if above else None

    def of_start(self, value: float) -> float:
        """Return a value as a part of those affected at the start."""
        return value / self.started_value if self.started_value else value

    def as_item(self) -> Item:
        """Refuse: incidents keep COEs, RCAs and action items; a campaign outlives them and belongs to its owner."""
        raise TypeError("an incident keeps no campaigns")


def percent(part: float) -> str:
    """Return a part as people read it: `34 %`, `0.5 %`."""
    digits = 1 if part < 0.1 else 0
    return f"{100 * part:.{digits}f}".removesuffix(".0") + " %"


def in_words(rung: Rung) -> str:
    """Return a rung with what it means."""
    return f"{rung} ({RUNGS[rung]})"


def id_of(slug: str) -> str:
    """Return a campaign's workflow id."""
    return f"campaign/{slug}"


# --- it begins, from an incident ------------------------------------------------------------------------


def start_campaign(act: Act[Incident]) -> Commit:
    """Begin a campaign from an incident; whoever says so owns it."""
    message = act.message
    assert isinstance(message, closing_messages.StartCampaign)
    incident = act.matter
    not_over(incident)
    require(act, "start_campaign")
    if message.due <= act.now:
        raise Refused(f"`due` is past (now {act.now:%Y-%m-%dT%H:%M:%SZ})")
    if any(entry.what == "campaign" and entry.text.startswith(f"{message.slug}: ") for entry in incident.timeline):
        raise Refused(f"{id_of(message.slug)} was begun from here already; another one needs another `slug`")

    def commit() -> Answer:
        joined(act)
        act.say("campaign", f"{message.slug}: {message.title}, by {message.due:%Y-%m-%d}")
        # A key of its own: another incident's campaign of the same name must not be taken for this one.
        key = f"{incident.id}/process/{incident.next_order}"
        incident.next_order += 1
        order = Start(workflow="Campaign", workflow_id=id_of(message.slug), origin=key, payload=_payload(act, message))
        incident.owe(order, now=act.now, key=key)
        return act.answer(f"{id_of(message.slug)} begins; send it `measure` from a machine or by hand")

    return commit


def _payload(act: Act[Incident], message: closing_messages.StartCampaign) -> dict[str, object]:
    incident = act.matter
    teams = act.person.teams
    return {
        "id": id_of(message.slug),
        "incident": incident.id,
        "clock_shift": incident.clock_shift.total_seconds(),
        "test": incident.test,
        "plan": incident.plan.model_dump(mode="json"),
        "policy": incident.policy.model_dump(mode="json"),
        **message.model_dump(mode="json", include={"slug", "title", "lesson", "metric", "target"}),
        "due_at": message.due.isoformat(),
        "owner": act.by,
        "team": next((team for team in incident.owners if team in teams), teams[0] if teams else ""),
        "opened_at": act.now.isoformat(),
    }


# --- what becomes due -----------------------------------------------------------------------------------


def advance(campaign: Campaign, now: datetime) -> datetime | None:
    """Do everything that is due.

    Returns:
        When the next thing is due, or None.
    """
    if campaign.begun_at is None:
        _begin(campaign, now)
    kept = after.keep(campaign)
    if campaign.ended:
        return kept
    due = [kept, after.refresh(campaign, now), _recall(campaign, now), _overdue(campaign, now), _stall(campaign, now)]
    return min((at for at in due if at and at > now), default=None)


def _begin(campaign: Campaign, now: datetime) -> None:
    campaign.begun_at = now
    campaign.opened_at = campaign.opened_at or now
    campaign.rung_since = now
    campaign.say("opened", f"{campaign.name}: {campaign.title}; {in_words(campaign.rung)}", now=now)
    after.ask_catalogue(campaign, now)
    target = f"{campaign.metric} at {percent(campaign.target)} or less by {_day(campaign.due_at)}"
    text = f"{campaign.id} has begun, {campaign.owner} owns it: {_short(campaign.title)}. Target: {target}."
    _tell(campaign, text, now)


def _recall(campaign: Campaign, now: datetime) -> datetime | None:
    is_due, at = after.soon(campaign, now)
    if is_due:
        text = f"{campaign.id} is due {_day(campaign.due_at)}: {_standing(campaign)}."
        after.tell(campaign, [campaign.owner], text, now)
    return at


def _overdue(campaign: Campaign, now: datetime) -> datetime:
    late, at = after.round_due(campaign, "overdue", campaign.due_at, now)
    if late:
        text = f"{campaign.id} is {late.overdue}: {_standing(campaign)}. {_how(campaign)}"
        people = [campaign.owner, *(after.manager(campaign) if late.with_manager else [])]
        after.tell(campaign, people, text, now)
        if late.worth_a_line:
            campaign.say("overdue", f"due {_day(campaign.due_at)}: {_standing(campaign)}", now=now)
    return at


def _stall(campaign: Campaign, now: datetime) -> datetime:
    """Propose the next rung when nothing moves; not more often than it helps."""
    policy = campaign.policy
    since = max(at for at in (campaign.progressed_at, campaign.rung_since, campaign.opened_at) if at)
    last = campaign.reminded.get("stalled")
    due = since + policy.stall_after if last is None or last < since else last + policy.stall_every
    if due > now:
        return due
    campaign.reminded["stalled"] = now
    latest = campaign.latest
    if latest is None or latest.at <= now - policy.stall_after:
        measured = f"not measured since {_day(latest.at)}" if latest else "not measured at all so far"
        text = f"{campaign.id} is {measured}: nobody knows whether the lesson arrives. Send it `measure`."
        _tell(campaign, text, now)
        return now + policy.stall_every
    if campaign.status != "stalled":
        campaign.status, campaign.stalled_at = "stalled", now
        campaign.say("campaign", f"stalls since {_day(since)}: {_standing(campaign)}. {_how(campaign)}", now=now)
    waited = f"less than {percent(policy.stall_part)} of the start in {ago(now - since)}"
    _tell(campaign, f"{campaign.id} stalls ({waited}): {_standing(campaign)}. {_how(campaign)}", now)
    return now + policy.stall_every


def _how(campaign: Campaign) -> str:
    """Return what helps a campaign that does not get there: the rung above (L3)."""
    if campaign.next_rung is None:
        return "It is on the last rung: find who is left and why, or `finish` it with a reason."
    return f"Move up with `start_rung` to {in_words(campaign.next_rung)}."


def _standing(campaign: Campaign) -> str:
    latest = campaign.latest
    if latest is None:
        return f"not measured yet, target {percent(campaign.target)}"
    part = percent(campaign.of_start(latest.value))
    return f"{percent(latest.value)} still to go ({part} of the start), target {percent(campaign.target)}"


# --- what machines measure ------------------------------------------------------------------------------


def measured(campaign: Campaign, payload: Any, now: datetime) -> None:
    """Take in a measurement; one that cannot be read is kept as such."""
    if campaign.ended:
        return
    if isinstance(payload, int | float) and not isinstance(payload, bool):
        payload = {"value": payload}
    try:
        said, _ = parse_leniently(Measure, payload)
    except ValueError as error:
        unreadable(campaign, "measure", str(error), payload, now)
        return
    if said.key and said.key in campaign.answers:
        return
    if said.key:
        campaign.answers[said.key] = Answer(incident=campaign.id, at=now, text="measured")
    if said.test and not campaign.test:
        campaign.say("observed", f"a test measured {percent(said.value)}: not counted", now=now, by=said.by or "test")
        return
    reading = Reading(at=min(said.at, now) if said.at else now, value=said.value, source=said.source or said.by)
    _keep(campaign, reading)
    if campaign.latest is reading:
        _judge(campaign, reading, now)


def unreadable(campaign: Campaign, name: str, why: str, payload: Any, now: datetime) -> None:
    """Count what could not be read, and say so at most daily: a broken sender measures on and on."""
    campaign.unread += 1
    said_at = campaign.unread_said_at
    if said_at is None or now - said_at >= UNREADABLE_EVERY:
        campaign.unread_said_at = now
        campaign.say("unreadable", cut(one_line(f"{name}: {why} {payload!r}"), 300), now=now)


def _keep(campaign: Campaign, reading: Reading) -> None:
    """Keep a measurement: the first, the worst and the last ones stay."""
    values = sorted([*campaign.values, reading], key=lambda it: it.at)
    worst = max(values, key=lambda it: it.value)
    spare = len(values) - VALUES_KEPT
    campaign.values = [it for n, it in enumerate(values) if n == 0 or n >= spare or it is worst]
    campaign.started_value = campaign.values[0].value


def _judge(campaign: Campaign, reading: Reading, now: datetime) -> None:
    """See whether the newest measurement is the first, progress, or the target."""
    by = reading.source or "a measurement"
    step = campaign.policy.stall_part * (campaign.started_value or 0)
    if campaign.mark is None:
        campaign.mark, campaign.progressed_at = reading.value, reading.at
        campaign.say("campaign", f"at the start {percent(reading.value)} to go: that is 100 %", now=now, by=by)
    elif reading.value <= campaign.mark - step:
        _progressed(campaign, reading.value, reading.at)
        if reading.value > campaign.target:
            campaign.say("campaign", _standing(campaign), now=now, by=by)
    if reading.value <= campaign.target:
        _end(campaign, "done", f"measured: {_standing(campaign)}", now, by)


def _progressed(campaign: Campaign, value: float | None, at: datetime) -> None:
    campaign.mark, campaign.progressed_at = value, at
    campaign.status, campaign.stalled_at = "running", None


# --- what people say ------------------------------------------------------------------------------------


def start_rung(act: Act[Campaign]) -> Commit:
    """Move up to more effect, with a target and a date."""
    message = act.message
    assert isinstance(message, StartRung)
    campaign, order = act.matter, list(RUNGS)
    _may(act, "start_rung")
    rung = message.rung or campaign.next_rung
    if rung is None or order.index(rung) <= order.index(campaign.rung):
        above = ", ".join(order[order.index(campaign.rung) + 1 :]) or "nothing: it is the last one"
        raise Refused(f"a campaign moves up, never down: it is on {campaign.rung}, above is {above}")
    due = message.due or campaign.due_at
    if due <= act.now:
        raise Refused(f"`due` is past ({_day(due)}); say by when this rung reaches its target")
    target = campaign.target if message.target is None else message.target
    latest = campaign.latest
    if latest and latest.value <= target:
        raise Refused(f"a target of {percent(target)} is reached already ({percent(latest.value)}): `finish` it")

    def commit() -> Answer:
        before, campaign.rung, campaign.rung_since = campaign.rung, rung, act.now
        was = f" (was {percent(campaign.target)})" if target != campaign.target else ""
        campaign.target, campaign.due_at = target, due
        _progressed(campaign, latest.value if latest else None, act.now)
        words = f"target {percent(target)}{was} by {_day(due)}"
        act.say("campaign", f"{before} → {in_words(rung)}; {words}")
        _tell(campaign, f"{campaign.id} moves up to {in_words(rung)}; {words}.", act.now)
        return act.answer(f"on {rung}; {words}")

    return commit


def finish(act: Act[Campaign]) -> Commit:
    """End it, with a reason."""
    message = act.message
    assert isinstance(message, Finish)
    _may(act, "finish")

    def commit() -> Answer:
        campaign = act.matter
        _end(campaign, "finished", f"{message.reason} ({_standing(campaign)})", act.now, act.by, claimed=act.claimed)
        return act.answer(f"finished: {_standing(campaign)}")

    return commit


def _may(act: Act[Campaign], message: str) -> None:
    """Let those pass who run it: its owner, their team and manager, incident response, call leaders."""
    campaign = act.matter
    if campaign.ended:
        raise Refused(f"{campaign.id} is over ({campaign.status})")
    allowed = {after.HOLDER, after.TEAM, after.MANAGER, after.INCIDENT_RESPONSE, after.LEADERS}
    if not after.standing(campaign, act.person) & allowed:
        raise Refused(
            f"{act.by} may not {message} {campaign.id}; this may: its owner ({campaign.owner}), their team and "
            "manager, incident response, call leaders"
        )


def _end(
    campaign: Campaign, status: Literal["done", "finished"], line: str, now: datetime, by: str, claimed: bool = False
) -> None:
    campaign.status, campaign.finished_at, campaign.stalled_at = status, now, None
    campaign.ended = True
    campaign.say("campaign", f"{status}: {line}", now=now, by=by, claimed=claimed)
    response = after.first_level(campaign, campaign.plan.incident_response)
    text = f"{campaign.id} is {status}: {_short(line)}"
    after.tell(campaign, [campaign.owner, *after.manager(campaign), *response], text, now)


def _tell(campaign: Campaign, text: str, now: datetime) -> None:
    after.tell(campaign, [campaign.owner, *after.manager(campaign)], text, now)


def _short(text: str) -> str:
    return cut(one_line(text), 300)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
