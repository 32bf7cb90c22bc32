"""Closing: the checklist, who looks back, what must be settled before all clear (X1-X4, R1, R7, R8)."""

from datetime import timedelta
from typing import Any

import pytest

from model.close.checklist import ITEMS
from model.text import Refused
from tests.model.simulation import Simulation

PROMISE: dict[str, Any] = {
    "title": "Health checks see the data path",
    "goal": "a bad host leaves within a minute",
    "horizon": "mid",
    "owner": "ana",
    "due": "2026-04-01T12:00:00Z",
    "promised": True,
    "validation": "break one host",
}


def hit_customers(late: int = 3) -> Simulation:
    """An event that hit customers, mitigated and verified: it waits to be closed."""
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    day.wait(minutes=late)
    day.say("acknowledge", by="ana")
    day.say("state_impact", by="ana", impacted="yes", customers="3 % of payments fail")
    day.ok("checkout-api")
    day.wait(minutes=10)
    return day


def test_an_event_that_hit_customers_closes_by_its_checklist():
    day = hit_customers()
    with pytest.raises(Refused, match="`check` short-term-fixes"):
        day.say("close", by="kim")
    with pytest.raises(Refused, match="customers are hit"):
        day.say("close", by="kim", reason="no_impact")
    day.say("assign_coe", by="kim", team="checkout", author="ana")
    day.say("check", by="kim", done=list(ITEMS))
    day.say("close", by="kim")
    assert day.incident.phase == "reflect"


def test_a_late_team_is_suggested_a_post_mortem_with_the_measurement():
    day = hit_customers(late=14)
    (suggestion,) = day.incident.suggestions
    assert suggestion.team == "checkout"
    assert "acknowledged after 14 min" in suggestion.reasons


def test_a_suggestion_is_assigned_or_declined_with_a_reason_before_closing():
    day = hit_customers(late=14)
    with pytest.raises(Refused, match="decline"):
        day.say("check", by="kim", done="postmortems-assigned")
    with pytest.raises(Refused, match="say who writes it"):
        day.say("assign_coe", by="kim", team="checkout")
    day.say("assign_coe", by="kim", team="checkout", decline="the pager was in the garage for repair")
    day.say("check", by="kim", done="postmortems-assigned")
    assert day.said("coe_declined")


def test_detected_by_customers_is_a_coe_always():
    day = Simulation()
    for customer in ("acme", "globex", "initech"):
        day.report("checkout-api", customer=customer)
    day.say("acknowledge", by="ana")
    day.say("confirm_recovery", by="sam", customer="acme", recovered=True)
    day.wait(minutes=10)
    with pytest.raises(Refused, match="always"):
        day.say("assign_coe", by="kim", team="checkout", decline="rather not")


def test_customers_are_owed_an_rca_seven_days_after_the_mitigation():
    day = hit_customers()
    (rca,) = [item for item in day.incident.items.values() if item.kind == "rca"]
    assert rca.due_at == day.start + timedelta(minutes=3, days=7)


def test_nobody_is_owed_an_rca_when_no_customer_was_hit():
    day = Simulation()
    day.alarm("checkout-api", severity=3)
    day.say("acknowledge", by="ana")
    day.ok("checkout-api")
    day.wait(minutes=10)
    assert not day.incident.items


def test_a_long_term_item_says_whether_it_is_incremental_or_a_replacement():
    day = hit_customers()
    with pytest.raises(Refused, match="incremental"):
        day.say("add_action", by="kim", **{**PROMISE, "horizon": "long"})
    day.say("add_action", by="kim", **PROMISE)
    assert [item.n for item in day.incident.items.values() if item.kind == "action"] == [1]


def test_a_short_term_item_must_be_in_place_before_closing():
    day = hit_customers()
    day.say("add_action", by="kim", **{**PROMISE, "horizon": "short"})
    with pytest.raises(Refused, match="not in place yet: 1 Health checks"):
        day.say("check", by="kim", done="short-term-fixes")


def test_it_is_not_all_clear_while_something_promised_is_open():
    day = hit_customers()
    day.say("add_action", by="kim", **PROMISE)
    day.say("assign_coe", by="kim", team="checkout", author="ana")
    day.say("check", by="kim", done=list(ITEMS))
    day.say("close", by="kim")
    day.wait(days=3)
    assert day.incident.phase == "reflect"
    for item in day.incident.items.values():
        item.settled = True
    day.wait(minutes=1)
    day.settle()
    assert day.incident.phase == "all_clear"
