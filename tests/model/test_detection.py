"""From alarms and reports to incidents (D1, D3, D5, E2)."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from model import details, messages
from model.coordinate.waiting import calls_for
from model.detect import detection
from model.detect.partition import Known
from model.effects import Outcome, Start
from tests.model.simulation import Simulation


def test_the_same_alarm_a_hundred_times_is_one_incident_and_one_page():
    day = Simulation()
    for _ in range(100):
        day.alarm("checkout-api", severity=2)
    assert len(day.incidents) == 1
    assert day.paged("ana") == [("0m", "email")]
    assert day.detection.repeats == 99


def test_three_services_of_two_teams_at_once_become_one_event_under_the_oldest_name():
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    day.wait(minutes=1)
    day.say("acknowledge", by="ana")
    oldest = day.incident.id
    day.alarm("payments", severity=3)
    day.wait(minutes=1)
    day.alarm("search-api")
    assert day.incident.id == oldest
    assert day.incident.kind == "multi_service"
    assert set(day.incident.services) == {"checkout-api", "payments", "search-api"}
    (other,) = [i for i in day.incidents.values() if i.absorbed_into]
    assert (other.phase, other.absorbed_into) == ("absorbed", oldest)
    assert day.paged("eva") == [("1m", "email")], "nobody is paged again for it"
    assert day.incident.engagements["checkout"].acknowledged_by == "ana", "acknowledgements are kept"
    assert {"incident-response", "support", "dns", "auth", "network", "search", "payments"} < set(
        day.incident.engagements
    )


def test_managers_of_impacted_teams_are_told_at_onset():
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    told = day.said("told")
    assert all(any(f"{team} is impacted" in text for text in told) for team in ("checkout", "payments", "search"))


def test_the_first_of_them_is_asked_to_the_support_call_as_its_service_leader():
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    leader = day.incident.desk.service_leader
    assert leader in {team.manager for team in day.incident.plan.teams.values()}
    asked = [text for text in day.said("told") if "A service leader sits on the support call" in text]
    assert len(asked) == 1
    assert calls_for(day.incident, leader)[0].name == "the support call"


def test_alarms_that_are_not_in_alarm_at_the_same_time_stay_apart():
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=3)
        day.wait(minutes=1)
        day.ok(service)
    assert {i.kind for i in day.incidents.values()} == {"single_service"}
    assert len(day.incidents) == 3


def test_an_alarm_older_than_half_an_hour_makes_no_aggregate():
    day = Simulation()
    day.alarm("checkout-api", severity=3)
    day.wait(minutes=31)
    day.alarm("payments", severity=3)
    day.alarm("search-api", severity=3)
    assert {i.kind for i in day.incidents.values()} == {"single_service"}


def test_a_service_impacted_later_joins_and_its_owner_is_called():
    day = Simulation()
    for service in ("auth", "dns", "payments"):
        day.alarm(service, severity=2)
    day.wait(minutes=45)
    day.alarm("search-api", severity=2)
    assert len([i for i in day.incidents.values() if not i.absorbed_into]) == 1
    assert day.paged("ida") == [("45m", "email")]


def test_the_owner_of_what_the_impacted_services_share_is_called_with_the_reason_and_may_say_not_us():
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    assert day.paged("mia") == [("0m", "email")]
    row = day.incident.engagements["storage"]
    assert row.reason == "suspected: storage: 3 of 3 impacted services depend on it"
    assert any("correlation: storage: 3 of 3" in text for text in day.said("observed"))
    assert "suspected, no verdict: storage" in details.incident_details(day.incident, day.now)
    day.say("release", by="mia", team="storage", reason="no node is slow")
    day.wait(minutes=10)
    day.alarm("auth", severity=2)
    assert day.incident.engagements["storage"].released_at, "not called again for the same suspicion"
    assert day.paged("mia") == [("0m", "email")]


def test_two_kinds_of_source_for_three_minutes_are_a_full_response_without_suspects():
    day = Simulation()
    day.alarm("checkout-api", severity=3)
    day.alarm("checkout-api", alarm="canary", source="traffic", severity=3)
    day.wait(minutes=2, seconds=50)
    assert not day.incident.big
    day.wait(seconds=10)
    assert day.incident.big
    assert {"incident-response", "support"} < set(day.incident.engagements)
    assert "dns" not in day.incident.engagements, "suspects only from the second service on"


def test_a_second_region_is_severity_1_breaks_the_tenet_and_calls_a_leader():
    day = Simulation()
    day.alarm("checkout-api", severity=3)
    day.alarm("checkout-api", region="us-east", severity=3)
    assert day.incident.severity == 1
    assert day.said("tenet_broken")[0].startswith("one-region")
    assert day.paged("lou")


def test_three_customers_open_an_incident_before_any_alarm():
    day = Simulation()
    for customer in ("acme", "globex", "initech"):
        assert not day.incidents
        day.report("checkout-api", customer=customer, case=f"case-{customer}")
    assert (day.incident.detected_by, day.incident.severity) == ("reports", 2)
    assert day.paged("ana")
    assert day.paged("sam"), "support joins when customers are impacted"
    assert day.said("tenet_broken")[0].startswith("detect-first")


def test_the_same_case_twice_is_one_customer():
    day = Simulation()
    for _ in range(5):
        day.report("checkout-api", customer="acme", case="case-1")
    assert not day.incidents


def test_social_noise_alone_wakes_nobody():
    day = Simulation()
    day.report("checkout-api", source="social", count=500)
    assert day.incident.severity == 4
    assert not day.pages


def test_a_silenced_service_opens_nothing_until_the_silence_ends():
    day = Simulation()
    until = day.now + timedelta(hours=1)
    silence = messages.Silence(by="ana", service="checkout-api", until=until, reason="planned")
    detection.silence(day.detection, silence, day.now)
    day.alarm("checkout-api", severity=2)
    day.wait(minutes=59)
    assert not day.incidents
    day.wait(minutes=1)
    assert day.incident.services == ["checkout-api"]


def test_a_test_alarm_does_not_join_a_real_event():
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    day.alarm("checkout-api", severity=2, test=True)
    assert sorted(i.test for i in day.incidents.values()) == [False, True]


def test_what_cannot_be_read_is_kept():
    day = Simulation()
    for payload in (
        None,
        "words",
        [1],
        {"alarm": "a"},
        {"alarm": "a", "service": "s", "state": "PERHAPS"},
        7,
    ):
        detection.receive(day.detection, "alarm", payload, day.now)
    assert len(day.detection.unreadable) == 6
    assert all("ALARM" in item.why or "object" in item.why or "needed" in item.why for item in day.detection.unreadable)


def test_an_alarm_with_an_unknown_field_still_pages():
    day = Simulation()
    day.alarm("checkout-api", severity=2, colour="red")
    assert day.paged("ana")
    assert "colour" in day.detection.unreadable[0].why


def test_an_alarm_whose_time_and_severity_cannot_be_read_still_pages():
    day = Simulation()
    day.alarm("checkout-api", severity=99, at="yesterday", value="much")
    assert day.paged("ana")
    assert all(name in day.detection.unreadable[0].why for name in ("severity", "at", "value"))


def test_an_alarm_of_an_incident_that_is_gone_opens_a_new_one():
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    name = day.incident.id
    day.ended.add(name)
    day.incidents[name].absorbed_into = "gone"
    day.alarm("checkout-api", alarm="other", severity=2)
    assert len(day.incidents) == 2


def test_a_name_that_is_taken_swallows_no_incident():
    day = Simulation()
    detection.receive(
        day.detection,
        "alarm",
        {"alarm": "a", "service": "checkout-api", "region": "eu-west", "state": "ALARM"},
        day.now,
    )
    day._turn_detection()
    (key,) = [k for k, owed in day.detection.owed.items() if owed.order.lane == "process"]
    order = day.detection.owed[key].order
    assert isinstance(order, Start)
    taken = order.workflow_id
    refused = Outcome(ok=False, again=False, reason="taken")
    detection.effect_ended(day.detection, key, refused, day.now)
    day.settle()
    assert taken not in day.detection.incidents
    assert day.incident.services == ["checkout-api"]


SERVICES = ["checkout-api", "payments", "search-api", "storage", "dns"]
Move = st.one_of(
    st.tuples(
        st.just("alarm"),
        st.sampled_from(SERVICES),
        st.sampled_from(["eu-west", "us-east"]),
        st.integers(1, 5),
    ),
    st.tuples(st.just("ok"), st.sampled_from(SERVICES), st.sampled_from(["eu-west", "us-east"]), st.just(0)),
    st.tuples(st.just("wait"), st.just(""), st.just(""), st.integers(1, 90)),
    st.tuples(st.just("ack"), st.sampled_from(["ana", "eva", "ida", "mia", "noa", "kim"]), st.just(""), st.just(0)),
    st.tuples(st.just("close"), st.sampled_from(["kim"]), st.just(""), st.just(0)),
)


@settings(max_examples=150)
@given(st.lists(Move, max_size=25))
def test_whatever_happens_every_alarm_has_one_incident_and_somebody_is_looked_for(moves):
    """Nothing is silently dropped, whatever comes in whatever order."""
    day = Simulation()
    for kind, name, region, number in moves:
        if kind == "alarm":
            day.alarm(name, region=region, severity=number)
        elif kind == "ok":
            day.ok(name, region=region)
        elif kind == "wait":
            day.wait(minutes=number)
        else:
            _try(day, kind, name)
        for watched in day.detection.alarms.values():
            incident = day.incidents[watched.incident]
            assert watched.fact.service in incident.services
            assert incident.phase not in ("close", "reflect", "all_clear", "absorbed")
            owner = incident.engagements[watched.team]
            assert owner.acknowledged_at or owner.released_at or not owner.asleep
        open_ones = [i for i in day.incidents.values() if i.id not in day.ended and not i.absorbed_into]
        for incident in open_ones:
            known: Known = day.detection.incidents[incident.id]
            assert known.kind == incident.kind
            assert set(incident.services) == set(known.services)


def _try(day: Simulation, kind: str, name: str) -> None:
    from model.text import Refused

    for incident in list(day.incidents.values()):
        try:
            if kind == "ack":
                day.say("acknowledge", incident, by=name)
            else:
                day.say("close", incident, by=name, reason="no_impact")
        except Refused:
            pass


def test_a_flapping_alarm_is_held_and_said_once_until_it_keeps_still():
    day = Simulation()
    for _ in range(6):
        day.alarm("checkout-api", severity=2)
        day.wait(minutes=1)
        day.ok("checkout-api")
        day.wait(minutes=1)
    assert day.incident.in_alarm, "half of the time it is: it counts as being in ALARM"
    assert len([text for text in day.said("alarm") if "flapping: it changed more than 6 times in 30m" in text]) == 1
    assert len(day.incidents) == 1
    assert len(day.paged("ana")) <= 2
    day.wait(minutes=16)
    assert not day.incident.in_alarm, "it kept still for a quarter of an hour; its last word was OK"


def test_ten_thousand_hosts_of_one_service_are_one_incident_and_a_small_state():
    day = Simulation()
    for number in range(3000):
        day.alarm("checkout-api", alarm=f"pod-{number}-crash-loop", severity=2)
    assert len(day.incidents) == 1
    assert len(day.incident.alarms) == day.detection.policy.crowd + 1
    assert len(day.detection.model_dump_json()) < 200_000
    assert any("many alarms of checkout-api at once" in text for text in day.said("alarm"))
    for number in range(2999):
        day.ok("checkout-api", alarm=f"pod-{number}-crash-loop")
    assert day.incident.in_alarm, "one of the crowd is still in ALARM"
    day.ok("checkout-api", alarm="pod-2999-crash-loop")
    assert not day.incident.in_alarm
    assert not day.detection.crowds
