"""Alarms that are one event: simultaneity of state, whatever the order in which they came (D3)."""

import copy
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from model.detect.correlation import Active, several_services, several_sources
from model.detect.partition import Detection, Watched
from model.incident import AlarmFact
from model.policy import Policy
from tests.model.simulation import Simulation

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
POLICY = Policy()

actives = st.lists(
    st.builds(
        Active,
        key=st.text("abc", max_size=2),
        service=st.sampled_from("stuvw"),
        team=st.sampled_from("XYZ"),
        region=st.sampled_from(["east", "north", "west"]),
        source=st.sampled_from(["service", "canary", "traffic"]),
        since=st.integers(0, 60).map(lambda minutes: NOON - timedelta(minutes=minutes)),
    ),
    max_size=12,
)


@given(actives, st.randoms(use_true_random=False), st.sampled_from(["", "east", "west"]))
def test_the_order_in_which_alarms_came_changes_nothing(active, chance, region):
    shuffled = [*active, *active]
    chance.shuffle(shuffled)
    assert several_services(shuffled, POLICY, NOON, region) == several_services(active, POLICY, NOON, region)
    assert several_sources(shuffled, POLICY) == several_sources(active, POLICY)


@given(actives)
def test_an_event_is_enough_services_of_enough_teams_in_alarm_of_late(active):
    found = several_services(active, POLICY, NOON)
    late = [a for a in active if NOON - a.since <= POLICY.aggregate_overlap]
    enough = (
        len({a.service for a in late}) >= POLICY.aggregate_services
        and len({a.team for a in late}) >= POLICY.aggregate_teams
    )
    assert (found is not None) == enough
    if found:
        assert set(found.services) == {a.service for a in late if a.region in found.regions}


def test_two_regions_in_trouble_after_each_other_are_two_events():
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, region="eu-west")
    first = day.incident.id
    for service in ("auth", "dns", "storage"):
        day.alarm(service, region="us-east")
    open_ones = {i.id: set(i.services) for i in day.incidents.values() if not i.absorbed_into}
    assert len(open_ones) == 2
    assert open_ones.pop(first) == {"checkout-api", "payments", "search-api"}
    assert open_ones.popitem()[1] == {"auth", "dns", "storage"}
    assert all(i.kind == "multi_service" for i in day.incidents.values() if not i.absorbed_into)


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["come", "go", "hush"]),
        st.sampled_from("abc"),
        st.sampled_from("stu"),
        st.sampled_from(["east", "west"]),
        st.sampled_from(["service", "canary"]),
        st.booleans(),
    ),
    max_size=30,
)


@given(MOVES)
def test_what_is_found_by_place_is_what_stands(moves):
    state = Detection(partition="public")
    for doing, alarm, service, region, source, test in moves:
        key = f"{test}/{service}/{region}/{alarm}/{source}"
        if doing == "come" and key not in state.alarms:
            fact = AlarmFact(alarm=alarm, service=service, region=region, source=source, since=NOON)
            state.alarms[key] = Watched(fact=fact, team="t", test=test)
        elif doing == "go" and key in state.alarms:
            del state.alarms[key]
        elif doing == "hush" and key in state.alarms:
            state.alarms[key].silenced = True
    handed_on = Detection.model_validate_json(state.model_dump_json())
    assert handed_on == state
    for same in (state, handed_on, copy.deepcopy(state)):
        for test in (False, True):
            loud = {key: w.fact for key, w in same.alarms.items() if w.test == test and not w.silenced}
            assert {a.key for a in same.alarms.active(test)} == set(loud)
            assert several_sources(same.alarms.mixed(test), POLICY) == several_sources(same.alarms.active(test), POLICY)
            for service in "stu":
                there = [
                    w
                    for w in same.alarms.values()
                    if (w.fact.service, w.fact.region, w.test) == (service, "east", test)
                ]
                assert same.alarms.count(service, "east", test) == len(there)
