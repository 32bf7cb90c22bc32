"""The committed scenarios play without a problem, and mean what they say."""

import pytest

from tests.drills.harness import SCENARIOS, minutes

EVERY = sorted(path.stem for path in SCENARIOS.glob("*.yaml") if path.stem != "catalog")


@pytest.mark.parametrize("scenario", EVERY)
async def test_every_scenario_goes_as_it_expects(scenario, played_once):
    drill = await played_once(scenario)
    assert drill.result.problems == []
    assert drill.ticket().startswith("# ")


async def test_nobody_answers(played_once):
    drill = await played_once("nobody-answers")
    assert drill.paged("ana")[:2] == [(minutes(0), "email"), (minutes(2), "sms")]
    assert drill.paged("ben")[0] == (minutes(5), "email")
    assert drill.paged("dee")[0] == drill.paged("kim")[0] == (minutes(10), "email")
    assert drill.paged("lou")[0] == (minutes(15), "email")
    assert len(drill.said("exhausted")) == 1
    assert drill.incident.engagements[-1].team == "call-leaders"
    assert "none running or started" in drill.said("observed")[0], "the first entry, also when it is none"


async def test_the_same_alarm_a_hundred_times(played_once):
    drill = await played_once("same-alarm-a-hundred-times")
    assert len(drill.result.incidents) == 1
    assert drill.paged("ana") == [(minutes(0), "email"), (minutes(2), "sms")]


async def test_several_services_at_once(played_once):
    drill = await played_once("several-services")
    one = drill.incident
    assert one.kind == "multi_service"
    assert one.services == ["checkout-api", "search-api", "payments", "dns", "storage"]
    (absorbed,) = [row for row in drill.result.incidents if row.absorbed_into]
    assert (absorbed.phase, absorbed.absorbed_into) == ("absorbed", one.id)
    assert drill.paged("eva")[:2] == [(minutes(3), "email"), (minutes(5), "sms")], "not paged again at promotion"
    assert [at for at, _ in drill.paged("noa")] == [minutes(4), minutes(10)], "called back"
    assert drill.team("network").released_at
    assert drill.paged("mia") == [(minutes(4), "email"), (minutes(20), "email")], "suspected, released, impacted itself"
    assert one.severity == 2
    assert len([line for line in one.timeline if line.what == "promoted"]) == 1
    assert "every fourth name is not found" in drill.ticket()


async def test_an_event_that_outlives_a_shift(played_once):
    drill = await played_once("long-night")
    assert drill.paged("ana") == [(minutes(0), "email")]
    assert drill.paged("raj") == [(minutes(240), "email"), (minutes(242), "sms")], "six in the evening in Paris"
    assert drill.paged("kim") == [(minutes(300), "email"), (minutes(360), "email"), (minutes(362), "sms")]
    assert "storage: raj takes over from ana; ana is off duty" in drill.ticket()
    assert "kim takes over from lou, with the lead" in drill.ticket()


async def test_one_bad_host_until_it_is_all_clear(played_once):
    drill = await played_once("one-bad-host")
    one = drill.incident
    assert one.phase == "all_clear"
    assert [p.verdict for p in one.mitigations] == ["reject", "approve"]
    assert all(check.done for check in one.checklist)
    (coe,) = one.coes
    assert (coe.status, coe.author, len(coe.why_reasons)) == ("reviewed", "ana", 4)
    assert one.rca is not None
    assert one.rca.status == "delivered"
    assert one.rca.published_at is not None
    assert one.rca.published_at < one.rca.due_at
    assert [(a.n, a.status) for a in one.actions] == [(1, "in_force"), (2, "done"), (3, "open"), (4, "done")]
    assert one.all_clear_at is not None
    assert one.all_clear_at.day == 29, "the day the last promise was validated"


async def test_green_metrics_and_angry_customers_open_it_and_break_the_tenet(played_once):
    drill = await played_once("green-metrics")
    one = drill.incident
    assert (one.detected_by, one.severity, one.services) == ("reports", 2, ["payments"])
    assert drill.paged("eva")[0] == (minutes(9), "email"), "the third customer opens it, the same case twice does not"
    assert next(line.text for line in one.timeline if line.what == "tenet_broken").startswith("detect-first")
    assert one.mitigated_at
    assert one.rca is not None, "customers were hit"
    assert [line for line in one.timeline if line.what == "coe_suggested" and "not by an alarm" in line.text]


async def test_a_storm_of_alarms_is_one_event_and_pages_everybody_once(played_once):
    drill = await played_once("storm")
    one = drill.incident
    assert (one.kind, one.severity, sorted(one.regions)) == ("multi_service", 1, ["eu-west", "us-east"])
    assert len(one.services) == 7
    assert all(row.absorbed_into == one.id for row in drill.result.incidents if row.id != one.id)
    for person in ("abe", "noa", "yui", "mia", "eva", "ida", "ana", "kim", "sam"):
        assert [channel for _, channel in drill.paged(person)] == ["email", "sms"], "each channel once, nobody twice"
    said = [line.text for line in one.timeline if line.what == "alarm"]
    assert len([text for text in said if "flapping" in text]) == 1
    assert len([text for text in said if "many alarms of checkout-api at once" in text]) == 1
    assert [line for line in one.timeline if line.what == "tenet_broken" and line.text.startswith("one-region")]
