"""Answers of the catalogue that came with alarms: which of them count."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from model.catalogue.plan import facts_for, plan_for
from model.detect.answers import FRESH, KEPT, Answered, Answers, fingerprint
from model.detect.partition import Resolved
from model.policy import Policy
from tests.model.simulation import CATALOG, START

POLICY = fingerprint(Policy())
ANSWER = Resolved(
    facts=facts_for(CATALOG, "checkout-api", "eu-west", ""), plan=plan_for(CATALOG, services=["checkout-api"], at=START)
)


def answered(service: str = "checkout-api", policy: str = POLICY, **ago: float) -> Answered:
    return Answered(question=(service, "eu-west", ""), at=START - timedelta(**ago), answer=ANSWER, policy=policy)


def heard(*answers: Answered) -> Answers:
    found = Answers()
    for it in answers:
        found.hear(it)
    return found


def test_a_fresh_answer_counts_for_its_question_only() -> None:
    found = heard(answered())
    assert found.of(("checkout-api", "eu-west", ""), POLICY, START) == ANSWER
    assert found.of(("checkout-api", "us-east", ""), POLICY, START) is None


def test_an_alarm_that_waited_over_a_change_of_shifts_is_asked_about() -> None:
    assert heard(answered(hours=2)).of(("checkout-api", "eu-west", ""), POLICY, START) is None


def test_under_another_policy_the_catalogue_is_asked() -> None:
    found = heard(answered(policy=fingerprint(Policy(aggregate_services=7))))
    assert found.of(("checkout-api", "eu-west", ""), POLICY, START) is None


@given(st.lists(st.floats(-200, 200), min_size=1, max_size=8))
def test_no_answer_older_or_younger_than_fresh_is_given(ages: list[float]) -> None:
    found = heard(*(answered(seconds=age) for age in ages))
    given_now = found.of(("checkout-api", "eu-west", ""), POLICY, START)
    assert (given_now is not None) == (abs(ages[-1]) <= FRESH.total_seconds())


def test_a_storm_of_services_does_not_fill_the_memory() -> None:
    found = heard(*(answered(f"service-{n}") for n in range(KEPT + 1)))
    assert found.of(("service-0", "eu-west", ""), POLICY, START) is None
    assert found.of((f"service-{KEPT}", "eu-west", ""), POLICY, START) == ANSWER
