"""A fresh store, and incidents to put into it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from model import recording
from model.incident import AlarmFact, Incident
from model.matter import Matter
from model.recording import Record
from store import Store, open_store
from store.migrate import upgrade

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ID = "INC-20260302-7F3A"


def later(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def incident(id: str = ID, *, opened_at: datetime = NINE, **facts: Any) -> Incident:
    known = {"title": "calls fail", "services": ["checkout-api"], "regions": ["eu-west"], **facts}
    return Incident(id=id, opened_at=opened_at, **known)


def with_alarm(it: Incident, alarm: str, service: str = "checkout-api", region: str = "eu-west") -> Incident:
    fact = AlarmFact(alarm=alarm, service=service, region=region, since=NINE)
    it.alarms[fact.key] = fact
    return it


def next_batch(it: Matter) -> Record:
    """Take the next batch, as if the record had already confirmed the one before."""
    batch = recording.batch(it)
    it.recorded = max([it.recorded, *(entry.seq for entry in batch.entries)])
    return batch


async def put(store: Store, *incidents: Incident) -> None:
    for it in incidents:
        batch = recording.batch(it)
        await store.record(batch.incident, batch.entries)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = open_store(url)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def fresh(folder: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{folder}/allclear.db"
    upgrade(url)
    async with opened(url) as store:
        yield store
