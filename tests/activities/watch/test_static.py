"""A fixed limit, N of M (D1)."""

import math
from datetime import UTC, datetime

import pytest

from activities.watch import Missing
from activities.watch.static import Static
from model.text import Refused

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def states(rule: Static, *values: float | None) -> str:
    """Return A or . for each sample."""
    return "".join("A" if rule.take(NINE, value).alarmed else "." for value in values)


def test_two_of_three_above_the_limit_are_an_alarm_until_fewer_are_left() -> None:
    rule = Static(above=1.0, fails=2, of=3)
    assert states(rule, 0.5, 2, 0.5, 2, 0.5, 0.5) == "...A.."
    assert rule.why == "2 is above 1"


def test_the_limit_itself_is_still_good() -> None:
    assert states(Static(above=1.0, below=0.0, fails=1, of=1), 1.0, 0.0, 1.01, 0.5, -0.01) == "..A.A"


@pytest.mark.parametrize(
    ("missing", "said"),
    [("breaching", "..AA"), ("not_breaching", "...."), ("ignore", "...."), ("missing", "....")],
)
def test_an_absent_sample_means_what_it_is_said_to_mean(missing: Missing, said: str) -> None:
    assert states(Static(above=1.0, fails=2, of=3, missing=missing), 2, 0.5, None, None) == said


def test_an_ignored_absence_keeps_an_alarm_and_a_good_one_ends_it() -> None:
    assert states(Static(above=1.0, fails=2, of=2, missing="ignore"), 2, 2, None, None, 0.5) == ".AAA."
    assert states(Static(above=1.0, fails=2, of=2, missing="not_breaching"), 2, 2, None) == ".A."


def test_a_rule_that_can_never_fail_is_refused() -> None:
    with pytest.raises(Refused, match="needs a limit"):
        Static()
    with pytest.raises(Refused, match="4 of 3 samples can never fail"):
        Static(above=1.0, fails=4, of=3)
    with pytest.raises(Refused, match="is no measurement"):
        Static(above=1.0).take(NINE, math.nan)
