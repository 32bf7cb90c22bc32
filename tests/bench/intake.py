"""How many alarms a second a partition takes in."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from temporalio.common import WorkflowIDConflictPolicy

from link.starting import signal_detection
from tests.bench.bare import QUEUE, Sink
from tests.bench.cpu import used
from tests.bench.house import CALM, PARTITION, House, alarm, at_rest, house, organisation, service
from tests.bench.scale import Scale
from tests.bench.table import Figure, Row, p50

SENDERS = 20
"""Signals on their way at once."""
CHANGING = 20
"""Alarms that change, each of a service whose incident is open."""
PATIENCE = 120.0
TURNS = 2
"""Into so many a round is cut: on a machine that does other things too, only what ran side by side can be compared."""
WANTED = {"repeats accepted": 0.0, "changes accepted": 0.8, "changes decided, and their incidents told": 0.0}
"""How many there should be for each signal-with-start; 0: nothing is promised."""
POLICY = {**CALM, "flap_changes": 1000}


class Turn(NamedTuple):
    """Messages a second, and milliseconds of processor time for each."""

    rate: float
    cost: float


async def measure(scale: Scale) -> Figure:
    """Send floors, repeats and real changes in turns: each is compared with the floor beside it."""
    turns: dict[str, list[Turn]] = {name: [] for name in ("bare", *WANTED)}
    async with house(organisation(CHANGING, CHANGING), POLICY) as it:
        pages = [it.pager.expected(service(n)) for n in range(CHANGING)]
        for n in range(CHANGING):
            await _alarm(it, n, "ALARM")
        await asyncio.wait_for(asyncio.gather(*pages), PATIENCE)
        await at_rest(it.client.get_workflow_handle(f"detection/{PARTITION}"))
        for _ in range(scale.rounds * TURNS):
            count = max(scale.signals // TURNS, CHANGING)
            turns["bare"].append(await _turn(count, lambda k: _bare(it)))
            turns["repeats accepted"].append(await _turn(count, lambda k: _alarm(it, k % CHANGING, "ALARM")))
            await _drained(it)
            count = max(scale.changes // TURNS // (2 * CHANGING), 1) * 2 * CHANGING
            begun, spent = time.perf_counter(), sum(used())
            turns["changes accepted"].append(await _turn(count, lambda k: _change(it, k)))
            await _drained(it)
            took = count / (time.perf_counter() - begun), (sum(used()) - spent) * 1000 / count
            turns["changes decided, and their incidents told"].append(Turn(*took))
    rows = []
    for name, wanted in WANTED.items():
        ratio = p50([ours.rate / bare.rate for ours, bare in zip(turns[name], turns["bare"], strict=True)])
        rate, floor = (p50([turn.rate for turn in turns[which]]) for which in (name, "bare"))
        target = (f"≥ {wanted:g} × beside", ratio >= wanted) if wanted else ("", None)
        rows.append(Row(f"{name} (beside its floor: {ratio:.2f} ×)", rate, "/s", floor, *target))
    for name in WANTED:
        cost, floor = (p50([turn.cost for turn in turns[which]]) for which in (name, "bare"))
        rows.append(Row(f"… processor time of all: {name}", cost, "ms", floor))
    notes = [
        f"{len(turns['bare'])} turns; changes are ALARM and OK in turns, of {CHANGING} alarms with open incidents; "
        f"{SENDERS} at once; median, and the median of the ratios of a turn; floor: signal-with-start onto one "
        "workflow that counts; flapping alarms are not damped here, so that each change is told"
    ]
    return Figure(rows, notes)


async def _turn(count: int, send: Callable[[int], Awaitable[None]]) -> Turn:
    """Return how it went, with the processor time of sender, worker and server."""
    spent = sum(used())
    rate = await _rate(count, send)
    return Turn(rate, (sum(used()) - spent) * 1000 / count)


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
