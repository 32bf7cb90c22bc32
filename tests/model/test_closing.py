"""Closing: the checklist, who looks back, what must be settled before all clear (X1-X4, R1, R7, R8)."""

from datetime import timedelta
from typing import Any

import pytest

from model.close.checklist import ITEMS
from model.close.follow_up import actions_accepted, item_changed
from model.close.items import AcceptedAction, ActionsAccepted, ItemChanged
from model.effects import Deployment, Outcome
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


def closed() -> Simulation:
    """Customers were hit, it is closed by its checklist, and somebody has promised them something."""
    day = hit_customers()
    day.say("add_action", by="kim", **PROMISE)
    day.say("assign_coe", by="kim", team="checkout", author="ana")
    day.say("check", by="kim", done=list(ITEMS))
    day.say("close", by="kim")
    return day


def changed(day: Simulation, name: str, **fields: Any) -> None:
    """A matter says how it stands."""
    known = day.incident.items[f"{day.incident.id}/{name}"]
    news = known.model_copy(update={"revision": known.revision + 1, **fields})
    item_changed(day.incident, ItemChanged(item=news), day.now)
    day.settle()


def test_what_was_ticked_for_an_end_that_was_none_is_asked_again():
    day = closed()
    day.wait(minutes=20)
    day.alarm("checkout-api", severity=2)
    assert day.incident.phase == "mitigate"
    day.wait(minutes=5)
    day.ok("checkout-api")
    day.wait(minutes=10)
    with pytest.raises(Refused, match="`check` short-term-fixes, data-preserved, postmortems-assigned, next"):
        day.say("close", by="kim")
    assert day.incident.checked == []
    day.say("check", by="kim", done=list(ITEMS))
    day.say("close", by="kim")
    assert day.incident.phase == "reflect"


def test_whoever_writes_the_first_coe_of_a_team_that_was_hit_writes_the_rca_too():
    day = hit_customers()
    answer = day.say("assign_coe", by="kim", team="checkout", author="ana")
    assert "ana writes the COE of checkout and the customers' RCA" in answer
    day.say("assign_coe", by="kim", team="checkout", author="ben", subject="paging")
    day.say("assign_coe", by="kim", team="checkout", author="cho", subject="retries", rca=True)
    named = [word.payload["author"] for word in day.words if word.name == "author_named"]
    assert named == ["ana", "cho"]


def test_nobody_is_asked_to_write_an_rca_that_nobody_owes():
    day = Simulation()
    day.alarm("checkout-api", severity=3)
    day.say("acknowledge", by="ana")
    with pytest.raises(Refused, match="none is owed so far"):
        day.say("assign_coe", by="kim", team="checkout", author="ana", rca=True)


def rca_payload(day: Simulation) -> dict[str, Any]:
    """What the RCA's process was given to begin with."""
    return next(start for start in day.starts if start.workflow == "Rca").payload


def test_the_rca_goes_to_those_who_were_hit_and_to_who_turned_to_us():
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    for person in ("ana", "eva", "ida"):
        day.say("acknowledge", by=person)
    day.say("state_impact", by="ana", impacted="yes", customers="3 % of payments fail")
    day.say("state_impact", by="ida", impacted="no", text="our alarm fires on checkout's errors")
    day.say("relate", by="sam", case="4711", customer="wayfare")
    for service in ("checkout-api", "payments", "search-api"):
        day.ok(service)
    day.wait(minutes=10)
    told = [delivery["customer"] for delivery in rca_payload(day)["deliveries"]]
    assert told == ["acme", "globex", "umbra", "wayfare"], "initech uses Search only, and it was not hit"


def test_customers_who_are_hit_when_it_comes_back_are_named_to_the_rca():
    day = closed()
    day.wait(minutes=20)
    day.alarm("checkout-api", severity=2)
    day.say("relate", by="sam", case="4712", customer="initech")
    day.ok("checkout-api")
    day.wait(minutes=10)
    (word,) = [word for word in day.words if word.name == "customers_named"]
    assert "initech" in word.payload["customers"]


def test_what_the_plan_and_the_ticket_hold_is_said_for_the_checklist():
    day = Simulation()
    day.deployments = [Deployment(service="checkout-api", version="2.4", started=day.now + timedelta(minutes=4))]
    day.alarm("payments", severity=2, source="canary")
    day.say("acknowledge", by="eva")
    day.say("observe", by="eva", text="the ledger is full", link="https://logs.example.test/pay?q=17")
    day.say("propose", by="eva", kind="scale_up", target="checkout-api", why="it queues")
    day.say("decide", by="kim", proposal=2)
    day.wait(minutes=5)
    day.ok("payments", source="canary")
    day.wait(minutes=10)
    said = "\n".join(day.said("observed"))
    assert "data-preserved: these links may lose their data, copy what matters: https://logs.example.test" in said
    assert "openssl of checkout-api is in payments too" in said
    assert "hypotheses: 20 min of effort, then `check` them with the `services` to dive into" in said
    assert "candidates: checkout-api, payments" in said
    assert "recurrence: checkout-api@2.4 started 09:04: does it undo the patch?" in said


def test_the_hypotheses_name_what_to_dive_into_and_the_plan_for_the_next_days_says_who_does_what():
    day = hit_customers()
    day.say("add_action", by="kim", **PROMISE)
    day.say("assign_coe", by="kim", team="checkout", author="ana")
    with pytest.raises(Refused, match="together with `hypotheses`"):
        day.say("check", by="kim", done="recurrence", services=["dns"])
    rest = [item for item in ITEMS if item not in ("hypotheses", "next-steps")]
    day.say("check", by="kim", done=rest)
    day.say("check", by="kim", done="hypotheses", services=["checkout-api", "dns"], note="stale answers")
    day.say("check", by="kim", done="next-steps", note="ben is at hand on Saturday")
    day.say("close", by="kim")
    (plan,) = [text for text in day.told("kim") if "the plan for the next days" in text]
    assert plan.splitlines()[1:] == [
        "- ana writes the COE of checkout by 2026-03-07 09:13 UTC",
        "- ana writes the customers' RCA, promised by 2026-03-09 09:03 UTC",
        "- action 1, Health checks see the data path (mid, ana) by 2026-04-01 12:00 UTC",
        "- dive into checkout-api (checkout)",
        "- dive into dns (dns)",
        "- ben is at hand on Saturday",
    ]
    assert plan in day.told("ana")


def test_a_replacement_is_advised_a_companion_fix_for_what_is_in_use():
    day = hit_customers()
    rebuild = {**PROMISE, "title": "A new balancer", "horizon": "long", "kind": "replacement", "promised": False}
    assert "needs a companion fix" in day.say("add_action", by="kim", **rebuild)
    day.say("add_action", by="kim", **PROMISE)
    assert "companion" not in day.say("add_action", by="kim", **{**rebuild, "title": "B", "replaces": 2})


def test_an_action_of_a_coe_that_replaces_another_of_it_learns_its_number():
    day = closed()
    wanted = [("B", "A"), ("A", ""), ("C", "Health checks see the data path"), ("D", "E"), ("E", "D")]
    actions = [
        AcceptedAction(title=title, goal="g", horizon="mid", owner="ana", due=day.now, replaces_title=other)
        for title, other in wanted
    ]
    actions_accepted(day.incident, ActionsAccepted(coe="x", by="dee", actions=actions), day.now)
    found = {i.title: (i.n, i.replaces) for i in day.incident.items.values() if i.kind == "action"}
    assert found["C"][1] == 1, "one that was there before"
    assert found["B"][1] == found["A"][0]
    assert found["A"][1] is None
    assert found["E"][1] == found["D"][0]
    assert sorted(n for n, _ in found.values()) == [1, 2, 3, 4, 5, 6]


def test_customers_are_told_of_a_moved_promise_by_the_desk_and_the_item_learns_it():
    day = closed()
    by = day.start + timedelta(days=30)
    changed(day, "action/1", due_at=day.start + timedelta(days=40), customer_message_due=by)
    with pytest.raises(Refused, match="action 2 has no promise that customers wait to hear of; those that have: 1"):
        day.say("notify", by="sam", audience="external", text="later", actions=2)
    with pytest.raises(Refused, match="ana may not notify external"):
        day.say("notify", by="ana", audience="external", actions=1)
    day.say("notify", by="sam", audience="external", text="We try it at full load first.", actions=1)
    _, text = day.customers_read()[-1]
    assert text.startswith("We try it at full load first.")
    assert "we promised you a change by 09:00 UTC on 1 April 2026" in text
    assert "by 09:00 UTC on 11 April 2026" in text
    assert "Health checks" not in text, "an item's title may name anything"
    (word,) = [word for word in day.words if word.name == "customers_told"]
    assert word.workflow_id == f"{day.incident.id}/action/1"
    assert word.payload == {"due": "2026-04-11T09:00:00+00:00"}


def test_after_closing_the_only_promise_that_moved_is_the_one_that_is_meant():
    day = closed()
    changed(day, "action/1", due_at=day.now + timedelta(days=40), customer_message_due=day.now + timedelta(days=30))
    day.say("notify", by="sam", audience="external", text="We try it at full load first.")
    assert [word.name for word in day.words].count("customers_told") == 1


def test_a_promise_that_is_not_kept_takes_words_for_what_comes_instead():
    day = closed()
    changed(day, "action/1", status="withdrawn", customer_message_due=day.now + timedelta(days=30))
    with pytest.raises(Refused, match="what customers get instead"):
        day.say("notify", by="sam", audience="external", actions=[1])
    day.say("notify", by="sam", audience="external", actions=[1], text="You are moved to the new system instead.")
    assert "It does not come as we promised it." in day.customers_read()[-1][1]
    assert day.words[-1].payload == {"due": None}


def test_while_nobody_has_read_it_customers_do_not_count_as_told():
    day = closed()
    changed(day, "action/1", due_at=day.now + timedelta(days=40), customer_message_due=day.now + timedelta(days=30))
    day.unreachable = {customer: Outcome(ok=False, reason="down") for customer in ("acme", "globex", "umbra")}
    day.say("notify", by="sam", audience="external", text="Later.", actions=1)
    assert not [word for word in day.words if word.name == "customers_told"]
    day.unreachable = {"acme": day.unreachable["acme"]}
    day.wait(minutes=1)
    assert len([word for word in day.words if word.name == "customers_told"]) == 1
