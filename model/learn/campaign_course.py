"""What becomes due of a campaign, and what machines measure of it: reminded, overdue, stalled, done (L3)."""

from datetime import datetime, timedelta
from typing import Any, Final

from model.learn.campaign import Campaign, Reading, day, end, in_words, percent, progressed, shortened, standing, tell
from model.learn.campaign_messages import Measure
from model.message import parse_leniently
from model.messages import Answer
from model.reflect import after
from model.text import cut, one_line
from model.times import ago

VALUES_KEPT: Final = 100
"""L3: the last measurements kept, besides the first and the worst: a state stays small (design §2)."""
UNREADABLE_EVERY: Final = timedelta(days=1)
"""Design §3: a sender whose measurements cannot be read is named this often; all of them are counted."""


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
    target = f"{campaign.metric} at {percent(campaign.target)} or less by {day(campaign.due_at)}"
    text = f"{campaign.id} has begun, {campaign.owner} owns it: {shortened(campaign.title)}. Target: {target}."
    tell(campaign, text, now)


def _recall(campaign: Campaign, now: datetime) -> datetime | None:
    is_due, at = after.soon(campaign, now)
    if is_due:
        text = f"{campaign.id} is due {day(campaign.due_at)}: {standing(campaign)}."
        after.tell(campaign, [campaign.owner], text, now)
    return at


def _overdue(campaign: Campaign, now: datetime) -> datetime:
    late, at = after.round_due(campaign, "overdue", campaign.due_at, now)
    if late:
        text = f"{campaign.id} is {late.overdue}: {standing(campaign)}. {_how(campaign)}"
        people = [campaign.owner, *(after.manager(campaign) if late.with_manager else [])]
        after.tell(campaign, people, text, now)
        if late.worth_a_line:
            campaign.say("overdue", f"due {day(campaign.due_at)}: {standing(campaign)}", now=now)
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
        measured = f"not measured since {day(latest.at)}" if latest else "not measured at all so far"
        text = f"{campaign.id} is {measured}: nobody knows whether the lesson arrives. Send it `measure`."
        tell(campaign, text, now)
        return now + policy.stall_every
    if campaign.status != "stalled":
        campaign.status, campaign.stalled_at = "stalled", now
        campaign.say("campaign", f"stalls since {day(since)}: {standing(campaign)}. {_how(campaign)}", now=now)
    waited = f"less than {percent(policy.stall_part)} of the start in {ago(now - since)}"
    tell(campaign, f"{campaign.id} stalls ({waited}): {standing(campaign)}. {_how(campaign)}", now)
    return now + policy.stall_every


def _how(campaign: Campaign) -> str:
    """Return what helps a campaign that does not get there: the rung above (L3)."""
    if campaign.next_rung is None:
        return "It is on the last rung: find who is left and why, or `finish` it with a reason."
    return f"Move up with `start_rung` to {in_words(campaign.next_rung)}."


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
        progressed(campaign, reading.value, reading.at)
        if reading.value > campaign.target:
            campaign.say("campaign", standing(campaign), now=now, by=by)
    if reading.value <= campaign.target:
        end(campaign, "done", f"measured: {standing(campaign)}", now, by)
