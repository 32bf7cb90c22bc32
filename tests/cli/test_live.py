"""The command against a running house: what somebody types who was just woken."""

from datetime import timedelta

import pytest

from cli import detect, find
from tests.cli.typing import House

ALARM = ("alarm", "checkout-api", "eu-west", "--metric", "error-rate", "--value", "4")


@pytest.fixture(autouse=True)
def _ana(monkeypatch):
    monkeypatch.setenv("ALLCLEAR_USER", "ana")


async def opened(house: House, *words: str) -> str:
    """Raise an alarm and return its incident."""
    said = (await house.run(*words, "--json")).json
    assert (said["accepted"], said["partition"]) == (True, "public")
    return str(said["incident"])


async def test_from_the_alarm_to_the_end_without_an_id(house):
    assert "no incident is open" in (await house.run("ack")).err
    incident = await opened(house, *ALARM)
    assert await house.done("ack") == f"{incident}: acknowledged for checkout\n"
    assert "you are in for checkout" in await house.done("in")
    assert "in the ticket" in await house.done(
        "note", "503 from [host 17]", "--kind", "error", "--link", "https://x.test"
    )
    snapshot = (await house.run("incident", "show", incident[-4:].lower(), "--json")).json
    said = [(it["what"], it["by"], it["claimed"], it["text"]) for it in snapshot["timeline"] if it["by"] == "ana"]
    assert said[-1] == ("observed", "ana", False, "error: 503 from [host 17]"), "proven, not claimed"
    page = await house.done("incident", "show", incident)
    assert page.startswith("# SEV2 checkout-api error-rate in eu-west")
    assert "503 from" in page
    refused = await house.run("incident", "close", incident[-4:], "false_alarm")
    assert (refused.code, refused.out) == (1, "")
    assert "in alarm: checkout-api error-rate" in refused.err
    assert "OK" in await house.done(*ALARM[:3], "--metric", "error-rate", "--state", "ok")
    closed = await house.until("incident", "close", incident[-4:], "false_alarm", fits=lambda it: it.code == 0)
    assert "closed" in closed.out


async def test_lists_agree_as_text_and_json(house):
    incident = await opened(house, *ALARM)
    typed = await house.until(
        "incident", "list", "--json", fits=lambda it: [r["awaiting"] for r in it.json] == [["checkout"]]
    )
    (row,) = typed.json
    assert row | {"opened_at": ""} == {
        "id": incident, "severity": 2, "phase": "engage", "opened_at": "", "services": ["checkout-api"],
        "regions": ["eu-west"], "awaiting": ["checkout"],
    }  # fmt: skip
    head, line = (await house.done("incident", "list")).splitlines()
    assert line.index("checkout-api") == head.index("services")
    assert (await house.run("incident", "list", "--all", "--json")).json[0]["id"] == incident


async def test_several_open_ones_are_listed_to_choose_from(house):
    first = await opened(house, *ALARM)
    said = await house.done("incident", "declare", "Search is slow", "--service", "Search-API", "--region", "eu-west")
    second = said.split()[0]
    typed = await house.until("ack", fits=lambda it: it.code == 2)
    assert f"for example `allclear ack {second[-4:]}`" in typed.err
    assert f"{first}  SEV2" in typed.err
    assert "Search is slow" in typed.err
    assert "acknowledged" in await house.done("ack", first[-4:])
    assert "acknowledged" in await house.done("ack", second, "--as", "IDA@example.test")
    assert "part of" in (await house.run("incident", "declare", "again", "--service", "search-api")).err


async def test_what_is_wrong_is_said_before_or_by_the_house(house):
    incident = await opened(house, *ALARM)
    for words, code, said in (
        (("incident", "observe", "ZZZZ", "x"), 1, "no incident ends in ZZZZ"),
        (("incident", "observe", "?", "x"), 2, "four or more of its last characters"),
        (("incident", "show", "INC-20200101-AAAA"), 1, "Temporal does not know INC-20200101-AAAA"),
        (("incident", "engage", incident, "why not", "--team", "netwrk"), 1, "the catalogue has no team netwrk"),
        (("incident", "engage", incident, "why not"), 2, "--team is needed"),
        (("ack", "--as", "stranger"), 1, "'stranger' is not on call for"),
        (("approve",), 1, "proposal"),
        (("silence", "checkout-api", "planned move", "--until", "2h"), 2, "no partition has the region 'planned move'"),
        (("silence", "chekout-api", "--until", "2h", "--reason", "x"), 2, "did you mean 'checkout-api'"),
    ):
        typed = await house.run(*words)
        assert (typed.code, typed.out) == (code, ""), typed
        assert said in typed.err


async def test_machines_of_every_kind(house):
    assert "is silent until" in await house.done("silence", "payments", "eu-west", "planned move", "--until", "2h")
    silent = await house.run("alarm", "payments", "eu-west", "--metric", "error-rate", "--json")
    assert silent.json["incident"] is None
    unknown = await house.done("alarm", "pyments", "eu-west")
    assert "did you mean 'payments'" in unknown
    assert "incident response is called" in unknown
    for customer in ("acme", "globex", "umbra"):
        await house.done("report", "search-api", "eu-west", "--customer", customer, "--text", "nothing is found")
    typed = await house.until("detection", "--json", fits=lambda it: len(it.json[0]["incidents"]) == 1)
    by_name = {it["partition"]: it for it in typed.json}
    assert [it["service"] for it in by_name["public"]["silences"]] == ["payments"]
    assert [it["silenced"] for it in by_name["public"]["alarms"].values()] == [True]
    assert len(by_name["public"]["reports"]) == 3
    assert len(by_name["unmapped"]["alarms"]) == 1
    shown = await house.done("detection")
    assert "unmapped (what the catalogue does not know): 1 in alarm, 1 incident open" in shown
    assert "planned move" in shown
    assert "nothing is found" in shown


async def test_nobody_works(namespace, monkeypatch):
    """What waits is said at once: an empty list would be believed."""
    monkeypatch.setattr(find, "ANSWER_WITHIN", timedelta(seconds=0.3))
    monkeypatch.setattr(detect, "LOOK_FOR", 0.3)
    house = House(namespace)
    assert "Nothing is watched yet" in await house.done("detection")
    assert "no worker has looked at it yet" in await house.done(*ALARM)
    for words in (("ack",), ("detection",), ("incident", "list")):
        typed = await house.until(*words, fits=lambda it: it.code == 1)
        assert "no worker answers; `allclear up`" in typed.err


async def test_the_health_of_everything_at_one_look(house):
    incident = await opened(house, *ALARM)
    told = await house.until("health", fits=lambda it: incident in it.out)
    assert told.code == 1, "something is in alarm, and a script may ask"
    assert "public / eu-west: ALARM, 6 services are OK" in told.out
    (row,) = [line for line in told.out.splitlines() if "checkout-api" in line]
    assert "error-rate IN ALARM 4%, latency-p99 ok, orders ok" in row
    assert "search-api" not in told.out
    assert "search-api" in (await house.run("health", "--all")).out
    whole = (await house.run("health", "--json")).json
    assert (whole["state"], whole["partitions"][0]["partition"]) == ("ALARM", "public")
    split = await house.run("incident", "split", "checkout-api", "another fault", "--as", "kim")
    assert "is all there is in" in split.err
