"""What the Temporal Web UI shows of what follows: where are we, what waits for whom, what do I send (design §3)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from model.reflect import after, after_messages
from model.reflect.action_item import ActionItem, asked
from model.reflect.after import After
from model.reflect.coe import Coe
from model.reflect.rca import Rca
from model.text import cut, escape, one_line
from model.times import ago, utc

LAST_LINES: Final = 8
"""Timeline lines shown."""
TEXT_SHOWN: Final = 3000
"""Bytes of a draft shown; the whole is in the query `snapshot`."""
FINDINGS_SHOWN: Final = 15
"""Findings shown; the whole list is in the query `snapshot`."""


@dataclass(frozen=True)
class Need:
    """Something that waits for somebody, and what they send."""

    who: list[str]
    since: datetime
    what: str
    update: str
    example: Mapping[str, object]


def details(matter: After, now: datetime) -> str:
    """Return a matter's page in Markdown."""
    parts = [_where(matter, now), _waiting(matter, now), _beside(matter), _last(matter), _behind(matter)]
    return "\n\n".join(part for part in parts if part)


def summary(title: str, name: str) -> str:
    """Return the one line by which a list shows a matter."""
    return cut(one_line(f"{name}: {title}"), 180)


def _where(matter: After, now: datetime) -> str:
    test = "TEST, " if matter.test else ""
    status = matter.as_item().status
    lines = [
        f"# {test}{escape(summary(matter.title, matter.name))}",
        f"**{status}**, of [{matter.incident}](/namespaces/{{namespace}}/workflows/{matter.incident}), "
        f"as of {now:%Y-%m-%d %H:%M:%S} UTC.",
        "",
        f"- {_due(matter, now)}",
    ]
    return "\n".join([*lines, *(f"- {line}" for line in _facts(matter))])


def _due(matter: After, now: datetime) -> str:
    deadline = matter.deadline
    if deadline is None:
        return "nothing is due"
    late = f"**overdue for {ago(now - deadline)}**" if deadline <= now else f"in {ago(deadline - now)}"
    return f"due {utc(deadline)}, {late}"


def _facts(matter: After) -> list[str]:
    if isinstance(matter, ActionItem):
        return _item_facts(matter)
    if isinstance(matter, Rca):
        return _rca_facts(matter)
    return _coe_facts(matter) if isinstance(matter, Coe) else []


def _item_facts(item: ActionItem) -> list[str]:
    kind = f"/{item.kind}" if item.kind else ""
    facts = [
        f"owner: {escape(item.owner)} ({escape(item.team)}); {item.horizon}-term{kind}",
        f"goal (it does not change): {escape(cut(item.goal, 500)) or 'not said'}",
        f"validated by: {escape(cut(item.validation, 500)) or 'not said'}",
    ]
    if item.approach:
        facts.append(f"plan: {escape(cut(item.approach, 500))}")
    if item.promised:
        facts.append(f"promised to customers for {utc(item.promised_due_at)}")
    if item.customer_message_due:
        facts.append(f"**customers must be told before {utc(item.customer_message_due)}**")
    spent = item.slip_to(item.due_at)
    facts.append(f"slipped {ago(spent)} of {ago(item.allowance)} without asking")
    if item.patch:
        facts.append(f"replaces mitigation {item.patch}, which is temporary")
    if item.successor and not item.replaced_by:
        facts.append(f"in force until {escape(item.successor)} is validated")
    if item.failed_trials:
        facts.append(f"trials that failed: {item.failed_trials}")
    return facts


def _rca_facts(rca: Rca) -> list[str]:
    facts = [f"author: {escape(rca.author) or 'nobody yet'}; approved by the manager of {escape(rca.team)}"]
    if rca.leaves_at and not rca.left_at:
        facts.append(f"**it leaves at {utc(rca.leaves_at)}**, once; until then `recall` stops it")
    if rca.left_at:
        done = sum(delivery.done_at is not None for delivery in rca.deliveries)
        facts.append(f"leaving since {utc(rca.left_at)}: {done} of {len(rca.deliveries)} customers")
    facts += [
        f"{escape(delivery.customer)}: {escape(delivery.reason)}"
        for delivery in rca.deliveries
        if delivery.reason and not delivery.taken
    ][:10]
    return facts


def _coe_facts(coe: Coe) -> list[str]:
    path = " → ".join(f"**{level}**" if level == coe.level else level for level in coe.levels)
    facts = [f"author: {escape(coe.author)}", f"reviews: {path}"]
    facts += [
        f"{review.level}: {review.verdict} by {escape(review.by)}: {escape(cut(review.comments, 300))}"
        for review in coe.reviews[-3:]
    ]
    return facts


def needs(matter: After) -> list[Need]:
    """Return what waits for somebody, the newest first."""
    if matter.ended or matter.opened_at is None:
        return []
    if isinstance(matter, ActionItem):
        found = _item_needs(matter, matter.opened_at)
    elif isinstance(matter, Rca):
        found = _rca_needs(matter, matter.opened_at)
    else:
        found = _coe_needs(matter, matter.opened_at) if isinstance(matter, Coe) else []
    return sorted(found, key=lambda need: need.since, reverse=True)


def _item_needs(item: ActionItem, opened_at: datetime) -> list[Need]:
    found = []
    if item.pending:
        who = after.manager(item)
        found.append(Need(who, item.pending.at, asked(item.pending), "agree", {"by": _one(who)}))
    owner, since = [item.owner], item.started_at or opened_at
    if item.status == "open":
        found.append(Need(owner, since, "to begin", "start", {"by": item.owner}))
    elif item.status == "started":
        example = {"by": item.owner, "evidence": after_messages.Implemented.example["evidence"]}
        found.append(Need(owner, since, "to be implemented", "implemented", example))
    elif item.status == "implemented":
        tried = {"by": item.owner, "passed": True, "method": cut(item.validation, 300) or "…", "evidence": "…"}
        found.append(Need(owner, item.implemented_at or since, "to be validated", "validated", tried))
    return found


def _rca_needs(rca: Rca, opened_at: datetime) -> list[Need]:
    if rca.stage == "assigned":
        example = {"by": _one(rca.writers), "text": after_messages.Submit.example["text"]}
        return [Need(rca.writers, opened_at, "a draft", "submit", example)]
    who, since = after.manager(rca), rca.drafted_at or opened_at
    if rca.stage in ("draft", "recalled"):
        return [Need(who, since, f"draft {rca.digest}", "approve", {"by": _one(who), "draft": rca.digest})]
    return []


def _coe_needs(coe: Coe, opened_at: datetime) -> list[Need]:
    if coe.status == "submitted":
        who = after.manager(coe)
        example = {"by": _one(who), "level": coe.level, "verdict": "accept", "draft": coe.digest}
        since = coe.level_since or coe.submitted_at or opened_at
        return [Need(who, since, f"the {coe.level} review of draft {coe.digest}", "review", example)]
    since = coe.submitted_at or opened_at
    return [Need([coe.author], since, "the text", "submit", {"by": coe.author, "text": "---\nincident: …"})]


def _one(people: list[str]) -> str:
    return people[0] if people else "your id"


def _waiting(matter: After, now: datetime) -> str:
    found = needs(matter)
    if not found:
        return "## Nothing waits for anybody"
    parts = ["## Waiting"]
    for need in found[:3]:
        who = escape(", ".join(need.who)) or "nobody known"
        parts.append(f"**{who}**, since {ago(now - need.since)}: {escape(need.what)}. Send the update `{need.update}`:")
        parts.append(f"```json\n{json.dumps(dict(need.example), ensure_ascii=False)}\n```")
    return "\n\n".join(parts)


def _beside(matter: After) -> str:
    if isinstance(matter, Coe) and matter.findings:
        lines = [f"- {finding.level}, line {finding.line}: {escape(finding.text)}" for finding in matter.findings]
        more = f"\n- and {len(lines) - FINDINGS_SHOWN} more" if len(lines) > FINDINGS_SHOWN else ""
        return "## Found in it\n\n" + "\n".join(lines[:FINDINGS_SHOWN]) + more
    if isinstance(matter, Rca) and (text := matter.approved.external if matter.approved else matter.text):
        shown = "\n".join(f"    {line}" for line in cut(text, TEXT_SHOWN).split("\n"))
        return f"## Draft {matter.digest}\n\n{shown}"
    return ""


def _last(matter: After) -> str:
    rows = [
        f"| {entry.at:%Y-%m-%d %H:%M} | {escape(entry.by)} | {entry.what} | {escape(entry.text)[:200]} |"
        for entry in reversed(matter.timeline[-LAST_LINES:])
    ]
    return "## Last\n\n| UTC | who | what | |\n|---|---|---|---|\n" + "\n".join(rows) if rows else ""


def _behind(matter: After) -> str:
    lines = [f"- {escape(matter.record_error)}"] if matter.record_error else []
    lines += [
        f"- {owed.order.lane} waits since {utc(owed.since)}: {escape(owed.error)}"
        for owed in matter.owed.values()
        if owed.tries
    ][:5]
    return "## Behind\n\n" + "\n".join(lines) if lines else ""
