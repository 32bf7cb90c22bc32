"""A storm: 100,000 alarms in a minute, of which 300 are changes: `python -m tests.bench --only storm`.

Two gateways and the worker run in processes of their own, behind them a real Temporal server. Senders keep their
connections open and send when it is time, whether the last answer came late or not. Each alarm says since when it is as
it is, as monitoring systems do; one in fifty does not, and travels. A second storm of the same size, of other alarms,
follows: what has grown for good by then would go on growing.
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from gateway.app import make_app
from gateway.server import serve
from link import attributes
from link import catalog as live
from link.client import connect
from model.catalogue.catalog import Catalog
from model.detect.partition import Detection
from model.incident import Incident
from store import open_store
from store.migrate import upgrade
from tests.bench.absorb import answered
from tests.bench.cpu import children, spent_by
from tests.bench.house import PARTITION, connected_to_nobody, served, working
from tests.bench.scale import Scale
from tests.bench.table import Figure, Row, at_most, p99
from workflows.process import LARGEST_STATE

SERVICES, TEAMS, REGIONS = 1_000, 60, 3
GATEWAYS, SENDERS = 2, 8
"""Gateways, and senders at each."""
BATCH = range(30, 71)
"""Alarms of one request …"""
ALONE = 0.85
"""… where it is not one alone: a tenth of all alarms, in most of the requests."""
UNTIMED = 50
"""Every so manieth alarm never says since when, so that a gateway of several cannot know its repeats."""
NAP = 0.02
WANTED_LAG, WANTED_IN_INCIDENT = 1.0, 5.0
"""Seconds."""
WANTED_GROWTH = 32.0
"""MiB by which a process may be larger after the second storm than after the first."""
WANTED_EVENTS = 4_096
PATIENCE = 120.0
AGAIN_AFTER = 1.0
"""Seconds after which a sender that was told to come again does so."""
SECRET = "bench"


@dataclass(frozen=True)
class Request:
    """One request: when it is due, in seconds from the beginning; what it says, and how many alarms that are."""

    due: float
    body: bytes
    alarms: int


@dataclass
class Told:
    """What one storm showed; times in seconds.

    Attributes:
        again: Requests that were answered with 503, and sent again.
        took: From its first request to its last answer.
        late: How long after they were due requests were answered.
        memory: MiB of each process after it, when what is garbage is gone.
        spent: Processor time of each process.
        overslept: How much later than it wanted the sender woke from a nap: what the machine adds to each step.
        settled: From the last change accepted until every changed alarm is in an incident.
    """

    alarms: int = 0
    again: int = 0
    took: float = 0.0
    late: list[float] = field(default_factory=list)
    overslept: list[float] = field(default_factory=list)
    settled: float = 0.0
    memory: dict[str, float] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """How many alarms are in exactly one open incident, how many of these there are, and the largest state in bytes."""

    once: int
    incidents: int
    largest: int


async def measure(scale: Scale) -> Figure:
    """Let a few alarms stand, and send two storms."""
    storms = [Told() for _ in range(2 if scale.rounds > 1 else 1)]
    with tempfile.TemporaryDirectory(prefix="allclear-bench-") as name:
        folder = Path(name)
        async with served(folder, SECRET) as server:
            await attributes.register(server.client)
            address = server.client.service_client.config.target_host
            async with _others(address, folder) as (ports, processes):
                detection = server.client.get_workflow_handle(f"detection/{PARTITION}")
                known = list(range(scale.known))
                begun = datetime.now(UTC)
                for n in known:
                    await _post(ports[n % GATEWAYS], [alarm(n, begun)])
                await _all_in_incidents(detection, known)
                before = await _memories(processes)
                everybody = {**processes, "server": int(children()[0])}
                first = len(known)
                for told in storms:
                    changed = list(range(first, first + scale.storm_changes))
                    begun_with = {who: spent_by(str(pid)) for who, pid in everybody.items()}
                    await _storm(told, ports, planned(known, changed, begun, scale))
                    told.settled = await _all_in_incidents(detection, changed)
                    told.spent = {who: spent_by(str(pid)) - begun_with[who] for who, pid in everybody.items()}
                    told.memory = await _memories(processes)
                    first += scale.storm_changes
                    known += changed
                peaks = {who: _memory(pid, "VmHWM") for who, pid in processes.items()}
                held = await _held_once(server.client, detection, known[scale.known :])
                about = await detection.describe()
                runs = await _runs(server.client, detection.id)
                state: Detection = await detection.query("snapshot", result_type=Detection)
    return _figure(scale, storms, before, peaks, held, (about.history_length, runs), state)


def _figure(
    scale: Scale,
    storms: Sequence[Told],
    before: dict[str, float],
    peaks: dict[str, float],
    held: Held,
    history: tuple[int, int],
    state: Detection,
) -> Figure:
    pace = scale.storm / scale.storm_seconds
    changes = len(storms) * scale.storm_changes
    rows = [
        Row(
            f"of {changes} changes, in exactly one open incident",
            held.once,
            "changes",
            changes,
            "all",
            held.once == changes,
        ),
    ]
    for number, told in enumerate(storms, start=1):
        rate, slowest = told.alarms / told.took, p99(told.late)
        rows += [
            Row(f"storm {number}: alarms accepted", rate, "/s", pace, "≥ 0.98 × the pace", rate >= 0.98 * pace),
            Row("… answered after it was due: p99", slowest * 1000, "ms", p99(told.overslept) * 1000,
                *at_most(WANTED_LAG, slowest, f"≤ {WANTED_LAG:g} s")),
            Row("… the latest", max(told.late) * 1000, "ms"),
            Row("… requests refused with 503, and sent again", told.again, "requests", None, "none", told.again == 0),
            Row(f"… processor time of it ({', '.join(f'{who} {spent:.0f} s' for who, spent in told.spent.items())})",
                sum(told.spent.values()), "s", told.took * (os.cpu_count() or 1)),
            Row("… last change accepted → all in an incident", told.settled, "s", None,
                *at_most(WANTED_IN_INCIDENT, told.settled, f"≤ {WANTED_IN_INCIDENT:g} s")),
        ]  # fmt: skip
    last = storms[-1].memory
    for who in before:
        rows.append(Row(f"{who}: memory before the storm, at its peak", peaks[who], "MiB", before[who]))
        if len(storms) > 1:
            grown = last[who] - storms[0].memory[who]
            wanted = at_most(WANTED_GROWTH, grown, f"≤ {WANTED_GROWTH:g} MiB more")
            after = storms[0].memory[who]
            rows.append(Row("… after twice the storm, beside after one", last[who], "MiB", after, *wanted))
    events, runs = history
    size = len(state.model_dump_json().encode())
    rows += [
        Row("Detection: events of its last run", events, "events", None, *at_most(WANTED_EVENTS, events, "< 4,096")),
        Row("Detection: runs", runs, "runs"),
        Row("Detection: state", size, "bytes", None, *at_most(2**20, size, "< 1 MiB")),
        Row(
            "the largest incident: state",
            held.largest,
            "bytes",
            None,
            *at_most(LARGEST_STATE, held.largest, "< 1.9 MB"),
        ),
    ]
    notes = [
        f"{len(storms)} × {scale.storm:,} alarms in {scale.storm_seconds:g} s, {scale.storm_changes} of them changes "
        f"of distinct alarms, others repeats of these and of {scale.known} that stood before; a tenth alone, others "
        f"{BATCH[0]} to {BATCH[-1]} in a request; {SENDERS} senders at each of {GATEWAYS} gateways; one alarm in "
        f"{UNTIMED} says no time: its repeats travel. {held.incidents} incidents open at the end. "
        "Floors: the pace; how late a nap of the sender ended; "
        "what the processors could give; the memory before, or after one storm"
    ]
    return Figure(rows, notes, {"repeats_that_travelled": state.repeats})


def organisation() -> Catalog:
    """Return services of several teams in several regions."""
    regions = [f"region-{n}" for n in range(REGIONS)]
    roles = {"incident_response": "incident-response", "support": "support", "call_leaders": [f"p{TEAMS + 2}"]}
    people = {f"p{n}": {"name": f"P {n}", "contact": [{"email": f"p{n}@example.test"}]} for n in range(TEAMS + 3)}
    teams: dict[str, Any] = {
        f"team-{n}": {"on_call": [[f"p{n}"], [f"p{(n + 1) % TEAMS}"]], "manager": f"p{n // 10}"} for n in range(TEAMS)
    }
    teams["incident-response"] = {"on_call": [[f"p{TEAMS}"]], "manager": f"p{TEAMS + 2}"}
    teams["support"] = {"on_call": [[f"p{TEAMS + 1}"]], "manager": f"p{TEAMS + 2}"}
    return Catalog.load(
        {
            "organisation": "Bench",
            "partitions": {PARTITION: regions},
            "people": people,
            "teams": teams,
            "services": {
                f"service-{n}": {
                    "team": f"team-{n % TEAMS}",
                    "regions": regions,
                    "depends_on": [f"service-{n // 7}"] * (n > 0),
                }
                for n in range(SERVICES)
            },
            "suspects": ["service-0"],
            "roles": roles,
        }
    )


def alarm(n: int, since: datetime) -> dict[str, Any]:
    """Return the n-th alarm."""
    said = {
        "alarm": f"errors-{n}",
        "service": f"service-{n % SERVICES}",
        "region": f"region-{n % REGIONS}",
        "metric": "error-rate",
        "state": "ALARM",
        "severity": 3,
        "value": 4.2,
        "summary": f"5xx of service-{n % SERVICES} above 1 %",
    }
    return {**said, "at": since.isoformat()} if n % UNTIMED else said


def key_of(n: int) -> str:
    return f"service-{n % SERVICES}/region-{n % REGIONS}/errors-{n}"


def planned(known: Sequence[int], changed: Sequence[int], begun: datetime, scale: Scale) -> list[Request]:
    """Return the requests of a storm in their order: changes spread over it, each repeated from then on."""
    chance = random.Random(7)
    told = list(known)
    change_at = {round((k + 0.5) * scale.storm / len(changed)): n for k, n in enumerate(changed)}
    requests: list[Request] = []
    sent = 0
    while sent < scale.storm:
        size = 1 if chance.random() < ALONE else chance.choice(BATCH)
        here = range(sent, min(sent + size, scale.storm))
        told += [change_at[place] for place in here if place in change_at]
        body = [alarm(change_at[place] if place in change_at else chance.choice(told), begun) for place in here]
        due = sent / scale.storm * scale.storm_seconds
        requests.append(Request(due, json.dumps(body).encode(), len(body)))
        sent += len(here)
    return requests


async def _storm(told: Told, ports: Sequence[int], requests: Sequence[Request]) -> None:
    """Send a storm: request by request to the senders in turn."""
    began = time.perf_counter()

    async def sender(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[number % GATEWAYS])
        try:
            for request in requests[number :: GATEWAYS * SENDERS]:
                await asyncio.sleep(began + request.due - time.perf_counter())
                while not await _accepted(reader, writer, request.body):
                    told.again += 1  # as its senders do, after a while
                    await asyncio.sleep(AGAIN_AFTER)
                told.late.append(time.perf_counter() - began - request.due)
        finally:
            writer.close()

    async def watch() -> None:
        while True:
            due = time.perf_counter() + NAP
            await asyncio.sleep(NAP)
            told.overslept.append(time.perf_counter() - due)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(sender(number) for number in range(GATEWAYS * SENDERS)))
    watching.cancel()
    told.took = time.perf_counter() - began
    told.alarms = sum(request.alarms for request in requests)


def _http(body: bytes) -> bytes:
    head = "POST /alarms/allclear HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _post(port: int, alarms: list[dict[str, Any]]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await _accepted(reader, writer, json.dumps(alarms).encode())
    writer.close()


async def _accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> bool:
    """Send alarms; return whether Temporal has them, or they are to be sent again."""
    writer.write(_http(body))
    status, said = await answered(reader)
    if status not in (202, 503):
        raise RuntimeError(f"{status}: {said}")
    return status == 202


async def _all_in_incidents(detection: WorkflowHandle[Any, Any], numbers: Sequence[int]) -> float:
    """Return after how many seconds `Detection` has each of the alarms in an incident, and has told it."""
    began = time.perf_counter()
    async with asyncio.timeout(PATIENCE):
        while True:
            state: Detection = await detection.query("snapshot", result_type=Detection)
            there = (state.alarms.get(key_of(n)) for n in numbers)
            if all(watched and watched.incident for watched in there) and not state.inbox and not state.owed:
                return time.perf_counter() - began
            await asyncio.sleep(0.1)


async def _held_once(client: Client, detection: WorkflowHandle[Any, Any], numbers: Sequence[int]) -> Held:
    """Count the alarms that stand in exactly one open incident, the one `Detection` says."""
    state: Detection = await detection.query("snapshot", result_type=Detection)
    names = [known.id for known in state.incidents.values() if not known.ended]
    holders: Counter[str] = Counter()
    right: set[str] = set()
    largest = 0
    for name in names:
        incident: Incident = await client.get_workflow_handle(name).query("snapshot", result_type=Incident)
        assert not incident.absorbed_into
        holders.update(list(incident.alarms))
        largest = max(largest, len(incident.model_dump_json().encode()))
        right.update(key for key in incident.alarms if key in state.alarms and state.alarms[key].incident == name)
    return Held(sum(holders[key_of(n)] == 1 and key_of(n) in right for n in numbers), len(names), largest)


async def _runs(client: Client, workflow_id: str) -> int:
    return len([run async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'")])


async def _memories(processes: Mapping[str, int]) -> dict[str, float]:
    """Return everybody's memory in MiB, when what is garbage is gone: else it is chance when Python looks."""
    for pid in processes.values():
        os.kill(pid, signal.SIGUSR1)
    await asyncio.sleep(1)
    return {who: _memory(pid) for who, pid in processes.items()}


def _tidy() -> None:
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # not every C library has it
        ctypes.CDLL(None).malloc_trim(0)


def _memory(pid: int, what: str = "VmRSS") -> float:
    """Return a process's memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise LookupError(what)


@contextlib.asynccontextmanager
async def _others(address: str, folder: Path) -> AsyncIterator[tuple[list[int], dict[str, int]]]:
    """Run the gateways and the worker; yield the gateways' ports, and everybody's process id."""
    async with contextlib.AsyncExitStack() as running:
        ports, pids = [], {}
        for n in range(GATEWAYS):
            port, pids[f"gateway {n + 1}"] = await running.enter_async_context(_process("gateway", address, folder))
            ports.append(port)
        _, pids["worker"] = await running.enter_async_context(_process("worker", address, folder))
        yield ports, pids


@contextlib.asynccontextmanager
async def _process(part: str, address: str, folder: Path) -> AsyncIterator[tuple[int, int]]:
    """Run a part; yield the number it says when it is ready, and its process id."""
    command = [sys.executable, "-m", "tests.bench.storm", part, address, str(folder)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout
        yield int(await asyncio.wait_for(process.stdout.readline(), PATIENCE)), process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # nothing of it is kept
        await process.wait()


async def _gateway(address: str) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _tidy)
    catalog = organisation()
    live.use(catalog, catalog.policy)
    client = await connect(address, "default", secret=SECRET)
    with tempfile.TemporaryDirectory(prefix="allclear-bench-") as folder:
        url = f"sqlite:///{folder}/allclear.db"
        upgrade(url)
        app = make_app(client=client, catalog=lambda: catalog, store=open_store(url), secret=SECRET, public_url="")
        async with serve(app, "127.0.0.1", 0) as listening:
            print(listening.port, flush=True)
            await asyncio.Event().wait()


async def _worker(address: str, folder: Path) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _tidy)
    catalog = organisation()
    live.use(catalog, catalog.policy)
    client = await connect(address, "default", secret=SECRET)
    async with connected_to_nobody(folder) as connectors, working(client, connectors, SECRET):
        print(0, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.storm", description="a part of the storm's figure")
    parser.add_argument("part", choices=("gateway", "worker"))
    parser.add_argument("address")
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    asyncio.run(_gateway(chosen.address) if chosen.part == "gateway" else _worker(chosen.address, chosen.folder))
