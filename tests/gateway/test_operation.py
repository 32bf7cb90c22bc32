"""Operating the gateway: health, metrics, the API, and its documentation."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client

from model.incident import Incident
from store import open_store
from tests.gateway.house import ALARM, REPORT, TOKEN, House, record


def numbers(text: str) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(text)
    return {(s.name, s.labels.get("source", "")): s.value for family in families for s in family.samples}


async def recorded(house: House, id: str, minutes: int = 0, **facts: Any) -> Incident:
    opened_at = datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(minutes=minutes)
    it = Incident(id=id, opened_at=opened_at, title="calls fail", services=["checkout-api"], **facts)
    it.say("opened", "SEV2 checkout-api", now=opened_at)
    it.say("observed", "503 from host 17", now=opened_at, by="ana")
    await record(house.store, it)
    return it


async def test_a_gateway_with_temporal_is_healthy(house: House) -> None:
    async with house.gateway(sender=("203.0.113.7", 1), token=TOKEN) as http:
        answer = await http.get("/healthz")
        head = await http.head("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert head.status_code == 200


async def test_a_gateway_without_temporal_is_not_healthy(house: House, dead: Client) -> None:
    began = time.monotonic()
    async with house.gateway(client=dead) as http:
        answer = await http.get("/healthz")
    assert answer.status_code == 503
    assert "Temporal" in answer.json()["error"]
    assert time.monotonic() - began < 4


async def test_metrics_count_what_came_what_went_and_what_did_not(house: House, dead: Client) -> None:
    async with house.gateway() as http:
        await http.post("/alarms/allclear", json=[ALARM, {}, {**ALARM, "alarm": "b"}])
        await http.post("/reports", json=REPORT)
        answer = await http.get("/metrics")
    counted = numbers(answer.text)
    assert answer.headers["content-type"].startswith("text/plain")
    assert counted["allclear_alarms_received_total", "allclear"] == 3
    assert counted["allclear_alarms_accepted_total", "allclear"] == 2
    assert counted["allclear_alarms_refused_total", "allclear"] == 1
    assert counted["allclear_acceptance_seconds_count", "reports"] == 1
    async with house.gateway(client=dead) as http:
        await http.post("/alarms/allclear", json=ALARM)
        counted = numbers((await http.get("/metrics")).text)
        for body in (b"{", b'{"Type": "Notification"}'):
            await http.post("/alarms/cloudwatch", content=body)
        refused = numbers((await http.get("/metrics")).text)
    assert refused["allclear_alarms_received_total", "cloudwatch"] == 2
    assert refused["allclear_alarms_refused_total", "cloudwatch"] == 2
    assert counted["allclear_alarms_undelivered_total", "allclear"] == 1
    assert ("allclear_acceptance_seconds_count", "allclear") not in counted


async def test_incidents_are_listed_the_latest_first(house: House) -> None:
    await recorded(house, "INC-20260302-AAAA", 0, phase="all_clear")
    await recorded(house, "INC-20260302-BBBB", 1)
    await recorded(house, "INC-20260302-CCCC", 2)
    async with house.gateway() as http:
        everything = (await http.get("/api/incidents")).json()
        open_ones = (await http.get("/api/incidents?open=true")).json()
        one = (await http.get("/api/incidents?open=true&limit=1")).json()
        wrong = await http.get("/api/incidents?limit=none&open=perhaps")
    assert [i["id"][-4:] for i in everything["incidents"]] == ["CCCC", "BBBB", "AAAA"]
    assert [i["id"][-4:] for i in open_ones["incidents"]] == ["CCCC", "BBBB"]
    assert [i["id"][-4:] for i in one["incidents"]] == ["CCCC"]
    assert wrong.status_code == 422
    assert "limit" in wrong.json()["error"]
    assert "open" in wrong.json()["error"]


@pytest.mark.parametrize("name", ["INC-20260302-7F3A", "inc-20260302-7f3a", "7F3A", "7f3a", "302-7f3a"])
async def test_an_incident_is_found_by_the_end_of_its_name(house: House, name: str) -> None:
    await recorded(house, "INC-20260302-7F3A")
    async with house.gateway() as http:
        answer = await http.get(f"/api/incidents/{name}")
    found = answer.json()
    assert (answer.status_code, found["id"]) == (200, "INC-20260302-7F3A")
    assert [line["text"] for line in found["timeline"]] == ["SEV2 checkout-api", "503 from host 17"]
    assert not {"plan", "policy", "owed"} & set(found)


@pytest.mark.parametrize("name", ["ZZZZ", "F3A", "%25%25%25%25", "..%2f..%2fetc", "' OR 1=1 --"])
async def test_an_incident_that_is_not_there_is_named(house: House, name: str) -> None:
    await recorded(house, "INC-20260302-7F3A")
    async with house.gateway() as http:
        answer = await http.get(f"/api/incidents/{name}")
    assert answer.status_code == 404
    assert "error" in answer.json()
    if name == "ZZZZ":
        assert "ZZZZ" in answer.json()["error"]


async def test_a_name_that_two_incidents_share_is_asked_to_be_longer(house: House) -> None:
    await recorded(house, "INC-20260302-7F3A")
    await recorded(house, "INC-20260303-7F3A")
    async with house.gateway() as http:
        answer = await http.get("/api/incidents/7f3a")
    assert answer.status_code == 409
    assert "INC-20260302-7F3A" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/api/incidents", "/api/incidents/7F3A", "/metrics"])
async def test_what_we_know_is_not_for_everybody(house: House, path: str) -> None:
    async with house.gateway(sender=("203.0.113.7", 1)) as http:
        assert (await http.get(path)).status_code == 403
    async with house.gateway(token=TOKEN) as http:
        assert (await http.get(path)).status_code == 401
        shown = await http.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
    assert shown.status_code in (200, 404)


async def test_a_store_that_cannot_be_read_is_said_in_a_sentence(house: House, tmp_path: Path) -> None:
    house.store = open_store(f"sqlite:///{tmp_path}/empty.db")
    async with house.gateway() as http:
        answer = await http.get("/api/incidents")
    await house.store.close()
    assert answer.status_code == 503
    assert "allclear migrate" in answer.json()["error"]


async def test_an_error_of_ours_shows_no_stack(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(**_: Any) -> None:
        raise KeyError("a secret detail")

    monkeypatch.setattr(house.store, "incidents", broken)
    async with house.gateway() as http:
        answer = await http.get("/api/incidents")
    assert answer.status_code == 500
    assert "KeyError" in answer.json()["error"]
    assert "secret detail" not in answer.text


async def test_the_documentation_shows_what_to_send(house: House) -> None:
    async with house.gateway() as http:
        told = (await http.get("/openapi.json")).json()
        assert (await http.get("/docs")).status_code == 404
        for path, name in (("/alarms/allclear", "Alarm"), ("/reports", "Report")):
            content = told["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            assert f"#/components/schemas/{name}" in json.dumps(content["schema"])
            for example in content["examples"].values():
                assert (await http.post(path, json=example["value"])).status_code == 202
        webhook = told["paths"]["/alarms/alertmanager"]["post"]
        example = webhook["requestBody"]["content"]["application/json"]["example"]
        assert (await http.post("/alarms/alertmanager", json=example)).status_code == 202
    assert "severity" in webhook["description"]
    assert set(told["components"]["schemas"]) >= {"Alarm", "Report", "Error", "Accepted", "Summary"}
    assert not [path for path in told["paths"] if path.startswith("/i/")]


def test_a_gateway_without_a_secret_does_not_begin(house: House) -> None:
    from gateway.app import make_app

    with pytest.raises(ValueError, match="secret"):
        make_app(client=house.client, catalog=lambda: house.catalog, store=house.store, secret="", public_url="")
