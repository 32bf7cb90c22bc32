"""Alertmanager's alerts become alarms; the body is one that a real Alertmanager sent."""

import copy
import itertools
from typing import Any

import pytest

from gateway.reading import Fault, Seen
from gateway.sources import alertmanager
from tests.gateway.house import House, new_name

FIRING: dict[str, Any] = {
    "receiver": "incident",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {
                "alertname": "HighErrorRate",
                "region": "eu-west",
                "service": "checkout-api",
                "severity": "critical",
            },
            "annotations": {"runbook_url": "https://example.test/run", "summary": "5xx > 5%"},
            "startsAt": "2026-11-23T00:31:09.817191771Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.test/graph",
            "fingerprint": "7abe6021b4f90255",
        }
    ],
    "groupLabels": {"alertname": "HighErrorRate", "service": "checkout-api"},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example.test",
    "version": "4",
    "groupKey": '{}:{alertname="HighErrorRate", service="checkout-api"}',
    "truncatedAlerts": 0,
    "notification_reason": "a key of a later version",
}


def alert(**changes: Any) -> dict[str, Any]:
    one: dict[str, Any] = copy.deepcopy(FIRING["alerts"][0])
    return {**one, **changes}


def alarm_of(index: int, item: Any) -> Any:
    """Return the fields of an alarm that an alert means, or what is wrong with it."""
    seen = alertmanager.alarm_of(index, item)
    return seen.fields if isinstance(seen, Seen) else seen


def labelled(**labels: str) -> Any:
    return alarm_of(0, alert(labels={**FIRING["alerts"][0]["labels"], **labels}))


async def test_a_firing_alert_is_an_alarm_and_a_resolved_one_its_end(house: House) -> None:
    resolved = {
        **FIRING,
        "status": "resolved",
        "alerts": [alert(status="resolved", endsAt="2026-11-23T00:41:09.5Z")],
    }
    async with house.gateway() as http:
        first = await http.post("/alarms/alertmanager", json=FIRING)
        second = await http.post("/alarms/alertmanager", json=resolved)
    assert (first.status_code, second.status_code) == (202, 202)
    fired, cleared = await house.alarms()
    assert fired == {
        "by": "alertmanager",
        "alarm": "HighErrorRate#7abe6021b4f90255",
        "service": "checkout-api",
        "region": "eu-west",
        "metric": "HighErrorRate",
        "state": "ALARM",
        "severity": 2,
        "summary": "5xx > 5%",
        "link": "http://prometheus.example.test/graph",
        "at": "2026-11-23T00:31:09.817191Z",
    }
    assert cleared == {**fired, "state": "OK", "at": "2026-11-23T00:41:09.500000Z"}


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("page", 2), ("critical", 2), ("CRITICAL", 2), ("warning", 3), ("info", 5),
        ("1", 1), ("5", 5), ("sev1", 1), ("SEV-2", 2), ("P3", 3), ("6", None), ("none", None), ("", None),
    ],
)  # fmt: skip
def test_severity_words_have_one_meaning(word: str, severity: int | None) -> None:
    assert labelled(severity=word).get("severity") == severity


def test_series_of_one_rule_are_different_alarms() -> None:
    names = [alarm_of(0, alert(fingerprint=mark))["alarm"] for mark in ("aa", "bb", "aa")]
    assert names[0] == names[2] != names[1]


def test_series_without_a_fingerprint_are_told_apart_by_their_labels() -> None:
    def named(**labels: str) -> str:
        found = alarm_of(0, alert(fingerprint=None, labels={**FIRING["alerts"][0]["labels"], **labels}))
        assert isinstance(found, dict)
        return str(found["alarm"])

    assert named(host="a") == named(host="a") != named(host="b")


def test_a_label_may_name_the_alarm() -> None:
    assert labelled(alarm="checkout-errors")["alarm"] == "checkout-errors"


def test_labels_and_annotations_say_the_rest() -> None:
    found = alarm_of(
        0,
        alert(
            labels={
                "alertname": "Probe",
                "service": "dns",
                "metric": "answered",
                "source": "canary",
                "test": "true",
            },
            annotations={"description": "no answer", "value": "is 4.2% now", "threshold": "1"},
        ),
    )
    assert isinstance(found, dict)
    assert found["metric"] == "answered"
    assert found["source"] == "canary"
    assert found["test"] is True
    assert found["summary"] == "no answer"
    assert (found["value"], found["threshold"]) == (4.2, 1)
    assert "region" not in found


async def test_labels_that_mean_something_else_lose_no_alarm(house: House) -> None:
    odd = {"source": "node-exporter", "severity": "sky-high", "test": "blackbox", "region": ""}
    body = {"alerts": [alert(labels={"alertname": "x" * 300, "job": "checkout-api", **odd}, annotations=None)]}
    async with house.gateway() as http:
        answer = await http.post("/alarms/alertmanager", json=body)
    assert answer.status_code == 202
    (sent,) = await house.alarms()
    assert sent["service"] == "checkout-api"
    assert sent["alarm"].endswith("#7abe6021b4f90255")
    assert not {"source", "severity", "test", "region"} & set(sent)


@pytest.mark.parametrize(
    "changes",
    [
        {"startsAt": "noon"},
        {"startsAt": 5},
        {"startsAt": None},
        {"generatorURL": "?orgId=1"},
        {"generatorURL": {}},
    ],
)
async def test_a_date_or_link_we_cannot_read_loses_no_alarm(house: House, changes: dict[str, Any]) -> None:
    async with house.gateway() as http:
        answer = await http.post("/alarms/alertmanager", json={"alerts": [alert(**changes)]})
    assert answer.status_code == 202
    assert len(await house.alarms()) == 1


@pytest.mark.parametrize("value", ["", "NaN", "+Inf", "1e999", "n/a", "-"])
def test_a_value_that_is_no_number_is_left_out(value: str) -> None:
    found = alarm_of(0, alert(annotations={"value": value}))
    assert isinstance(found, dict)
    assert "value" not in found


async def test_an_alert_that_names_no_service_goes_to_incident_response(house: House) -> None:
    name = new_name("Watchdog")
    async with house.gateway() as http:
        answer = await http.post("/alarms/alertmanager", json={"alerts": [alert(labels={"alertname": name})]})
    assert answer.status_code == 202
    (unmapped,) = answer.json()["unmapped"]
    assert unmapped.startswith(f"alertmanager:{name}#")
    assert [a["state"] for a in await house.alarms("unmapped") if a["service"] == unmapped] == ["ALARM"]


async def test_an_alert_that_is_none_is_refused_and_the_others_accepted(house: House) -> None:
    bad = [alert(status="pending"), alert(labels=None), 7]
    long = alert(labels={"alertname": "a", "service": "s" * 200})
    async with house.gateway() as http:
        answer = await http.post("/alarms/alertmanager", json={"alerts": [*bad, long, alert()]})
    said = answer.json()
    assert (answer.status_code, said["accepted"]) == (422, 1)
    assert [(e["index"], e["field"]) for e in said["errors"]] == [
        (0, "status"), (1, "labels"), (2, ""), (3, "labels.service"),
    ]  # fmt: skip


@pytest.mark.parametrize("body", [[], {}, {"alerts": {}}, [alert()]], ids=str)
async def test_what_is_no_webhook_is_refused(house: House, body: Any) -> None:
    async with house.gateway() as http:
        answer = await http.post("/alarms/alertmanager", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "alerts"


ODD: list[Any] = [None, True, 0, -1.5, "", "\x00", "\u202e", "x" * 5000, [], [[]], {}, {"a": {"b": []}}]


@pytest.mark.parametrize("field", ["status", "labels", "annotations", "startsAt", "generatorURL", "fingerprint"])
def test_no_value_of_any_field_breaks_the_reading(field: str) -> None:
    for odd, name in itertools.product(ODD, ("", "service", "severity", "value")):
        value = {"alertname": "a", "service": "s", name: odd} if name else odd
        found = alarm_of(0, alert(**{field: value}))
        assert isinstance(found, (dict, Fault))
