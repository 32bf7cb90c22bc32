"""What the Temporal Web UI shows of a weekly review (design §3)."""

import json
from datetime import datetime

from model.close.closing_messages import AddAction
from model.learn.ops_review import OpsReview, counted
from model.text import escape
from model.times import ago


def review_details(review: OpsReview, now: datetime) -> str:
    """Return a review's page in Markdown."""
    parts = [_where(review, now), _items(review), _unreadable(review), _behind(review), _needs(review, now)]
    return "\n\n".join(part for part in parts if part)


def _where(review: OpsReview, now: datetime) -> str:
    test = "TEST, " if review.test else ""
    lines = [
        f"# {test}{escape(review.title)}",
        f"**{review.status}**, as of {now:%Y-%m-%d %H:%M:%S} UTC.",
        "",
        f"- to talk about: {escape(counted(review)) if review.gathered_at else 'being gathered'}",
    ]
    return "\n".join([*lines, *(f"- {escape(file)}" for file in review.files)])


def _items(review: OpsReview) -> str:
    rows = [f"- {item.n} {escape(item.title)}: {item.status}, {escape(item.owner)}" for item in review.items.values()]
    return "\n".join(["## Action items", "", *rows]) if rows else ""


def _behind(review: OpsReview) -> str:
    lines = [f"- gathering waits: {escape(review.gather_error)}"] if review.gather_error else []
    lines += [f"- the record is behind: {escape(review.record_error)}"] if review.record_error else []
    lines += [f"- {it.order.lane} waits: {escape(it.error)}" for it in review.owed.values() if it.tries][:5]
    return "## Behind\n\n" + "\n".join(lines) if lines else ""


def _unreadable(review: OpsReview) -> str:
    """Return what was sent and could not be read: somebody thinks that it was."""
    lines = [f"- {it.at:%H:%M:%S} {escape(it.text)[:200]}" for it in review.timeline if it.what == "unreadable"]
    return "\n".join(["## Could not be read", "", *lines[-5:]]) if lines else ""


def _needs(review: OpsReview, now: datetime) -> str:
    if review.ended or review.over_at is None:
        return "## Nothing waits for anybody"
    example = json.dumps(AddAction.example, ensure_ascii=False)
    return (
        f"## Open to everybody for {ago(review.over_at - now)}\n\n"
        f"What was decided becomes an item by the update `add_action`:\n\n```json\n{example}\n```"
    )
