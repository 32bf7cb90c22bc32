"""Is the catalogue right, whom would it wake, and by which numbers."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from cli.explain import explain
from model.policy import Policy
from tests.cli.typing import run
from worker.drill.player import play
from worker.files import EXAMPLE_CATALOG, load_catalog, load_drill

NIGHT = datetime(2026, 3, 2, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def example():
    return load_catalog(EXAMPLE_CATALOG)


def told(wakes):
    return [(it.after // timedelta(minutes=1), it.person, it.channel) for it in wakes]


def test_a_good_catalogue():
    typed = run("catalog", "check")
    assert typed.code == 0
    assert "7 services, 9 teams, 21 people" in typed.out
    assert run("catalog", "check", "--json").json == []


def test_everything_that_is_wrong_at_once_and_aligned(tmp_path):
    file = tmp_path / "catalog.yaml"
    file.write_text(EXAMPLE_CATALOG.read_text().replace("team: payments", "team: paymnts").replace("[ida]", "[ieda]"))
    typed = run("catalog", "check", str(file))
    assert typed.code == 1
    lines = typed.out.splitlines()
    assert {line.split()[0] for line in lines[1:-1]} == {"error"}
    where = lines[0].index("where")
    assert all(line[where - 1] == " " != line[where] for line in lines[1:-1])
    assert "did you mean 'payments'?" in typed.out
    assert lines[-1].endswith("cannot be used: 2 errors.")
    assert len(run("catalog", "check", str(file), "--json").json) == 2


@pytest.mark.parametrize(("text", "said"), [(None, "there is no such file"), ("a: [", "not YAML")])
def test_no_catalogue_at_all(tmp_path, text, said):
    file = tmp_path / "catalog.yaml"
    if text:
        file.write_text(text)
    typed = run("catalog", "check", str(file))
    assert (typed.code, typed.out) == (2, "")
    assert said in typed.err


def test_whom_an_alarm_would_wake(example):
    story = explain(example, "checkout-api", "eu-west", at=NIGHT, severity=2)
    assert told(story.wakes) == [
        (0, "ana", "email"), (2, "ana", "sms"),
        (5, "ben", "email"), (5, "cho", "email"), (7, "ben", "sms"), (7, "cho", "sms"),
        (10, "dee", "email"), (10, "kim", "email"), (12, "dee", "sms"), (12, "kim", "sms"),
        (15, "lou", "email"), (17, "lou", "sms"),
    ]  # fmt: skip
    assert story.exhausted == timedelta(minutes=20)
    assert story.everybody == ["ana", "ben", "cho", "dee", "kim", "lou"]
    assert {it.person for it in story.also} == {"kim", "sam", "noa", "yui", "abe"}
    assert story.managers == ["dee"]


def test_severity_4_waits_for_the_morning(example):
    story = explain(example, "search-api", "eu-west", at=datetime(2026, 3, 6, 18, tzinfo=UTC), severity=4)
    assert [(it.person, f"{it.at:%a %H}") for it in story.wakes] == [
        ("ida", "Mon 08"),
        ("raj", "Tue 08"),
        ("dee", "Wed 08"),
    ]
    assert story.everybody == []


def test_severity_comes_from_the_metric(example):
    severities = {
        metric: explain(example, "dns", "eu-west", at=NIGHT, metric=metric).severity
        for metric in ("answered", "zone-age", "unheard-of")
    }
    assert severities == {"answered": 1, "zone-age": 3, "unheard-of": 3}


async def test_it_says_what_a_drill_shows(example, tmp_path):
    """What is explained is what happens: the same rules through the real workflows."""
    drill = load_drill(EXAMPLE_CATALOG.with_name("nobody-answers.yaml"))
    played = await play(drill, example, tmp_path)
    (incident,) = played.result.incidents
    story = explain(example, "checkout-api", "eu-west", at=drill.start, severity=2)
    assert story.exhausted is not None
    paged = sorted(
        ((page.at - drill.start) // timedelta(minutes=1), page.person, page.channel)
        for row in incident.engagements
        for page in row.paged
        if page.at - drill.start < story.exhausted
    )
    assert paged == sorted(told(story.wakes))


def test_explained_in_a_table():
    typed = run("catalog", "explain", "Checkout-API", "eu-west", "--severity", "2", "--at", "2026-03-02T02:00:00Z")
    assert typed.code == 0
    lines = typed.out.splitlines()
    assert lines[0] == "checkout-api in eu-west, SEV2, nobody answers:"
    assert [*lines[2].split()] == ["0", "s", "Mon", "02:00", "ana", "(Ana", "Ng)", "email", "checkout,", "level", "1"]
    assert "nobody answered" in typed.out
    assert "A multi-service event also wakes, at once: kim (incident-response)" in typed.out


def test_explained_as_json():
    found = run("catalog", "explain", "payments", "eu-west", "--json").json
    assert set(found) == {
        "service", "region", "team", "severity", "wakes", "exhausted_after", "everybody", "on_call",
        "multi_service_adds",
    }  # fmt: skip
    assert set(found["wakes"][0]) == {"after", "at", "person", "channel", "team", "level"}
    assert (found["team"], found["severity"], found["wakes"][0]["person"]) == ("payments", 3, "eva")


@pytest.fixture
def rota(tmp_path, monkeypatch):
    """An installation whose checkout team takes turns, and leaves nobody on call one night a week."""
    file = tmp_path / "catalog.yaml"
    turns = "{rotation: [ana, ben, cho], every: 1w, from: 2026-03-02, handover: '09:00', zone: Europe/Paris}"
    awake = "{shifts: [{people: [eva], from: '00:00', to: '24:00', days: [mon, tue, wed, thu, fri, sat]}]}"
    text = EXAMPLE_CATALOG.read_text()
    assert text.count("on_call: [[ana], [ben, cho]]") == 1
    file.write_text(text.replace("on_call: [[ana], [ben, cho]]", f"on_call: [{turns}, {awake}]"))
    monkeypatch.setenv("ALLCLEAR_CATALOG", str(file))
    return file


def test_who_is_on_call_now_and_next(rota):
    typed = run("catalog", "explain", "checkout-api", "eu-west", "--at", "2026-03-28T12:00:00Z")
    assert typed.code == 0, typed.err
    said = " ".join(typed.out.split())
    assert "On call for checkout: level 1 ana, from Mon 30 Mar 07:00 UTC ben; " in said
    assert "; level 2 eva, from Sun 29 Mar 00:00 UTC nobody." in said
    found = run("catalog", "explain", "checkout-api", "eu-west", "--at", "2026-03-28T12:00:00Z", "--json").json
    assert found["on_call"][0] == {
        "level": 1,
        "now": ["ana"],
        "next": {"people": ["ben"], "at": "2026-03-30T07:00:00Z"},
    }
    assert [it["person"] for it in found["wakes"][:1]] == ["ana"]
    plain = run("catalog", "explain", "payments", "eu-west", "--json").json["on_call"]
    assert [it["next"] for it in plain] == [None, None]


def test_a_night_without_anybody_is_a_warning_not_an_error(rota):
    typed = run("catalog", "check", "--json")
    assert typed.code == 0
    [finding] = typed.json
    assert (finding["level"], finding["where"]) == ("warning", "teams.checkout.on_call")
    assert finding["text"].startswith("level 2: nobody is on call, from ")
    assert finding["text"].endswith("and 3 times more within 28 days")


@pytest.fixture
def booked(tmp_path, monkeypatch):
    """An installation whose checkout team keeps its first level in a calendar, with a week that is nobody's."""
    file = tmp_path / "catalog.yaml"
    text = EXAMPLE_CATALOG.read_text()
    file.write_text(text.replace("on_call: [[ana], [ben, cho]]", "on_call: [{ical: rota.ics}, [cho]]"))
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    entries = []
    for n, who in enumerate(("ana", "ben", "", "ana", "stranger", "ana", "ben")):
        begin, end = began + timedelta(weeks=n), began + timedelta(weeks=n + 1)
        if who:
            entries += ["BEGIN:VEVENT", f"UID:{n}", f"DTSTART:{begin:%Y%m%dT%H%M%SZ}", f"DTEND:{end:%Y%m%dT%H%M%SZ}"]
            entries += [f"SUMMARY:{who}", "END:VEVENT"]
    whole = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *entries, "END:VCALENDAR", ""]
    (tmp_path / "rota.ics").write_text("\r\n".join(whole))
    monkeypatch.setenv("ALLCLEAR_CATALOG", str(file))
    monkeypatch.setenv("ALLCLEAR_DATA", str(tmp_path / "data"))
    return tmp_path


def test_a_calendar_is_read_to_say_who_is_on_call_now_and_next(booked):
    found = run("catalog", "explain", "checkout-api", "eu-west", "--json").json
    assert found["on_call"][0]["now"] == ["ana"]
    assert found["on_call"][0]["next"]["people"] == ["ben"]
    assert found["wakes"][0]["person"] == "ana"


def test_a_week_that_no_calendar_has_is_a_warning_and_so_is_a_stranger_in_it(booked):
    typed = run("catalog", "check", "--json")
    assert typed.code == 0
    stranger, gap = (it["text"] for it in typed.json)
    assert stranger == "checkout, level 1: the calendar rota.ics books 'stranger', whom nobody knows"
    assert gap.startswith("level 1: nobody is on call, from ")
    assert not (booked / "data").exists(), "who only looks keeps nothing"


def test_a_calendar_that_cannot_be_read_is_named(booked):
    (booked / "rota.ics").unlink()
    [finding] = run("catalog", "check", "--json").json
    said = "the calendar rota.ics cannot be read (No such file or directory), and there is no copy: it wakes nobody"
    assert (finding["level"], finding["where"], finding["text"]) == ("warning", "on-call calendars", said)
    typed = run("catalog", "explain", "checkout-api", "eu-west")
    assert typed.code == 0
    assert said in " ".join(typed.err.split())
    assert "level 1 nobody" in typed.out


def test_what_the_catalogue_does_not_know_still_wakes_somebody():
    typed = run("catalog", "explain", "serch-api", "eu-west")
    assert typed.code == 0
    assert "did you mean 'search-api'" in typed.err
    assert "kim (Kim Larsen)" in typed.out


def test_every_number_with_its_unit_and_reason():
    found = run("catalog", "policy", "--json").json
    assert [row["name"] for row in found] == list(Policy.model_fields)
    assert all(row["value"] and row["unit"] and row["reason"] for row in found)
    units = {row["name"]: row["unit"] for row in found}
    assert (units["aggregate_teams"], units["external_hold"]) == ("teams", "time")
    assert len(run("catalog", "policy").out.splitlines()) == len(found) + 1
    json.dumps(found)
