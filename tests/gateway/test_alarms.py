"""Alarms and reports come in, and are with Temporal when the sender hears 202."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client

from gateway import delivery
from gateway.bodies import LARGEST
from link.client import connect
from tests.gateway.house import ALARM, REPORT, TOKEN, House, new_name


async def test_an_accepted_alarm_is_with_temporal(house: House) -> None:
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", json={**ALARM, "severity": 2, "value": 4.2})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "unmapped": []})
    assert await house.signals() == [("alarm", {**ALARM, "severity": 2, "value": 4.2})]


@pytest.mark.parametrize("wrapped", [False, True], ids=["a list", "an object with a list"])
async def test_many_alarms_come_in_one_request(house: House, wrapped: bool) -> None:
    many = [{**ALARM, "alarm": f"a{n}"} for n in range(50)]
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", json={"alarms": many} if wrapped else many)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 50)
    assert {alarm["alarm"] for alarm in await house.alarms()} == {f"a{n}" for n in range(50)}


async def test_one_alarms_states_stay_in_their_order(house: House) -> None:
    story = ["ALARM", "OK"] * 10
    others = [{**ALARM, "alarm": f"other{n}"} for n in range(40)]
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", json=others + [{**ALARM, "state": s} for s in story])
    assert answer.status_code == 202
    assert [a["state"] for a in await house.alarms() if a["alarm"] == ALARM["alarm"]] == story


async def test_what_the_catalogue_does_not_know_is_accepted_and_named(house: House) -> None:
    service, region = new_name("nobody-knows"), new_name("mars")
    unknown = [{**ALARM, "service": service}, {**ALARM, "region": region}, {**ALARM, "service": service}]
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", json=unknown)
    said = answer.json()
    assert (answer.status_code, said["accepted"]) == (202, 3)
    assert sorted(said["unmapped"]) == sorted([service, f"checkout-api/{region}"])
    sent = await house.alarms("unmapped")
    assert [a for a in sent if a["service"] == service] == [unknown[0], unknown[2]]
    assert [a for a in sent if a.get("region") == region] == [unknown[1]]


async def test_reports_come_in(house: House) -> None:
    async with house.gateway() as http:
        one = await http.post("/reports", json=REPORT)
        two = await http.post("/reports", json={"reports": [{**REPORT, "source": "phone", "count": 3}]})
    assert (one.status_code, two.status_code) == (202, 202)
    assert await house.signals() == [
        ("report", REPORT),
        ("report", {**REPORT, "source": "phone", "count": 3}),
    ]


async def test_a_bad_alarm_is_said_and_the_good_ones_are_accepted(house: House) -> None:
    bad = {"alarm": "x", "region": "eu-west", "state": "BROKEN", "severity": 9}
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", json=[ALARM, bad, "words", None, {**ALARM, "alarm": "b"}])
    said = answer.json()
    assert (answer.status_code, said["accepted"]) == (422, 2)
    assert "3 of 5" in said["error"]
    errors = {(e["index"], e["field"]): e["text"] for e in said["errors"]}
    assert errors[1, "service"] == "is needed"
    assert "'ALARM' or 'OK'" in errors[1, "state"]
    assert (1, "severity") in errors
    assert "should be an object" in errors[2, ""]
    assert "should be an object" in errors[3, ""]
    assert {a["alarm"] for a in await house.alarms()} == {ALARM["alarm"], "b"}


async def test_a_field_that_nobody_knows_loses_no_alarm_and_is_named(house: House) -> None:
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", json={**ALARM, "severty": 1, "team": "x"})
    assert answer.status_code == 202
    assert answer.json()["ignored"] == [{"index": 0, "fields": ["severty", "team"]}]
    assert await house.alarms() == [ALARM]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b'{"alarm": "a",}', "line 1, column"),
        (b"\xff\xfe\x00", "not UTF-8 (byte 0)"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested too deeply"),
        (b'{"severity": ' + b"9" * 5000 + b"}", "not JSON we can read"),
        (b"alarm=x", "not JSON"),
    ],
    ids=[
        "nothing",
        "blanks",
        "a comma",
        "no text",
        "lists",
        "objects",
        "65 levels",
        "digits",
        "a form",
    ],
)
async def test_what_is_no_json_is_refused_with_the_place(house: House, body: bytes, words: str) -> None:
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", content=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert await house.signals() == []


@pytest.mark.parametrize("body", ["5", '"alarm"', "null", '{"alarms": {}}', '{"alarms": null}'])
async def test_what_is_no_alarm_is_refused(house: House, body: str) -> None:
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", content=body)
    assert answer.status_code == 422
    assert answer.json()["accepted"] == 0
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    "field",
    [{"value": 10**400}, {"alarm": "\ud800"}, {"alarm": "x" * 200}, {"at": "yesterday"}, {"alarm": ""}],
    ids=["a number of 400 digits", "half a letter", "a long name", "no moment", "no name"],
)
async def test_a_field_that_cannot_be_kept_is_named(house: House, field: dict[str, Any]) -> None:
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", content=json.dumps({**ALARM, **field}))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == list(field)


@pytest.mark.parametrize("value", ["1e999", "NaN", "Infinity", "-Infinity"])
async def test_a_number_that_is_none_is_refused_with_its_field_and_the_others_accepted(
    house: House, value: str
) -> None:
    bad = json.dumps({**ALARM, "alarm": "bad"})[:-1] + f', "value": {value}}}'
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", content=f"[{bad}, {json.dumps(ALARM)}]")
    said = answer.json()
    assert (answer.status_code, said["accepted"]) == (422, 1)
    assert [(error["index"], error["field"]) for error in said["errors"]] == [(0, "value")]
    assert await house.alarms() == [ALARM]


async def test_a_body_over_five_mebibytes_is_refused_whatever_it_says_of_its_length(house: House) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LARGEST // 65536 + 1):
            yield b" " * 65536

    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", content=chunks())
        just = await http.post("/alarms/allclear", content=json.dumps(ALARM).rjust(LARGEST))
    assert answer.status_code == 413
    assert "5,120 KiB" in answer.json()["error"]
    assert just.status_code == 202


async def test_more_than_ten_thousand_alarms_are_refused(house: House) -> None:
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", json=[ALARM] * 10_001)
    assert answer.status_code == 413
    assert "10,000" in answer.json()["error"]
    assert await house.signals() == []


async def test_thousands_of_bad_alarms_are_told_in_a_short_answer(house: House) -> None:
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", json=[{}] * 5000)
    assert answer.status_code == 422
    assert "5000 of 5000" in answer.json()["error"]
    assert len(answer.json()["errors"]) == 100


async def test_without_temporal_the_sender_is_asked_to_try_again(house: House, dead: Client) -> None:
    began = time.monotonic()
    async with house.gateway(client=dead) as http:
        answer = await http.post("/alarms/allclear", json=[ALARM, {**ALARM, "state": "?"}])
    assert time.monotonic() - began < 10
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    said = answer.json()
    assert said["accepted"] == 0
    assert "Temporal" in said["error"]
    assert said["errors"][0]["index"] == 1


async def test_a_temporal_that_hangs_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert delivery.PATIENCE < 9, "a sender hears it within ten seconds"
    monkeypatch.setattr(delivery, "PATIENCE", 0.5)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hanging = await connect(f"127.0.0.1:{port}", "default", secret="x", lazy=True)
    began = time.monotonic()
    async with server, house.gateway(client=hanging) as http:
        answer = await http.post("/alarms/allclear", json=[{**ALARM, "alarm": f"a{n}"} for n in range(100)])
    assert answer.status_code == 503
    assert "did not answer" in answer.json()["error"]
    assert time.monotonic() - began < 5


async def test_only_who_shows_the_token_is_let_in(house: House) -> None:
    async with house.gateway(token=TOKEN) as http:
        nothing = await http.post("/alarms/allclear", json=ALARM)
        wrong = await http.post("/alarms/allclear", json=ALARM, headers={"Authorization": "Bearer no"})
        strange = await http.post("/alarms/allclear", json=ALARM, headers={b"Authorization": "Bearer ÿé".encode()})
        basic = await http.post("/alarms/allclear", json=ALARM, headers={"Authorization": f"Basic {TOKEN}"})
        right = await http.post("/alarms/allclear", json=ALARM, headers={"Authorization": f"bearer {TOKEN}"})
    assert [a.status_code for a in (nothing, wrong, strange, basic)] == [401] * 4
    assert "ALLCLEAR_TOKEN" in nothing.json()["error"]
    assert "Authorization: Bearer" in wrong.json()["error"]
    assert nothing.headers["WWW-Authenticate"].startswith("Bearer")
    assert right.status_code == 202


@pytest.mark.parametrize("sender", ["203.0.113.7", "10.0.0.9", "::ffff:203.0.113.7", "not-an-address"])
async def test_without_a_token_other_machines_are_not_let_in(house: House, sender: str) -> None:
    async with house.gateway(sender=(sender, 1)) as http:
        answer = await http.post("/alarms/allclear", json=ALARM)
    assert answer.status_code == 403
    assert "ALLCLEAR_TOKEN" in answer.json()["error"]
    assert await house.signals() == []


@pytest.mark.parametrize("sender", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.3.2.1"])
async def test_without_a_token_this_machine_is_let_in(house: House, sender: str) -> None:
    async with house.gateway(sender=(sender, 1)) as http:
        answer = await http.post("/alarms/allclear", json=ALARM)
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example:8600"},
        {"Host": "[::1"},
        {"Origin": "http://[::1"},
    ],
    ids=["a proxy", "another proxy", "a web page", "a file", "a rebound name", "half a name", "half a web page"],
)
async def test_without_a_token_strangers_behind_this_machine_are_not_let_in(
    house: House, headers: dict[str, str]
) -> None:
    async with house.gateway() as http:
        answer = await http.post("/alarms/allclear", json=ALARM, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("base", ["http://localhost:8600", "http://gateway", "http://[::1]:8600"])
async def test_this_machine_may_be_called_by_its_names(house: House, base: str) -> None:
    async with house.gateway(base=base) as http:
        assert (await http.get("/api/incidents")).status_code == 200


async def test_an_unknown_kind_of_alarm_is_told_what_there_is(house: House) -> None:
    async with house.gateway() as http:
        missing = await http.post("/alarms/nagios", json=ALARM)
        wrong = await http.get("/alarms/allclear")
    assert missing.status_code == 404
    assert "/alarms/nagios" in missing.json()["error"]
    assert wrong.status_code == 405
    assert "POST" in wrong.json()["error"]
