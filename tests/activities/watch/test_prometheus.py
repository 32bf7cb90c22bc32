"""Series from Prometheus, and what is not Prometheus."""

import asyncio
import contextlib
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from activities import Failed
from activities.watch import Sample
from activities.watch.prometheus import Prometheus
from tests.activities.watch.servers import Page, closed, web

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")


def matrix(*series: list[list[object]]) -> str:
    result = [{"metric": {}, "values": values} for values in series]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


async def told(page: Page, minutes: int = 10, within: timedelta = timedelta(seconds=5)) -> list[Sample]:
    async with web(lambda line, body: page) as where:
        read = Prometheus(f"http://{where}", MINUTE, within=within).read("requests", NINE, NINE + minutes * MINUTE)
        return list(await read)


async def refused(page: Page) -> Failed:
    with pytest.raises(Failed) as failed:
        await told(page, within=timedelta(seconds=0.3))
    return failed.value


async def test_points_are_read_oldest_first_and_what_is_no_number_is_no_measurement() -> None:
    at = NINE.timestamp()
    page = Page(matrix([[at, "12.5"], [at + 60, "NaN"], [at + 180, "0"]]), kind="application/json")
    assert await told(page) == [Sample(NINE, 12.5), Sample(NINE + MINUTE, None), Sample(NINE + 3 * MINUTE, 0.0)]


async def test_no_series_is_an_empty_answer() -> None:
    assert await told(Page(matrix(), kind="application/json")) == []


async def test_a_long_range_is_asked_for_in_parts() -> None:
    asked = []

    def answer(line: str, body: str) -> Page:
        asked.append(dict(part.split("=") for part in body.split("&")))
        return Page(matrix(), kind="application/json")

    async with web(answer) as where:
        await Prometheus(f"http://{where}/prefix/", MINUTE).read("x", NINE, NINE + timedelta(days=14))
    assert [(float(a["end"]) - float(a["start"])) / 60 <= 10_999 for a in asked] == [True, True]
    assert float(asked[1]["start"]) == float(asked[0]["end"]) + 60, "no point twice, none left out"


@pytest.mark.parametrize(
    ("page", "why", "again"),
    [
        (Page("<html><h1>Sign in</h1></html>"), "this is not Prometheus: 200, text/html: <html><h1>Sign in", False),
        (Page("<h1>Bad gateway</h1>", status=502), "this is not Prometheus: 502, text/html", True),
        (Page('["no"]', kind="application/json"), "this is not Prometheus: 200, application/json", False),
        (
            Page('{"status": "error", "errorType": "bad_data", "error": "parse error: x"}', status=400),
            "Prometheus refused the query (bad_data): parse error: x",
            False,
        ),
        (
            Page('{"status": "error", "errorType": "timeout", "error": "query timed out"}', status=503),
            "Prometheus refused the query (timeout): query timed out",
            True,
        ),
        (Page(matrix([], [])), "2 series answer to 'requests'; add them up, for example with sum(...)", False),
        (Page(matrix([["yesterday", "1"]])), "a point of Prometheus cannot be read", False),
        (
            Page('{"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}'),
            "no range of points",
            False,
        ),
        (Page(after=None), "no answer within", True),
    ],
)
async def test_who_said_what_is_told_apart(page: Page, why: str, again: bool) -> None:
    failed = await refused(page)
    assert why in failed.reason
    assert failed.again is again


async def test_nobody_there_is_a_failure_that_may_pass() -> None:
    async with closed() as where:
        with pytest.raises(Failed, match="cannot be reached") as failed:
            await Prometheus(f"http://{where}", MINUTE).read("x", NINE, NINE)
    assert failed.value.again


@asynccontextmanager
async def prometheus(folder: Path, metrics: str) -> AsyncIterator[str]:
    """Run a real Prometheus over some samples of the past; yield its address."""
    assert PROMETHEUS
    assert PROMTOOL
    (folder / "metrics").write_text(metrics, encoding="utf-8")
    (folder / "prometheus.yml").write_text("{}", encoding="utf-8")
    made = await asyncio.create_subprocess_exec(
        PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", folder / "metrics", folder / "data",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await made.wait() == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        PROMETHEUS,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _ready(f"http://127.0.0.1:{port}/-/ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _ready(url: str) -> None:
    async with httpx2.AsyncClient() as client:
        for _ in range(300):
            with contextlib.suppress(httpx2.TransportError):
                if (await client.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise AssertionError(f"{url} is not ready after 30 s")


@pytest.mark.heavy
@pytest.mark.skipif(not (PROMETHEUS and PROMTOOL), reason="no prometheus with promtool is installed here")
async def test_a_real_prometheus_gives_its_series_and_says_what_is_wrong_with_a_query(tmp_path: Path) -> None:
    lines = ["# TYPE calls gauge"]
    for host in ("a", "b"):
        lines += [f'calls{{host="{host}"}} {n} {NINE.timestamp() + 60 * n:.0f}' for n in range(180)]
    async with prometheus(tmp_path, "\n".join([*lines, "# EOF", ""])) as url:
        source = Prometheus(url, MINUTE)
        until = NINE + 179 * MINUTE
        points = await source.read("sum(calls)", NINE, until)
        assert list(points) == [Sample(NINE + n * MINUTE, 2.0 * n) for n in range(180)]
        assert await source.read("never_heard_of", NINE, until) == []
        with pytest.raises(Failed, match="2 series answer to 'calls'"):
            await source.read("calls", NINE, until)
        with pytest.raises(Failed, match=r"Prometheus refused the query \(bad_data\)"):
            await source.read("sum(", NINE, until)
