"""The dashboard shows what watchers measure, for metrics that are OK, too (D6)."""

import json
from typing import Any
from urllib.parse import parse_qs

from gateway.health import MetricHealth, health_of
from model.detect.watch import POINTS
from tests.activities.watch.servers import Page, web
from tests.workflows.house import house, until
from tests.workflows.test_watch import canary, ended, watching

STEP = 300
RATE = {"service": "checkout-api", "region": "eu-west", "query": "errors", "kpi": "error-rate", "every": "5m"}


def prometheus(_: str, body: str) -> Page:
    """Answer with the share of errors at each tick: the tick's number, over ten."""
    asked = {key: values[0] for key, values in parse_qs(body).items()}
    first, last = -(-float(asked["start"]) // STEP), float(asked["end"]) // STEP
    points = [[tick * STEP, str(tick % 7 / 10)] for tick in range(int(first), int(last) + 1)]
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": points}]}
    return Page(json.dumps({"status": "success", "data": data}), kind="application/json")


def shop(_: str, __: str) -> Page:
    return Page("Your cart: 1 book")


async def test_a_key_metric_that_is_only_shown_has_its_series_and_a_canary_how_long_it_took(client, tmp_path):
    async with web(shop) as where, web(prometheus) as there:
        watched: dict[str, Any] = {
            "canaries": {"buy-a-book": canary(where)},
            "traffic": {"checkout-errors": {**RATE, "alarms": False}},
        }
        async with house(client, **watched) as home:
            await home.open()
            metrics: list[MetricHealth] = []
            async with watching(home, tmp_path, prometheus=there):

                async def shown() -> bool:
                    found = await health_of(home.client, home.catalog)
                    regions = [region for one in found.partitions for region in one.regions]
                    (services,) = [region.services for region in regions if region.region == "eu-west"]
                    (service,) = [one for one in services if one.service == "checkout-api"]
                    metrics[:] = service.metrics
                    return len(metrics[0].series) == POINTS and bool(metrics[-1].value)

                await until(shown, "both are shown")
            await ended(client)
    rate, took = metrics[0], metrics[-1]
    assert (rate.name, rate.key, rate.state, rate.alarms) == ("error-rate", True, "OK", [])
    assert all(point.value == point.at.timestamp() // STEP % 7 / 10 for point in rate.series)
    assert (rate.value, rate.at) == (rate.series[-1].value, rate.series[-1].at)
    assert (took.name, took.key, took.unit) == ("buy-a-book", False, "s")
    assert took.value is not None
    assert 0 < took.value < 2
