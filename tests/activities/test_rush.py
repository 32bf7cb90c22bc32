"""While many pages go out, the record waits; never for ever, and never when it is quiet."""

import asyncio
import time

import pytest

from activities import rush
from activities.rush import MANY, Rush


async def waited(busy: Rush) -> float:
    began = time.monotonic()
    await busy.over()
    return time.monotonic() - began


async def test_a_page_now_and_then_lets_nothing_wait():
    busy = Rush()
    for _ in range(MANY - 1):
        busy.page()
    assert await waited(busy) < rush.LOOK


async def test_in_a_storm_the_record_waits_until_the_pages_are_out():
    busy = Rush()
    for _ in range(20):
        busy.page()
    assert rush.WITHIN / 2 < await waited(busy) < rush.PATIENCE


async def test_a_storm_without_end_does_not_stop_the_record(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rush, "PATIENCE", 0.5)
    busy = Rush()

    async def pages() -> None:
        while True:
            busy.page()
            await asyncio.sleep(0.01)

    storm = asyncio.create_task(pages())
    await asyncio.sleep(0.2)
    assert 0.3 < await waited(busy) < 5
    storm.cancel()
