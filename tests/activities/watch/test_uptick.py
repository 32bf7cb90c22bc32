"""More customer reports than usual (D5)."""

from datetime import timedelta

import numpy as np
import pytest

from activities.watch import Sample
from activities.watch.uptick import Uptick
from model.text import Refused
from tests.activities.watch.traffic import MONDAY, onsets, play

QUARTER = timedelta(minutes=15)
TAUGHT = MONDAY + timedelta(weeks=3)
NOON = TAUGHT + timedelta(days=2, hours=12)


def cases(
    weeks: float = 4, a_day: float = 20.0, more: float = 1.0, lasts: timedelta = timedelta(hours=2)
) -> list[Sample]:
    """Return support cases per quarter of an hour, ten times as many by day; from noon on some day, `more` times."""
    chance = np.random.default_rng(11)
    moments = [MONDAY + number * QUARTER for number in range(round(weeks * 7 * 96))]
    by_day = a_day / (48 + 4.8)
    means = [
        by_day * (1.0 if 8 <= at.hour < 20 else 0.1) * (more if NOON <= at < NOON + lasts else 1) for at in moments
    ]
    return [Sample(at, float(count)) for at, count in zip(moments, chance.poisson(means), strict=True)]


def test_eight_times_the_cases_is_an_uptick_within_an_hour_and_says_so() -> None:
    verdicts = list(play(Uptick(QUARTER), cases(more=8)))
    first = next(v for v in verdicts if v.onset and v.at >= TAUGHT)
    assert first.onset == "high"
    assert NOON <= first.at <= NOON + timedelta(hours=1)
    assert "reports in " in first.why
    assert "are usual at this time" in first.why


def test_usual_cases_raise_at_most_one_alarm_a_week() -> None:
    assert len(onsets(play(Uptick(QUARTER), cases(weeks=9)), TAUGHT)) <= 6


def test_an_uptick_ends_by_itself() -> None:
    verdicts = list(play(Uptick(QUARTER), cases(more=8)))
    assert any(v.standing == "high" for v in verdicts)
    assert verdicts[-1].standing == "ok"


def test_no_reports_are_never_an_uptick_and_count_as_none() -> None:
    detector = Uptick(QUARTER)
    list(play(detector, cases(weeks=3)))
    quiet = detector.until(TAUGHT + timedelta(days=1))
    assert {v.standing for v in quiet} == {"ok"}
    assert all(v.expected is not None for v in quiet)


def test_a_single_report_where_there_never_was_one_is_no_uptick() -> None:
    detector = Uptick(QUARTER)
    for sample in cases(weeks=3):
        detector.take(sample.at, 0.0)
    assert detector.take(TAUGHT, 1.0)[-1].standing == "ok"
    assert detector.take(TAUGHT + QUARTER, 12.0)[-1].standing == "high"


def test_a_restart_gives_the_same_verdicts() -> None:
    samples = cases(more=8)
    cut = NOON + 3 * QUARTER
    before, after = Uptick(QUARTER), Uptick(QUARTER)
    first = list(play(before, [s for s in samples if s.at < cut]))
    after.load(before.save())
    assert first + list(play(after, [s for s in samples if s.at >= cut])) == list(play(Uptick(QUARTER), samples))


def test_fewer_than_no_reports_are_refused() -> None:
    with pytest.raises(Refused, match="send a count from 0 on"):
        Uptick(QUARTER).take(MONDAY, -1.0)
