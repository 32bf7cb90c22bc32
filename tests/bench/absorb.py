"""How many repeated alarms one gateway absorbs, beside what an Alertmanager takes: `python -m tests.bench.absorb`.

The gateway runs in a process of its own, with a real Temporal server behind it; the sender keeps a few connections open
and sends the next request when it has the answer. Where Debian's Alertmanager is installed, it gets the same number of
alerts in the same way, in turns, on the same machine.
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import yaml
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from gateway.app import make_app
from gateway.server import serve
from link.client import connect
from link.converter import DATA_CONVERTER
from model.catalogue.catalog import Catalog
from store import open_store
from store.migrate import upgrade
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.table import Figure, Row, machine, p50, show

CATALOG = Path(__file__).parents[2] / "scenarios" / "catalog.yaml"
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
BATCH = 50
"""Alarms of one request, where it has several."""
CONNECTIONS = 16
"""Senders at once."""
BATCHES, SINGLES = 1, 4
"""Requests of a turn, for each of the scale's signals."""
WANTED_ALARMS, WANTED_REQUESTS = 10_000, 1_500
PATIENCE = 30.0


async def measure(scale: Scale) -> Figure:
    """Send the same alarms again and again, to the gateway and to Alertmanager in turns."""
    ours: dict[int, list[float]] = {BATCH: [], 1: []}
    theirs: dict[int, list[float]] = {BATCH: [], 1: []}
    counts = {BATCH: scale.signals * BATCHES, 1: scale.signals * SINGLES}
    async with _temporal() as client, _gateway(client) as port, _alertmanager() as other:
        for size, count in counts.items():
            await _rate(port, "/alarms/allclear", _alarms, size, CONNECTIONS)  # Temporal learns them
            for _ in range(scale.rounds):
                ours[size].append(await _rate(port, "/alarms/allclear", _alarms, size, count))
                if other:
                    theirs[size].append(await _rate(other, "/api/v2/alerts", _alerts, size, count))
        absorbed = await _absorbed(port)
    alarms, requests = p50(ours[BATCH]) * BATCH, p50(ours[1])
    beside = {size: p50(found) * size if found else None for size, found in theirs.items()}
    rows = [
        Row(
            f"repeated alarms absorbed, {BATCH} in a request",
            alarms,
            "/s",
            beside[BATCH],
            f"≥ {WANTED_ALARMS:,}/s",
            alarms >= WANTED_ALARMS,
        ),
        Row("requests with one repeated alarm", requests, "/s", beside[1], f"≥ {WANTED_REQUESTS:,}/s",
            requests >= WANTED_REQUESTS),
    ]  # fmt: skip
    floor = "Debian's Alertmanager, given as many alerts" if ALERTMANAGER else "none: no Alertmanager is installed here"
    notes = [
        f"{scale.rounds} × {counts[BATCH]} requests of {BATCH} and {counts[1]} of one, {CONNECTIONS} connections, "
        f"median; one gateway process and the sender on this machine; {absorbed:,.0f} alarms absorbed in all; "
        f"floor: {floor}"
    ]
    return Figure(rows, notes, {"alertmanager_per_second": {str(size): rate for size, rate in beside.items()}})


def _alarms(first: int, size: int) -> Any:
    return [
        {
            "alarm": f"errors-{first + n}",
            "service": "checkout-api",
            "region": "eu-west",
            "metric": "error-rate",
            "state": "ALARM",
            "severity": 2,
            "value": 4.2,
            "summary": "5xx above 1 %",
        }
        for n in range(size)
    ]


def _alerts(first: int, size: int) -> Any:
    """Return the same as Prometheus tells it to Alertmanager."""
    return [
        {
            "labels": {
                "alertname": f"errors-{first + n}",
                "service": "checkout-api",
                "region": "eu-west",
                "metric": "error-rate",
                "severity": "critical",
            },
            "annotations": {"summary": "5xx above 1 %", "value": "4.2"},
        }
        for n in range(size)
    ]


async def _rate(port: int, path: str, make: Any, size: int, count: int) -> float:
    """Return requests a second; every connection says its own alarms again and again."""

    async def sender(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = json.dumps(make(number * size, size)).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        try:
            for _ in range(number, count, CONNECTIONS):
                writer.write(request)
                await _taken(reader)
        finally:
            writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(sender(number) for number in range(CONNECTIONS)))
    return count / (time.perf_counter() - began)


async def answered(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Read one answer; return its status and what it says."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    lengths = (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    said = await reader.readexactly(next(lengths, 0))
    return int(head.split(b" ", 2)[1]), said.decode(errors="replace")


async def _taken(reader: asyncio.StreamReader) -> None:
    """Read one answer, which has to be a good one."""
    status, said = await answered(reader)
    if not 200 <= status < 300:
        raise RuntimeError(f"{status}: {said}")


async def _absorbed(port: int) -> float:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        lines = (await http.get("/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("allclear_alarms_absorbed_total{"))


@contextlib.asynccontextmanager
async def _temporal() -> AsyncIterator[Client]:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).parent / "temporal"),
        dev_server_log_level="error",
        data_converter=DATA_CONVERTER,
    )
    async with environment:
        yield environment.client


@contextlib.asynccontextmanager
async def _gateway(client: Client) -> AsyncIterator[int]:
    """Run a gateway in a process of its own; yield its port."""
    command = [sys.executable, "-m", "tests.bench.absorb", "--gateway", client.service_client.config.target_host]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        yield int(line)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _serve(address: str) -> None:
    catalog = Catalog.load(yaml.safe_load(CATALOG.read_text(encoding="utf-8")))
    client = await connect(address, "default", secret="bench")
    with tempfile.TemporaryDirectory(prefix="allclear-bench-") as folder:
        url = f"sqlite:///{folder}/allclear.db"
        upgrade(url)
        store = open_store(url)
        app = make_app(client=client, catalog=lambda: catalog, store=store, secret="bench", public_url="", alone=True)
        async with serve(app, "127.0.0.1", 0) as listening:
            print(listening.port, flush=True)
            await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def _alertmanager() -> AsyncIterator[int]:
    """Run an Alertmanager that tells nobody; yield its port, or 0 where none is installed."""
    if not ALERTMANAGER:
        yield 0
        return
    with tempfile.TemporaryDirectory(prefix="allclear-bench-") as folder:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        file = Path(folder) / "alertmanager.yml"
        file.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n", encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            ALERTMANAGER,
            f"--config.file={file}",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await _ready(port)
            yield port
        finally:
            process.terminate()
            await process.wait()


async def _ready(port: int) -> None:
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient() as http:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"http://127.0.0.1:{port}/-/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


def main() -> int:
    """Measure and print; the exit status is 1 where a target is not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.absorb", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only see that it runs; the numbers mean nothing")
    parser.add_argument("--gateway", metavar="ADDRESS", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.gateway:
        asyncio.run(_serve(chosen.gateway))
        return 0
    about = machine()
    figure = asyncio.run(measure(QUICK if chosen.quick else FULL))
    show({"absorb": figure}, f"{about['cores']} cores, load {about['load']} before it began")
    return 0 if chosen.quick or all(row.met for row in figure.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
