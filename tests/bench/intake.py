"""How many alarms a second a partition takes in."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from temporalio.common import WorkflowIDConflictPolicy

from link.starting import signal_detection
from tests.bench.bare import QUEUE, Sink
from tests.bench.house import CALM, PARTITION, House, alarm, at_rest, house, organisation, service
from tests.bench.scale import Scale
from tests.bench.table import Figure, Row, p50

SENDERS = 20
"""Signals on their way at once."""
CHANGING = 20
"""Alarms that change, each of a service whose incident is open."""
PATIENCE = 120.0


async def measure(scale: Scale) -> Figure:
    """Send floors, repeats and real changes in turns."""
    bare: list[float] = []
    repeats: list[float] = []
    changes: list[float] = []
    decided: list[float] = []
    async with house(organisation(CHANGING, CHANGING), CALM) as it:
        pages = [it.pager.expected(service(n)) for n in range(CHANGING)]
        for n in range(CHANGING):
            await _alarm(it, n, "ALARM")
        await asyncio.wait_for(asyncio.gather(*pages), PATIENCE)
        await at_rest(it.client.get_workflow_handle(f"detection/{PARTITION}"))
        for _ in range(scale.rounds):
            bare.append(await _rate(scale.signals, lambda k: _bare(it)))
            repeats.append(await _rate(scale.signals, lambda k: _alarm(it, k % CHANGING, "ALARM")))
            await _drained(it)
            began = time.perf_counter()
            changes.append(await _rate(scale.changes, lambda k: _change(it, k)))
            await _drained(it)
            decided.append(scale.changes / (time.perf_counter() - began))
    floor = p50(bare)
    rows = [
        Row("repeats accepted", p50(repeats), "/s", floor),
        Row("changes accepted", p50(changes), "/s", floor),
        Row("changes decided, and their incidents told", p50(decided), "/s", floor),
    ]
    notes = [
        f"{scale.rounds} × {scale.signals} repeats and {scale.changes} changes (ALARM and OK in turns, of "
        f"{CHANGING} alarms with open incidents), {SENDERS} at once; median; floor: signal-with-start onto "
        "one workflow that counts"
    ]
    return Figure(rows, notes)


async def _rate(count: int, send: Callable[[int], Awaitable[None]]) -> float:
    """Return how many a second were accepted; each sender sends every `SENDERS`-th, in order."""

    async def sender(first: int) -> None:
        for k in range(first, count, SENDERS):
            await send(k)

    began = time.perf_counter()
    await asyncio.gather(*(sender(first) for first in range(SENDERS)))
    return count / (time.perf_counter() - began)


async def _bare(it: House) -> None:
    await it.client.start_workflow(
        Sink.run,
        id="sink",
        task_queue=QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal="alarm",
        start_signal_args=[alarm(0)],
    )


async def _alarm(it: House, n: int, state: str) -> None:
    await signal_detection(it.client, PARTITION, "alarm", alarm(n, state))


async def _change(it: House, k: int) -> None:
    """Turn an alarm; a turn of the intake has an even number for each, so that it ends as it began."""
    await _alarm(it, k % CHANGING, "OK" if k // CHANGING % 2 == 0 else "ALARM")


async def _drained(it: House) -> None:
    """Return when `Detection` has decided about everything, and told it."""
    handle = it.client.get_workflow_handle(f"detection/{PARTITION}")
    async with asyncio.timeout(PATIENCE):
        while True:
            state = await handle.query("snapshot")
            if not state["inbox"] and not state["owed"]:
                return
            await asyncio.sleep(0.02)
