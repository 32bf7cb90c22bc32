"""A region watched from the outside: canaries and traffic against real servers, a real Detection, real restarts."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from activities.watch.prometheus import Prometheus
from activities.watch.watching import Watching
from link.converter import DATA_CONVERTER
from link.starting import behind, open_watch
from model.detect.watch import Watch as State
from tests.activities.watch.servers import Page, web
from tests.workflows.house import House, house, until
from worker.compose import Workers
from workflows.watch import Watch

SOON = timedelta(seconds=1)


@asynccontextmanager
async def watching(
    home: House, folder: Path, region: str = "eu-west", prometheus: str = ""
) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """Let a worker watch the region; its rounds are short, so that its page is soon current."""
    queue = f"{home.queue}-watch"

    def metrics(traffic: Any) -> Prometheus:
        return Prometheus(f"http://{prometheus}", traffic.every)

    act = Watching(home.client, folder, metrics if prometheus else None, lasts=SOON)
    first = Worker(home.client, task_queue=queue, workflows=[Watch], workflow_runner=UnsandboxedWorkflowRunner())
    second = Worker(
        home.client,
        task_queue=behind(queue),
        activities=[act.watch],
        graceful_shutdown_timeout=timedelta(seconds=5),
    )
    async with Workers(first, second):
        await open_watch(home.client, region, queue=queue)
        yield home.client.get_workflow_handle(f"watch/{region}")


async def ended(client: Client, region: str = "eu-west") -> None:
    with contextlib.suppress(Exception):
        await client.get_workflow_handle(f"watch/{region}").terminate("the test is over")


def canary(where: str, **more: Any) -> dict[str, Any]:
    steps = [{"http": f"http://{where}/cart", "contains": "Your cart", "within": "2s"}]
    return {
        "service": "checkout-api",
        "region": "eu-west",
        "every": "200ms",
        "fails": 2,
        "of": 3,
        "steps": steps,
        **more,
    }


async def test_a_canary_that_fails_twice_in_three_opens_an_incident_and_clears_it_when_the_page_is_back(
    client, tmp_path
):
    broken = asyncio.Event()

    def shop(request: str, _: str) -> Page:
        return Page("502 from host 17", status=502) if broken.is_set() else Page("Your cart: 1 book")

    async with web(shop) as where, house(client, canaries={"buy-a-book": canary(where)}) as home:
        await home.open()
        async with watching(home, tmp_path) as watch:
            await until(lambda: (tmp_path / "eu-west" / "buy-a-book.state").exists(), "a first run")
            broken.set()
            incident = await home.opened()
            state = await home.incident(incident)
            (fact,) = state.in_alarm
            assert (fact.source, fact.severity) == ("canary", 2)
            assert "step 1, http GET http://" in fact.summary
            assert "502" in fact.summary, "the failing step is the evidence"
            assert state.customers_hit, "what a canary sees, customers see"
            broken.clear()

            async def clear() -> bool:
                return not (await home.incident(incident)).in_alarm

            await until(clear, "the alarm clears")

            async def shown() -> bool:
                seen = (await watch.query("snapshot", result_type=State)).seen
                return [(s.name, s.alarms) for s in seen] == [("buy-a-book", {"canary-buy-a-book": "OK"})]

            await until(shown, "the process shows what it sees")
            history = await watch.fetch_history()
        await Replayer(
            workflows=[Watch], data_converter=DATA_CONVERTER, workflow_runner=UnsandboxedWorkflowRunner()
        ).replay_workflow(history)
        await ended(client)


async def test_a_worker_that_was_killed_in_an_alarm_does_not_say_ok_when_it_is_back(client, tmp_path):
    def shop(request: str, _: str) -> Page:
        return Page("no", status=500)

    async with web(shop) as where, house(client, canaries={"buy-a-book": canary(where, every="1s")}) as home:
        await home.open()
        async with watching(home, tmp_path):
            incident = await home.opened()
        async with watching(home, tmp_path):
            seen = len((await home.incident(incident)).timeline)
            kept = tmp_path / "eu-west" / "buy-a-book.state"
            before = kept.stat().st_mtime_ns
            await until(lambda: kept.stat().st_mtime_ns != before or json.loads(kept.read_text())["alarmed"], "a run")
            state = await home.incident(incident)
            assert state.in_alarm
            assert not [line for line in state.timeline[seen:] if "is OK" in line.text]
        await ended(client)


async def test_traffic_that_stops_is_an_alarm_with_what_was_expected_and_a_blind_watcher_is_told(client, tmp_path):
    step = 300
    gone: list[float] = []
    html = asyncio.Event()
    name = f"orders-{uuid.uuid4().hex[:6]}"

    def prometheus(_: str, body: str) -> Page:
        if html.is_set():
            return Page("<html>sign in</html>")
        asked = {key: values[0] for key, values in parse_qs(body).items()}
        at, end = float(asked["start"]), float(asked["end"])
        at = -(-at // step) * step
        points = []
        while at <= end:
            points.append([at, "0" if gone and at >= gone[0] else f"{1000 + 100 * ((at // step) % 7)}"])
            at += step
        data = {"resultType": "matrix", "result": [{"metric": {}, "values": points}]}
        return Page(json.dumps({"status": "success", "data": data}), kind="application/json")

    gone.append(datetime.now(UTC).timestamp() // step * step - 3 * step)
    traffic = {name: {"service": "checkout-api", "region": "eu-west", "query": "orders", "every": "5m"}}
    async with web(prometheus) as where, house(client, traffic=traffic) as home:
        await home.open()
        async with watching(home, tmp_path, prometheus=where):
            incident = await home.opened()
            (fact,) = (await home.incident(incident)).in_alarm
            assert (fact.alarm, fact.source) == (f"traffic-{name}", "traffic")
            assert "are usual" in fact.summary or "expected" in fact.summary, fact.summary
            assert (tmp_path / "eu-west" / f"{name}.state").stat().st_size < 100_000
        await ended(client)
    blind = {name: {**traffic[name], "every": "200ms", "learns_from": "1s", "below": 1}}
    html.set()
    async with web(prometheus) as where, house(client, traffic=blind) as home:
        await home.open()
        async with watching(home, tmp_path / "blind", prometheus=where) as watch:

            async def told() -> bool:
                alarms = (await home.watching()).alarms.values()
                return any("cannot be watched: this is not Prometheus" in w.fact.summary for w in alarms)

            await until(told, "somebody is told that it is blind")

            async def shown() -> bool:
                seen = (await watch.query("snapshot", result_type=State)).seen
                return any("this is not Prometheus" in s.why for s in seen)

            await until(shown, "its page says why")
        await ended(client)
