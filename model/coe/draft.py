"""Begins a COE: what was measured is filled in, what only people know is left to its author (R1-R6).

A draft can be read by `model.coe.parser`; until it is filled in, `model.coe.check` finds only what its author owes.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from model.coe.file import FILL_IN
from model.engage.engagement import described, worst_alarm
from model.incident import Incident, Responder
from model.matter import Entry, unique
from model.text import clean, escape, one_line
from model.times import ago, iso

LONGEST_LINE: Final = 300
"""Characters of a quoted line; the record has the rest."""
MOST_LINES: Final = 40
"""Quoted lines of a kind; the record has the rest."""

_DECISIONS: Final = ("proposed", "decided", "executed", "stopped", "refused", "verification_failed", "made_big", "lead")
_OPEN_ANSWER: Final = f"{FILL_IN} yes or no, and why]"


class Milestone(NamedTuple):
    """A moment in the life of an event, and what happened at it."""

    at: datetime
    what: str


def draft(incident: Incident, team: str, subject: str, author: str, entries: Sequence[Entry]) -> str:
    """Return a COE begun for its author.

    Args:
        incident: What the incident knows.
        team: Who learns.
        subject: What it is about; may be empty.
        author: A person's id.
        entries: The incident's timeline, as far as it is recorded.

    Returns:
        Markdown in the format of `docs/coe.md`.
    """
    facts = _Facts(incident, team, sorted(entries, key=lambda entry: (entry.at, entry.seq)))
    parts = [
        _front(incident, team, subject, author),
        "## Impact\n\n" + _impact(facts),
        "## Whys\n\n" + _whys(facts),
        "## Detection\n\n" + _detection(facts),
        "## Dependencies\n\n" + _dependencies(),
        "## Lessons\n\n" + _lessons(facts),
        "## Actions\n\n" + _actions(facts),
    ]
    return "\n\n".join(parts) + "\n"


def milestones(incident: Incident, entries: Sequence[Entry]) -> list[Milestone]:
    """Return the key milestones of an event that are known, in their order (R2).

    They are: the first alarm, the first report, detected, the first page, acknowledged, joined, the first
    mitigation, mitigated, verified, closed, all clear.
    """
    pages = [(page.at, name) for name, person in incident.people.items() for page in person.pages]
    found = [
        _first("the first alarm", [(fact.since, described(fact)) for fact in incident.alarms.values()]),
        _first("the first report of a customer", [(row.at, row.source) for row in incident.reports]),
        Milestone(incident.opened_at, f"detected ({incident.detected_by})"),
        _first("the first page", pages),
        _first("acknowledged", _acts(incident, "acknowledged_at")),
        _first("joined", _acts(incident, "joined_at")),
        _first("the first mitigation", [(e.at, e.text) for e in entries if e.what == "executed"]),
        _moment(incident.mitigated_at, "mitigated: the alarms are clear"),
        _first("verified", [(e.at, e.text) for e in reversed(entries) if e.what == "verified"][:1]),
        _moment(incident.closed_at, "closed"),
        _moment(incident.all_clear_at, "all clear"),
    ]
    return sorted((it for it in found if it), key=lambda it: it.at)


def _first(what: str, moments: list[tuple[datetime, str]]) -> Milestone | None:
    if not moments:
        return None
    at, words = min(moments)
    return Milestone(at, f"{what} ({_quoted(words)})" if words else what)


def _moment(at: datetime | None, what: str) -> Milestone | None:
    return Milestone(at, what) if at else None


def _acts(incident: Incident, name: str) -> list[tuple[datetime, str]]:
    people = {person: getattr(row, name) for person, row in incident.people.items()}
    return [(at, person) for person, at in people.items() if at]


def _quoted(text: str) -> str:
    """Return words from outside on one line, so that they are neither a heading, a comment nor a link to a lesson."""
    line = one_line(clean(text))
    line = f"{line[:LONGEST_LINE]}…" if len(line) > LONGEST_LINE else line
    for mark, shown in (
        ("<!--", "‹!--"),
        ("-->", "--›"),
        ("→", "›"),
        ("->", "-›"),
        ("=>", "=›"),
        ("[fill in", "(fill in"),
    ):
        line = line.replace(mark, shown)
    return line


def _told(text: str) -> str:
    """Return words from outside as they are shown in Markdown."""
    return escape(_quoted(text))


class _Facts:
    """What the parts of a draft share: moments, durations, and the team's own way into the event."""

    def __init__(self, incident: Incident, team: str, entries: list[Entry]) -> None:
        self.incident = incident
        self.team = team
        self.entries = entries
        self.milestones = milestones(incident, entries)
        alarms = [fact.since for fact in incident.alarms.values()]
        reports = [report.at for report in incident.reports]
        self.began = min([*alarms, *reports, incident.opened_at])
        own = [row for row in incident.people.values() if any(page.team == team for page in row.pages)]
        people: list[Responder] = own or list(incident.people.values())
        self.own = bool(own)
        self.paged = min(
            (page.at for row in people for page in row.pages if not own or page.team == team), default=None
        )
        self.acknowledged = min((row.acknowledged_at for row in people if row.acknowledged_at), default=None)
        self.joined = min((row.joined_at for row in people if row.joined_at), default=None)
        self.decided = min((e.at for e in entries if e.what in ("decided", "executed")), default=None)
        self.mitigated = incident.mitigated_at

    @property
    def what(self) -> str:
        """What failed, with its figures where there are some."""
        worst = worst_alarm(self.incident)
        return _quoted(described(worst) if worst else f"'{self.incident.title or 'it'}'")

    @property
    def where(self) -> str:
        """Which services, in which regions."""
        services = ", ".join(self.incident.services) or "the service"
        regions = ", ".join(self.incident.regions)
        return _quoted(f"{services} in {regions}" if regions else services)

    @property
    def lasted(self) -> str:
        """How long it lasted, as far as it is known."""
        return ago(self.mitigated - self.began) if self.mitigated else f"{FILL_IN} how long]"

    def took(self, *spans: tuple[str, datetime | None, datetime | None]) -> str:
        """Return how long things took, those that are known: `{}` stands for the duration."""
        known = [words.format(ago(end - start)) for words, start, end in spans if start and end]
        return ", ".join(known) or "nothing was measured"


def _front(incident: Incident, team: str, subject: str, author: str) -> str:
    hit = f"yes, {_quoted(incident.customers_hit)}" if incident.customers_hit else f"{FILL_IN} yes or no]"
    lines = [
        "---",
        f"incident: {incident.id}",
        f"team: {_quoted(team)}",
        f"subject: {_quoted(subject) or f'{FILL_IN} what this is about, in one line]'}",
        f"author: {_quoted(author)}",
        f"customers_hit: {hit}",
        "---",
    ]
    return "\n".join(lines)


def _impact(facts: _Facts) -> str:
    incident = facts.incident
    start = f"On {facts.began.astimezone(UTC):%Y-%m-%d} from {_clock(facts.began)} UTC"
    end = f" to {_clock(facts.mitigated)} UTC ({facts.lasted})" if facts.mitigated else ""
    told = [
        f"{start}{end}, {escape(facts.where)} was impaired: {escape(facts.what)}. {FILL_IN} what customers saw and "
        "could not do, how many of them, in the words they would use]",
        f"{FILL_IN} how it went: what we saw first, what we thought it was, what we tried, what helped; decisions "
        "with what was known at that moment]",
        f"{FILL_IN} how it ended: how we know that customers recovered, and what is still different today]",
        *_block("What customers and teams said", _said(incident)),
        *_block("Milestones", _milestone_lines(facts)),
        *_block("Decisions, with what was known then", _decisions(facts)),
        *_block("Tenets this broke", [_told(tenet) for tenet in incident.broken_tenets]),
    ]
    return "\n\n".join(told)


def _block(title: str, lines: list[str]) -> list[str]:
    shown = lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        shown.append(f"and {len(lines) - MOST_LINES} more in the record")
    return ["\n".join([f"### {title}", "", *(f"- {line}" for line in shown)])] if lines else []


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S}"


def _milestone_lines(facts: _Facts) -> list[str]:
    """Return each milestone with the time since the one before it and since the beginning."""
    lines, before = [], facts.began
    for it in facts.milestones:
        since = f" (+{ago(it.at - before)}, {ago(it.at - facts.began)} since it began)" if it.at > facts.began else ""
        day = "" if it.at.date() == facts.began.date() else f"{it.at.astimezone(UTC):%Y-%m-%d} "
        lines.append(f"{day}{_clock(it.at)} UTC {escape(it.what)}{since}")
        before = it.at
    return lines


def _said(incident: Incident) -> list[str]:
    statements = [
        f"{_clock(s.at)} {_told(s.team)}, impacted {s.impacted}: {_told(f'{s.customers}, {s.text}'.strip(', '))}"
        for s in incident.statements
        if s.impacted != "no"
    ]
    reports = [
        f"{_clock(r.at)} {r.count} by {_told(r.source)}: {_told(f'{r.text} {r.link}'.strip())}"
        for r in incident.reports
    ]
    return statements + reports


def _decisions(facts: _Facts) -> list[str]:
    taken = [entry for entry in facts.entries if entry.what in _DECISIONS]
    return [f"{_clock(e.at)} {_told(e.by)}, {e.what.replace('_', ' ')}: {_told(e.text)}" for e in taken]


def _whys(facts: _Facts) -> str:
    incident = facts.incident
    suspicion = f" ({_quoted(incident.suspicion)})" if incident.suspicion else ""
    by = incident.detected_by.replace("_", " ")
    ask = facts.took(
        ("{} until it was detected", facts.began, incident.opened_at),
        ("{} from then until somebody acknowledged", incident.opened_at, facts.acknowledged),
        ("{} from then until it was mitigated", facts.acknowledged, facts.mitigated),
    )
    asked = {
        f"What triggered {facts.what} at {_clock(facts.began)}?{suspicion}": "what set it off, with its data]",
        f"What should have caught it before {_clock(incident.opened_at)}, when it was detected by {by}?": (
            "the test, review, health check or canary that did not]"
        ),
        f"Why did it last so long: {ask}?": "what the longest part was spent on]",
        f"Why so much: {_reach(incident)}?": "what let it spread this far, and which figures do not add up]",
    }
    lines = [f"- ? Why did {facts.what} hit {facts.where} for {facts.lasted}?"]
    for question, finding in asked.items():
        lines += [f"  - ? {question}", f"    - ! {FILL_IN} {finding}"]
    note = "Follow each branch until something we can change; end it with '- → L1', or with '- = why it stops here'."
    return "\n".join([*lines, "", f"<!-- {note} -->"])


def _reach(incident: Incident) -> str:
    counts = {
        "service": len(incident.services),
        "region": len(incident.regions),
        "team": len(incident.engagements),
        "customer report": sum(report.count for report in incident.reports),
    }
    return ", ".join(
        f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts.items() if n or name != "customer report"
    )


def _detection(facts: _Facts) -> str:
    incident = facts.incident
    reports = [report.at for report in incident.reports]
    first_report = f"; the first customer report came at {_clock(min(reports))}" if reports else ""
    team = _quoted(facts.team).replace("{", "(").replace("}", ")") if facts.own else "somebody"
    times = facts.took(
        (f"{team} was paged {{}} after detection", incident.opened_at, facts.paged),
        ("acknowledged after {}", facts.paged, facts.acknowledged),
        ("joined after {}", facts.paged, facts.joined),
        ("first decision after {}", facts.paged, facts.decided),
        ("mitigated after {}", facts.paged, facts.mitigated),
    )
    return "\n".join(
        [
            f"- fast-enough: {_OPEN_ANSWER} (detected {ago(incident.opened_at - facts.began)} after the first "
            f"sign, by {incident.detected_by}{first_report})",
            f"- response-time: {_OPEN_ANSWER} ({times})",
            f"- metrics-true: {_OPEN_ANSWER} (customers hit, as far as we knew: "
            f"{_quoted(incident.customers_hit) or 'no sign of it'})",
            f"- similar-patterns: {_OPEN_ANSWER}",
            "",
            "<!-- A 'no' names the action it makes, for example: no, 12 min until the first page → A2 -->",
        ]
    )


def _dependencies() -> str:
    example = (
        "- name: object storage; promised: 99.9 % a month; kept: no, 50 min; our-use: every page load waits for it; "
        "failure-mode: expected; smaller-blast-radius: show the page without pictures (L2)"
    )
    return f"- name: {FILL_IN} what we depended on, one item each, or replace this item by: none]; " + (
        f"kept: {FILL_IN} yes or no]; failure-mode: {FILL_IN} expected, plannable or new]\n\n<!-- {example} -->"
    )


def _lessons(facts: _Facts) -> str:
    noted = [note for note in facts.incident.notes if note.team == facts.team]
    lines = [
        f"- L1: {FILL_IN} what was not known before, from a branch of the whys]",
        "",
        "<!-- - L2: A health check must use what requests use. -->",
        *_comments("Noted during the event", (f"{iso(note.at)} {note.by}: {note.text}" for note in noted)),
    ]
    return "\n".join(lines)


def _comments(title: str, texts: Iterator[str]) -> list[str]:
    shown = [_quoted(text) for text in texts][:MOST_LINES]
    return ["", f"<!-- {title}:", *(f"- {text}" for text in unique(shown)), "-->"] if shown else []


def _actions(facts: _Facts) -> str:
    title = f"{FILL_IN} what is done] — {FILL_IN} its goal] — {FILL_IN} the same conditions under which it is tried]"
    example = (
        "- A2 (L2, mid, ana, 2026-04-01, promised): Health check reads the disk — no host stays in the fleet that "
        "cannot serve — fail a disk in staging, the host is out within a minute"
    )
    return f"- A1 (L1, mid): {title}\n\n<!-- {example} -->"
