"""All that is asked of the store: each method is one transaction, and may be repeated."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from model.incident import Incident, Phase
from model.matter import Entry
from store.connect import LOCK_PATIENCE, make_engine, read_url
from store.errors import in_words
from store.facts import LightCloses, OutboxItem, Summary
from store.tables import Base, EntryRow, IncidentRow, OutboxRow

SHORTEST_NAME: Final = 4
"""Characters at the end of an incident's id that are enough to name it (design §2)."""
OVER: Final = (Phase.ALL_CLEAR.value, Phase.ABSORBED.value)
"""Phases in which nothing of an incident is open any more."""

_COLUMNS: Final = [getattr(IncidentRow, name) for name in Summary.model_fields]


def open_store(address: str, *, lock_patience: timedelta = LOCK_PATIENCE) -> "Store":
    """Open the store; nothing is connected before it is needed.

    Args:
        address: `sqlite:///path` or `postgresql://…`.
        lock_patience: How long SQLite waits for another writer.

    Raises:
        StoreError: The URL cannot be used, or the folder cannot be made.
    """
    return Store(make_engine(read_url(address), lock_patience=lock_patience))


class Store:
    """What is kept for ever. Every method raises `StoreError` when the database does not do it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    async def close(self) -> None:
        """Close every connection; asked again, the store opens new ones."""
        await self.engine.dispose()

    async def record(self, incident: Mapping[str, object], entries: Sequence[Entry]) -> None:
        """Keep an incident as it stands, and lines of its timeline.

        Lines that are there already stay as they are. Facts that are older than those kept are left out:
        batches may arrive late, and twice.

        Args:
            incident: `model.course.Record.incident`.
            entries: Any of its lines, in any order.
        """
        facts = Summary.model_validate(incident)
        last = max((entry.seq for entry in entries), default=0)
        upto = _number(incident, "next_seq", last + 1) - 1
        row: dict[str, object] = {**facts.model_dump(), "state": incident, "upto": upto}
        lines = [{"incident_id": facts.id, **entry.model_dump()} for entry in entries]
        put = self._insert(IncidentRow).values(row)
        put = put.on_conflict_do_update(
            index_elements=["id"],
            set_={name: put.excluded[name] for name in row if name != "id"},
            where=_older_than(upto, _number(incident, "recorded", 0)),
        )
        async with self._transaction() as connection:
            await connection.execute(put)
            if lines:
                await connection.execute(self._insert(EntryRow).on_conflict_do_nothing(), lines)

    async def put_outbox(self, item: OutboxItem) -> bool:
        """Keep a page or message.

        Returns:
            Whether it is new; one with the same key stays as it is.
        """
        put = self._insert(OutboxRow).values(item.model_dump()).on_conflict_do_nothing()
        async with self._transaction() as connection:
            return await connection.scalar(put.returning(OutboxRow.key)) is not None

    async def incident(self, incident_id: str) -> Incident | None:
        """Return an incident as it was recorded last, without its timeline; None when the record has none."""
        async with self._transaction() as connection:
            state = await connection.scalar(select(IncidentRow.state).where(IncidentRow.id == incident_id))
        return Incident.model_validate(state) if state else None

    async def incidents(self, *, open_only: bool = False, limit: int = 100) -> list[Summary]:
        """Return incidents, the latest first.

        Args:
            open_only: Leave out those that are all clear, or became part of another.
            limit: How many at most.
        """
        query = select(*_COLUMNS)
        if open_only:
            query = query.where(IncidentRow.phase.not_in(OVER))
        return await self._summaries(query.limit(limit))

    async def find(self, short: str) -> list[Summary]:
        """Return the incidents a person may mean, the latest first.

        Args:
            short: An id, or its last four or more characters, in any case; fewer name nothing.
        """
        wanted = short.strip().upper()
        if len(wanted) < SHORTEST_NAME:
            return []
        ending = func.upper(IncidentRow.id).endswith(wanted, autoescape=True)
        return await self._summaries(select(*_COLUMNS).where(ending))

    async def timeline(self, incident_id: str) -> list[Entry]:
        """Return every line of an incident's timeline, in its order."""
        columns = [getattr(EntryRow, name) for name in Entry.model_fields]
        query = select(*columns).where(EntryRow.incident_id == incident_id).order_by(EntryRow.seq)
        async with self._transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        # Not checked again: it was when it was written, and `What` may have lost a word since.
        return [Entry.model_construct(**row) for row in rows]

    async def outbox(self, incident_id: str | None = None, *, limit: int = 1000) -> list[OutboxItem]:
        """Return the last kept pages and messages, of one incident or of all, in their order."""
        columns = [getattr(OutboxRow, name) for name in OutboxItem.model_fields]
        query = select(*columns).order_by(OutboxRow.at.desc(), OutboxRow.key.desc()).limit(limit)
        if incident_id is not None:
            query = query.where(OutboxRow.incident_id == incident_id)
        async with self._transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [OutboxItem(**row) for row in reversed(rows)]

    async def light_closes(self, since: datetime) -> list[LightCloses]:
        """Count the incidents left the light way (X0) per alarm, most frequent first; tests do not count."""
        query = select(IncidentRow.close_reason, IncidentRow.state["alarms"]).where(
            IncidentRow.closed_at >= since, IncidentRow.close_reason != "", IncidentRow.test.is_(False)
        )
        async with self._transaction() as connection:
            rows = (await connection.execute(query)).all()
        counts: dict[tuple[str, str], LightCloses] = {}
        for reason, alarms in rows:
            for service, alarm in {(fact["service"], fact["alarm"]) for fact in (alarms or {}).values()}:
                count = counts.setdefault((service, alarm), LightCloses(alarm=alarm, service=service))
                count.closes += 1
                count.reasons[reason] = count.reasons.get(reason, 0) + 1
        return sorted(counts.values(), key=lambda count: (-count.closes, count.service, count.alarm))

    async def _summaries(self, query: Select[Any]) -> list[Summary]:
        latest_first = query.order_by(IncidentRow.opened_at.desc(), IncidentRow.id.desc())
        async with self._transaction() as connection:
            return [Summary(**row) for row in (await connection.execute(latest_first)).mappings()]

    def _insert(self, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
        """Return an insert that knows what to do about a row that is there; standard SQL has none."""
        if self.engine.dialect.name == "postgresql":
            return postgresql.insert(table)
        return sqlite.insert(table)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        with in_words(self.engine.url):
            async with self.engine.begin() as connection:
                yield connection


def _number(incident: Mapping[str, object], name: str, default: int) -> int:
    value = incident.get(name)
    return value if isinstance(value, int) else default


def _older_than(upto: int, recorded: int) -> ColumnElement[bool]:
    """Return the condition that the facts kept are no newer than a batch.

    Batches of one long timeline reach equally far; the later one knows that more is recorded.
    """
    known = func.coalesce(IncidentRow.state["recorded"].as_integer(), 0)
    return or_(IncidentRow.upto < upto, and_(IncidentRow.upto == upto, known <= recorded))
