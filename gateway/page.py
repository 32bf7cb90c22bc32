"""The phone page's words: what an incident's state looks like to one person."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.elsewhere import Other
from model.coordinate.waiting import Waiting, waiting_for
from model.engage.engagement import teams_of
from model.incident import Engagement, Incident, Phase
from model.matter import Entry, unique
from model.text import one_line
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
POLICY: Final = "Content-Security-Policy"
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
HEADERS: Final = {
    # Nothing from elsewhere, no script at all, and our one style sheet by its hash.
    POLICY: (
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
    """What a person hears about what they just did.

    Attributes:
        link: The call they wanted to join, where that could not be taken in.
    """

    ok: bool
    text: str
    link: str = ""


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
        act: What they just tried, when it could not be sent.
        typed: The fields of that form.
    """

    person: str
    token: str
    nonce: str
    act: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Offered:
    """A call that the reader may join: its name, its link, and the link as a form carries it."""

    name: str
    link: str
    sealed: str


@dataclass(frozen=True)
class Around:
    """What a page leads to.

    Attributes:
        into: The link to the incident that this one became part of.
        calls: The one that the reader is wanted on first.
        pages: What waits for them in other incidents, each with its link.
        missing: Why there may be more of these.
    """

    into: str = ""
    calls: Sequence[Offered] = ()
    pages: Sequence[tuple[Other, str]] = ()
    missing: str = ""


def show(
    seen: Seen,
    reader: Reader,
    now: datetime,
    around: Around | None = None,
    said: Said | None = None,
    status: int = 200,
    to_call: bool = False,
) -> HTMLResponse:
    """Return the page of an incident.

    Args:
        seen: The incident.
        reader: Who reads it.
        now: The wall's time.
        around: What it leads to.
        said: The result of what they did before.
        status: The HTTP status.
        to_call: They come for the call: its button, which joins, is on top. Looking alone joins nobody.
    """
    around = around or Around()
    words = _words(seen, reader, now, around)
    # Chromium asks `form-action` at every hop of a redirect, and a call's address leads to others: a sign-in, a host
    # nearby. Which ones is not known here, so their scheme is named.
    schemes = unique(call.link.partition("//")[0] for call in words["calls"])
    to_call = to_call and bool(words["calls"])
    return _html("page.html", status, schemes, **words, said=said, reader=reader, to_call=to_call)


def apologise(status: int, title: str, text: str, todo: str = "", call: str = "") -> HTMLResponse:
    """Return a page that says why there is none, and what to do instead; `call` is the call they wanted to join."""
    return _html("sorry.html", status, title=title, text=text, todo=todo, call=call)


def _html(template: str, status: int, schemes: Sequence[str] = (), **words: Any) -> HTMLResponse:
    headers = {**HEADERS}
    if schemes:
        headers[POLICY] = HEADERS[POLICY].replace("form-action 'self'", f"form-action 'self' {' '.join(schemes)}")
    return HTMLResponse(_TEMPLATES.get_template(template).render(css=CSS, **words), status, headers=headers)


def _words(seen: Seen, reader: Reader, now: datetime, around: Around) -> dict[str, Any]:
    incident = seen.incident
    person = incident.plan.person(reader.person)
    clock = _Clock(now + incident.clock_shift, find_zone(person.timezone if person else "UTC") or UTC)
    responder = incident.people.get(reader.person)
    there = responder if responder and not responder.off_at else None
    can_act = not incident.closed_at and not incident.ended and incident.phase != Phase.ABSORBED
    waiting = [_card(one, clock) for one in waiting_for(incident, reader.person, clock.now)]
    return {
        "incident": incident,
        "name": (person.name if person else "") or reader.person,
        "phase": _PHASES[incident.phase],
        "age": ago(clock.now - incident.opened_at),
        "since": clock.shown(incident.opened_at),
        "as_of": clock.shown(clock.now),
        "zone": clock.zone_name,
        "live": seen.live,
        "unsent": _unsent(reader),
        "waiting": waiting,
        "paged": any(card["kind"] == "page" for card in waiting),
        "expected": any(card["kind"] == "join" for card in waiting),
        "asked": [card["team"] for card in waiting if card["kind"] == "statement"],
        "mine": teams_of(incident, person) if person else [],
        "others": [_other(page, link, clock) for page, link in around.pages],
        "missing": around.missing,
        "into": around.into,
        "in_alarm": [f"{f.service} {f.metric or f.alarm} ({f.region})" for f in incident.in_alarm],
        "lead": _name(incident, incident.leader),
        "teams": [(team, _stands(row)) for team, row in incident.engagements.items()],
        "calls": [call for call in around.calls if _web(call.link)] if can_act else [],
        "phone": incident.plan.call_phone,
        "acknowledged": clock.shown(there.acknowledged_at) if there and there.acknowledged_at else "",
        "joined": clock.shown(there.joined_at) if there and there.joined_at else "",
        "can_act": can_act,
        "can_write": not incident.ended and incident.phase != Phase.ABSORBED,
        "lines": [_line(entry, clock) for entry in reversed(seen.lines[-LINES:])],
    }


_BY: Final = {
    "draft": "goes at {} unless you hold it",
    "decide": "expires at {}",
    "decide_all": "expires at {}",
    "join": "you are paged again at {}",
    "statement": "owed by {}",
    "recovery": "counts as mitigated at {}",
    "shift": "who follows is called at {}",
}
"""What happens when nobody answers."""
_LATE: Final = {"statement": "owed since {}", "join": "expected since {}"}
"""The same, when that time is over."""


def _card(one: Waiting, clock: "_Clock") -> dict[str, Any]:
    words = (_BY if one.by is None or one.by > clock.now else _LATE).get(one.kind, "")
    return {
        **one.model_dump(),
        "what": one.what,
        "since": clock.shown(one.since),
        "by": words.format(clock.shown(one.by)) if one.by else "",
    }


def _other(page: Other, link: str, clock: "_Clock") -> dict[str, Any]:
    return {
        "incident": page.incident,
        "severity": page.severity,
        "title": page.title or page.incident,
        "since": clock.shown(page.since),
        "link": link,
    }


_WORDS: Final = {
    "text": "Your words",
    "reason": "Your reason",
    "customers": "What customers see",
    "source": "Who or what sees it",
}
"""Fields that a person writes, and what they are called."""
_UNSENT: Final = {
    "acknowledge": "that you take it",
    "join": "that you are in",
    "release": "that it is not you",
    "observe": "your note",
    "state_impact": "whether {team} is impacted: {impacted}",
    "decide": "{verdict} {proposal}",
    "notify": "{verdict} message {draft}",
    "confirm_recovery": "whether it works again: {recovered}",
    "close": "that it is over",
    "hand_off": "what is open for {team}",
}


def _unsent(reader: Reader) -> dict[str, Any] | None:
    """Return the form that could not be sent, to be sent once more as it was, or changed."""
    if not reader.act:
        return None
    blank = {"team": "your team", "impacted": "", "verdict": "", "proposal": "all", "draft": "", "recovered": ""}
    return {
        "what": one_line(_UNSENT[reader.act].format_map({**blank, **reader.typed})),
        "words": [(name, label, reader.typed[name]) for name, label in _WORDS.items() if name in reader.typed],
        "fields": [(name, value) for name, value in reader.typed.items() if name not in _WORDS],
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
