"""The record takes what an incident's workflow hands it, and says why when it cannot."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities import Failed
from activities.record.sql import SqlRecorder
from model.recording import BATCH
from store import Store
from tests.store.samples import ID, NINE, fresh, incident, later, next_batch, opened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with fresh(tmp_path) as it:
        yield it


async def test_an_incident_is_recorded_batch_by_batch(store: Store) -> None:
    it = incident()
    for number in range(2 * BATCH + 50):
        it.say("observed", f"line {number}", now=later(number))
    recorder = SqlRecorder(store)
    batches = [next_batch(it) for _ in range(3)]
    assert [len(batch.entries) for batch in batches] == [BATCH, BATCH, 50]
    for batch in batches:
        await recorder.record(batch)
    assert await store.timeline(ID) == it.timeline


async def test_batches_may_come_twice_and_in_any_order(store: Store) -> None:
    it = incident()
    recorder = SqlRecorder(store)
    batches = []
    for number, leader in enumerate(["", "ana", "kim"]):
        it.leader = leader
        it.say("lead", f"{leader} leads", now=later(number))
        batches.append(next_batch(it))
    for batch in [batches[2], batches[0], batches[1], *batches]:
        await recorder.record(batch)
        kept = await store.incident(ID)
        assert kept is not None
        assert kept.leader == "kim", "what was newest when it came first stays newest"
    assert await store.timeline(ID) == it.timeline


async def test_a_store_in_trouble_is_a_reason_of_one_line_and_worth_another_try(tmp_path: Path) -> None:
    it = incident()
    it.say("opened", "SEV3", now=NINE)
    async with opened(f"sqlite:///{tmp_path}/allclear.db") as nothing_migrated:
        with pytest.raises(Failed) as caught:
            await SqlRecorder(nothing_migrated).record(next_batch(it))
    assert caught.value.again
    assert "run `allclear migrate`" in caught.value.reason
    assert str(tmp_path) not in caught.value.reason, "the reason is read by others than those who run the machine"
