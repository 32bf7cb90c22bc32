"""Small stories against the real workflows, activities and store: what a side system's failure must not do."""

import pytest

from tests.drills.harness import ALARM, minutes, story

FAULTY = {"channel": "email", "from": "0s", "to": "10m"}


async def test_a_record_that_is_down_delays_no_page_and_is_written_later(tmp_path):
    world = {"faults": [{"port": "record", "from": "0s", "to": "30m"}]}
    drill = await story(tmp_path, f"0s {ALARM}", until="2h", world=world)
    assert drill.paged("ana")[:2] == [(minutes(0), "email"), (minutes(2), "sms")]
    assert drill.paged("ben")[0] == (minutes(5), "email")
    assert "ana" in drill.ticket()


async def test_a_channel_that_fails_is_replaced_at_once(tmp_path):
    drill = await story(tmp_path, f"0s {ALARM}", until="90s", world={"faults": [{"port": "paging", **FAULTY}]})
    assert drill.paged("ana") == [(minutes(0), "sms")]
    assert "email to ana failed" in drill.said("fallback")[0]


async def test_telemetry_that_is_down_delays_nothing_and_is_asked_again(tmp_path):
    world = {"deployments": [], "faults": [{"port": "telemetry", "from": "0s", "to": "5m"}]}
    drill = await story(tmp_path, f"0s {ALARM}", "1m acknowledge: {by: ana}", until="30m", world=world)
    assert drill.paged("ana") == [(minutes(0), "email")]
    assert any("none running" in text for text in drill.said("observed"))


async def test_a_test_alarm_goes_through_everything(tmp_path):
    drill = await story(tmp_path, f"0s {ALARM[:-1]}, test: true}}", "1m acknowledge: {by: ana}", until="10m")
    assert drill.paged("ana") == [(minutes(0), "email")]
    assert drill.team("checkout").acknowledged_by == "ana"


async def test_what_the_catalogue_does_not_know_still_wakes_somebody(tmp_path):
    drill = await story(tmp_path, "0s alarm: {alarm: a, service: mystery, region: eu-west, state: ALARM, severity: 2}")
    assert drill.paged("kim")[0] == (minutes(0), "email")
    assert "the catalogue has no service" in drill.said("unmapped")[0]


async def test_a_declared_incident_is_engaged_like_any_other(tmp_path):
    drill = await story(
        tmp_path,
        "0s declare: {by: ana, title: Payments are refused, services: [payments], region: eu-west, severity: 2}",
        "1m declare: {by: ana, title: again, services: [payments]}",
        "2m acknowledge: {by: eva}",
        until="10m",
    )
    assert drill.paged("eva") == [(minutes(0), "email")]
    assert drill.incident.detected_by == "person"
    (problem,) = drill.result.problems
    assert (problem.step, "is part of" in problem.got) == (2, True)


async def test_a_team_the_catalogue_does_not_know_is_refused_with_those_it_knows(tmp_path):
    drill = await story(
        tmp_path,
        f"0s {ALARM}",
        "1m engage: {by: ana, team: netwrok, reason: lost packets}",
        "2m engage: {by: ana, team: network, reason: lost packets}",
        until="5m",
    )
    (problem,) = drill.result.problems
    assert "has no team netwrok" in problem.got
    assert "network" in problem.got
    assert drill.paged("abe")[0] == (minutes(2), "email")


async def test_a_bare_text_is_an_observation_and_a_message_for_nothing_open_is_a_problem(tmp_path):
    drill = await story(tmp_path, "0s observe: hello", f"1m {ALARM}", "2m observe: {by: ana, text: error log}")
    assert [p.step for p in drill.result.problems] == [1]
    assert "no incident is open" in drill.result.problems[0].got
    assert "note: error log" in drill.said("observed")


@pytest.mark.slow
async def test_the_same_player_runs_in_real_time_on_the_embedded_server(tmp_path):
    policy = {"next_channel_within": "1s", "next_level_within": "2s", "beyond_team_within": "4s"}
    drill = await story(
        tmp_path, f"0s {ALARM}", "3s acknowledge: {by: ben}", until="5s", driver="real-time", policy=policy
    )
    assert drill.result.problems == []
    assert [channel for _, channel in drill.paged("ana")] == ["email", "sms"]
    assert drill.team("checkout").acknowledged_by == "ben"
    assert not drill.paged("kim")


@pytest.mark.slow
async def test_absorption_in_real_time_on_the_embedded_server(tmp_path):
    alarms = [
        f"{n}s alarm: {{alarm: err, service: {service}, region: eu-west, state: ALARM, severity: 2}}"
        for n, service in enumerate(("checkout-api", "payments", "search-api"))
    ]
    drill = await story(tmp_path, *alarms, "4s acknowledge: {by: kim}", until="5s", driver="real-time")
    assert drill.result.problems == []
    assert drill.incident.kind == "multi_service"
    assert [row.phase for row in drill.result.incidents].count("absorbed") == 1
    assert drill.team("incident-response").acknowledged_by == "kim"


async def test_a_ticket_that_cannot_be_written_holds_up_neither_page_nor_record(tmp_path):
    world = {"faults": [{"port": "tickets", "from": "0s", "to": "30m"}]}
    drill = await story(tmp_path, f"0s {ALARM}", "1m acknowledge: {by: ana}", until="2h", world=world)
    assert drill.paged("ana") == [(minutes(0), "email")]
    assert "acknowledged" in drill.ticket()
