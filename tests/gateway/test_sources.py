"""EventBridge, Grafana, Datadog and CloudEvents tell us alarms, each in its own format."""

import base64
import copy
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.intake import FROM_OUTSIDE
from gateway.sources.datadog import TEMPLATE
from gateway.sources.sns import TOPICS
from model.catalogue.catalog import SOURCES
from tests.gateway.house import ALARM, House, new_name
from tests.gateway.test_alertmanager import ODD, alert

BY_NAME = {source.name: source for source in FROM_OUTSIDE}


def example(source: str) -> Any:
    content = next(iter(BY_NAME[source].documented["content"].values()))
    return copy.deepcopy(content["example"])


async def sent(house: House, source: str, body: Any, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
    async with house.gateway() as http:
        answer = await http.post(f"/alarms/{source}", json=body, **options)
    return answer, await house.alarms()


def test_every_source_that_the_catalogue_may_name_has_an_address(house: House) -> None:
    paths = house.app().openapi()["paths"]
    assert {f"/alarms/{name}" for name in SOURCES} == {path for path in paths if path.startswith("/alarms/")}
    assert TOPICS == "ALLCLEAR_SNS_TOPICS"


@pytest.mark.parametrize("source", list(BY_NAME))
async def test_the_example_in_the_documentation_is_accepted(house: House, source: str) -> None:
    async with house.gateway() as http:
        for kind, content in BY_NAME[source].documented["content"].items():
            headers = {"Content-Type": kind}
            if kind == "application/json" and source == "cloudevents":
                headers |= {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "t"}
            answer = await http.post(f"/alarms/{source}", content=json.dumps(content["example"]), headers=headers)
            assert (answer.status_code, answer.json()["unmapped"]) == (202, [])
    assert {alarm["by"] for alarm in await house.alarms()} == {source}


# --- EventBridge ----------------------------------------------------------------------------------


async def test_an_event_of_eventbridge_is_an_alarm(house: House) -> None:
    answer, (alarm,) = await sent(house, "eventbridge", example("eventbridge"))
    assert answer.status_code == 202
    assert alarm == {
        "by": "eventbridge",
        "key": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
        "alarm": "checkout-5xx#123456789012",
        "service": "checkout-api",
        "region": "eu-west",
        "metric": "error-rate",
        "state": "ALARM",
        "severity": 2,
        "summary": "Threshold Crossed: 1 datapoint [42.0] was greater than the threshold (10.0).",
        "link": "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/checkout-5xx",
        "value": 42.0,
        "threshold": 10.0,
        "at": "2026-03-02T09:00:40.989000Z",
    }


async def test_tags_of_an_alarm_are_labels_and_a_suppressed_one_is_taken_all_the_same(house: House) -> None:
    event = example("eventbridge")
    event["detail"]["configuration"] = {"alarmRule": "ALARM(a)", "description": "both"}
    event["detail"]["alarmTags"] = {"service": "payments"}
    event["detail"]["state"] |= {"actionsSuppressedBy": "WaitPeriod"}
    _, (alarm,) = await sent(house, "eventbridge", event)
    assert alarm["service"] == "payments"
    assert "suppressed by WaitPeriod" in alarm["summary"]


async def test_events_that_are_none_are_named_and_the_others_accepted(house: House) -> None:
    good = example("eventbridge")
    bad = [{**good, "detail-type": "EC2 Instance State-change Notification"}, 7, {**good, "detail": {}}]
    quiet = copy.deepcopy(good)
    quiet["detail"]["state"]["value"] = "INSUFFICIENT_DATA"
    answer, alarms = await sent(house, "eventbridge", [*bad, quiet, good])
    said = answer.json()
    assert (answer.status_code, said["accepted"], len(alarms)) == (422, 1, 1)
    assert [(e["index"], e["field"]) for e in said["errors"]] == [(0, "detail-type"), (1, ""), (2, "detail.alarmName")]
    assert said["ignored"][0]["index"] == 3


# --- Grafana --------------------------------------------------------------------------------------


async def test_an_alert_of_grafana_is_an_alarm(house: House) -> None:
    answer, (alarm,) = await sent(house, "grafana", example("grafana"))
    assert answer.status_code == 202
    assert alarm["alarm"] == "HighErrorRate#7abe6021b4f90255"
    assert (alarm["service"], alarm["region"], alarm["severity"], alarm["value"]) == ("checkout-api", "eu-west", 2, 4.2)
    assert alarm["link"] == "https://grafana.example.test/d/checkout?viewPanel=2"


@pytest.mark.parametrize("values", [None, {}, {"A": None, "B": 7}, {"A": True, "B": "7"}])
async def test_grafanas_values_may_be_missing(house: House, values: Any) -> None:
    one = alert(values=values, annotations={}, generatorURL="?orgId=1")
    _, (alarm,) = await sent(house, "grafana", {"alerts": [one]})
    assert alarm.get("value") == (7 if values and len(values) == 2 else None)
    assert "link" not in alarm


# --- Datadog --------------------------------------------------------------------------------------


def datadog(**changes: str) -> dict[str, str]:
    """Return what Datadog sends: our template with every variable filled in, or empty."""
    filled = {name: example("datadog").get(name, "") for name in TEMPLATE}
    return {**filled, **changes}


async def test_a_notification_of_datadog_is_an_alarm_and_recovers(house: House) -> None:
    async with house.gateway() as http:
        for transition, event in (("Triggered", "1"), ("Re-Triggered", "2"), ("Recovered", "3")):
            title = f"[{transition}] Checkout: {event} calls fail"
            body = datadog(transition=transition, event_id=event, title=title, last_updated=f"177244200000{event}")
            assert (await http.post("/alarms/datadog", json=body)).status_code == 202
    first, again, over = await house.alarms()
    assert first == {
        "by": "datadog",
        "key": "1",
        "alarm": "datadog-9876543#c1a5d3",
        "service": "checkout-api",
        "region": "eu-west",
        "metric": "error-rate",
        "state": "ALARM",
        "severity": 2,
        "summary": "[Triggered] Checkout: 1 calls fail",
        "link": "https://app.datadoghq.example.test/monitors/9876543",
        "at": "2026-03-02T09:00:00.001000Z",
    }
    assert [again["state"], over["state"]] == ["ALARM", "OK"]
    assert {alarm["alarm"] for alarm in (first, again, over)} == {"datadog-9876543#c1a5d3"}


@pytest.mark.parametrize(
    ("transition", "priority", "expected"),
    [
        ("Warn", "P1", ("ALARM", 4)), ("Re-Warn", "", ("ALARM", 4)), ("No Data", "", ("ALARM", None)),
        ("Triggered", "P1", ("ALARM", 1)), ("Renotify", "P5", ("ALARM", 5)), ("Recovered", "P1", ("OK", 1)),
    ],
)  # fmt: skip
async def test_transitions_of_a_monitor(
    house: House, transition: str, priority: str, expected: tuple[str, int | None]
) -> None:
    _, (alarm,) = await sent(house, "datadog", datadog(transition=transition, priority=priority))
    assert (alarm["state"], alarm.get("severity")) == expected


async def test_a_notification_that_is_not_by_the_template_is_told_so(house: House) -> None:
    answer, _ = await sent(house, "datadog", [{"title": "x"}, datadog(transition="$ALERT_TRANSITION"), []])
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["alert_id", "transition", ""]
    assert "docs/intake.md" in answer.json()["errors"][0]["text"]


def test_the_guide_has_the_template_to_paste() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "intake.md").read_text(encoding="utf-8")
    assert json.dumps(TEMPLATE, indent=2) in guide
    assert not [name for name in SOURCES if f"| `{name}` |" not in guide]


async def test_a_monitor_without_tags_goes_to_incident_response(house: House) -> None:
    monitor = new_name("m")
    answer, _ = await sent(house, "datadog", datadog(tags="", alert_id=monitor))
    assert answer.json()["unmapped"] == [f"datadog:datadog-{monitor}#c1a5d3"]


# --- CloudEvents ----------------------------------------------------------------------------------


EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "A-1",
    "source": "/monitoring",
    "type": "com.example.alarm",
    "time": "2026-03-02T09:00:00Z",
    "data": ALARM,
}
STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.mark.parametrize("mode", ["structured", "binary", "batch", "forgotten type", "base64"])
async def test_an_event_comes_in_every_mode(house: House, mode: str) -> None:
    headers, body = STRUCTURED, json.dumps(EVENT)
    if mode == "binary":
        headers = {f"ce-{name}": value for name, value in EVENT.items() if name != "data"}
        headers["Content-Type"], body = "application/json", json.dumps(ALARM)
    elif mode == "batch":
        headers, body = BATCH, json.dumps([EVENT])
    elif mode == "forgotten type":
        headers = {"Content-Type": "application/json"}
    elif mode == "base64":
        raw = {**EVENT, "data_base64": base64.b64encode(json.dumps(ALARM).encode()).decode()}
        body = json.dumps({name: value for name, value in raw.items() if name != "data"})
    async with house.gateway() as http:
        answer = await http.post("/alarms/cloudevents", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "unmapped": []})
    assert await house.alarms() == [
        {**ALARM, "by": "cloudevents", "key": "/monitoring#A-1", "at": "2026-03-02T09:00:00Z"}
    ]


async def test_an_event_names_its_alarm_by_its_subject(house: House) -> None:
    data = {name: value for name, value in ALARM.items() if name != "alarm"}
    _, alarms = await sent(house, "cloudevents", [{**EVENT, "data": data, "subject": "disk-17"}])
    assert [alarm["alarm"] for alarm in alarms] == ["disk-17"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"specversion": "0.3"}, "specversion"), ({"id": ""}, "id"), ({"source": None}, "source"),
        ({"type": 5}, "type"), ({"data": None}, "data"), ({"data": "words"}, "data"),
        ({"data": {**ALARM, "state": "?"}}, "state"), ({"data_base64": "???"}, "data"),
    ],
)  # fmt: skip
async def test_an_event_that_is_none_is_named_and_the_others_accepted(
    house: House, changes: dict[str, Any], field: str
) -> None:
    answer, alarms = await sent(house, "cloudevents", [{**EVENT, **changes}, EVENT], headers=BATCH)
    assert (answer.status_code, len(alarms)) == (422, 1)
    assert [(error["index"], error["field"]) for error in answer.json()["errors"]] == [(0, field)]


# --- The catalogue's rules ------------------------------------------------------------------------


def ruled(house: House, *rules: dict[str, Any]) -> None:
    """Let the catalogue have these rules, read as people write them."""
    data = house.catalog.model_dump(mode="json", include={"partitions"})
    loaded = house.catalog.load(
        {
            **data,
            "people": {"ana": {"contact": [{"email": "ana@example.test"}]}},
            "teams": {"t": {"on_call": [["ana"]], "manager": "ana"}},
            "services": {"shop": {"team": "t", "regions": ["eu-west"]}, "dns": {"team": "t"}},
            "roles": {"incident_response": "t", "support": "t", "call_leaders": ["ana"]},
            "match": list(rules),
        }
    )
    house.catalog = loaded


async def test_rules_say_service_region_metric_severity_and_kind(house: House) -> None:
    ruled(
        house,
        {
            "source": "alertmanager",
            "when": {"app": ["shop-*", "store"], "env": "prod"},
            "service": "shop", "region": "eu-west", "metric": "errors", "severity": 1, "kind": "canary",
        },
    )  # fmt: skip
    labels = {"alertname": "a", "service": "legacy", "app": "shop-17", "env": "prod", "severity": "info"}
    _, (alarm,) = await sent(house, "alertmanager", {"alerts": [alert(labels=labels)]})
    told = {name: alarm[name] for name in ("service", "region", "metric", "severity", "source")}
    assert told == {"service": "shop", "region": "eu-west", "metric": "errors", "severity": 1, "source": "canary"}


@pytest.mark.parametrize(
    ("labels", "service"),
    [
        ({"app": "shop-1", "env": "prod"}, "shop"),
        ({"app": "shop-1", "env": "test"}, None),
        ({"app": "SHOP-1", "env": "prod"}, None),
        ({"app": "shop-1"}, None),
        ({"job": "shop"}, "shop"),
        ({"job": "dns", "silent": ""}, "dns"),
        ({"job": "dns", "silent": "yes"}, None),
    ],
)
def test_a_rule_fits_when_every_label_does(house: House, labels: dict[str, str], service: str | None) -> None:
    ruled(
        house,
        {"when": {"app": "shop-*", "env": "prod"}, "service": "shop"},
        {"when": {"job": ["shop", "dns"], "silent": ""}, "service": "{job}"},
    )
    assert house.catalog.matched("grafana", labels).get("service") == service


def test_for_each_field_the_first_rule_that_says_it_wins(house: House) -> None:
    ruled(
        house,
        {"source": ["datadog"], "when": {"app": "*"}, "service": "dns"},
        {"when": {"app": "a*"}, "service": "shop"},
        {"when": {"app": "*"}, "service": "dns", "region": "us-east", "severity": 4},
    )
    assert house.catalog.matched("grafana", {"app": "ab"}) == {"service": "shop", "region": "us-east", "severity": 4}
    assert house.catalog.matched("datadog", {"app": "ab"})["service"] == "dns"
    assert house.catalog.matched("nobody", {"app": "ab"}) == {}


async def test_rules_speak_of_our_own_format_too(house: House) -> None:
    ruled(house, {"source": "allclear", "when": {"service": "old-shop"}, "service": "shop"})
    _, alarms = await sent(house, "allclear", [{**ALARM, "service": "old-shop"}, {**ALARM, "service": "shop"}, 7])
    assert [alarm["service"] for alarm in alarms] == ["shop", "shop"]


@pytest.mark.parametrize(
    ("rule", "where", "words"),
    [
        ({"when": {"a": "b"}, "service": "chop"}, "match[0].service", "did you mean 'shop'"),
        ({"when": {"a": "b"}, "region": "eu-wst"}, "match[0].region", "eu-west"),
        ({"when": {"a": "b"}, "source": "nagios", "service": "shop"}, "match[0].source", "nagios"),
        ({"service": "shop"}, "match[0].when", "labels"),
        ({"when": {"a": "b"}}, "match[0]", "says nothing"),
        ({"when": {"a": "b"}, "severity": 9}, "match[0].severity", "9"),
        ({"when": {"a": 5}, "service": "shop"}, "match[0].when.a", "list"),
        ({"when": {"a": "b"}, "serivce": "shop"}, "match[0].serivce", "service"),
    ],
)
def test_a_rule_that_cannot_work_is_named(house: House, rule: dict[str, Any], where: str, words: str) -> None:
    from model.catalogue.catalog import CatalogError

    with pytest.raises(CatalogError) as caught:
        ruled(house, rule)
    assert [f.text for f in caught.value.findings if f.level == "error" and f.where == where and words in f.text]


@pytest.mark.parametrize("source", list(BY_NAME))
def test_no_value_of_any_field_breaks_the_reading(source: str) -> None:
    body = example(source)
    item = body["alerts"][0] if isinstance(body, dict) and "alerts" in body else body
    for path in _paths(item):
        for odd in ODD:
            broken = copy.deepcopy(item)
            at = broken
            for part in path[:-1]:
                at = at[part]
            at[path[-1]] = odd
            BY_NAME[source].seen(0, broken)
    for odd in ODD:
        BY_NAME[source].seen(0, odd)


def _paths(item: Any) -> list[tuple[Any, ...]]:
    pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    return list(
        itertools.chain.from_iterable([(key,), *((key, *rest) for rest in _paths(value))] for key, value in pairs)
    )
