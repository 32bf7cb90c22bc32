"""What the Temporal Web UI shows of a campaign: how far it is, what waits for whom, what to send (design §3)."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from model.learn.campaign import RUNGS, Campaign, percent
from model.learn.campaign_messages import Finish, Measure
from model.text import escape
from model.times import ago

ROWS: Final = 12
"""Measurements shown, spread over all of them: the first and the last always."""
WIDTH: Final = 30
"""Characters of the longest bar."""
LAST_LINES: Final = 6
"""Timeline lines shown."""

V = TypeVar("V")


def campaign_details(campaign: Campaign, now: datetime) -> str:
    """Return a campaign's page in Markdown."""
    parts = [_where(campaign, now), _chart(campaign), _last(campaign), _behind(campaign), _needs(campaign, now)]
    return "\n\n".join(part for part in parts if part)


def _where(campaign: Campaign, now: datetime) -> str:
    test = "TEST, " if campaign.test else ""
    due = f"{campaign.due_at:%Y-%m-%d}"
    left = f"in {ago(campaign.due_at - now)}" if campaign.due_at > now else f"overdue for {ago(now - campaign.due_at)}"
    when = due if campaign.ended else f"{due}, {left}"
    return "\n".join(
        [
            f"# {test}{escape(campaign.title)[:200]}",
            f"**{campaign.status}** on the rung **{campaign.rung}** ({RUNGS[campaign.rung]}), "
            f"as of {now:%Y-%m-%d %H:%M:%S} UTC.",
            "",
            f"- still to go: {_to_go(campaign)}; target: {percent(campaign.target)} or less by {when}",
            f"- measured: {escape(campaign.metric)}{_measured(campaign)}",
            f"- the lesson: {escape(campaign.lesson)}",
            f"- owner: {campaign.owner or 'nobody'}{f' ({campaign.team})' if campaign.team else ''}; "
            f"begun from {campaign.incident or 'nowhere'}",
        ]
    )


def _to_go(campaign: Campaign) -> str:
    latest = campaign.latest
    if latest is None:
        return "not measured yet"
    return f"**{percent(latest.value)}**, that is {percent(campaign.of_start(latest.value))} of the start"


def _measured(campaign: Campaign) -> str:
    latest = campaign.latest
    said = f", last {latest.at:%Y-%m-%d %H:%M} by {escape(latest.source) or 'somebody'}" if latest else ""
    return f"{said}; {campaign.unread} could not be read" if campaign.unread else said


def _chart(campaign: Campaign) -> str:
    """Return what is still to go as bars; the longest is the worst that was measured."""
    lines = chart(campaign)
    return "\n".join(["## Still to go, of those affected at the start", "", "```text", *lines, "```"]) if lines else ""


def chart(campaign: Campaign) -> list[str]:
    """Return a line per measurement, and one for the target."""
    if not campaign.values:
        return []
    most = max(campaign.target, *(reading.value for reading in campaign.values)) or 1
    rows = [(f"{reading.at:%Y-%m-%d}", reading.value) for reading in _spread(campaign.values, ROWS)]
    return [
        f"{name:<10}  {percent(campaign.of_start(value)):>6}  {'█' * round(WIDTH * value / most)}".rstrip()
        for name, value in [*rows, ("target", campaign.target)]
    ]


def _spread(values: Sequence[V], rows: int) -> list[V]:
    if len(values) <= rows:
        return list(values)
    return [values[round(n * (len(values) - 1) / (rows - 1))] for n in range(rows)]


def _last(campaign: Campaign) -> str:
    entries = campaign.timeline[-LAST_LINES:]
    if not entries:
        return ""
    rows = [f"| {e.at:%Y-%m-%d %H:%M} | {escape(e.by)} | {e.what} | {escape(e.text)[:160]} |" for e in entries[::-1]]
    return "## Last\n\n| UTC | who | what | |\n|---|---|---|---|\n" + "\n".join(rows)


def _behind(campaign: Campaign) -> str:
    lines = [f"- the record is behind: {escape(campaign.record_error)}"] if campaign.record_error else []
    lines += [f"- {it.order.lane} waits: {escape(it.error)}" for it in campaign.owed.values() if it.tries][:5]
    return "## Behind\n\n" + "\n".join(lines) if lines else ""


def _needs(campaign: Campaign, now: datetime) -> str:
    """Return what waits for whom since when, and last the JSON that decides it."""
    if campaign.ended:
        return "## Nothing waits for anybody"
    owner = campaign.owner or "its owner"
    latest = campaign.latest
    if campaign.status == "stalled" and campaign.stalled_at:
        since = ago(now - campaign.stalled_at)
        if campaign.next_rung is None:
            example = {"by": owner, "reason": str(Finish.example["reason"])}
            return _need(owner, f"since {since}: it stalls on the last rung", "finish", example)
        rung = {"by": owner, "rung": campaign.next_rung, "target": campaign.target, "due": _next_due(campaign, now)}
        return _need(owner, f"since {since}: it stalls, move it up a rung", "start_rung", rung)
    since_when = latest.at if latest else campaign.begun_at or now
    old = now - since_when >= campaign.policy.stall_after
    what = f"last measured {ago(now - since_when)} ago" if latest else f"not measured for {ago(now - since_when)}"
    return _need(owner if old else "the next measurement", what, "measure", Measure.example, "signal")


def _next_due(campaign: Campaign, now: datetime) -> str:
    """Return a date for the next rung: the one it has, where that is still to come."""
    return f"{campaign.due_at if campaign.due_at > now else now + campaign.policy.stall_after:%Y-%m-%dT12:00:00Z}"


def _need(who: str, what: str, name: str, example: Mapping[str, object], kind: str = "update") -> str:
    body = json.dumps(example, ensure_ascii=False)
    return f"## Waiting for {who}\n\n{what}. Send the {kind} `{name}`:\n\n```json\n{body}\n```"
