"""`allclear up`, as a person uses it: started, used, stopped, killed, started again."""

import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import httpx2
import pytest
from rich.console import Console

from cli.up import up
from link.client import connect
from model.incident import Incident
from tests.worker.conftest import NAMESPACE
from tests.worker.processes import Up, alive, running, until
from worker.embedded import Embedded, free_port
from worker.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


def raise_alarm(it: Up) -> None:
    """Do what it says raises an alarm."""
    command = it.says(r"^ +(curl .*)$")[1]
    if shutil.which("curl"):
        answer = json.loads(subprocess.run(command, shell=True, check=True, capture_output=True).stdout)
    else:
        body = command.rpartition("-d ")[2].strip("'")
        answer = httpx2.post(f"{it.gateway}/alarms/allclear", content=body).json()
    assert answer["accepted"] == 1, answer


def server_of(data: Path) -> int:
    pid = json.loads((data / "temporal.json").read_text())["pid"]
    assert isinstance(pid, int)
    return pid


async def cannot_run(settings: Settings, **more: object) -> str:
    """Return what it says when it cannot run."""
    written = io.StringIO()
    assert await up(settings.model_copy(update=more), Console(file=written)) == 1
    return written.getvalue()


async def snapshot(data: Path, incident: str) -> Incident:
    address = json.loads((data / "temporal.json").read_text())["address"]
    client = await connect(address, "allclear", secret="x")
    found: Incident = await client.get_workflow_handle(incident).query("snapshot", result_type=Incident)
    return found


async def test_it_pages_stops_in_order_and_goes_on_where_it_was(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as it:
        assert httpx2.get(f"{it.gateway}/healthz").status_code == 200
        assert httpx2.get(it.says(r"^ +Web UI +(http://\S+)$")[1]).status_code == 200
        it.says(r"^ +Open +no incident$")
        assert Path(it.says(r"^ +Tickets +(.+)$")[1]) == data / "tickets"
        raise_alarm(it)
        paged = it.says(r"page to ana by email ana@example\.test: SEV2 checkout-api eu-west .* Ack: (http://\S+)")
        page = httpx2.get(paged[1])
        assert page.status_code == 200, page.text
        incident = until(lambda: next((data / "tickets").glob("INC-*.md"), None), "a ticket").stem
        server = server_of(data)

        said = await cannot_run(Settings(data=data))
        assert f"another `allclear up` (process {it.process.pid}) runs here" in said

        it.process.send_signal(signal.SIGINT)
        it.says("^Stopping")
        assert it.ended(signal.SIGINT) == 0  # whoever is impatient changes nothing
        [stopping] = [n for n, line in enumerate(it.lines) if line.startswith("Stopping")]
        # What was under way ends, and is told with its time; nothing else is said.
        assert [line for line in it.lines[stopping + 1 :] if not re.match(r"\d\d:\d\d:\d\d  ", line)] == []
        assert not alive(server)

    with running(data) as it:
        it.says(rf"^ +Open +{incident} \(SEV2 ")
        assert (await snapshot(data, incident)).closed_at is None
        assert it.ended(signal.SIGTERM) == 0


async def test_killing_any_part_loses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as it:
        raise_alarm(it)
        it.says("page to ana")
        first = server_of(data)
        os.kill(first, signal.SIGKILL)
        it.says("the Temporal server ended by itself")
        it.says("the Temporal server is back")
        second = server_of(data)
        assert second != first
        incident = until(lambda: next((data / "tickets").glob("INC-*.md"), None), "a ticket").stem
        assert (await snapshot(data, incident)).closed_at is None
        it.ended(signal.SIGKILL)
        until(lambda: not alive(second), "the server ends with its parent")

    with running(data) as it:
        it.says(rf"^ +Open +{incident}")
        assert (await snapshot(data, incident)).closed_at is None
        assert it.ended(signal.SIGTERM) == 0


@pytest.mark.parametrize("port", ["temporal", "ui", "gateway", "metrics"])
async def test_a_taken_port_is_named_with_its_setting(settings: Settings, port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        said = await cannot_run(settings, **{f"{port}_port": number})
    assert str(number) in said
    assert f"ALLCLEAR_{port.upper()}_PORT" in said


def test_a_signal_while_it_starts_ends_it_too(tmp_path: Path) -> None:
    with running(tmp_path / "data") as it:
        until(lambda: (tmp_path / "data" / "temporal.db").exists(), "the server begins")
        pid = int((tmp_path / "data" / "temporal.lock").read_text())
        assert it.ended(signal.SIGINT) == 0
    assert "Traceback" not in it.said
    assert not alive(pid)


async def test_a_cluster_is_used_where_one_is_named(tmp_path: Path, server: Embedded) -> None:
    metrics = free_port(0, "")
    where = {"TEMPORAL_ADDRESS": server.address, "TEMPORAL_NAMESPACE": NAMESPACE}
    at = {"ALLCLEAR_METRICS_PORT": str(metrics), "ALLCLEAR_METRICS_HOST": "127.0.0.2"}
    with running(tmp_path / "data", **where, **at) as it:
        it.says(rf"^ +Temporal +the cluster at {server.address}$")
        assert httpx2.get(f"{it.gateway}/healthz").status_code == 200
        assert "temporal_worker_task_slots_available" in httpx2.get(f"http://127.0.0.2:{metrics}/metrics").text
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"http://127.0.0.1:{metrics}/metrics")
        assert not (tmp_path / "data" / "temporal.db").exists()
        assert it.ended(signal.SIGHUP) == 0
    assert server.pid


async def test_a_cluster_without_the_search_attributes_is_told_how_to_add_them(
    settings: Settings, server: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", server.address)
    said = await cannot_run(settings)
    assert "temporal operator search-attribute create --namespace default --name IncidentId --type Keyword" in said
