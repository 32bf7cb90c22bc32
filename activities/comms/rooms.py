"""What a room for an incident shows, whatever the chat: topic, pinned notice, the lines worth a message (C2)."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from activities.mirror import Guest, Subject
from model.coordinate.spoken import room_name
from model.matter import SYSTEM, Entry, What
from model.text import clean, cut, one_line

TOLD: Final[frozenset[What]] = frozenset(
    {
        "opened", "promoted", "absorbed", "made_big", "severity", "phase", "tenet_broken",
        "engaged", "called_back", "paged", "acknowledged", "joined", "exhausted", "nobody_on_call", "released",
        "stood_down", "lead", "forked", "rejoined",
        "statement", "statement_missing", "observed",
        "proposed", "decided", "executed", "stopped", "expired",
        "notified", "linked", "verified", "verification_failed", "reopened", "closed", "all_clear",
    }
)  # fmt: skip
"""The entries that people in the room act on or decide by: who comes, what is known, what is tried, where it stands.

Not told: each alarm and each customer's report (they come by the hundred; the page counts them), what the support desk
drafts for itself, retries and fallbacks of a channel, and what follows after the incident (COE, RCA, action items).
"""
ECHOED: Final[frozenset[What]] = frozenset({"observed", "statement", "linked"})
"""Entries that are somebody's own words, or say where the room is: there everybody has read them."""
LAST: Final[frozenset[What]] = frozenset({"closed", "all_clear"})
"""Entries for which no room is made again that was removed: nobody is in it."""
ALL_CLEAR: Final = "ALL CLEAR · "
"""How the topic begins once nothing is owed any more."""
NAMES: Final = 9
"""Names tried for a room: its own, then with a number behind it."""
LINE_LONGEST: Final = 2500
"""Bytes of a line: a text of Slack's has 3000 characters at most, and what is escaped becomes longer."""
LINK_LONGEST: Final = 1000
BODY_LONGEST: Final = 1200
"""Bytes of the body in a notice, and of everything else that others wrote into it: an event of Matrix has 64 KiB."""
NAMED: Final = 10
"""People named who could not be invited."""
REMEMBERED: Final = 300
"""Invitations a room remembers, so that who left stays away."""
HOW: Final = (
    "Say `ack`, `in`, `not us` and why, `impacted` with where, what customers see and `since` when, or `note`; "
    "a reply to a line goes into the ticket."
)
"""What a notice says about speaking in the room."""


def names(incident: str) -> list[str]:
    """Return the names tried for the room of an incident, the first of them its own."""
    base = room_name(incident)
    return [base, *(f"{base}-{number}" for number in range(2, NAMES + 1))]


def told(entry: Entry, here: tuple[str, ...]) -> bool:
    """Whether an entry is worth a message in a room.

    Args:
        entry: A line of the timeline.
        here: What links into this room begin with: who typed the words here, or made the room, needs no echo.
    """
    own = entry.what in ECHOED and bool(entry.link) and entry.link.startswith(here)
    return entry.what in TOLD and not own


def line(entry: Entry) -> str:
    """Return an entry as one line of plain text; times are in UTC."""
    who = "" if entry.by == SYSTEM else f"{entry.by}{' (claimed)' if entry.claimed else ''} "
    link = f" {entry.link}" if entry.link and len(entry.link) <= LINK_LONGEST else ""
    words = cut(one_line(f"{who}{entry.what.replace('_', ' ')}: {entry.text}"), LINE_LONGEST - len(link.encode()))
    return f"{entry.at:%H:%M} {words}{link}"


def topic(subject: Subject, longest: int) -> str:
    """Return where it stands in one line of at most `longest` bytes; the call's link is there whole or not at all."""
    mark = f"{subject.mark} · " if subject.mark else ""
    if not subject.open:
        return cut(f"{mark}{subject.phase.upper()} · {subject.id} {one_line(subject.title)}", longest)
    call = f" · call {subject.calls['tech']}" if subject.calls.get("tech") else ""
    services = f" · {', '.join(subject.services)}" if subject.services else ""
    standing = one_line(f"{mark}SEV{subject.severity} · {subject.phase}{services}")
    spare = longest - len(call.encode())
    return cut(standing, spare) + call if spare >= longest // 4 else cut(standing, longest)


def headline(subject: Subject) -> str:
    """Return what it is, in one line."""
    mark = f"{subject.mark} · " if subject.mark else ""
    return cut(one_line(f"{mark}{subject.id} SEV{subject.severity}: {subject.title}"), BODY_LONGEST // 2)


def notice(subject: Subject, lost: Mapping[str, str]) -> str:
    """Return the pinned notice, which everybody who joins reads first, as plain text.

    Args:
        subject: As it is now.
        lost: Who could not be invited, and why.
    """
    standing = f"Phase: {subject.phase}." if subject.open else f"Over: {subject.phase}."
    lines = [headline(subject), standing, cut(clean(subject.body), BODY_LONGEST)]
    if subject.open:
        missing = "; ".join(f"{who} ({why})" for who, why in list(lost.items())[:NAMED])
        more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
        lines += [f"Not here: {cut(one_line(missing), BODY_LONGEST // 2)}{more}."] if lost else []
        lines.append(HOW)
    return "\n".join(text for text in lines if text)


def digest(*said: Any) -> str:
    """Return what tells a notice from one that says something else."""
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def links(subject: Subject) -> list[tuple[str, str]]:
    """Return what a notice links to while it lasts, as name and address: the calls."""
    calls = subject.calls if subject.open else {}
    return [(f"{purpose} call", url) for purpose, url in calls.items() if url.startswith(("http://", "https://"))]


def addresses(guests: list[Guest], channel: str) -> dict[str, str]:
    """Return the accounts to invite → whose they are; who has none in this chat is reached otherwise."""
    return {
        contact.address: guest.name or guest.person
        for guest in guests
        for contact in guest.contacts
        if contact.channel == channel
    }
