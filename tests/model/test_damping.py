"""Alarms that flap are held still, with an end (D1)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from model.detect.damping import Flapping, Rule, changed, damping, effective

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULE = Rule(changes=5, within=timedelta(minutes=30), quiet_for=timedelta(minutes=15))


def after(*minutes: float) -> Flapping:
    """Return an alarm that changed its state at these minutes past nine."""
    alarm = Flapping()
    for minute in minutes:
        alarm = changed(alarm, NINE + minute * MINUTE, RULE)
    return alarm


def test_five_changes_in_half_an_hour_are_no_flapping_the_sixth_is():
    assert not damping(after(0, 1, 2, 3, 4), NINE + 4 * MINUTE, RULE).damped
    said = damping(after(0, 1, 2, 3, 4, 5), NINE + 5 * MINUTE, RULE)
    assert said.damped
    assert said.until == NINE + 20 * MINUTE
    assert said.why == ("flapping: it changed more than 5 times in 30m; held in ALARM until it has been quiet for 15m")


def test_six_changes_over_more_than_half_an_hour_are_no_flapping():
    assert not damping(after(0, 7, 14, 21, 28, 35), NINE + 35 * MINUTE, RULE).damped


def test_it_ends_when_the_alarm_has_been_quiet_and_each_change_puts_that_off():
    alarm = after(0, 1, 2, 3, 4, 5)
    assert damping(alarm, NINE + 19.9 * MINUTE, RULE).damped
    assert not damping(alarm, NINE + 20 * MINUTE, RULE).damped
    said = damping(after(0, 1, 2, 3, 4, 5, 19), NINE + 20 * MINUTE, RULE)
    assert said.until == NINE + 34 * MINUTE
    assert "and 1 times since" in said.why


def test_while_it_is_damped_it_counts_as_in_alarm_then_its_last_word_counts():
    alarm = after(0, 1, 2, 3, 4, 5)
    assert effective(alarm, "OK", NINE + 6 * MINUTE, RULE) == "ALARM"
    assert effective(alarm, "OK", NINE + 20 * MINUTE, RULE) == "OK"
    assert effective(after(0), "ALARM", NINE, RULE) == "ALARM"
    assert effective(after(0, 1), "OK", NINE + MINUTE, RULE) == "OK"


def test_after_the_quiet_it_takes_as_many_changes_again():
    again = [21 + n for n in range(5)]
    assert not damping(after(0, 1, 2, 3, 4, 5, *again), NINE + 25 * MINUTE, RULE).damped
    assert damping(after(0, 1, 2, 3, 4, 5, *again, 26), NINE + 26 * MINUTE, RULE).damped


@given(st.lists(st.floats(0, 600), max_size=60))
def test_it_always_ends_and_never_remembers_more_than_a_few_moments(minutes: list[float]):
    alarm = after(*sorted(minutes))
    last = NINE + max(minutes, default=0) * MINUTE
    assert not damping(alarm, last + RULE.quiet_for, RULE).damped
    assert len(alarm.changes) <= RULE.changes + 1
    assert Flapping.model_validate_json(alarm.model_dump_json()) == alarm


@given(st.lists(st.floats(0, 600), max_size=60))
def test_it_is_damped_by_more_changes_than_allowed_in_the_window_and_by_nothing_else(minutes: list[float]):
    moments = sorted(minutes)
    flapped = any(
        moments[n + RULE.changes] * MINUTE - moments[n] * MINUTE <= RULE.within
        for n in range(len(moments) - RULE.changes)
    )
    seen = any(damping(after(*moments[: n + 1]), NINE + moments[n] * MINUTE, RULE).damped for n in range(len(moments)))
    assert not seen or flapped
    if flapped:
        assert seen or len(moments) > RULE.changes + 1  # changes before a quiet end count no more


def test_a_clock_that_runs_backwards_undoes_nothing():
    assert after(0, 1, 2, 3, 4, 5, 2) == after(0, 1, 2, 3, 4, 5, 5)
