"""The ladder: what one person may decide, what takes two, what did not help (M0-M3)."""

from typing import Any

import pytest

from model.close.follow_up import item_changed
from model.close.items import ItemChanged
from model.effects import Deployment
from model.text import Refused
from tests.model.simulation import START, Simulation

Fields = dict[str, Any]

ROLL_BACK: Fields = {"kind": "roll_back", "target": "checkout-api@2.3.1", "why": "started with it"}
CONFIG: Fields = {
    "kind": "change_config",
    "target": "checkout-api",
    "why": "limit too low",
    "confidence": "reproduced twice",
}


def mitigating(*deployed: Deployment) -> Simulation:
    """Checkout is in alarm, ana is there; some things were deployed just then."""
    day = Simulation()
    day.deployments = list(deployed)
    day.alarm("checkout-api", severity=2)
    day.say("acknowledge", by="ana")
    return day


def test_on_their_own_service_the_engaged_person_proposes_and_decides_in_one_act():
    day = mitigating()
    day.say("propose", by="ana", go=True, **ROLL_BACK)
    (proposal,) = day.incident.proposals
    assert (proposal.status, proposal.decided_by) == ("executed", "ana")
    assert day.incident.phase == "mitigate"
    day.ok("checkout-api")
    day.wait(minutes=10)
    assert proposal.verified_at


def test_somebody_elses_service_takes_its_team_or_incident_response():
    day = mitigating()
    day.say("propose", by="ana", kind="roll_back", target="payments@9", why="started with it")
    with pytest.raises(Refused, match="ana may not decide"):
        day.say("decide", by="ana")
    day.say("decide", by="kim")
    assert day.incident.proposals[0].decided_by == "kim"


def test_a_restart_keeps_some_nodes_for_the_investigation():
    day = mitigating()
    with pytest.raises(Refused, match="set_aside"):
        day.say("propose", by="ana", kind="restart", target="checkout-api", why="stuck", go=True)
    day.say("propose", by="ana", kind="restart", target="checkout-api", why="stuck", go=True, set_aside="host-17")
    assert day.incident.proposals[0].status == "executed"


def test_a_last_resort_takes_confidence_and_a_second_person():
    day = mitigating()
    with pytest.raises(Refused, match="confidence"):
        day.say("propose", by="ana", kind="change_config", target="checkout-api", why="limit too low")
    with pytest.raises(Refused, match="second person"):
        day.say("propose", by="ana", go=True, **CONFIG)
    day.say("propose", by="ana", **CONFIG)
    with pytest.raises(Refused, match="second person"):
        day.say("decide", by="ana")
    day.say("decide", by="ben")
    assert day.incident.proposals[0].status == "executed", "ben is of another level"


def test_where_a_call_leader_is_engaged_the_last_resort_is_theirs():
    day = mitigating()
    day.alarm("checkout-api", region="us-east", severity=2)
    day.say("acknowledge", by="lou")
    day.say("propose", by="ana", **CONFIG)
    with pytest.raises(Refused, match="a call leader is engaged"):
        day.say("decide", by="dee")
    day.say("decide", by="lou")


def test_a_typed_name_is_not_enough_for_a_last_resort():
    from model.matter import Act
    from model.mitigate.ladder import decide
    from model.mitigate.ladder_messages import Decide

    day = mitigating()
    day.say("propose", by="ana", **CONFIG)
    with pytest.raises(Refused, match="only typed"):
        decide(Act(day.incident, Decide(by="ben"), day.now))


def test_a_proposal_expires_after_half_an_hour():
    day = mitigating()
    day.say("propose", by="ana", **ROLL_BACK)
    day.wait(minutes=30)
    assert day.said("expired")
    with pytest.raises(Refused, match="no proposal is waiting"):
        day.say("decide", by="ana")


def test_the_same_proposal_twice_is_one():
    day = mitigating()
    day.say("propose", by="ana", **ROLL_BACK)
    day.say("propose", by="kim", **ROLL_BACK)
    assert len(day.incident.proposals) == 1


def test_refused_proposals_take_no_number():
    day = mitigating()
    with pytest.raises(Refused):
        day.say("propose", by="ana", kind="restart", target="checkout-api", why="stuck")
    day.say("propose", by="ana", **ROLL_BACK)
    assert day.incident.proposals[0].n == 1


def test_what_did_not_clear_the_alarms_in_a_quarter_of_an_hour_has_failed():
    day = mitigating()
    day.say("propose", by="ana", go=True, **ROLL_BACK)
    day.wait(minutes=15)
    assert day.incident.proposals[0].status == "failed"
    assert "has not cleared the alarms in 15 min" in day.said("verification_failed")[0]


def test_a_mitigation_is_stopped_and_undone_by_anybody_engaged():
    day = mitigating()
    day.say("propose", by="ana", go=True, **ROLL_BACK)
    day.say("stop", by="ana", reason="errors grow")
    assert day.incident.proposals[0].status == "stopped"
    assert any("undone" in text for text in day.said("stopped"))


def test_one_no_from_a_customer_goes_back_and_a_later_yes_verifies():
    day = mitigating()
    day.ok("checkout-api")
    day.wait(minutes=3)
    day.say("confirm_recovery", by="ana", customer="acme", recovered=False)
    assert day.incident.phase == "mitigate"
    day.wait(hours=1)
    assert day.incident.phase == "mitigate", "clear alarms alone do not answer a customer's no"
    day.say("confirm_recovery", by="ana", customer="acme", recovered=True)
    day.wait(minutes=10)
    assert day.incident.phase == "close"
    assert "confirmed by acme" in day.said("verified")[-1]


def test_deployments_around_the_start_become_proposals_and_one_word_takes_one_up():
    found = [Deployment(service=f"svc{n}", version="1", started=START) for n in range(4)]
    day = mitigating(*found, Deployment(service="checkout-api", version="2.3.1", started=START))
    assert [p.target for p in day.incident.proposals] == ["checkout-api@2.3.1", "svc0@1", "svc1@1"]
    day.say("propose", by="ana", **ROLL_BACK)
    assert len(day.incident.proposals) == 3
    day.say("decide", by="ana")
    assert day.incident.proposals[0].status == "executed"


TWICE = [Deployment(service="checkout-api", version=version, started=START) for version in ("2.3.1", "2.3.2")]
PAYMENTS = Deployment(service="payments", version="4.1.0", started=START)


def test_one_decision_brings_everything_back():
    day = mitigating(PAYMENTS, TWICE[0], Deployment(service="search-api", version="1.0.9", started=START))
    assert "1, 2, 3 at once: `decide` with `all: true`" in day.said("proposed")
    with pytest.raises(Refused, match="or `all` suspected deployments"):
        day.say("decide", by="kim")
    assert "rolled back: checkout-api@2.3.1, payments@4.1.0, search-api@1.0.9" in day.say("decide", by="kim", all=True)
    assert [(p.status, p.decided_by) for p in day.incident.proposals] == [("executed", "kim")] * 3
    with pytest.raises(Refused, match="no suspected deployment waits"):
        day.say("decide", by="kim", all=True)


def test_whoever_may_decide_about_some_of_them_hears_who_decides_about_the_rest():
    day = mitigating(PAYMENTS, TWICE[0])
    answer = day.say("decide", by="ana", all=True, verdict="reject", reason="it runs everywhere")
    assert "rejected: checkout-api@2.3.1. 2, payments@4.1.0, waits: payments (eva, gus, hal)" in answer
    assert [p.status for p in day.incident.proposals] == ["rejected", "waiting"]
    with pytest.raises(Refused, match="ana may not decide on payments"):
        day.say("decide", by="ana", all=True)
    with pytest.raises(Refused, match="either which `proposal`, or `all`"):
        day.say("decide", by="kim", all=True, proposal=2)


def test_a_service_that_was_deployed_twice_goes_back_one_step_at_a_time():
    day = mitigating(*TWICE)
    day.say("decide", by="ana", all=True)
    assert [p.status for p in day.incident.proposals] == ["executed", "waiting"]


def test_the_owner_of_a_suspected_deployment_decides_though_nothing_of_theirs_is_in_alarm():
    day = mitigating(PAYMENTS)
    assert day.incident.proposals[0].team == "payments"
    day.say("decide", by="eva", verdict="reject", reason="not started yet where it fails")
    assert day.incident.proposals[0].decided_by == "eva"


def patched() -> Simulation:
    """Impact removed by hand: mitigated and verified."""
    day = mitigating()
    day.say("propose", by="ana", kind="shift_away", target="checkout-api/chk-17", why="its disk is full", go=True)
    day.ok("checkout-api")
    day.wait(minutes=10)
    return day


def test_a_patch_is_somebodys_and_they_are_asked_every_week_what_replaces_it():
    day = patched()
    assert day.incident.proposals[0].owner == "ana"
    assert "patch 1 (shift_away checkout-api/chk-17): in force since" in day.said("action")[0]
    asked = [text for text in day.told("ana") if "What replaces it?" in text]
    assert "`add_action` with `patch: 1`" in asked[0]
    day.wait(days=6)
    assert len([text for text in day.told("ana") if "What replaces it?" in text]) == 1
    day.wait(days=2)
    assert len([text for text in day.told("ana") if "What replaces it?" in text]) == 2


def test_a_patch_of_another_teams_service_is_that_teams():
    day = mitigating(PAYMENTS)
    day.say("decide", by="kim", proposal=1)
    assert day.incident.proposals[0].owner == "eva"


def test_a_patch_that_is_not_needed_any_more_is_taken_away_after_closing_too():
    day = patched()
    day.say("close", by="ana", reason="self_recovered")
    day.say("stop", by="ana", reason="the disk was cleaned")
    assert day.incident.proposals[0].status == "stopped"
    day.wait(days=8)
    assert len([text for text in day.told("ana") if "What replaces it?" in text]) == 1


def test_what_is_to_replace_a_patch_is_asked_for_in_its_place_and_frees_it():
    day = patched()
    item: Fields = {
        "title": "Dumps go to their own disk",
        "goal": "no dump fills the journal's disk",
        "horizon": "mid",
        "owner": "ben",
        "due": "2026-03-27T12:00:00Z",
        "validation": "fill it",
    }
    with pytest.raises(Refused, match=r"in force are: 1 \(shift_away checkout-api/chk-17\)"):
        day.say("add_action", by="ana", patch=7, **item)
    day.say("add_action", by="ana", patch=1, **item)
    day.wait(days=8)
    assert len([text for text in day.told("ana") if "What replaces it?" in text]) == 1
    (known,) = [item for item in day.incident.items.values() if item.kind == "action"]
    item_changed(day.incident, ItemChanged(item=known.model_copy(update={"status": "done", "revision": 5})), day.now)
    day.settle()
    assert "patch 1 (shift_away checkout-api/chk-17): replaced by action 1" in day.said("action")
    assert any("`stop` it, unless that has been done" in text for text in day.told("ana"))
