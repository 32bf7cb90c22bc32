"""The life of an incident: verified, closed, reopened, the light way out (X0, M3, E6)."""

from datetime import timedelta

import pytest

from model.text import Refused
from tests.model.simulation import Simulation


def small_event() -> Simulation:
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    day.wait(minutes=3)
    day.say("acknowledge", by="ana")
    return day


def test_clear_for_ten_minutes_is_verified_without_a_customer_and_waits_to_be_closed():
    day = small_event()
    day.wait(minutes=7)
    day.ok("checkout-api")
    assert day.incident.phase == "verify"
    day.wait(minutes=10)
    assert day.incident.phase == "close"
    assert "not confirmed by a customer" in day.said("verified")[0]
    assert day.incident.mitigated_at == day.start + timedelta(minutes=10)


def test_the_light_way_out_needs_one_act_with_a_reason_and_nothing_else():
    day = small_event()
    day.ok("checkout-api")
    with pytest.raises(Refused, match="false_alarm, no_impact, duplicate or self_recovered"):
        day.say("close", by="ana")
    day.say("close", by="ana", reason="false_alarm")
    assert day.incident.phase == "all_clear"
    assert day.incident.close_reason == "false_alarm"
    day.wait(hours=2)
    assert day.incident.id in day.ended


def test_an_event_that_hit_customers_has_no_light_way_out():
    day = small_event()
    day.say("state_impact", by="ana", impacted="yes", customers="3 % of payments fail")
    day.ok("checkout-api")
    with pytest.raises(Refused, match="customers are hit"):
        day.say("close", by="ana", reason="no_impact")
    assert day.incident.severity == 2
    assert "support" in day.incident.engagements


def test_an_alarm_within_the_hour_reopens_the_same_incident_and_wakes_the_owner():
    day = small_event()
    day.ok("checkout-api")
    day.say("close", by="ana", reason="self_recovered")
    day.wait(minutes=50)
    day.alarm("checkout-api", severity=2)
    assert len(day.incidents) == 1
    assert day.incident.phase == "mitigate"
    assert day.said("reopened")
    assert day.paged("ana")[-1] == ("53m", "email")


def test_an_alarm_later_opens_a_new_incident_that_names_the_old_one():
    day = small_event()
    day.ok("checkout-api")
    day.say("close", by="ana", reason="self_recovered")
    first = day.incident.id
    day.wait(hours=2)
    day.alarm("checkout-api", severity=2)
    (second,) = [i for i in day.incidents.values() if i.id != first]
    assert second.linked_to == first


def test_stand_down_of_everybody_waits_for_clear_alarms():
    day = small_event()
    day.ok("checkout-api")
    assert "checkout" in day.say("stand_down", by="kim", reason="thank you")
    assert day.incident.engagements["checkout"].released_at


def test_the_lead_is_handed_over_in_words():
    day = small_event()
    day.say("lead", by="kim")
    with pytest.raises(Refused, match="kim leads"):
        day.say("lead", by="lou")
    day.say("lead", by="lou", handover="open: leave eu-west or not")
    assert day.incident.leader == "lou"
    assert "from kim: open: leave eu-west or not" in day.said("lead")[-1]


def test_make_big_calls_incident_response_support_and_the_suspects():
    day = small_event()
    day.say("make_big", by="ana", reason="two more look wrong")
    engaged = set(day.incident.engagements)
    assert {"checkout", "incident-response", "support", "dns", "auth", "network"} == engaged
    assert day.incident.kind == "multi_service"
    assert day.paged("noa") == [("3m", "email")]


def test_notes_for_the_post_mortem_are_not_on_the_live_page():
    day = small_event()
    day.say("note", by="ana", text="the runbook names a host that is gone")
    assert day.incident.notes[0].team == "checkout"
    assert not any("runbook" in entry.text for entry in day.incident.timeline)
