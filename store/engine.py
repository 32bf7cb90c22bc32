"""All that is asked of the store: each method is one transaction, and may be repeated."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Executable, Integer, Select, and_, bindparam, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import InstrumentedAttribute

from model.incident import Incident, Phase
from model.matter import Entry
from store.connect import LOCK_PATIENCE, make_engine, read_url
from store.errors import in_words
from store.facts import LightCloses, MatterSummary, OutboxItem, Shown, Summary, is_incident
from store.tables import Base, EntryRow, IncidentRow, MatterEntryRow, MatterRow, OutboxRow, PlaceRow

SHORTEST_NAME: Final = 4
"""Characters at the end of an incident's id that are enough to name it (design §2)."""
OVER: Final = (Phase.ALL_CLEAR.value, Phase.ABSORBED.value)
"""Phases in which nothing of an incident is open any more."""
SETTLED: Final = ("done", "finished", "withdrawn", "reviewed", "delivered")
"""Statuses in which a matter is over, also where its process has not yet ended."""
IN_PLACE: Final = ("validated", "in_force")
"""Statuses of an action item that has done by its date what it was to do: it is not overdue (R8, R11)."""

Insert = Callable[[type[Base]], sqlite.Insert | postgresql.Insert]

_REACHES: Final = "reaches"
_KNOWN: Final = "known"
"""Parameters of a write that are no columns: how far its timeline reaches, how much of it was recorded."""

_COLUMNS: Final = [getattr(IncidentRow, name) for name in Summary.model_fields]
_MATTER_COLUMNS: Final = [getattr(MatterRow, name) for name in MatterSummary.model_fields]


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
        # Standard SQL has no insert that knows what to do about a row that is there.
        self._insert: Insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    async def close(self) -> None:
        """Close every connection; asked again, the store opens new ones."""
        await self.engine.dispose()

    async def record(self, state: Mapping[str, object], entries: Sequence[Entry]) -> None:
        """Keep an incident, or something that follows from one, as it stands, and lines of its timeline.

        Lines that are there already stay as they are. Facts that are older than those kept are left out:
        batches may arrive late, and twice.

        Args:
            state: `model.recording.Record.incident`; its id says what it is.
            entries: Any of its lines, in any order.
        """
        matter_id = str(state.get("id", ""))
        last = max((entry.seq for entry in entries), default=0)
        upto = _number(state, "next_seq", last + 1) - 1
        table, lines = _tables_of(matter_id)
        facts = Summary.model_validate(state) if table is IncidentRow else MatterSummary.of(state)
        row = {**facts.model_dump(), "state": state, "upto": upto}
        kept = {_REACHES: upto, _KNOWN: _number(state, "recorded", 0)}
        written = [{_owner_of(lines).key: facts.id, **entry.model_dump()} for entry in entries]
        put_facts, put_lines = _puts(self._insert, table, lines)
        async with self._transaction() as connection:
            await connection.execute(put_facts, {**row, **kept})
            if written:
                await connection.execute(put_lines, written)

    async def put_outbox(self, item: OutboxItem) -> bool:
        """Keep a page or message.

        Returns:
            Whether it is new; one with the same key stays as it is.
        """
        put = self._insert(OutboxRow).values(item.model_dump()).on_conflict_do_nothing()
        async with self._transaction() as connection:
            return await connection.scalar(put.returning(OutboxRow.key)) is not None

    async def put_shown(self, shown: Shown) -> None:
        """Keep where a matter is shown outside, in the place of what was known."""
        put = self._insert(PlaceRow).values(shown.model_dump())
        put = put.on_conflict_do_update(
            index_elements=["matter_id", "system"],
            set_={name: put.excluded[name] for name in ("place", "url", "upto")},
        )
        async with self._transaction() as connection:
            await connection.execute(put)

    async def forget_shown(self, matter_id: str, system: str) -> None:
        """Forget a place that is no more."""
        gone = delete(PlaceRow).where(PlaceRow.matter_id == matter_id, PlaceRow.system == system)
        async with self._transaction() as connection:
            await connection.execute(gone)

    async def shown(self, matter_id: str) -> list[Shown]:
        """Return where a matter is shown outside."""
        columns = [getattr(PlaceRow, name) for name in Shown.model_fields]
        query = select(*columns).where(PlaceRow.matter_id == matter_id).order_by(PlaceRow.system)
        async with self._transaction() as connection:
            return [Shown(**row) for row in (await connection.execute(query)).mappings()]

    async def incident(self, incident_id: str) -> Incident | None:
        """Return an incident as it was recorded last, without its timeline; None when the record has none."""
        async with self._transaction() as connection:
            state = await connection.scalar(select(IncidentRow.state).where(IncidentRow.id == incident_id))
        return Incident.model_validate(state) if state else None

    async def incidents(
        self, *, open_only: bool = False, opened_since: datetime | None = None, limit: int = 100
    ) -> list[Summary]:
        """Return incidents, the latest first.

        Args:
            open_only: Leave out those that are all clear, or became part of another.
            opened_since: Leave out those opened before.
            limit: How many at most.
        """
        query = select(*_COLUMNS)
        if open_only:
            query = query.where(IncidentRow.phase.not_in(OVER))
        if opened_since is not None:
            query = query.where(IncidentRow.opened_at >= opened_since)
        return await self._summaries(query.limit(limit))

    async def find(self, short: str) -> list[Summary]:
        """Return the incidents a person may mean, the latest first.

        Args:
            short: An id, or its last four or more characters, in any case; fewer name nothing.
        """
        wanted = short.strip().upper()
        if len(wanted) < SHORTEST_NAME or "\0" in wanted:  # PostgreSQL reads no NUL, SQLite nothing behind it
            return []
        ending = func.upper(IncidentRow.id).endswith(wanted, autoescape=True)
        return await self._summaries(select(*_COLUMNS).where(ending))

    async def timeline(self, matter_id: str) -> list[Entry]:
        """Return every line of a timeline in its order: an incident's, or that of what follows from one."""
        _, lines = _tables_of(matter_id)
        columns = [getattr(lines, name) for name in Entry.model_fields]
        query = select(*columns).where(_owner_of(lines) == matter_id).order_by(lines.seq)
        async with self._transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        # Not checked again: it was when it was written, and `What` may have lost a word since.
        return [Entry.model_construct(**row) for row in rows]

    async def matter(self, matter_id: str) -> dict[str, Any] | None:
        """Return the state of a COE, an item, a campaign … as it was recorded last; None when the record has none.

        As JSON, since each has a model of its own, which belongs to whoever asks.
        """
        async with self._transaction() as connection:
            state = await connection.scalar(select(MatterRow.state).where(MatterRow.id == matter_id))
        return dict(state) if state else None

    async def matters(
        self,
        kind: str | None = None,
        *,
        overdue_at: datetime | None = None,
        owner: str | None = None,
        team: str | None = None,
        incident: str | None = None,
        horizon: str | None = None,
        open_only: bool = True,
    ) -> list[MatterSummary]:
        """Return what follows from incidents, the earliest due first, without a date last.

        Args:
            kind: `coe`, `rca`, `action`, `campaign` or `ops_review`.
            overdue_at: Only what was due before this moment and is not in place.
            owner: Only this person's.
            team: Only this team's.
            incident: Only what comes from this incident, or weekly review.
            horizon: `short`, `mid` or `long`.
            open_only: Leave out what is over.
        """
        equals = {"kind": kind, "owner": owner, "team": team, "incident_id": incident, "horizon": horizon}
        wanted = [getattr(MatterRow, name) == value for name, value in equals.items() if value is not None]
        if open_only:
            wanted += [MatterRow.ended.is_(False), MatterRow.status.not_in(SETTLED)]
        if overdue_at is not None:
            wanted += [MatterRow.due_at < overdue_at, MatterRow.status.not_in(IN_PLACE)]
        query = select(*_MATTER_COLUMNS).where(*wanted)
        ordered = query.order_by(MatterRow.due_at.is_(None), MatterRow.due_at, MatterRow.id)
        async with self._transaction() as connection:
            return [MatterSummary(**row) for row in (await connection.execute(ordered)).mappings()]

    async def outbox(
        self, incident_id: str | None = None, *, limit: int = 1000, lane: str | None = None
    ) -> list[OutboxItem]:
        """Return the last kept pages and messages, of one incident or of all, in their order; `lane`: only those."""
        columns = [getattr(OutboxRow, name) for name in OutboxItem.model_fields]
        query = select(*columns).order_by(OutboxRow.at.desc(), OutboxRow.key.desc()).limit(limit)
        if incident_id is not None:
            query = query.where(OutboxRow.incident_id == incident_id)
        if lane is not None:
            query = query.where(OutboxRow.lane == lane)
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

    async def broken_tenets(self, since: datetime) -> dict[str, list[str]]:
        """Return the tenets broken by incidents opened since, with those incidents, oldest first (L4); no tests."""
        query = select(IncidentRow.id, IncidentRow.state["broken_tenets"]).where(
            IncidentRow.opened_at >= since, IncidentRow.test.is_(False)
        )
        async with self._transaction() as connection:
            rows = (await connection.execute(query.order_by(IncidentRow.opened_at, IncidentRow.id))).all()
        found: dict[str, list[str]] = {}
        for incident, tenets in rows:
            for tenet in tenets or []:
                found.setdefault(tenet, []).append(incident)
        return dict(sorted(found.items()))

    async def _summaries(self, query: Select[Any]) -> list[Summary]:
        latest_first = query.order_by(IncidentRow.opened_at.desc(), IncidentRow.id.desc())
        async with self._transaction() as connection:
            return [Summary(**row) for row in (await connection.execute(latest_first)).mappings()]

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        with in_words(self.engine.url):
            async with self.engine.begin() as connection:
                yield connection


def _tables_of(matter_id: str) -> tuple[type[IncidentRow | MatterRow], type[EntryRow | MatterEntryRow]]:
    """Return where a matter is kept, and where its lines are."""
    return (IncidentRow, EntryRow) if is_incident(matter_id) else (MatterRow, MatterEntryRow)


def _owner_of(lines: type[EntryRow | MatterEntryRow]) -> InstrumentedAttribute[str]:
    """Return the column that says whose a line is."""
    return MatterEntryRow.matter_id if issubclass(lines, MatterEntryRow) else EntryRow.incident_id


def _number(state: Mapping[str, object], name: str, default: int) -> int:
    value = state.get(name)
    return value if isinstance(value, int) else default


@cache
def _puts(
    insert: Insert, table: type[IncidentRow | MatterRow], lines: type[EntryRow | MatterEntryRow]
) -> tuple[Executable, Executable]:
    """Return how facts and lines are put where there may be some already: made once, a third of a write's time."""
    put = insert(table)
    names = [column.name for column in table.__table__.columns if column.name != "id"]
    put = put.on_conflict_do_update(
        index_elements=["id"], set_={name: put.excluded[name] for name in names}, where=_older_than(table)
    )
    return put, insert(lines).on_conflict_do_nothing()


def _older_than(table: type[IncidentRow | MatterRow]) -> ColumnElement[bool]:
    """Return the condition that the facts kept are no newer than a batch.

    Batches of one long timeline reach equally far; the later one knows that more is recorded.
    """
    recorded = func.coalesce(table.state["recorded"].as_integer(), 0)
    upto = bindparam(_REACHES, type_=Integer())
    return or_(table.upto < upto, and_(table.upto == upto, recorded <= bindparam(_KNOWN, type_=Integer())))
