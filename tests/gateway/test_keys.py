"""Who may send alarms: by key or by signature, over the body as it was sent, and with several keys at once."""

import base64
import hashlib
import hmac
import json
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from model.catalogue.catalog import SOURCES
from model.text import Refused
from tests.gateway.house import ALARM, TOKEN, House
from tests.gateway.test_alertmanager import FIRING
from tests.gateway.test_sources import EVENT, STRUCTURED, datadog, example
from worker.settings import Settings
from worker.settings.intake import SOURCES as SETTABLE

BODIES: dict[str, Any] = {
    "allclear": ALARM,
    "alertmanager": FIRING,
    "eventbridge": example("eventbridge"),
    "grafana": {"alerts": FIRING["alerts"]},
    "datadog": datadog(),
    "cloudevents": EVENT,
}
OUTSIDE = ("203.0.113.7", 443)
OLD, NEW = "the old key", "the-new-key"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("source", list(BODIES))
async def test_each_source_has_keys_of_its_own_and_several_at_once(house: House, source: str) -> None:
    kind = STRUCTURED if source == "cloudevents" else {}
    async with house.gateway(sender=OUTSIDE, keys={source: [OLD, NEW]}) as http:
        path = f"/alarms/{source}"
        answers = [
            await http.post(path, json=BODIES[source], headers={**kind, **shown})
            for shown in (bearer(OLD), bearer(NEW), bearer("another"), {}, bearer(TOKEN))
        ]
        others = [await http.post(f"/alarms/{other}", json=BODIES[other], headers=bearer(OLD))
                  for other in BODIES if other != source]  # fmt: skip
    assert [answer.status_code for answer in answers] == [202, 202, 401, 401, 401]
    assert f"ALLCLEAR_KEYS_{source.upper()}" in answers[2].json()["error"]
    assert {answer.status_code for answer in others} == {403}, "a key of one source opens no other"


@pytest.mark.parametrize("source", list(BODIES))
async def test_a_source_with_a_key_asks_this_machine_too(house: House, source: str) -> None:
    async with house.gateway(keys={source: [NEW]}) as http:
        assert (await http.post(f"/alarms/{source}", json=BODIES[source])).status_code == 401


@pytest.mark.parametrize("source", list(BODIES))
async def test_without_any_key_only_this_machine_is_let_in(house: House, source: str) -> None:
    kind = STRUCTURED if source == "cloudevents" else {}
    async with house.gateway(sender=OUTSIDE) as http:
        assert (await http.post(f"/alarms/{source}", json=BODIES[source])).status_code == 403
    async with house.gateway() as http:
        assert (await http.post(f"/alarms/{source}", json=BODIES[source], headers=kind)).status_code == 202


@pytest.mark.parametrize("source", list(BODIES))
async def test_the_gateways_own_token_opens_every_source(house: House, source: str) -> None:
    kind = STRUCTURED if source == "cloudevents" else {}
    async with house.gateway(sender=OUTSIDE, token=TOKEN, keys={source: [NEW]}) as http:
        answer = await http.post(f"/alarms/{source}", json=BODIES[source], headers={**kind, **bearer(TOKEN)})
    assert answer.status_code == 202


# --- Grafana --------------------------------------------------------------------------------------


def grafana(key: str, body: bytes, at: int | None = None) -> dict[str, str]:
    signed = body if at is None else f"{at}:".encode() + body
    found = {"X-Grafana-Alerting-Signature": hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}
    return found if at is None else {**found, "X-Grafana-Alerting-Timestamp": str(at)}


@pytest.mark.parametrize("key", [OLD, NEW])
@pytest.mark.parametrize("timed", [False, True])
async def test_grafanas_signature_is_checked_over_the_body_as_it_was_sent(house: House, key: str, timed: bool) -> None:
    body = json.dumps(BODIES["grafana"], indent=3).encode()
    headers = grafana(key, body, int(time.time()) if timed else None)
    async with house.gateway(sender=OUTSIDE, keys={"grafana": [OLD, NEW]}) as http:
        right = await http.post("/alarms/grafana", content=body, headers=headers)
        tampered = await http.post("/alarms/grafana", content=body + b" ", headers=headers)
        other = await http.post("/alarms/grafana", content=body, headers=grafana("another", body))
    assert [a.status_code for a in (right, tampered, other)] == [202, 401, 401]
    assert len(await house.alarms()) == 1


@pytest.mark.parametrize("seconds", [-301, 301, -(10**9)])
async def test_an_old_message_of_grafana_cannot_be_sent_again(house: House, seconds: int) -> None:
    body = json.dumps(BODIES["grafana"]).encode()
    headers = grafana(NEW, body, int(time.time()) + seconds)
    without = {name: value for name, value in headers.items() if "Timestamp" not in name}
    odd = [{**headers, "X-Grafana-Alerting-Timestamp": text} for text in ("", "nan", "1e9", "²")]
    async with house.gateway(sender=OUTSIDE, keys={"grafana": [NEW]}) as http:
        for shown in (headers, without, *odd):
            encoded = [(name.encode(), value.encode()) for name, value in shown.items()]
            assert (await http.post("/alarms/grafana", content=body, headers=encoded)).status_code == 401
    assert await house.alarms() == []


# --- Standard Webhooks ----------------------------------------------------------------------------

SIGNING, NEXT = ("whsec_" + base64.b64encode(word * 8).decode() for word in (b"old!", b"new!"))


def standard(key: str, body: bytes, at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(UTC)
    signature = Webhook(key).sign("msg_1", at, body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


@pytest.mark.parametrize("source", ["allclear", "cloudevents"])
@pytest.mark.parametrize("key", [SIGNING, NEXT])
async def test_a_standard_webhook_is_checked_over_the_body_as_it_was_sent(house: House, source: str, key: str) -> None:
    body = json.dumps(BODIES[source], indent=1).encode()
    headers = standard(key, body) | (STRUCTURED if source == "cloudevents" else {})
    two = {**headers, "webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}
    async with house.gateway(sender=OUTSIDE, keys={source: [SIGNING, NEXT]}) as http:
        right = [await http.post(f"/alarms/{source}", content=body, headers=shown) for shown in (headers, two)]
        tampered = await http.post(f"/alarms/{source}", content=body.replace(b"ALARM", b"OK"), headers=headers)
    async with house.gateway(keys={source: [SIGNING, NEXT]}) as http:
        unsigned = [await http.post(f"/alarms/{source}", content=body, headers=shown) for shown in ({}, bearer(key))]
    assert [answer.status_code for answer in right] == [202, 202]
    assert tampered.status_code == 401
    assert [answer.status_code for answer in unsigned] == [401, 401], "a key that signs is not shown"


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-timestamp": str(int(time.time()) - 400)}, {"webhook-timestamp": "soon"}, {"webhook-id": "msg_2"},
        {"webhook-signature": "v1,AAAA"}, {"webhook-signature": "v1"}, {"webhook-signature": "v1,?"},
        {"webhook-signature": ",,"}, {"webhook-signature": "v2,AAAA"}, {"webhook-signature": ""},
    ],
)  # fmt: skip
async def test_a_webhook_that_nobody_signed_is_refused(house: House, change: dict[str, str]) -> None:
    body = json.dumps(ALARM).encode()
    async with house.gateway(sender=OUTSIDE, keys={"allclear": [SIGNING]}) as http:
        answer = await http.post("/alarms/allclear", content=body, headers={**standard(SIGNING, body), **change})
    assert answer.status_code == 401
    assert await house.alarms() == []


async def test_an_old_webhook_cannot_be_sent_again(house: House) -> None:
    body = json.dumps(ALARM).encode()
    headers = standard(SIGNING, body, datetime.now(UTC) - timedelta(minutes=6))
    async with house.gateway(sender=OUTSIDE, keys={"allclear": [SIGNING]}) as http:
        answer = await http.post("/alarms/allclear", content=body, headers=headers)
    assert answer.status_code == 401
    assert "too old" in answer.json()["error"]


async def test_a_body_that_is_no_text_is_no_stumbling_block(house: House) -> None:
    headers = standard(SIGNING, b"x")
    async with house.gateway(sender=OUTSIDE, keys={"allclear": [SIGNING]}) as http:
        assert (await http.post("/alarms/allclear", content=b"\xff\xfe", headers=headers)).status_code == 401


def test_a_signing_key_that_is_none_is_said_without_showing_it(house: House) -> None:
    with pytest.raises(Refused, match="ALLCLEAR_KEYS_ALLCLEAR") as caught:
        house.app(keys={"allclear": ["whsec_hidden!words"]})
    assert "hidden" not in str(caught.value)


async def test_no_key_is_in_an_answer_or_a_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    keys = {source: [OLD, NEW, SIGNING] for source in BODIES}
    texts = []
    with caplog.at_level(logging.DEBUG):
        async with house.gateway(sender=OUTSIDE, token=TOKEN, keys=keys) as http:
            for source, body in BODIES.items():
                for headers in ({}, bearer("another"), standard(NEXT, b"x"), grafana("another", b"x")):
                    answer = await http.post(f"/alarms/{source}", json=body, headers=headers)
                    texts.append(answer.text + str(answer.headers))
            texts.append((await http.get("/openapi.json")).text)
    told = "\n".join(texts) + caplog.text
    assert not [key for key in (OLD, NEW, SIGNING, TOKEN) if key in told]


# --- Settings -------------------------------------------------------------------------------------


def test_keys_come_from_the_environment_and_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "grafana").write_text("second\nthird\n", encoding="utf-8")
    (tmp_path / "datadog").write_text("\n", encoding="utf-8")
    monkeypatch.setenv("ALLCLEAR_KEYS_FOLDER", str(tmp_path))
    monkeypatch.setenv("ALLCLEAR_KEYS_GRAFANA", "first second")
    monkeypatch.setenv("ALLCLEAR_KEYS_ALLCLEAR", SIGNING)
    monkeypatch.setenv("ALLCLEAR_SNS_TOPICS", "arn:aws:sns:a, arn:aws:sns:b")
    settings = Settings()
    assert settings.source_keys() == {"grafana": ["first", "second", "third"], "allclear": [SIGNING]}
    assert settings.topics == ["arn:aws:sns:a", "arn:aws:sns:b"]
    assert not [key for key in ("first", SIGNING) if key in repr(settings)]
    assert set(SETTABLE) == set(SOURCES) - {"cloudwatch"}


def test_without_settings_there_are_no_keys() -> None:
    assert (Settings().source_keys(), Settings().topics) == ({}, [])


def test_keys_that_cannot_be_read_are_said_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "grafana").write_bytes(b"hidden\xff")
    with pytest.raises(Refused, match="grafana") as caught:
        Settings(keys_folder=tmp_path).source_keys()
    assert "hidden" not in str(caught.value)
    with pytest.raises(Refused, match="ALLCLEAR_KEYS_FOLDER"):
        Settings(keys_folder=tmp_path / "nowhere").source_keys()
