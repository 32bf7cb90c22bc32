"""The weekly review from the record: one set of tables, as Markdown and as a page that needs nothing else (L1, L4)."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from activities import Failed
from activities.documents import Reviews
from link import catalog as live
from model.learn.campaign import Campaign, percent
from model.learn.ops_review import Gathered, Week
from model.text import clean, escape
from model.times import ago
from store import LightCloses, MatterSummary, Store, StoreError, Summary

MOST_ROWS: Final = 200
"""Rows of one table; a meeting talks about fewer, and the command line has them all."""
SOON: Final = timedelta(days=7)
"""COEs due before the next review are named in this one."""


@dataclass
class Row:
    """Cells of one row; `loud` ones are to be talked about first."""

    cells: list[str]
    loud: bool = False


@dataclass
class Section:
    """One table, or the words that stand for an empty one."""

    title: str
    heads: list[str]
    none: str
    rows: list[Row] = field(default_factory=list)
    more: int = 0


class FiledReviews(Reviews):
    """Asks the store, and keeps the documents in a folder."""

    def __init__(self, store: Store, folder: Path) -> None:
        """Take the record, and where the documents go."""
        self._store = store
        self._folder = folder.absolute()

    async def gather(self, week: Week) -> Gathered:
        """Gather a week; the same week again makes the same documents anew.

        Raises:
            Failed: The store did not answer, or the disk did not take it.
        """
        try:
            sections, counts = await self._sections(week)
        except StoreError as error:
            raise Failed(str(error)) from error
        texts = {
            self._folder / f"ops-review-{week.date}.{kind}": render(kind, week, sections) for kind in ("html", "md")
        }
        try:
            await asyncio.to_thread(_put, texts)
        except OSError as error:
            raise Failed(f"the review cannot be written: {error.strerror}") from error
        return Gathered(counts=counts, files=[str(path) for path in texts])

    async def _sections(self, week: Week) -> tuple[list[Section], dict[str, int]]:
        store, now = self._store, week.until
        incidents = [it for it in await store.incidents(opened_since=week.since, limit=1000) if not it.test]
        tenets = await store.broken_tenets(week.since)
        coes = _real(await store.matters("coe"))
        overdue = _real(await store.matters("action", overdue_at=now))
        every = _real(await store.matters("action", open_only=False))
        proven = [it for it in every if it.validated_at and week.since <= it.validated_at <= now]
        campaigns = [await self._campaign(it) for it in _real(await store.matters("campaign"))]
        closes = await store.light_closes(week.since)
        told = [it for it in coes if it.status in ("submitted", "returned") or _due_before(it, now + SOON)]
        counts = {
            "incidents": len(incidents),
            "tenets broken": len(tenets),
            "COEs to review": sum(it.status == "submitted" for it in coes),
            "COEs overdue": sum(_due_before(it, now) and it.status != "submitted" for it in coes),
            "action items overdue": len(overdue),
            "promises overdue": sum(it.promised for it in overdue),
            "campaigns stalled": sum(it.status == "stalled" for it in campaigns),
        }
        return [
            _incidents(incidents),
            _tenets(tenets),
            _coes(told, now),
            _overdue(overdue, now),
            _campaigns(campaigns, now),
            _closes(closes),
            _proven(proven),
        ], counts

    async def _campaign(self, summary: MatterSummary) -> Campaign:
        state = await self._store.matter(summary.id)
        return Campaign.model_validate(state)


def _real(matters: Iterable[MatterSummary]) -> list[MatterSummary]:
    return [it for it in matters if not it.test]


def _due_before(it: MatterSummary, moment: datetime) -> bool:
    return it.due_at is not None and it.due_at < moment


def _section(title: str, heads: Sequence[str], none: str, rows: Sequence[Row]) -> Section:
    loud_first = sorted(rows, key=lambda row: not row.loud)
    return Section(title, list(heads), none, loud_first[:MOST_ROWS], max(len(rows) - MOST_ROWS, 0))


def _incidents(found: Sequence[Summary]) -> Section:
    rows = [
        Row(
            [
                it.id,
                f"SEV{it.severity}",
                it.phase.replace("_", " "),
                it.title,
                ", ".join(it.services),
                _day(it.opened_at),
                ago(it.mitigated_at - it.opened_at) if it.mitigated_at else "not yet",
            ],
            it.severity == 1,
        )
        for it in found
        if not it.absorbed_into
    ]
    heads = ("incident", "", "phase", "what", "services", "opened", "mitigated after")
    return _section("Incidents of the week", heads, "No incident was opened this week.", rows)


def _tenets(broken: dict[str, list[str]]) -> Section:
    catalog = live.live()
    texts = {tenet.id: tenet.text for tenet in catalog.tenets} if catalog else {}
    rows = [Row([tenet, texts.get(tenet, ""), ", ".join(where)], True) for tenet, where in broken.items()]
    return _section("Tenets that were broken", ("tenet", "", "by"), "No tenet was broken.", rows)


def _coes(found: Sequence[MatterSummary], now: datetime) -> Section:
    rows = []
    for it in found:
        said, late = it.status, it.due_at is not None and it.due_at < now
        if it.status == "submitted":
            said = "waits for its review"
        elif it.status == "returned":
            said = "returned, to be mended"
        elif it.due_at:
            said = f"overdue for {ago(now - it.due_at)}" if late else f"due in {ago(it.due_at - now)}"
        rows.append(Row([it.title, it.team, it.owner, said, _day(it.due_at), it.id], late or it.status == "submitted"))
    heads = ("COE", "team", "author", "how it stands", "due", "id")
    return _section("Post-mortems (COEs)", heads, "No COE waits, is overdue or due within a week.", rows)


def _overdue(found: Sequence[MatterSummary], now: datetime) -> Section:
    rows = [
        Row(
            [
                it.title,
                it.owner,
                it.team,
                it.horizon,
                it.status.replace("_", " "),
                ago(now - it.due_at) if it.due_at else "",
                _day(it.promised_due_at) if it.promised else "",
                it.id,
            ],
            it.promised,
        )
        for it in found
    ]
    heads = ("action", "owner", "team", "horizon", "status", "overdue for", "promised for", "id")
    return _section("Action items overdue", heads, "No action item is overdue.", rows)


def _campaigns(found: Sequence[Campaign], now: datetime) -> Section:
    rows = []
    for it in found:
        latest = it.latest
        to_go = f"{percent(latest.value)} ({percent(it.of_start(latest.value))} of the start)" if latest else "unknown"
        said = f"stalls for {ago(now - it.stalled_at)}" if it.stalled_at else it.status
        if it.due_at < now:
            said = f"{said}, overdue for {ago(now - it.due_at)}"
        loud = it.stalled_at is not None or it.due_at < now
        rows.append(Row([it.title, it.owner, it.rung, to_go, percent(it.target), _day(it.due_at), said], loud))
    heads = ("campaign", "owner", "rung", "still to go", "target", "due", "how it stands")
    return _section("Campaigns", heads, "No campaign is under way.", rows)


def _closes(found: Sequence[LightCloses]) -> Section:
    rows = [
        Row(
            [
                it.alarm,
                it.service,
                str(it.closes),
                ", ".join(f"{reason.replace('_', ' ')} {number}" for reason, number in sorted(it.reasons.items())),
            ],
            it.closes > 1,
        )
        for it in found
    ]
    heads = ("alarm", "service", "times", "why")
    return _section("Alarms that were closed without work", heads, "None.", rows)


def _proven(found: Sequence[MatterSummary]) -> Section:
    rows = [Row([it.title, it.owner, it.team, it.horizon, _day(it.validated_at), it.id]) for it in found]
    heads = ("action", "owner", "team", "horizon", "validated", "id")
    return _section("Tried against the failure, and proven", heads, "Nothing was validated this week.", rows)


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else ""


# --- writing it ------------------------------------------------------------------------------------------


def render(kind: str, week: Week, sections: Sequence[Section]) -> str:
    """Return the review as `md` or `html`."""
    template = _TEMPLATES.get_template(f"ops_review.{kind}.j2")
    return template.render(week=week, sections=sections, since=_day(week.since), until=_day(week.until))


def _put(texts: dict[Path, str]) -> None:
    """Put each text in the place of an older one in one step: a reader sees either, never half of one."""
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            draft.write_text(text, encoding="utf-8")
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def _cell(value: Any) -> str:
    # An ampersand could begin an entity: "&lt;" would be shown as "<".
    return escape(clean(str(value))).replace("&", r"\&")


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    return environment


_TEMPLATES: Final = _templates()
