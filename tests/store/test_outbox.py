"""The outbox keeps each page and message once, whatever the record knows."""

import asyncio

from store import OutboxItem, Store
from tests.store.samples import ID, later


def item(key: str, minutes: float = 0, incident: str = ID) -> OutboxItem:
    return OutboxItem(key=key, incident_id=incident, lane="page", at=later(minutes), text="SEV2", to=["checkout"])


async def test_a_page_is_kept_before_the_record_knows_the_incident(store: Store) -> None:
    assert await store.put_outbox(item("a")) is True
    assert await store.incident(ID) is None
    assert await store.outbox() == [item("a")]


async def test_the_same_key_again_is_the_same_page(store: Store) -> None:
    assert await store.put_outbox(item("a")) is True
    assert await store.put_outbox(item("a", minutes=5)) is False
    assert await store.outbox() == [item("a")]


async def test_of_two_attempts_at_once_one_is_new(store: Store) -> None:
    attempts = await asyncio.gather(*(store.put_outbox(item("a")) for _ in range(5)))
    assert sorted(attempts) == [False, False, False, False, True]


async def test_the_outbox_is_read_in_order_of_one_incident_or_all(store: Store) -> None:
    other = "INC-20260302-9KQX"
    for it in (item("c", 3), item("a", 1), item("b", 2, other)):
        await store.put_outbox(it)
    assert [it.key for it in await store.outbox()] == ["a", "b", "c"]
    assert [it.key for it in await store.outbox(ID)] == ["a", "c"]
    assert [it.key for it in await store.outbox(other)] == ["b"]
    assert [it.key for it in await store.outbox(limit=2)] == ["b", "c"]
