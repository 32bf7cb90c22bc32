"""The whole path with real programs: a target is down, Prometheus sees it, Alertmanager tells it, an incident opens."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from gateway.server import serve
from link.starting import open_detection
from model.detect.partition import Detection, Known
from tests.activities.watch.servers import Page, web
from tests.gateway.house import TOKEN, House, until
from tests.gateway.test_real_alertmanager import ALERTMANAGER, alertmanager

PROMETHEUS = shutil.which("prometheus")

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not (PROMETHEUS and ALERTMANAGER), reason="no prometheus with prometheus-alertmanager is installed here"
    ),
]

RULE = {
    "alert": "StorageIsDown",
    "expr": 'min_over_time(up{job="storage"}[2s]) == 0',
    "labels": {"service": "storage", "region": "us-east", "severity": "page"},
    "annotations": {"summary": "nobody answers at {{ $labels.instance }}"},
}


@asynccontextmanager
async def prometheus(folder: Path, target: str, alerts_to: str) -> AsyncIterator[None]:
    """Run a Prometheus that looks at `target` every second."""
    assert PROMETHEUS
    folder.mkdir()
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "storage", "rules": [RULE]}]}))
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "storage", "static_configs": [{"targets": [target]}]}],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alerts_to]}]}]},
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        PROMETHEUS,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_a_target_that_is_down_opens_an_incident_and_clears_it_when_it_is_back(
    staffed: House, tmp_path: Path
) -> None:
    await open_detection(staffed.client, "public")
    detection = staffed.client.get_workflow_handle("detection/public")
    down = asyncio.Event()
    down.set()

    def target(request: str, _: str) -> Page:
        return Page("gone", status=500) if down.is_set() else Page("up_since 1\n", kind="text/plain; version=0.0.4")

    async def in_alarm() -> str:
        state: Detection = await detection.query("snapshot", result_type=Detection)
        return next((w.incident for w in state.alarms.values() if w.fact.service == "storage"), "")

    async def clear() -> bool:
        return not await in_alarm()

    async with (
        web(target) as where,
        serve(staffed.app(token=TOKEN), "127.0.0.1", 0) as address,
        alertmanager(tmp_path, f"{address.url}/alarms/alertmanager") as url,
        prometheus(tmp_path / "prometheus", where, url.removeprefix("http://")),
    ):
        incident = await until(in_alarm, within=60)
        known: list[Known] = await detection.query("open_incidents", result_type=list[Known])
        assert "storage" in next(k.services for k in known if k.id == incident)
        down.clear()
        await until(clear, within=60)
