"""People make one event of several, and take a service out of one (D3)."""

import pytest

from model import messages
from model.detect import regroup
from model.text import Refused
from tests.model.simulation import Simulation


def merged(day: Simulation, *incidents: str) -> str:
    said = messages.Merge(by="kim", incidents=list(incidents), reason="one router stands behind both")
    answer = regroup.merge(day.detection, said, day.now)
    day.settle()
    return answer.incident


def split(day: Simulation, service: str) -> str:
    said = messages.Split(by="kim", service=service, reason="its index is old")
    answer = regroup.split(day.detection, said, day.now)
    day.settle()
    return answer.incident


def two_events() -> tuple[Simulation, str, str]:
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    first = day.incident.id
    day.wait(minutes=1)
    day.say("acknowledge", by="ana")
    day.alarm("search-api", severity=3)
    (second,) = [name for name in day.incidents if name != first]
    return day, first, second


def test_two_events_become_one_under_the_older_name_and_nobody_is_paged_again():
    day, first, second = two_events()
    assert merged(day, second, first) == first
    assert day.incident.id == first
    assert day.incident.kind == "multi_service"
    assert set(day.incident.services) == {"checkout-api", "search-api"}
    assert day.incidents[second].absorbed_into == first
    assert day.incident.engagements["checkout"].acknowledged_by == "ana"
    assert day.paged("ida") == [("1m", "email")]


def test_the_last_characters_name_an_incident_and_a_wrong_name_is_refused_with_those_that_are_open():
    day, first, second = two_events()
    with pytest.raises(Refused, match=f"'7777' names 0 of the incidents.*{first}, {second}"):
        merged(day, first, "7777")
    with pytest.raises(Refused, match="these are one incident"):
        merged(day, first, first[-4:])
    assert merged(day, first[-4:], second[-4:].lower()) == first


def an_event() -> Simulation:
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    day.say("acknowledge", by="ida")
    return day


def test_a_service_that_is_no_part_of_it_gets_its_own_incident_with_the_people_who_are_on_it():
    day = an_event()
    event = day.incident
    before = day.paged("ida")
    own = day.incidents[split(day, "search-api")]
    assert own.services == ["search-api"]
    assert own.kind == "single_service"
    assert own.linked_to == event.id
    assert own.engagements["search"].acknowledged_by == "ida"
    assert [fact.service for fact in own.in_alarm] == ["search-api"]
    day.wait(minutes=20)
    assert day.paged("ida") == before, "nobody is paged again for it"
    assert set(event.services) == {"checkout-api", "payments"}
    assert event.engagements["search"].released_at
    assert not [fact for fact in event.in_alarm if fact.service == "search-api"]


def test_what_a_person_split_off_is_not_taken_in_again_by_the_next_alarm():
    day = an_event()
    event = day.incident
    own = split(day, "search-api")
    day.alarm("storage", severity=2)
    day.alarm("search-api", alarm="latency", severity=2)
    assert day.incidents[own].phase != "absorbed"
    assert set(day.incidents[own].services) == {"search-api"}
    assert "storage" in event.services
    assert merged(day, event.id, own) == event.id, "a person may change their mind"


def test_the_last_service_of_an_event_cannot_be_split_off():
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    with pytest.raises(Refused, match="is all there is in"):
        split(day, "checkout-api")
    with pytest.raises(Refused, match="part of no open incident"):
        split(day, "dns")
