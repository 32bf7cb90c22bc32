"""From an alarm that was accepted to the page that its connector was handed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from link.starting import signal_detection
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


async def measure(scale: Scale) -> Figure:
    """Measure one at a time, then at a rate; ours and the floor in turns."""
    turn = round(scale.seconds * scale.per_second)
    needed = WARM + scale.singles + scale.rounds * turn
    async with house(organisation(TEAMS, needed), CALM) as it:
        ours, floor = _ours(it), _floor(it)
        for n in range(WARM):
            await ours(n)
            await floor(n)
        await asyncio.sleep(PAUSE)
        single: list[tuple[float, float]] = []
        single_floor: list[tuple[float, float]] = []
        for n in range(WARM, WARM + scale.singles):
            single.append(await ours(n))
            await asyncio.sleep(PAUSE)
            single_floor.append(await floor(n))
            await asyncio.sleep(PAUSE / 3)
        busy: list[tuple[float, float]] = []
        busy_floor: list[tuple[float, float]] = []
        for round_ in range(scale.rounds):
            first = WARM + scale.singles + round_ * turn
            busy += await _at_rate(ours, first, turn, scale.per_second)
            await asyncio.sleep(10 * PAUSE)
            busy_floor += await _at_rate(floor, first, turn, scale.per_second)
            await asyncio.sleep(PAUSE)
    return _figure(scale, single, single_floor, busy, busy_floor)


def _figure(
    scale: Scale,
    single: list[tuple[float, float]],
    single_floor: list[tuple[float, float]],
    busy: list[tuple[float, float]],
    busy_floor: list[tuple[float, float]],
) -> Figure:
    accepted, accepted_floor = _ms(single, 0), _ms(single_floor, 0)
    sent, sent_floor = _ms(single, 1), _ms(single_floor, 1)
    rate, rate_floor = _ms(busy, 0), _ms(busy_floor, 0)
    at = f"at {scale.per_second}/s"
    ratio = p50(accepted) / p50(accepted_floor)
    rows = [
        Row(
            "accepted → page, p50, one at a time",
            p50(accepted),
            "ms",
            p50(accepted_floor),
            *at_most(2.0, ratio, "≤ 2 × floor"),
        ),
        Row("accepted → page, p99, one at a time", p99(accepted), "ms", p99(accepted_floor)),
        Row("sent → page, p50, one at a time", p50(sent), "ms", p50(sent_floor)),
        Row(f"accepted → page, p50, {at}", p50(rate), "ms", p50(rate_floor)),
        Row(
            f"accepted → page, p99, {at}",
            p99(rate),
            "ms",
            p99(rate_floor),
            *at_most(500, p99(rate), "< 500 ms"),
        ),
    ]
    notes = [
        f"{len(accepted)} alarms one at a time, {len(rate)} {at}, each a service of its own, each opening "
        f"an incident of its own; policy aggregate_services={CALM['aggregate_services']}, so that no event "
        f"becomes multi-service; one partition, {TEAMS} teams; floor: signal-with-start of a new workflow → one "
        "activity"
    ]
    detail = {
        "single_ms": _rounded(accepted),
        "single_floor_ms": _rounded(accepted_floor),
        "rate_ms": _rounded(rate),
        "rate_floor_ms": _rounded(rate_floor),
    }
    return Figure(rows, notes, detail)


def _ms(taken: list[tuple[float, float]], which: int) -> list[float]:
    return [pair[which] * 1000 for pair in taken]


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 1) for value in values]


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
