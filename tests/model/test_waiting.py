"""What waits for one person: only what the rules would take from them, the most urgent first."""

from datetime import timedelta
from typing import Any

from model.coordinate.waiting import Waiting, calls_for, unanswered, waiting_for
from model.effects import Deployment
from model.incident import Incident
from tests.model.simulation import START, Simulation
from tests.model.test_shifts import long_day

CONFIG: dict[str, Any] = {
    "kind": "change_config",
    "target": "checkout-api",
    "why": "limit too low",
    "confidence": "reproduced twice",
}
CALL = "https://call.example.test/"


def one_service() -> Simulation:
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    return day


def big() -> Simulation:
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    return day


def waits(day: Simulation, person: str) -> list[Waiting]:
    return waiting_for(day.incident, person, day.now)


def kinds(day: Simulation, person: str) -> list[str]:
    return [waiting.kind for waiting in waits(day, person)]


def links(day: Simulation, person: str) -> list[str]:
    return [call.link.removeprefix(CALL + day.incident.id) for call in calls_for(day.incident, person)]


def test_a_page_waits_for_who_was_paged_until_somebody_of_the_team_answers():
    day = one_service()
    [page] = waits(day, "ana")
    assert (page.kind, page.update, page.team) == ("page", "acknowledge", "checkout")
    assert "checkout" in page.what
    assert "page" not in kinds(day, "ben"), "he is of the next level"
    day.say("acknowledge", by="ben")
    assert "page" not in kinds(day, "ana")


def test_a_page_can_be_told_from_the_record_too():
    day = one_service()
    recorded = Incident.model_validate(day.incident.model_dump(exclude={"plan"}))
    assert unanswered(recorded, "ana")
    assert not unanswered(recorded, "kim")
    assert [waiting.kind for waiting in waiting_for(recorded, "ana", day.now)] == ["page"]


def test_nothing_waits_for_a_stranger():
    assert waits(big(), "nobody") == []
    assert calls_for(big().incident, "nobody")[0].name == "the call"


def test_an_impact_statement_is_owed_from_joining_until_it_is_given():
    day = one_service()
    day.say("join", by="ana")
    [owed] = [w for w in waits(day, "ana") if w.kind == "statement"]
    assert owed.team == "checkout"
    assert owed.by == day.now + day.incident.policy.impact_within
    assert "statement" in kinds(day, "dee"), "a manager may say it for the team"
    assert "statement" not in kinds(day, "eva")
    day.say("state_impact", by="ana", impacted="unknown")
    assert "statement" not in kinds(day, "ana")
    day.wait(minutes=11)
    assert "statement" in kinds(day, "ana"), "not known yet is asked again"
    day.say("state_impact", by="ana", impacted="yes")
    assert "statement" not in kinds(day, "ana")


def test_a_statement_that_customers_contradict_is_asked_for_once_more():
    day = one_service()
    day.say("state_impact", by="ana", impacted="no", text="no errors")
    assert "statement" not in kinds(day, "ana")
    day.report("checkout-api", customer="acme", count=10, text="cannot pay")
    [again] = [w for w in waits(day, "ana") if w.kind == "statement"]
    assert "look again" in again.text


def test_a_proposal_waits_for_whose_service_it_is_and_who_steers():
    day = one_service()
    day.say("propose", by="ana", kind="roll_back", target="payments@9", why="started with it")
    asked = {person: [w.number for w in waits(day, person) if w.kind == "decide"] for person in ("ana", "kim", "lou")}
    assert asked == {"ana": [], "kim": [1], "lou": [1]}
    [waiting] = [w for w in waits(day, "kim") if w.kind == "decide"]
    assert waiting.verdicts == ["approve", "reject"]
    assert waiting.by == day.now + day.incident.policy.proposal_expires
    day.say("decide", by="kim", proposal=1, verdict="reject")
    assert "decide" not in kinds(day, "kim")


def test_who_proposed_a_last_resort_may_take_it_back_but_not_approve_it():
    day = one_service()
    day.say("propose", by="ana", **CONFIG)
    [own] = [w for w in waits(day, "ana") if w.kind == "decide"]
    [other] = [w for w in waits(day, "ben") if w.kind == "decide"]
    assert own.verdicts == ["reject"]
    assert "second person" in own.refused
    assert other.verdicts == ["approve", "reject"]
    assert "reproduced twice" in other.text


def test_several_suspected_deployments_can_be_brought_back_at_once():
    day = Simulation()
    day.deployments = [
        Deployment(service=service, version="2", started=START - timedelta(minutes=5))
        for service in ("checkout-api", "payments")
    ]
    day.alarm("checkout-api", severity=2)
    assert "decide_all" not in kinds(day, "ana"), "she may decide about one of them"
    assert kinds(day, "kim").count("decide") == 2
    [waiting] = [w for w in waits(day, "kim") if w.kind == "decide_all"]
    assert "payments@2" in waiting.text
    day.say("decide", by="kim", all=True)
    assert not {"decide", "decide_all"} & set(kinds(day, "kim"))


def test_a_message_that_is_about_to_go_waits_for_who_may_hold_it():
    day = big()
    [draft] = [w for w in waits(day, "sam") if w.kind == "draft"]
    assert draft.verdicts == ["hold", "send"]
    assert draft.by == day.now + day.incident.policy.external_hold
    assert "Checkout" in draft.text
    assert "draft" not in kinds(day, "ana")
    day.say("notify", by="sam", draft=draft.number, verdict="hold")
    assert "draft" not in kinds(day, "sam")


def test_who_took_the_page_of_a_full_response_is_expected_on_the_call():
    day = big()
    day.say("acknowledge", by="eva")
    assert kinds(day, "eva") == ["join"]
    day.say("join", by="eva")
    assert "join" not in kinds(day, "eva")


def test_once_it_looks_clear_who_is_there_and_support_are_asked_what_customers_see():
    day = one_service()
    day.say("acknowledge", by="ana")
    day.ok("checkout-api")
    [asked] = [w for w in waits(day, "ana") if w.kind == "recovery"]
    assert "acme" in asked.customers
    assert asked.by == day.now + day.incident.policy.verification_window
    assert "recovery" in kinds(day, "sam")
    assert "recovery" not in kinds(day, "ben"), "he was never there"
    day.say("confirm_recovery", by="sam", customer="acme", recovered=True)
    assert "recovery" not in kinds(day, "ana")


def test_a_small_event_that_is_clear_can_be_closed_by_whom_it_belongs_to():
    day = one_service()
    day.say("acknowledge", by="ana")
    assert "close" not in kinds(day, "ana"), "it is in alarm"
    day.ok("checkout-api")
    [close] = [w for w in waits(day, "ana") if w.kind == "close"]
    assert (close.update, close.since) == ("close", day.now)
    assert close.verdicts == ["false_alarm", "no_impact", "duplicate", "self_recovered"]
    assert "close" in kinds(day, "kim"), "incident response may"
    assert "close" not in kinds(day, "sam"), "support may not"
    day.say("close", by="ana", reason="self_recovered")
    assert "close" not in kinds(day, "ana")


def test_whose_shift_ends_is_asked_what_is_open_until_somebody_has_taken_over():
    day = long_day()
    assert "shift" not in kinds(day, "ana")
    day.wait(hours=7, minutes=35)
    [ends] = [w for w in waits(day, "ana") if w.kind == "shift"]
    assert (ends.update, ends.team, ends.by) == ("hand_off", "checkout", day.start + timedelta(hours=8))
    assert "shift" not in kinds(day, "cho")
    day.wait(minutes=26)
    [ended] = [w for w in waits(day, "ana") if w.kind == "shift"]
    assert (ended.what, ended.text) == (
        "Your shift for checkout has ended: what is open?",
        "Called to take over: ben",
    )
    day.say("hand_off", by="ana", stays=True)
    assert "shift" not in kinds(day, "ana")


def test_a_full_response_has_no_light_way_out():
    day = big()
    for service in ("checkout-api", "payments", "search-api"):
        day.ok(service)
    assert "close" not in kinds(day, "kim")


def test_the_most_urgent_comes_first():
    day = big()
    day.say("propose", by="eva", kind="roll_back", target="payments@9", why="started with it")
    assert kinds(day, "kim") == ["page", "draft", "decide"]


def test_nothing_waits_in_an_incident_that_became_part_of_another():
    day = big()
    gone = [it for it in day.incidents.values() if it.absorbed_into]
    assert gone
    assert [waiting_for(it, person, day.now) for it in gone for person in ("ana", "eva", "ida", "kim")] == [
        [] for _ in gone for _ in range(4)
    ]


def test_everybody_is_wanted_on_the_bridge_and_support_on_its_own_call():
    day = big()
    assert links(day, "ana") == [""]
    assert links(day, "sam") == ["-support", ""]
    assert links(day, "kim") == ["", "-support"]


def test_whose_team_forked_is_wanted_on_the_fork_but_for_who_stays():
    day = big()
    for person in ("ana", "ben"):
        day.say("join", by=person)
    day.say("fork", by="ana", topic="why chk-17 refuses writes", stays="ben")
    assert links(day, "ana") == ["-fork-1", ""]
    assert links(day, "ben") == [""]
    assert links(day, "eva") == [""]
    day.say("rejoin", by="ana")
    assert links(day, "ana") == [""]


def test_looking_changes_nothing():
    day = big()
    day.say("propose", by="eva", kind="roll_back", target="payments@9", why="started with it")
    before = day.incident.model_dump_json()
    for person in day.incident.plan.people:
        waiting_for(day.incident, person, day.now)
        calls_for(day.incident, person)
    assert day.incident.model_dump_json() == before
