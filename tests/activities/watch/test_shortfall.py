"""Traffic that should be there and is not (D4)."""

import math
from datetime import UTC, datetime, timedelta
from statistics import fmean
from zoneinfo import ZoneInfo

import pytest

from activities.watch import Missing, Sample
from activities.watch.shortfall import SeasonalShortfall
from model.text import Refused
from tests.activities.watch.traffic import MONDAY, TEN, onsets, play, traffic

WEEK = timedelta(weeks=1)
TAUGHT = MONDAY + 4 * WEEK
NOON = TAUGHT + timedelta(days=2, hours=12)


def lossy(since: datetime, left: float | None, lasts: timedelta, weeks: float = 5) -> list[Sample]:
    """Return traffic of which a share is left for a while; None says that its samples are absent."""
    samples = []
    for s in traffic(weeks):
        if since <= s.at < since + lasts:
            if left is not None:
                samples.append(Sample(s.at, round((s.value or 0) * left)))
        else:
            samples.append(s)
    return samples


@pytest.mark.parametrize("hour", [3, 9, 12, 21])
@pytest.mark.parametrize("left", [0.0, None], ids=["zero", "absent"])
def test_all_lost_pages_at_the_third_sample_at_any_hour(hour: int, left: float | None) -> None:
    gone = TAUGHT + timedelta(days=1, hours=hour)
    verdicts = list(play(SeasonalShortfall(TEN), lossy(gone, left, timedelta(hours=2))))
    (page,) = [v for v in verdicts if v.onset == "lost"]
    assert page.at == gone + 2 * TEN
    assert page.pages
    assert "for 30m; about " in page.why
    assert "are usual at this time" in page.why


def test_it_says_when_the_traffic_is_back_and_ends_after_three_good_samples() -> None:
    verdicts = {v.at: v for v in play(SeasonalShortfall(TEN), lossy(NOON, 0.0, timedelta(hours=2)))}
    back = NOON + timedelta(hours=2)
    assert "came again" in verdicts[back].why
    assert [verdicts[back + n * TEN].standing == "lost" for n in range(4)] == [True, True, False, False]


def test_three_quarters_lost_is_a_shortfall_and_pages_nobody() -> None:
    verdicts = list(play(SeasonalShortfall(TEN), lossy(NOON, 0.25, timedelta(hours=4))))
    first = next(v for v in verdicts if v.onset and v.at >= TAUGHT)
    assert first.onset == "short"
    assert NOON <= first.at <= NOON + 24 * TEN
    assert not first.pages
    assert "that are usual" in first.why


def test_a_verdict_says_what_was_expected() -> None:
    verdicts = list(play(SeasonalShortfall(TEN), traffic(4)))
    noon = [v for v in verdicts if v.at.hour == 12 and v.at.weekday() < 5][-30:]
    assert fmean(v.expected or 0 for v in noon) == pytest.approx(fmean(v.value or 0 for v in noon), rel=0.1)
    assert verdicts[0].standing == "learning"
    assert verdicts[0].expected is None
    assert verdicts[-1].standing == "ok"


def test_the_first_day_pages_when_nothing_comes_at_all() -> None:
    detector = SeasonalShortfall(TEN)
    list(play(detector, traffic(0.1)))
    silence = detector.until(MONDAY + 0.1 * WEEK + timedelta(hours=1))
    assert [v.onset for v in silence if v.onset] == ["lost"]


def test_growth_of_two_percent_a_week_pages_nobody_and_costs_no_more_than_its_budget() -> None:
    grown = traffic(12, factor=lambda at: 1.02 ** ((at - MONDAY) / WEEK))
    said = onsets(play(SeasonalShortfall(TEN), grown), TAUGHT)
    assert "lost" not in said
    assert len(said) <= 8, "one a week"


@pytest.mark.parametrize("to", [3.0, 0.5])
def test_a_ramp_up_or_down_over_two_days_pages_nobody(to: float) -> None:
    ramp = traffic(6, factor=lambda at: 1 + (to - 1) * min(1.0, max(0.0, (at - TAUGHT) / timedelta(days=2))))
    assert "lost" not in onsets(play(SeasonalShortfall(TEN), ramp), TAUGHT)


def test_a_week_of_holidays_pages_nobody_and_says_little() -> None:
    away = traffic(7, factor=lambda at: 0.4 if TAUGHT <= at < TAUGHT + WEEK else 1.0)
    said = onsets(play(SeasonalShortfall(TEN), away), TAUGHT)
    assert "lost" not in said
    assert 1 <= len(said) <= 14, "said at once, and not more than twice a day"


def test_a_change_of_the_clocks_is_no_change_of_traffic_where_the_zone_is_known() -> None:
    paris = ZoneInfo("Europe/Paris")
    start = datetime(2026, 3, 2, tzinfo=UTC)  # the clocks change on 29 March
    samples = traffic(6, start=start, zone=paris)
    changed = datetime(2026, 3, 29, tzinfo=UTC)
    assert onsets(play(SeasonalShortfall(TEN, zone="Europe/Paris"), samples), changed) == []
    assert "lost" not in onsets(play(SeasonalShortfall(TEN), samples), changed)


def test_absent_samples_count_only_where_they_are_said_to() -> None:
    gap = lossy(NOON, None, timedelta(hours=2))
    silent: tuple[Missing, ...] = ("not_breaching", "ignore", "missing")
    for missing in silent:
        verdicts = list(play(SeasonalShortfall(TEN, missing=missing), gap))
        assert "lost" not in onsets(verdicts, TAUGHT), missing
        during = next(v for v in verdicts if v.at == NOON + TEN)
        assert during.standing == ("unknown" if missing == "missing" else "ok")


def test_a_series_with_gaps_of_its_own_does_not_page_for_one_like_them() -> None:
    holes = [s for s in traffic(5) if s.at.hour != 2]  # a nightly job stops the scraper for an hour
    assert onsets(play(SeasonalShortfall(TEN), holes), TAUGHT) == []


def test_what_nobody_looked_at_is_not_missing() -> None:
    detector = SeasonalShortfall(TEN)
    samples = traffic(5)
    list(play(detector, [s for s in samples if s.at < NOON]))
    later = NOON + timedelta(hours=9)
    detector.nobody_looked(later)
    assert onsets(play(detector, [s for s in samples if s.at >= later]), NOON) == []


def test_after_a_silence_longer_than_its_memory_it_learns_anew() -> None:
    detector = SeasonalShortfall(TEN)
    list(play(detector, traffic(2)))
    (verdict,) = detector.take(MONDAY + 52 * WEEK, 3.0)
    assert (verdict.expected, verdict.standing) == (None, "learning")


def test_a_restart_in_the_middle_of_an_outage_gives_the_same_verdicts() -> None:
    samples = lossy(NOON, 0.0, timedelta(hours=2))
    whole = list(play(SeasonalShortfall(TEN), samples))
    for cut in (NOON + TEN, NOON + 6 * TEN, NOON + timedelta(hours=3)):
        before, after = SeasonalShortfall(TEN), SeasonalShortfall(TEN)
        first = list(play(before, [s for s in samples if s.at < cut]))
        after.load(before.save())
        assert first + list(play(after, [s for s in samples if s.at >= cut])) == whole


def test_the_state_of_a_series_is_small() -> None:
    detector = SeasonalShortfall(timedelta(minutes=5))
    list(play(detector, traffic(2)))
    assert len(detector.save()) < 64_000


def test_a_state_of_something_else_is_refused_and_says_so() -> None:
    other = SeasonalShortfall(timedelta(minutes=5)).save()
    for data in (b"", b"rubbish", other, other[:100]):
        with pytest.raises(Refused, match="start without one, and it learns anew"):
            SeasonalShortfall(TEN).load(data)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_and_changes_nothing(bad: float) -> None:
    detector = SeasonalShortfall(TEN)
    list(play(detector, traffic(1)))
    before = detector.save()
    with pytest.raises(Refused, match="is no measurement: send a finite number, or nothing when there is none"):
        detector.take(MONDAY + WEEK, bad)
    assert detector.save() == before


def test_a_moment_is_judged_once_and_has_a_zone() -> None:
    detector = SeasonalShortfall(TEN)
    detector.take(MONDAY, 1.0)
    with pytest.raises(Refused, match="was judged already"):
        detector.take(MONDAY + timedelta(minutes=1), 1.0)
    with pytest.raises(Refused, match="has no time zone"):
        detector.take(datetime(2026, 3, 2, 9), 1.0)  # noqa: DTZ001


@pytest.mark.parametrize("interval", [timedelta(seconds=1), timedelta(days=1)])
def test_an_interval_out_of_range_is_refused(interval: timedelta) -> None:
    with pytest.raises(Refused, match="10s to 6h can"):
        SeasonalShortfall(interval)


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Refused, match="is not a time zone"):
        SeasonalShortfall(TEN, zone="Europe/Nowhere")


def test_a_sparse_stream_does_not_page_for_a_quiet_night() -> None:
    sparse = traffic(8, peak=4.0)
    assert onsets(play(SeasonalShortfall(TEN), sparse), TAUGHT).count("lost") <= 1


@pytest.mark.parametrize("left", [0.0, None], ids=["zero", "absent"])
def test_outages_of_the_past_do_not_excuse_the_next(left: float | None) -> None:
    gone = [TAUGHT + timedelta(days=4 * number, hours=5 * number + 2) for number in range(5)]
    samples = []
    for s in traffic(8):
        if not any(begin <= s.at < begin + timedelta(hours=2) for begin in gone):
            samples.append(s)
        elif left is not None:
            samples.append(Sample(s.at, left))
    pages = [v.at for v in play(SeasonalShortfall(TEN), samples) if v.onset == "lost"]
    assert pages == [begin + 2 * TEN for begin in gone]
