"""What a ticket over there says of a matter, as plain text: each system keeps it plain in its own way (C4)."""

from dataclasses import dataclass
from datetime import UTC
from typing import Final
from urllib.parse import quote, urlsplit

from activities.mirror import Subject
from model.matter import Entry, What
from model.text import clean, cut, one_line

KINDS: Final = frozenset({"incident", "action_item"})
UNTOLD: Final[frozenset[What]] = frozenset(
    {"alarm", "reported", "paged", "fallback", "told", "draft_waiting", "related", "inquiry", "unreadable", "unmapped"}
)
"""Entries that make no comment, because they come by the hundred and every comment is a mail to everybody who watches
the ticket: single alarms and reports, single pages. The record has them all; the ticket links there."""


@dataclass(frozen=True)
class Fact:
    """One thing a ticket says besides its text.

    Attributes:
        name: One of ours.
        text: Of others, mostly.
        link: Where it leads, or nothing.
    """

    name: str
    text: str
    link: str = ""


def told(entry: Entry) -> bool:
    """Whether an entry is worth a comment."""
    return entry.what not in UNTOLD


def title(subject: Subject, longest: int) -> str:
    """Return a ticket's title of at most `longest` bytes, in one line."""
    mark = f"{subject.mark} " if subject.mark else ""
    return cut(f"{mark}{one_line(clean(subject.title)) or subject.id}", longest)


def facts(subject: Subject) -> list[Fact]:
    """Return what a ticket says besides its text, in the order people need it."""
    found = [
        Fact("Severity", str(subject.severity)),
        Fact("Stands", subject.phase),
        Fact("Incident", subject.parent),
        *(Fact("Call", f"{purpose}:", url) for purpose, url in subject.calls.items()),
        Fact("On it", ", ".join(guest.name or guest.person for guest in subject.guests)),
        Fact("AllClear", subject.id),
    ]
    return [Fact(f.name, one_line(clean(f.text)), one_line(clean(f.link))) for f in found if f.text]


def heading(entry: Entry) -> str:
    """Return when an entry was so, who said it, and what kind it is: *when we knew* matters later."""
    who = f"{entry.by}{' (claimed)' if entry.claimed else ''}"
    return one_line(clean(f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {who}: {entry.what.replace('_', ' ')}"))


def web_link(address: str) -> str:
    """Return an address that may be shown as a link, encoded; nothing for what leads elsewhere than to the web."""
    address = clean(address)
    try:
        parts = urlsplit(address)
        host = parts.hostname if parts.scheme in ("http", "https") else ""
    except ValueError:
        host = ""
    return quote(address, safe=":/?#[]@!$&'()*+,;=%-._~") if host else ""
