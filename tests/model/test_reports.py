"""Customers report (D5): by fixed numbers while nothing is known, then by what is usual at this time of the week."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.catalogue.plan import facts_for, plan_for
from model.detect import detection, reports
from model.detect.partition import Detection, Resolved
from model.detect.uptick import Rule
from model.messages import Report
from model.policy import Policy
from tests.model.simulation import CATALOG, START, Simulation

WEEKS = 3
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOON = MONDAY + timedelta(weeks=WEEKS, days=1, hours=12)
RESOLVED = Resolved(
    facts=facts_for(CATALOG, "checkout-api", "eu-west", ""),
    plan=plan_for(CATALOG, services=["checkout-api"], at=MONDAY),
)


def usual(a_day: float, *, until: datetime = NOON, seed: int = 3) -> Iterator[datetime]:
    """Yield when customers write in usual weeks: mostly by day, by chance."""
    chance = random.Random(seed)
    at = MONDAY
    while True:
        by_day = 8 <= at.hour < 20
        at += timedelta(hours=chance.expovariate(a_day / 24 * (1.8 if by_day else 0.2)))
        if at >= until:
            return
        yield at


def tell(state: Detection, at: datetime, **fields: Any) -> None:
    """Let a report arrive, without the incidents that may follow."""
    said = {"service": "checkout-api", "region": "eu-west", "source": "case", **fields}
    reports.decide(state, Report.model_validate(said), at, RESOLVED, at)
    state.owed.clear()


def taught(a_day: float, **fields: Any) -> Detection:
    """Return a partition after usual weeks."""
    state = Detection(partition="public")
    for number, at in enumerate(usual(a_day)):
        tell(state, at, case=f"old-{number}", customer=f"c{number % 40}", **fields)
    state.incidents.clear()
    return state


def day_of(state: Detection, now: datetime = NOON) -> Simulation:
    """Go on with a partition, incidents and all."""
    day = Simulation(start=now)
    day.detection = state.model_copy(deep=True)
    return day


@cache
def busy() -> Detection:
    return taught(400)


@cache
def quiet() -> Detection:
    return taught(3)


def nothing() -> Detection:
    return Detection(partition="public")


def test_what_is_usual_for_a_busy_service_is_no_event():
    """Thirty cases an hour are its Tuesday noon: fixed numbers would page every quarter of an hour."""
    day = day_of(busy())
    for number in range(30):
        day.report("checkout-api", customer=f"c{number}", case=f"new-{number}")
        day.wait(minutes=2)
    assert not day.incidents


def test_an_uptick_opens_an_incident_that_says_how_many_were_expected():
    day, opened_at = day_of(busy()), NOON
    for number in range(100):
        if number % 4 == 0:
            day.wait(minutes=1)
        if not day.incidents:
            day.report("checkout-api", customer=f"c{number % 7}", case=f"new-{number}", text="cannot pay")
            opened_at = day.now
    assert timedelta(0) < opened_at - NOON <= timedelta(minutes=15)
    assert (day.incident.detected_by, day.incident.severity) == ("reports", 2)
    assert "reports by case or phone in 15 minutes, " in day.incident.title
    assert " expected at this hour of the week (c0, c1, c2, c3," in day.incident.title
    expected = float(day.incident.title.split("minutes, ")[1].split()[0])
    assert 5 < expected < 9, "400 a day, mostly by day, are seven in a quarter of an hour"


def test_a_few_reports_where_hardly_any_come_are_an_uptick():
    day = day_of(quiet())
    for customer in ("acme", "globex", "initech", "hooli", "umbrella"):
        day.report("checkout-api", customer=customer, case=f"new-{customer}")
        day.wait(minutes=1)
    assert "expected at this hour of the week" in day.incident.title


def test_one_customer_alone_is_no_uptick_where_hardly_any_come():
    day = day_of(quiet())
    for number in range(6):
        day.report("checkout-api", customer="acme", case=f"new-{number}")
    assert not day.incidents


def test_one_report_is_no_uptick_however_quiet_the_service():
    day = day_of(quiet())
    day.report("checkout-api", customer="acme", case="new")
    assert not day.incidents


def test_several_regions_with_a_few_reports_each_are_an_uptick_together():
    state = Detection(partition="public")
    for number, at in enumerate(usual(6)):
        tell(state, at, case=f"old-{number}", region=("eu-west", "us-east")[number % 2])
    state.incidents.clear()
    day = day_of(state)
    for number in range(6):
        day.report("checkout-api", region=("eu-west", "us-east")[number % 2], case=f"new-{number}")
        assert not day.incidents or number > 1
    assert day.incident.regions == ["eu-west", "us-east"]


def test_an_uptick_of_social_posts_alone_wakes_nobody():
    day = day_of(taught(100, source="social"))
    for number in range(60):
        day.report("checkout-api", source="social", text=f"is it down? {number}")
        day.wait(seconds=20)
    assert day.incident.severity == 4
    assert "social posts in" in day.incident.title
    assert not day.incident.customers_hit
    assert not day.pages


def test_a_case_that_is_told_again_for_hours_is_one_report():
    day = Simulation()
    for hour in range(20):
        for customer in ("acme", "globex"):
            day.report("checkout-api", customer=customer, case=f"case of {customer}", text=f"update {hour}")
        day.wait(hours=1)
    assert not day.incidents
    assert day.detection.repeats == 38
    (history,) = day.detection.histories.values()
    assert sum(history.hours) == 2


def test_a_test_report_teaches_nothing_and_counts_for_no_real_event():
    day = Simulation()
    for customer in ("acme", "globex"):
        day.report("checkout-api", customer=customer, test=True)
    day.report("checkout-api", customer="initech")
    assert not day.incidents
    (history,) = day.detection.histories.values()
    assert sum(history.hours) == 1
    day.report("checkout-api", customer="hooli", test=True)
    assert [i.test for i in day.incidents.values()] == [True]


def test_cases_of_the_past_sent_oldest_first_teach_what_is_usual_and_open_nothing():
    state = Detection(partition="public")
    for number, at in enumerate(usual(400, until=NOON - timedelta(hours=3))):
        said = Report(service="checkout-api", region="eu-west", source="case", case=f"old-{number}", at=at)
        reports.decide(state, said, NOON, RESOLVED, NOON)
    assert (state.owed, state.reports) == ({}, [])
    (history,) = state.histories.values()
    assert history.learned
    assert 300 * 20 < sum(history.hours) < 500 * 23


def test_an_incident_that_begins_with_reports_has_all_of_them_as_evidence_and_counts_each_customer():
    day = Simulation()
    for number, customer in enumerate(("acme", "acme", "globex", "initech", "acme")):
        day.report("checkout-api", customer=customer, case=f"case-{number}", text="cannot pay", link="https://c.test/1")
        day.wait(minutes=1)
    found = Counter(report.customer for report in day.incident.reports)
    assert found == {"acme": 3, "globex": 1, "initech": 1}
    assert {name: known.count for name, known in day.incident.desk.contacts.items()} == found
    assert (day.incident.reports[0].text, day.incident.reports[0].link) == ("cannot pay", "https://c.test/1")


def test_the_link_of_a_report_is_a_link_in_the_ticket():
    day = Simulation()
    day.alarm("checkout-api")
    day.report("checkout-api", customer="acme", text="cannot pay", link="https://cases.test/1")
    (line,) = [entry for entry in day.incident.timeline if entry.what == "reported"]
    assert (line.text.rpartition(": ")[2], line.link) == ("cannot pay", "https://cases.test/1")


def test_what_customers_said_before_the_alarm_is_evidence_of_its_incident():
    day = Simulation()
    day.report("checkout-api", customer="acme", case="case-1", text="cannot pay")
    day.report("search-api", customer="globex", case="case-2")
    day.report("checkout-api", customer="hooli", case="case-3", test=True)
    day.wait(minutes=5)
    day.alarm("checkout-api", severity=3)
    assert [report.case for report in day.incident.reports] == ["case-1"]
    assert list(day.incident.desk.contacts) == ["acme"]


def test_a_thousand_busy_services_do_not_fill_the_state():
    policy = Policy()
    state = Detection(partition="public")
    rule = Rule(policy.reports_within / 3)
    chance = random.Random(1)
    for number in range(policy.report_histories):
        history = busy().histories[next(iter(busy().histories))].model_copy(deep=True)
        history.hours = [float(chance.randrange(100, 999)) for _ in range(len(history.hours) + 200)]
        history.peaks = [[round(chance.uniform(0, 6), 3) for _ in range(112)] for _ in history.peaks]
        state.histories[f"direct\teu-west\tservice-{number}"] = history
    assert rule.memory > 0
    for number in range(1000):
        tell(state, NOON, service=f"other-{number}", text="x" * 500, link="y" * 900, case=f"case-{number}")
    assert len(state.histories) == policy.report_histories, "for others the fixed numbers decide"
    assert len(state.model_dump_json()) < 1_200_000
    assert max(len(history.model_dump_json()) for history in state.histories.values()) < 6_000


def test_a_series_nobody_reports_about_any_more_makes_room_for_another():
    state = Detection(partition="public", policy=Policy(report_histories=2))
    tell(state, MONDAY, service="a")
    tell(state, NOON, service="b")
    tell(state, NOON, service="c")
    assert [place.split("\t")[-1] for place in state.histories] == ["a", "b"]
    later = NOON + timedelta(weeks=2)
    tell(state, later, service="d")
    assert [place.split("\t")[-1] for place in state.histories] == ["b", "d"]


def test_a_history_that_is_handed_on_goes_on_the_same():
    day, again = day_of(busy()), day_of(Detection.model_validate_json(busy().model_dump_json()))
    for number in range(60):
        for one in (day, again):
            one.report("checkout-api", case=f"new-{number}")
            one.wait(seconds=30)
    assert day.detection.model_dump(mode="json") == again.detection.model_dump(mode="json")
    assert day.incident.title == again.incident.title


REPORTS = st.lists(
    st.fixed_dictionaries(
        {
            "customer": st.sampled_from(["acme", "globex", "initech", "hooli", ""]),
            "case": st.integers(0, 30).map(lambda number: f"new-{number}"),
            "source": st.sampled_from(["case", "case", "phone", "social"]),
            "region": st.sampled_from(["eu-west", "us-east"]),
        }
    ),
    max_size=25,
    unique_by=lambda report: report["case"],
)


def outcome(history: Detection, told: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Return what came of some reports of one minute: the incident, its evidence, and who is counted how often."""
    day = day_of(history)
    for report in told:
        day.report("checkout-api", **report)
    cases = {report.case for incident in day.incidents.values() for report in incident.reports}
    direct = [incident for incident in day.incidents.values() if incident.customers_hit]
    counted = {name: known.count for incident in direct for name, known in incident.desk.contacts.items()}
    return len(day.incidents), bool(direct), cases, counted


@pytest.mark.parametrize("history", [nothing, quiet, busy])
@settings(max_examples=25, deadline=None)
@given(told=REPORTS, chance=st.randoms(use_true_random=False))
def test_order_repetition_and_wrong_clocks_of_the_senders_change_nothing(history, told, chance):
    again = [{**report, "at": (NOON + timedelta(seconds=chance.randint(-299, 600))).isoformat()} for report in told]
    again += chance.choices(again, k=5) if again else []
    chance.shuffle(again)
    assert outcome(history(), again) == outcome(history(), told)


def test_every_report_is_counted_once_whatever_its_region():
    day = Simulation()
    detection.receive(day.detection, "report", {"service": "checkout-api", "source": "phone", "count": 4}, START)
    day.settle()
    (place,) = day.detection.histories
    assert place == "direct\tglobal\tcheckout-api"
    assert sum(day.detection.histories[place].hours) == 4
