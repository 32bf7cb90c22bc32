"""A team leaves for a call of its own, one of it stays on the bridge, and forks end (C5)."""

from typing import Any

import pytest

from model.text import Refused
from tests.model.simulation import Simulation


def two_of_checkout() -> Simulation:
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    day.wait(minutes=6)
    day.say("join", by="ana")
    day.say("join", by="ben")
    return day


def test_a_fork_has_a_name_a_link_and_somebody_who_stays():
    day = two_of_checkout()
    answer = day.say("fork", by="ana", topic="why chk-17 refuses writes", stays="ben")
    name = f"{day.incident.id}-fork-1"
    assert answer == f"{name} is open: https://call.example.test/{name}; ben stays"
    [line] = [e for e in day.incident.timeline if e.what == "forked"]
    assert line.text == f"{name}: checkout, why chk-17 refuses writes; ben stays"
    assert line.link == f"https://call.example.test/{name}"
    assert any("you stay on the bridge for checkout" in text for text in day.told("ben"))


def test_who_stays_is_derived_where_only_one_can():
    day = two_of_checkout()
    assert day.say("fork", by="ana", topic="the disk").endswith("ben stays")


@pytest.mark.parametrize(
    ("by", "stays", "words"),
    [
        ("ana", "ana", "you are the one who leaves"),
        ("ana", "cho", "cho has not come yet"),
        ("ana", "eva", "eva is not of checkout"),
        ("ana", "nobody", "nobody is not of checkout"),
        ("sam", "ben", "say for which team|sam may not fork"),
    ],
)
def test_nobody_leaves_the_bridge_without_one_of_theirs_on_it(by, stays, words):
    day = two_of_checkout()
    before = day.incident.model_dump()
    with pytest.raises(Refused, match=words):
        day.say("fork", by=by, team="checkout" if by == "sam" else "", topic="x", stays=stays)
    assert day.incident.model_dump() == before


def test_the_only_one_there_cannot_fork():
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    day.say("join", by="ana")
    with pytest.raises(Refused, match="nobody; call somebody else of your team first"):
        day.say("fork", by="ana", topic="x")


def test_incident_response_may_send_a_team_into_a_fork():
    day = two_of_checkout()
    day.say("fork", by="kim", team="checkout", topic="x", stays="ana")
    assert day.incident.desk.open_forks[0].stays == "ana"


def test_rejoining_ends_the_fork():
    day = two_of_checkout()
    day.say("fork", by="ana", topic="the disk", stays="ben")
    day.say("rejoin", by="ana")
    assert not day.incident.desk.open_forks
    assert day.said("rejoined") == [f"checkout is back from {day.incident.id}-fork-1: the disk"]
    with pytest.raises(Refused, match="no fork is open"):
        day.say("rejoin", by="ana")


def test_a_fork_of_a_fork_and_which_one_ends():
    day = two_of_checkout()
    day.say("fork", by="ana", topic="the disk", stays="ben")
    parent: dict[str, Any] = {"from": "1"}
    day.say("fork", by="ana", topic="the kernel", stays="ben", **parent)
    assert [fork.parent for fork in day.incident.desk.forks] == [0, 1]
    with pytest.raises(Refused, match="say which `fork` ends; open are 1"):
        day.say("rejoin", by="ana")
    with pytest.raises(Refused, match="no fork 7 is open"):
        day.say("rejoin", by="ana", fork="7")
    day.say("rejoin", by="ana", fork=f"{day.incident.id}-fork-1".lower())
    assert [fork.n for fork in day.incident.desk.open_forks] == [2]


def test_open_forks_end_with_the_incident_or_with_their_team():
    day = two_of_checkout()
    day.say("fork", by="ana", topic="the disk", stays="ben")
    day.ok("checkout-api")
    day.say("close", by="ana", reason="self_recovered")
    assert not day.incident.desk.open_forks
    assert "ends: the incident is closed" in day.said("rejoined")[0]
    day = two_of_checkout()
    day.say("engage", by="ana", team="network", reason="packets")
    day.say("join", by="abe")
    day.say("fork", by="kim", team="checkout", topic="x", stays="ana")
    day.ok("checkout-api")
    day.say("stand_down", by="kim", team="checkout", reason="thank you")
    assert "checkout is off duty" in day.said("rejoined")[0]
