"""What is said in Slack: text that stays text, and the notice with its links and buttons."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from activities.comms import rooms
from activities.mirror import Subject
from model.text import cut

BOXES: Final = 5
"""Links beside the text: as many as there are calls in a large event."""

LINE, NOTICE = "allclear_line", "allclear_notice"


def escaped(text: str) -> str:
    """Return text in which nothing is a mention, a link or a command to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str) -> dict[str, Any]:
    """Return a block whose text is taken as it is: no mark-up, no mentions."""
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }


def blocks_of(subject: Subject, lost: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the notice: what it is, where it stands, where to go, and three buttons while it lasts."""
    blocks = [{**plain(rooms.notice(subject, lost)), "block_id": NOTICE}]
    if addresses := list(_links(rooms.links(subject))):
        blocks.append({"type": "actions", "block_id": "allclear_links", "elements": addresses[:BOXES]})
    if subject.open:
        acts = [("acknowledge", "Acknowledge"), ("join", "I’m in"), ("not_us", "Not us")]
        buttons = [
            {"type": "button", "action_id": act, "value": subject.id, "text": {"type": "plain_text", "text": label}}
            for act, label in acts
        ]
        buttons[0]["style"] = "primary"
        blocks.append({"type": "actions", "block_id": "allclear_acts", "elements": buttons})
    return blocks


def _links(named: Iterable[tuple[str, str]]) -> Iterable[dict[str, Any]]:
    for number, (name, url) in enumerate(named):
        label = {"type": "plain_text", "text": cut(name[:1].upper() + name[1:], 70)}
        yield {"type": "button", "action_id": f"open_{number}", "url": url, "text": label}
