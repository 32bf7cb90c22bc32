"""A real Alertmanager, where one is installed, tells us an alert."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import yaml

from gateway.server import serve
from tests.gateway.house import TOKEN, House, until

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(ALERTMANAGER is None, reason="no prometheus-alertmanager is installed here"),
]


@asynccontextmanager
async def alertmanager(folder: Path, hook: str) -> AsyncIterator[str]:
    """Run an Alertmanager that sends to `hook`; yield its address."""
    assert ALERTMANAGER
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    webhook = {"url": hook, "send_resolved": True, "http_config": {"authorization": {"credentials": TOKEN}}}
    config = {
        "route": {"receiver": "allclear", "group_wait": "0s", "group_interval": "1s", "group_by": ["..."]},
        "receivers": [{"name": "allclear", "webhook_configs": [webhook]}],
    }
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
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
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_an_alert_of_a_real_alertmanager_becomes_an_alarm_and_ends(house: House, tmp_path: Path) -> None:
    labels = {
        "alertname": "HighErrorRate",
        "service": "checkout-api",
        "region": "eu-west",
        "severity": "page",
    }
    alert: dict[str, Any] = {
        "labels": labels,
        "annotations": {"summary": "5xx > 1 %", "value": "4.2"},
        "generatorURL": "http://prometheus.example.test/graph",
    }
    async with (
        serve(house.app(token=TOKEN), "127.0.0.1", 0) as address,
        alertmanager(tmp_path, f"{address.url}/alarms/alertmanager") as url,
        httpx.AsyncClient(base_url=url) as http,
    ):

        async def ready() -> bool:
            try:
                return (await http.get("/-/ready")).status_code == 200
            except httpx.TransportError:
                return False

        async def states(count: int) -> list[dict[str, Any]]:
            alarms = await house.alarms()
            return alarms if len(alarms) >= count else []

        await until(ready)
        assert (await http.post("/api/v2/alerts", json=[alert])).status_code == 200
        (fired,) = await until(lambda: states(1))
        ended = {**alert, "startsAt": fired["at"], "endsAt": fired["at"]}
        assert (await http.post("/api/v2/alerts", json=[ended])).status_code == 200
        _, cleared = await until(lambda: states(2))
    assert fired["state"] == "ALARM"
    assert (fired["service"], fired["region"], fired["severity"]) == ("checkout-api", "eu-west", 2)
    assert (fired["value"], fired["summary"]) == (4.2, "5xx > 1 %")
    assert cleared["state"] == "OK"
    assert cleared["alarm"] == fired["alarm"]
