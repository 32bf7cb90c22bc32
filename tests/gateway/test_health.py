"""The health dashboard: partition → region → service → key metric, from what `Detection` knows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client

from gateway.health import PartitionHealth, partition_health
from model.detect.partition import Detection, Told, Watched, metric_key
from model.detect.standing import Standing
from model.detect.watch import Point, Seen
from model.incident import AlarmFact
from tests.gateway.house import TOKEN, House, new_name, until

SINCE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def watched(metric: str = "error-rate", minutes: int = 0, **fields: Any) -> Watched:
    outer = {name: fields.pop(name) for name in ("test", "silenced", "incident") if name in fields}
    given: dict[str, Any] = {"alarm": f"{metric}-{minutes}", "service": "checkout-api", "region": "eu-west", **fields}
    return Watched(fact=AlarmFact(metric=metric, since=SINCE + timedelta(minutes=minutes), **given), **outer)


def state(house: House, *alarms: Watched, partition: str = "") -> Detection:
    return Detection(partition=partition or house.partition, alarms=Standing((w.fact.key, w) for w in alarms))


def metrics_of(health: PartitionHealth) -> list[dict[str, Any]]:
    """Return the metrics of checkout-api in eu-west."""
    (region,) = [one for one in health.regions if one.region == "eu-west"]
    (service,) = [one for one in region.services if one.service == "checkout-api"]
    return [metric.model_dump(mode="json") for metric in service.metrics]


def look(house: House, *alarms: Watched, seen: Sequence[Seen] = ()) -> dict[str, Any]:
    """Return checkout-api in eu-west as the dashboard shows it with some alarms, and what is above it."""
    found = partition_health(house.catalog, house.partition, state(house, *alarms), seen={"eu-west": seen})
    told = found.model_dump(mode="json")
    region = next(one for one in told["regions"] if one["region"] == "eu-west")
    service = next(one for one in region["services"] if one["service"] == "checkout-api")
    return {**service, "above": (told["state"], region["state"])}


def test_every_service_is_shown_in_each_of_its_regions_with_its_key_metrics(house: House) -> None:
    told = partition_health(house.catalog, house.partition, state(house))
    assert [region.region for region in told.regions] == ["eu-west", "us-east"]
    for region in told.regions:
        assert {service.service for service in region.services} == set(house.catalog.services)
    service = look(house)
    assert (service["state"], service["team"], service["name"]) == ("OK", "checkout", "Checkout")
    assert [(m["name"], m["state"], m["threshold"], m["unit"]) for m in service["metrics"]] == [
        ("error-rate", "OK", 1.0, "%"), ("latency-p99", "OK", 900.0, "ms"), ("orders", "OK", 200.0, "per min"),
    ]  # fmt: skip


def test_an_alarm_colours_its_metric_and_everything_above(house: House) -> None:
    told = look(house, watched("Error-Rate", minutes=3, value=4.2, severity=2, incident="INC-20260302-7F3A"))
    assert (told["state"], told["above"], told["since"]) == ("ALARM", ("ALARM", "ALARM"), "2026-03-02T09:03:00Z")
    assert told["incidents"] == ["INC-20260302-7F3A"]
    rate, latency, _ = told["metrics"]
    assert (rate["state"], rate["value"], rate["threshold"], rate["severity"]) == ("ALARM", 4.2, 1.0, 2)
    assert (rate["since"], rate["alarms"], latency["state"]) == ("2026-03-02T09:03:00Z", ["Error-Rate-3"], "OK")


def test_of_several_alarms_on_one_metric_the_worst_is_shown_and_the_oldest_dates_it(house: House) -> None:
    told = look(house, watched(minutes=5, value=9, severity=1, threshold=7), watched(minutes=2, value=3, severity=3))
    rate = told["metrics"][0]
    assert (rate["value"], rate["severity"], rate["threshold"], rate["since"]) == (9, 1, 7, "2026-03-02T09:02:00Z")


def test_an_alarm_on_something_else_is_shown_beside_the_key_metrics(house: House) -> None:
    told = look(house, watched("certificate-age", minutes=1))
    assert [(m["name"], m["key"], m["state"]) for m in told["metrics"]][3:] == [("certificate-age", False, "ALARM")]


def test_a_test_is_not_shown_and_a_silenced_alarm_is_marked(house: House) -> None:
    assert look(house, watched(test=True))["state"] == "OK"
    rate = look(house, watched(silenced=True))["metrics"][0]
    assert (rate["state"], rate["silenced"]) == ("ALARM", True)


def test_what_the_catalogue_does_not_know_is_shown_under_unmapped(house: House) -> None:
    strange = watched("m", service="mystery", region="mars")
    told = partition_health(house.catalog, "unmapped", state(house, strange, partition="unmapped"))
    ((region,),) = (told.regions,)
    assert (told.state, region.region, region.services[0].service) == ("ALARM", "mars", "mystery")
    assert region.services[0].team == "incident-response"


def test_a_service_that_is_one_for_all_regions_is_shown_once(house: House) -> None:
    entry = house.catalog.services["dns"].model_copy(update={"regions": []})
    catalog = house.catalog.model_copy(update={"services": {**house.catalog.services, "dns": entry}})
    told = partition_health(catalog, house.partition, Detection(partition=house.partition))
    assert [r.region for r in told.regions if any(s.service == "dns" for s in r.services)] == ["global"]


def test_without_an_answer_nothing_is_called_ok(house: House) -> None:
    told = partition_health(house.catalog, house.partition, None, "does not answer")
    states = {told.state, *(s.state for r in told.regions for s in r.services)}
    states |= {m.state for r in told.regions for s in r.services for m in s.metrics}
    assert (states, told.error) == ({"unknown"}, "does not answer")


def seen(*values: float | None, metric: str = "error-rate", **fields: Any) -> Seen:
    points = [Point(at=SINCE + timedelta(minutes=5 * n), value=value) for n, value in enumerate(values)]
    return Seen(name="checkout-errors", service="checkout-api", metric=metric, points=points, **fields)


def test_a_metric_that_is_ok_has_its_last_value_and_a_short_series(house: House) -> None:
    rate = look(house, seen=[seen(0.2, 0.3, None)])["metrics"][0]
    assert (rate["name"], rate["key"], rate["state"]) == ("error-rate", True, "OK")
    assert (rate["value"], rate["at"]) == (0.3, "2026-03-02T09:05:00Z")
    assert [point["value"] for point in rate["series"]] == [0.2, 0.3, None]


def test_what_is_watched_and_is_no_key_metric_has_a_row_of_its_own_and_its_alarm_is_there(house: House) -> None:
    alarms = {"canary-buy": "ALARM"}
    fails = watched("canary", alarm="canary-buy", source="canary")
    told = look(house, fails, seen=[seen(0.4, metric="", unit="s", alarms=alarms)])
    (row,) = [one for one in told["metrics"] if not one["key"]]
    assert (row["name"], row["state"], row["alarms"], row["unit"]) == ("checkout-errors", "ALARM", ["canary-buy"], "s")


def test_without_a_series_the_last_value_an_alarm_told_is_shown_and_since_when_it_is_ok(house: House) -> None:
    known = state(house)
    key = metric_key("checkout-api", "eu-west", "Error-Rate")
    known.metrics[key] = Told(value=0.4, at=SINCE, ok_since=SINCE + timedelta(minutes=1))
    rate = metrics_of(partition_health(house.catalog, house.partition, known))[0]
    assert (rate["state"], rate["value"], rate["at"]) == ("OK", 0.4, "2026-03-02T09:00:00Z")
    assert (rate["since"], rate["series"]) == ("2026-03-02T09:01:00Z", [])


async def test_a_partition_that_does_not_answer_is_said(house: House, dead: Client) -> None:
    async with house.gateway(client=dead) as http:
        answer = await http.get("/api/health")
    told = answer.json()
    assert (answer.status_code, told["state"], told["organisation"]) == (200, "unknown", "Example Cloud")
    assert all("does not answer" in one["error"] for one in told["partitions"])


async def test_the_dashboard_is_not_for_everybody(house: House) -> None:
    async with house.gateway(sender=("203.0.113.7", 1)) as http:
        assert (await http.get("/api/health")).status_code == 403
    async with house.gateway(token=TOKEN) as http:
        assert (await http.get("/api/health")).status_code == 401


async def test_the_dashboard_shows_an_alarm_that_has_come_in_and_its_end(staffed: House) -> None:
    alarm = {"alarm": new_name("a"), "service": "payments", "region": "us-east", "metric": "error-rate", "value": 7}

    async def rate() -> dict[str, Any]:
        told = (await http.get("/api/health")).json()
        partition = next(one for one in told["partitions"] if one["partition"] == "public")
        assert not partition["error"]
        region = next(one for one in partition["regions"] if one["region"] == "us-east")
        service = next(one for one in region["services"] if one["service"] == "payments")
        found: dict[str, Any] = {**service["metrics"][0], "incidents": service["incidents"]}
        return found

    async def shown(state: str) -> dict[str, Any] | None:
        return found if (found := await rate())["state"] == state else None

    async with staffed.gateway() as http:
        await http.post("/alarms/allclear", json={**alarm, "state": "ALARM"})
        red = await until(lambda: shown("ALARM"))
        await http.post("/alarms/allclear", json={**alarm, "state": "OK"})
        green = await until(lambda: shown("OK"))
    assert (red["value"], red["threshold"], red["alarms"], len(red["incidents"])) == (7, 0.5, [alarm["alarm"]], 1)
    assert (green["value"], green["alarms"]) == (7, []), "the last value told is still shown, with its time"
    assert green["since"] > red["since"]
