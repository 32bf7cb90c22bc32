"""The ladder: what one person may decide, what takes two, what did not help (M0-M3)."""

from typing import Any

import pytest

from model.effects import Deployment, Outcome
from model.text import Refused
from tests.model.simulation import Simulation

Fields = dict[str, Any]

ROLL_BACK: Fields = {"kind": "roll_back", "target": "checkout-api@2.3.1", "why": "started with it"}
CONFIG: Fields = {
    "kind": "change_config",
    "target": "checkout-api",
    "why": "limit too low",
    "confidence": "reproduced twice",
}


def mitigating() -> Simulation:
    day = Simulation()
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
    day = mitigating()
    from model.coordinate.ticket import deployments_known

    started = [day.start, day.start, day.start, day.start]
    found = [Deployment(service=f"svc{n}", version="1", started=at) for n, at in enumerate(started)]
    found.append(Deployment(service="checkout-api", version="2.3.1", started=day.start))
    deployments_known(day.incident, Outcome(deployments=found), day.now)
    assert [p.target for p in day.incident.proposals] == ["checkout-api@2.3.1", "svc0@1", "svc1@1"]
    day.say("propose", by="ana", **ROLL_BACK)
    assert len(day.incident.proposals) == 3
    day.say("decide", by="ana")
    assert day.incident.proposals[0].status == "executed"
