"""From an alarm that was accepted to the page that its connector was handed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from link.starting import signal_detection
from tests.bench import cpu
from tests.bench.bare import QUEUE, Hop
from tests.bench.house import CALM, PARTITION, House, alarm, house, organisation, service
from tests.bench.scale import Scale
from tests.bench.table import Figure, Row, at_most, p50, p99

WARM = 10
"""Alarms before the first that counts: connections open, modules are loaded."""
PAUSE = 0.15
"""Seconds between single alarms, so that what comes after a page does not meet the next one."""
PATIENCE = 30.0
TEAMS = 200

Send = Callable[[int], Awaitable[tuple[float, float]]]
"""Sends the n-th and waits: (seconds from being accepted, seconds from being sent)."""


@dataclass
class Taken:
    """What was measured of one kind, ours or the floor.

    Attributes:
        single: Milliseconds from being accepted, one at a time.
        from_sent: Likewise, from being sent.
        busy: Milliseconds from being accepted, at a rate.
        cpu: Seconds of processor time while at a rate, until all is at rest: of this process, of the server.
    """

    single: list[float] = field(default_factory=list)
    from_sent: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=lambda: [0.0, 0.0])


async def measure(scale: Scale) -> Figure:
    """Measure one at a time, then at a rate; ours and the floor in turns."""
    turn = round(scale.seconds * scale.per_second)
    needed = WARM + scale.singles + scale.rounds * turn
    ours, floor = Taken(), Taken()
    async with house(organisation(min(TEAMS, needed), needed), CALM) as it:
        both = ((ours, _ours(it)), (floor, _floor(it)))
        for n in range(WARM):
            for _, send in both:
                await send(n)
        for n in range(WARM, WARM + scale.singles):
            for taken, send in both:
                await asyncio.sleep(PAUSE)
                accepted, sent = await send(n)
                taken.single.append(accepted * 1000)
                taken.from_sent.append(sent * 1000)
        for round_ in range(scale.rounds):
            first = WARM + scale.singles + round_ * turn
            for taken, send in both:
                await it.pager.at_rest()
                before = cpu.used()
                taken.busy += [1000 * s for s, _ in await _at_rate(send, first, turn, scale.per_second)]
                await it.pager.at_rest()
                taken.cpu = [sum_ + now - then for sum_, now, then in zip(taken.cpu, cpu.used(), before, strict=True)]
    return _figure(scale, ours, floor)


def _figure(scale: Scale, ours: Taken, floor: Taken) -> Figure:
    at = f"at {scale.per_second}/s"
    within_floor = at_most(2.0, p50(ours.single) / p50(floor.single), "≤ 2 × floor")
    within_bound = at_most(500, p99(ours.busy), "< 500 ms")
    each, each_floor = ([1000 * seconds / len(t.busy) for seconds in t.cpu] for t in (ours, floor))
    rows = [
        Row("accepted → page, p50, one at a time", p50(ours.single), "ms", p50(floor.single), *within_floor),
        Row("accepted → page, p99, one at a time", p99(ours.single), "ms", p99(floor.single)),
        Row("sent → page, p50, one at a time", p50(ours.from_sent), "ms", p50(floor.from_sent)),
        Row(f"accepted → page, p50, {at}", p50(ours.busy), "ms", p50(floor.busy)),
        Row(f"accepted → page, p99, {at}", p99(ours.busy), "ms", p99(floor.busy), *within_bound),
        Row(f"processor time per alarm {at}, worker", each[0], "ms", each_floor[0]),
        Row(f"processor time per alarm {at}, server", each[1], "ms", each_floor[1]),
    ]
    notes = [
        f"{len(ours.single)} alarms one at a time, {len(ours.busy)} {at}, each a service of its own, each opening "
        f"an incident of its own; policy aggregate_services={CALM['aggregate_services']}, so that no event becomes "
        f"multi-service; one partition, {TEAMS} teams; floor: signal-with-start of a new workflow → one activity; "
        "processor time is with everything behind the page (record, ticket, deployments)",
    ]
    series = {
        "single_ms": ours.single,
        "single_floor_ms": floor.single,
        "rate_ms": ours.busy,
        "rate_floor_ms": floor.busy,
    }
    return Figure(rows, notes, {name: [round(value, 1) for value in values] for name, values in series.items()})


def _ours(it: House) -> Send:
    async def send(n: int) -> tuple[float, float]:
        page = it.pager.expected(service(n))
        return await _timed(signal_detection(it.client, PARTITION, "alarm", alarm(n)), page)

    return send


def _floor(it: House) -> Send:
    async def send(n: int) -> tuple[float, float]:
        name = f"floor-{n}"
        started = it.client.start_workflow(
            Hop.run, id=name, task_queue=QUEUE, start_signal="alarm", start_signal_args=[name]
        )
        return await _timed(started, it.reach.expected(name))

    return send


async def _timed(sending: Awaitable[Any], reached: asyncio.Future[float]) -> tuple[float, float]:
    sent = time.perf_counter()
    await sending
    accepted = time.perf_counter()
    at = await asyncio.wait_for(reached, PATIENCE)
    return at - accepted, at - sent


async def _at_rate(send: Send, first: int, count: int, per_second: int) -> list[tuple[float, float]]:
    """Send at fixed moments, however long the answers take."""
    began = time.perf_counter()
    flying = []
    for k in range(count):
        await asyncio.sleep(max(began + k / per_second - time.perf_counter(), 0))
        flying.append(asyncio.ensure_future(send(first + k)))
    return list(await asyncio.gather(*flying))
