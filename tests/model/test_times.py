import json
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from model.times import (
    LONGEST,
    Duration,
    Moment,
    add_working_days,
    ago,
    find_zone,
    iso,
    next_working_morning,
    parse_duration,
    parse_moment,
    short,
)

ZONES = ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
durations = st.timedeltas(min_value=timedelta(0), max_value=LONGEST)
moments = st.datetimes(
    min_value=datetime(2000, 1, 3),  # noqa: DTZ001 - hypothesis wants its bounds without a zone
    max_value=datetime(2199, 12, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


class Meeting(BaseModel):
    lasts: Duration = timedelta(0)
    begins: Moment | None = None


def why_refused(**fields: object) -> str:
    with pytest.raises(ValidationError) as refusal:
        Meeting.model_validate(fields)
    return refusal.value.errors()[0]["msg"]


# --- Durations as people write them ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("10m", 600),
        ("90s", 90),
        ("2h", 7200),
        ("3d", 259_200),
        ("1h30m", 5400),
        ("1h 30 min", 5400),
        ("2 Hours", 7200),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("1w", 604_800),
        ("90", 90),
        (90, 90),
        (0.5, 0.5),
        ("0s", 0),
        ("PT10M", 600),
        ("P1DT2H", 93_600),
        (timedelta(minutes=3), 180),
    ],
)
def test_durations_are_read_as_people_write_them(written: object, seconds: float) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    ["", " ", "m", "10 x", "ten", "1h30", "-", "PT", "P", "P1.2.3D", "½h", "١٠m", None, True, [], {}],
)
def test_what_is_no_duration_is_refused_with_what_would_be_accepted(written: object) -> None:
    assert why_refused(lasts=written).endswith("write for example 90s, 10m, 2h, 3d or 1h30m")


def test_the_refusal_names_what_was_written() -> None:
    expected = "'10 minutos' is not a duration; write for example 90s, 10m, 2h, 3d or 1h30m"
    assert why_refused(lasts="10 minutos") == expected


@pytest.mark.parametrize("written", [-1, -0.5, timedelta(seconds=-1)])
def test_a_negative_duration_is_refused(written: object) -> None:
    assert "is negative" in why_refused(lasts=written)


@pytest.mark.parametrize("written", ["9" * 400 + "s", "40000d", "9" * 400, 1e300, float("inf"), 10**400])
def test_an_absurdly_long_duration_is_refused_and_not_a_crash(written: object) -> None:
    said = why_refused(lasts=written)
    assert "too long" in said
    assert len(said) < 200


def test_not_a_number_is_refused() -> None:
    assert "not a duration" in why_refused(lasts=float("nan"))


@given(durations)
def test_a_duration_survives_json(duration: timedelta) -> None:
    meeting = Meeting(lasts=duration)
    assert Meeting.model_validate_json(meeting.model_dump_json()) == meeting


def test_a_duration_is_seconds_in_json() -> None:
    assert json.loads(Meeting(lasts=timedelta(minutes=1.5)).model_dump_json())["lasts"] == 90


@given(st.integers(0, int(LONGEST.total_seconds())).map(lambda seconds: timedelta(seconds=seconds)))
def test_the_short_form_is_read_back(duration: timedelta) -> None:
    assert parse_duration(short(duration)) == duration


@given(st.text())
def test_any_text_is_a_duration_or_a_plain_refusal(text: str) -> None:
    try:
        assert timedelta(0) <= parse_duration(text) <= LONGEST
    except ValueError as refusal:
        assert type(refusal) is ValueError  # noqa: PT017


def test_the_short_form_is_what_a_person_would_type() -> None:
    assert [short(timedelta(seconds=s)) for s in (0, 0.5, 90, 600, 5400, 259_200, 90_061)] == [
        "0s",
        "0.5s",
        "1m30s",
        "10m",
        "1h30m",
        "3d",
        "1d1h1m1s",
    ]


# --- Moments --------------------------------------------------------------------------------------

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-02T09:00:00Z",
        "2026-03-02t09:00:00z",
        "2026-03-02 09:00:00Z",
        "2026-03-02 09:00:00 +0000",
        "2026-03-02T09:00Z",
        "20260302T090000Z",
        "2026-03-02T09:00:00+0000",
        "2026-03-02T09:00:00-00:00",
        "2026-03-02T10:00:00+01:00",
        "2026-03-02T10:00:00+01",
        "2026-03-02T09:00:00.000000000Z",
        " 2026-03-02T09:00:00Z ",
        datetime(2026, 3, 2, 10, tzinfo=ZoneInfo("Europe/Paris")),
        datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_moments_are_read_in_every_usual_form_and_kept_in_utc(written: object) -> None:
    moment = Meeting.model_validate({"begins": written}).begins
    assert moment == NINE
    assert moment is not None
    assert moment.tzinfo is UTC


def test_nanoseconds_are_cut_to_microseconds() -> None:
    assert parse_moment("2026-03-02T09:00:00.123456789Z").microsecond == 123_456


def test_yaml_reads_a_moment_with_its_zone() -> None:
    assert parse_moment(yaml.safe_load("2026-03-02T09:00:00Z")) == NINE


@pytest.mark.parametrize("written", ["2026-03-02T09:00:00", "2026-03-02 09:00", NINE.replace(tzinfo=None)])
def test_a_moment_without_a_zone_is_refused_and_not_guessed(written: object) -> None:
    assert "has no time zone; add Z for UTC, or an offset like +01:00" in why_refused(begins=written)


@pytest.mark.parametrize("written", ["2026-03-02", date(2026, 3, 2)])
def test_a_day_is_not_a_moment(written: object) -> None:
    assert "is a day without a time" in why_refused(begins=written)


@pytest.mark.parametrize(
    "written",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
        "1999-12-31T23:59:59Z",
        "2000-01-01T00:30:00+01:00",
        "2201-01-01T00:00:00Z",
        "9999-12-31T23:59:59-10:00",
    ],
)
def test_a_moment_far_from_our_time_is_refused(written: str) -> None:
    assert "outside the years 2000 to 2200" in why_refused(begins=written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "yesterday",
        "2026-13-02T09:00:00Z",
        "2026-03-02x09:00:00Z",
        "2026-03-02T25:00:00Z",
        1772442000,
        True,
        [],
    ],
)
def test_what_is_no_moment_is_refused_with_an_example(written: object) -> None:
    assert "2026-03-02T09:00:00Z" in why_refused(begins=written)


@given(moments)
def test_a_moment_survives_json(moment: datetime) -> None:
    meeting = Meeting(begins=moment)
    assert Meeting.model_validate_json(meeting.model_dump_json()) == meeting


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{0,12}([Z+-][0-9:]{0,5})?", fullmatch=True))
def test_any_text_is_a_moment_or_a_plain_refusal(text: str) -> None:
    try:
        assert 2000 <= parse_moment(text).year <= 2200
    except ValueError as refusal:
        assert type(refusal) is ValueError  # noqa: PT017


def test_moments_are_written_in_utc_and_whole_seconds() -> None:
    assert iso(datetime(2026, 3, 2, 10, 0, 0, 999_999, tzinfo=ZoneInfo("Europe/Paris"))) == "2026-03-02T09:00:00Z"


@given(moments)
def test_what_is_written_is_read_back(moment: datetime) -> None:
    assert parse_moment(iso(moment)) == moment.replace(microsecond=0)


# --- How long something has lasted ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (45.9, "45 s"),
        (60, "1 min"),
        (239, "3 min"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (273_600, "3 d 4 h"),
    ],
)
def test_how_long_something_lasts_is_said_shortly(seconds: float, said: str) -> None:
    assert ago(timedelta(seconds=seconds)) == said


# --- The next working morning ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "zone", "morning"),
    [
        ("2026-03-02T07:59:00Z", "Europe/Paris", "2026-03-02T08:00:00Z"),  # Monday, a minute before nine
        ("2026-03-02T08:00:00Z", "Europe/Paris", "2026-03-03T08:00:00Z"),  # nine sharp is not the future
        ("2026-03-06T12:00:00Z", "Europe/Paris", "2026-03-09T08:00:00Z"),  # Friday noon
        ("2026-03-27T12:00:00Z", "Europe/Paris", "2026-03-30T07:00:00Z"),  # summer time begins that weekend
        ("2026-10-23T12:00:00Z", "Europe/Paris", "2026-10-26T08:00:00Z"),  # and ends
        ("2026-03-02T03:00:00Z", "Asia/Kolkata", "2026-03-02T03:30:00Z"),
        ("2026-03-01T20:30:00Z", "Asia/Tokyo", "2026-03-02T00:00:00Z"),  # Monday there, Sunday in UTC
        ("2011-12-29T20:00:00Z", "Pacific/Apia", "2012-01-01T19:00:00Z"),  # their Friday did not take place
    ],
)
def test_the_next_working_morning_is_the_person_s_own(now: str, zone: str, morning: str) -> None:
    assert iso(next_working_morning(parse_moment(now), zone)) == morning


@given(moments, st.sampled_from(ZONES), st.integers(0, 23))
@example(parse_moment("2026-03-28T23:00:00Z"), "Europe/Paris", 2)
@example(parse_moment("2026-10-24T23:00:00Z"), "Europe/Paris", 2)
@example(parse_moment("2011-12-29T20:00:00Z"), "Pacific/Apia", 9)
def test_the_next_working_morning_is_soon_on_a_weekday_and_in_the_future(now: datetime, zone: str, hour: int) -> None:
    morning = next_working_morning(now, zone, hour)
    local = morning.astimezone(ZoneInfo(zone))
    assert now < morning <= now + timedelta(days=4, hours=2)
    assert local.weekday() < 5
    # Exactly at the hour, unless the clocks jumped over it.
    assert (local.hour, local.minute) == (hour, 0) or not exists(local.replace(hour=hour, minute=0))


@given(moments, st.sampled_from(ZONES))
def test_no_working_morning_is_left_out(now: datetime, zone: str) -> None:
    morning = next_working_morning(now, zone)
    day = now.astimezone(ZoneInfo(zone)).date()
    while day < morning.astimezone(ZoneInfo(zone)).date():
        skipped = datetime(day.year, day.month, day.day, 9, tzinfo=ZoneInfo(zone))
        assert day.weekday() > 4 or skipped.astimezone(UTC) <= now or not exists(skipped)
        day += timedelta(days=1)


def exists(local: datetime) -> bool:
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None)


def test_an_unknown_zone_counts_as_utc_and_stops_nothing() -> None:
    now = parse_moment("2026-03-02T08:30:00Z")
    for name in ("Mars/Olympus", "", "Europe", "../../etc/passwd", "a\0b"):
        assert find_zone(name) is None
        assert iso(next_working_morning(now, name)) == "2026-03-02T09:00:00Z"


# --- Working days ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-03-02T10:00:00Z", 0, "2026-03-02T10:00:00Z"),
        ("2026-03-02T10:00:00Z", 1, "2026-03-03T10:00:00Z"),
        ("2026-03-06T10:00:00Z", 1, "2026-03-09T10:00:00Z"),  # from Friday to Monday
        ("2026-03-07T10:00:00Z", 1, "2026-03-09T10:00:00Z"),  # from Saturday to Monday
        ("2026-03-02T10:00:00Z", 10, "2026-03-16T10:00:00Z"),
    ],
)
def test_working_days_leave_weekends_out(start: str, days: int, end: str) -> None:
    assert iso(add_working_days(parse_moment(start), days)) == end


def test_working_days_keep_the_local_time_over_summer_time() -> None:
    friday = parse_moment("2026-03-27T09:00:00Z")
    assert iso(add_working_days(friday, 1, "Europe/Paris")) == "2026-03-30T08:00:00Z"


@given(moments, st.integers(0, 60), st.sampled_from(ZONES))
def test_ten_working_days_are_at_least_ten_days_and_never_end_on_a_weekend(
    start: datetime, days: int, zone: str
) -> None:
    end = add_working_days(start, days, zone)
    assert end - start >= timedelta(days=days) - timedelta(days=1, hours=2)
    assert days == 0 or end.astimezone(ZoneInfo(zone)).weekday() < 5 or zone == "Pacific/Apia"
