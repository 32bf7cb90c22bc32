"""The phone page's words: what an incident's state looks like to one person."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from model.incident import Engagement, Incident, Phase
from model.matter import Entry
from model.times import ago, find_zone

LINES: Final = 12
"""Timeline lines on a page."""
FOLDER: Final = Path(__file__).parent / "templates"
CSS: Final = (FOLDER / "page.css").read_text(encoding="utf-8")

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
HEADERS: Final = {
    # Nothing from elsewhere, no script at all, and our one style sheet by its hash.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address proves who opens it
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_PHASES: Final = {
    Phase.DETECT: "just detected",
    Phase.ENGAGE: "waits for somebody to take it",
    Phase.COORDINATE: "is being looked at",
    Phase.MITIGATE: "is being mitigated",
    Phase.VERIFY: "looks clear, being verified",
    Phase.CLOSE: "is being closed",
    Phase.REFLECT: "is closed",
    Phase.ALL_CLEAR: "is all clear",
    Phase.ABSORBED: "became part of another incident",
}


@dataclass(frozen=True)
class Said:
    """What a person hears about what they just did."""

    ok: bool
    text: str


@dataclass(frozen=True)
class Seen:
    """What is known of an incident, and whether its workflow said so just now."""

    incident: Incident
    lines: Sequence[Entry]
    live: bool


@dataclass(frozen=True)
class Reader:
    """Who reads the page, and what their forms carry.

    Attributes:
        token: Proves them.
        nonce: Makes a form that is sent twice count once.
        act: What they just tried, when it could not be sent; `typed` is then their text.
    """

    person: str
    token: str
    nonce: str
    act: str = ""
    typed: str = ""


def show(
    seen: Seen, reader: Reader, now: datetime, said: Said | None = None, status: int = 200, into: str = ""
) -> HTMLResponse:
    """Return the page of an incident.

    Args:
        seen: The incident.
        reader: Who reads it.
        now: The wall's time.
        said: The result of what they did before.
        status: The HTTP status.
        into: The link to the incident that this one became part of.
    """
    return _html("page.html", status, **_words(seen, reader, now), said=said, into=into, reader=reader)


def apologise(status: int, title: str, text: str, todo: str = "") -> HTMLResponse:
    """Return a page that says why there is none, and what to do instead."""
    return _html("sorry.html", status, title=title, text=text, todo=todo)


def _html(template: str, status: int, **words: Any) -> HTMLResponse:
    return HTMLResponse(_TEMPLATES.get_template(template).render(css=CSS, **words), status, headers=HEADERS)


def _words(seen: Seen, reader: Reader, now: datetime) -> dict[str, Any]:
    incident = seen.incident
    person = incident.plan.person(reader.person)
    clock = _Clock(now + incident.clock_shift, find_zone(person.timezone if person else "UTC") or UTC)
    responder = incident.people.get(reader.person)
    there = responder if responder and not responder.off_at else None
    return {
        "incident": incident,
        "name": (person.name if person else "") or reader.person,
        "phase": _PHASES[incident.phase],
        "age": ago(clock.now - incident.opened_at),
        "since": clock.shown(incident.opened_at),
        "as_of": clock.shown(clock.now),
        "zone": clock.zone_name,
        "live": seen.live,
        "in_alarm": [f"{f.service} {f.metric or f.alarm} ({f.region})" for f in incident.in_alarm],
        "lead": _name(incident, incident.leader),
        "teams": [(team, _stands(row)) for team, row in incident.engagements.items()],
        "call": _web(incident.plan.tech_call.replace("{incident}", incident.id)),
        "phone": incident.plan.call_phone,
        "acknowledged": clock.shown(there.acknowledged_at) if there and there.acknowledged_at else "",
        "joined": clock.shown(there.joined_at) if there and there.joined_at else "",
        "can_act": not incident.closed_at and not incident.ended and incident.phase != Phase.ABSORBED,
        "can_write": not incident.ended and incident.phase != Phase.ABSORBED,
        "lines": [_line(entry, clock) for entry in reversed(seen.lines[-LINES:])],
    }


class _Clock:
    """Moments as the reader's own clock shows them."""

    def __init__(self, now: datetime, zone: tzinfo) -> None:
        self.now = now
        self._zone = zone
        self.zone_name = str(getattr(zone, "key", None) or "UTC")

    def shown(self, moment: datetime) -> str:
        local = moment.astimezone(self._zone)
        same_day = local.date() == self.now.astimezone(self._zone).date()
        return f"{local:%H:%M}" if same_day else f"{local:%d %b %H:%M}"


def _stands(row: Engagement) -> str:
    if row.released_at:
        return "on standby"
    if row.acknowledged_at:
        return f"{'is in' if row.joined_at else 'has it'}: {row.acknowledged_by}"
    return "nobody could be reached" if row.exhausted_at else "being paged"


def _line(entry: Entry, clock: _Clock) -> dict[str, str]:
    return {
        "at": clock.shown(entry.at),
        "iso": entry.at.isoformat(),
        "who": "" if entry.by == "allclear" else entry.by + (" (not proven)" if entry.claimed else ""),
        "what": entry.what.replace("_", " "),
        "text": entry.text if len(entry.text) <= 400 else entry.text[:399] + "…",
        "link": _web(entry.link),
    }


def _name(incident: Incident, person: str) -> str:
    found = incident.plan.person(person) if person else None
    return (found.name if found else "") or person


def _web(link: str) -> str:
    """Return a link that a page may show; `javascript:` and the like are none."""
    return link if link.startswith(("https://", "http://")) else ""
