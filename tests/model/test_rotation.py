"""Who is on call, at any moment: turns, shifts, stand-ins, and the clocks that change under them."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.catalogue.calendars import calendars_of, key_of, with_bookings
from model.catalogue.catalog import Catalog, check
from model.catalogue.entries import Team
from model.catalogue.oncall import gaps, levels_at, next_at
from model.catalogue.rotation import Booking, Rotation, wall
from tests.model.test_catalog import good

__all__ = ["good"]

ZONES = (
    "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Asia/Tokyo",
    "America/Sao_Paulo", "Pacific/Apia", "Asia/Gaza", "America/St_Johns", "UTC",
)  # fmt: skip
"""Among them half an hour of summer time, summer time at midnight, a Ramadan pause, and a day that was left out."""
FIRST, LAST = datetime(2008, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)  # nine o'clock in Paris


def clock_changes(zone: str) -> list[datetime]:
    """Find every change of a zone's clocks, to the minute."""
    place, found, moment = ZoneInfo(zone), [], FIRST
    while moment < LAST:
        if moment.astimezone(place).utcoffset() != (moment + WEEK).astimezone(place).utcoffset():
            low, high = moment, moment + WEEK
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // 2
                same = middle.astimezone(place).utcoffset() == low.astimezone(place).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high.replace(second=0, microsecond=0))
        moment += WEEK
    return found


CHANGES = [(zone, moment) for zone in ZONES for moment in clock_changes(zone)]
LEFT_OUT = next(it for it in CHANGES if it[0] == "Pacific/Apia" and it[1].date() == date(2011, 12, 30))
OVER_MIDNIGHT = next(it for it in CHANGES if it[0] == "America/St_Johns" and it[1].date() == date(2008, 11, 2))
"""From a minute after midnight back to a minute after eleven of the day before."""
changed_clocks = st.sampled_from(CHANGES)
clocks = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
moments = st.integers(0, (LAST - FIRST) // HOUR * 60).map(lambda minute: FIRST + minute * timedelta(minutes=1))
days = st.dates(date(2005, 1, 1), date(2033, 1, 1))


def team(*levels: Any, overrides: list[Any] | None = None) -> Team:
    return Team.model_validate({"id": "checkout", "on_call": list(levels), "overrides": overrides or []})


def weekly(*people: str, **more: Any) -> dict[str, Any]:
    turns = {"every": "1w", "from": "2026-03-02", "handover": "09:00", "zone": "Europe/Paris"}
    return {"rotation": list(people), **turns, **more}


def first(it: Team, at: datetime) -> list[str]:
    return levels_at(it, at)[0]


# --- Turns --------------------------------------------------------------------------------------------------------


def test_one_hands_over_to_the_next_at_nine_in_paris_in_winter_and_in_summer() -> None:
    it = team(weekly("ana", "ben", "cho"))
    assert [first(it, MONDAY + n * WEEK) for n in range(4)] == [["ana"], ["ben"], ["cho"], ["ana"]]
    assert first(it, MONDAY + WEEK - timedelta(seconds=1)) == ["ana"]
    summer = datetime(2026, 3, 30, 7, tzinfo=UTC)  # the clocks went forward the day before
    assert [first(it, summer - HOUR), first(it, summer)] == [["ana"], ["ben"]]


def test_a_rotation_goes_on_backwards_from_its_first_day() -> None:
    it = team(weekly("ana", "ben", "cho"))
    assert [first(it, MONDAY - n * WEEK) for n in (1, 2, 3)] == [["cho"], ["ben"], ["ana"]]


@given(changed=changed_clocks, clock=clocks, since=days, every=st.integers(1, 20))
@example(changed=LEFT_OUT, clock="00:00", since=date(2008, 1, 1), every=1)
@example(changed=LEFT_OUT, clock="10:00", since=date(2008, 1, 1), every=1)
def test_hand_overs_keep_the_local_hour_over_every_change_of_the_clocks(changed, clock, since, every) -> None:
    zone, moment = changed
    it = Rotation.model_validate(
        {"rotation": ["ana", "ben", "cho"], "every": f"{every}d", "from": since, "handover": clock, "zone": zone}
    )
    place = ZoneInfo(zone)
    handed = it.changes(moment - 45 * DAY, moment + 45 * DAY)
    left_out = {date(2011, 12, 30)} if zone == "Pacific/Apia" else set()  # a day that Samoa never had
    for one in handed:
        local = one.astimezone(place)
        told = f"{local:%H:%M}" == clock
        # Where the hour was jumped over, the hand-over is the jump: a second before, the clock showed less.
        wanted = datetime.combine(local.date(), time.fromisoformat(clock))
        second_before = (one - timedelta(seconds=1)).astimezone(place).replace(tzinfo=None)
        jumped = second_before < wanted < local.replace(tzinfo=None)
        assert told or jumped or local.date() - DAY in left_out
        assert (local.date() - since).days % every == 0 or local.date() - DAY in left_out
        before, after = it.people_at(one - timedelta(seconds=1))[0], it.people_at(one)[0]
        turn = it.rotation.index
        at_once = every == 1 and clock == "00:00" and local.date() - DAY in left_out
        assert (turn(after) - turn(before)) % 3 == (2 if at_once else 1)
    # None is lost: every day on which somebody takes over has its hand-over.
    begin, end = moment - 45 * DAY, moment + 45 * DAY
    some = [begin.date() + n * DAY for n in range(-2, 93)]
    inside = [day for day in some if (day - since).days % every == 0]
    assert handed == sorted({at for day in inside if begin < (at := wall(day, clock, zone)) < end})


def test_no_change_of_the_clocks_loses_a_hand_over() -> None:
    """Every change in twenty-two years; at nine, and in the very hour that is jumped over or comes twice."""
    assert len(CHANGES) > 300
    for zone, moment in CHANGES:
        place = ZoneInfo(zone)
        nearly = (moment - timedelta(minutes=1)).astimezone(place)
        for clock in ("09:00", f"{nearly:%H:%M}", f"{nearly + timedelta(minutes=16):%H:%M}"):
            turns = {"every": "1d", "from": "2026-03-02", "handover": clock, "zone": zone}
            it = Rotation.model_validate({"rotation": ["ana", "ben", "cho"], **turns})
            handed = it.changes(moment - 4 * DAY, moment + 4 * DAY)
            local = [one.astimezone(place) for one in handed]
            steps = {after.date() - before.date() for before, after in pairwise(local)}
            if (zone, moment.date()) == ("Pacific/Apia", date(2011, 12, 30)):  # the turn of the day that never was
                assert timedelta(0) in steps  # begins when the next day does
                assert len(handed) == 9  # of nine days on the calendar, in eight
                continue
            assert steps == {DAY}
            if clock == "09:00":
                assert {f"{one:%H:%M}" for one in local} == {"09:00"}
            else:
                assert sum(f"{one:%H:%M}" != clock for one in local) <= 1
            assert all(len(it.people_at(moment + n * HOUR / 4)) == 1 for n in range(-8, 9))


@given(zone=st.sampled_from(ZONES), at=moments, clock=clocks, since=days, every=st.integers(1, 60))
def test_at_any_moment_exactly_one_is_on_call(zone, at, clock, since, every) -> None:
    rotation = {"rotation": ["ana", "ben"], "every": f"{every}d", "from": since, "handover": clock, "zone": zone}
    it = team(rotation)
    assert len(first(it, at)) == 1
    assert gaps(it, at, at + 30 * DAY) == []


@given(zone=st.sampled_from(ZONES), day=days, clocks=st.tuples(clocks, clocks))
def test_a_later_time_on_the_wall_is_never_an_earlier_moment(zone, day, clocks) -> None:
    early, late = sorted(clocks)
    assert wall(day, early, zone) <= wall(day, late, zone) <= wall(day, "24:00", zone)
    assert wall(day, "24:00", zone) == wall(day + DAY, "00:00", zone)


def test_a_time_that_is_jumped_over_is_the_jump_and_one_that_comes_twice_the_first() -> None:
    assert wall(date(2026, 3, 29), "02:30", "Europe/Paris") == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert wall(date(2026, 10, 25), "02:30", "Europe/Paris") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


# --- Following the sun --------------------------------------------------------------------------------------------


def sun(*cuts: str, zones: tuple[str, ...]) -> dict[str, Any]:
    """Return shifts that hand over to each other at these times, all in one zone or each in its own."""
    edges = [*cuts, cuts[0]]
    return {
        "shifts": [
            {"people": [f"p{n}"], "from": edges[n], "to": edges[n + 1], "zone": zones[n % len(zones)]}
            for n in range(len(cuts))
        ]
    }


@given(changed=changed_clocks, cuts=st.sets(clocks, min_size=1, max_size=4), hours=st.integers(-60, 60))
@example(changed=OVER_MIDNIGHT, cuts={"00:00"}, hours=0)
def test_shifts_that_cover_a_local_day_cover_it_when_the_clocks_change(changed, cuts, hours) -> None:
    zone, moment = changed
    it = team(sun(*sorted(cuts), zones=(zone,)))
    assert gaps(it, moment - 3 * DAY, moment + 3 * DAY) == []
    assert len(first(it, moment + hours * HOUR)) == 1


def test_three_continents() -> None:
    level = {
        "shifts": [
            {"people": ["yui"], "from": "08:00", "to": "16:00", "zone": "Asia/Tokyo"},
            {"people": ["ana"], "from": "08:00", "to": "16:00", "zone": "Europe/London"},
            {"people": ["kim"], "from": "08:00", "to": "16:00", "zone": "America/Los_Angeles"},
        ]
    }
    it = team(level)
    winter = datetime(2026, 1, 12, tzinfo=UTC)
    assert [first(it, winter + n * HOUR) for n in (0, 6, 7, 8, 15, 16, 23)] == [
        ["yui"], ["yui"], [], ["ana"], ["ana"], ["kim"], ["yui", "kim"],
    ]  # fmt: skip
    [seven, *_] = gaps(it, winter, winter + DAY)
    assert (seven.kind, seven.level, seven.since, seven.until) == ("gap", 1, winter + 7 * HOUR, winter + 8 * HOUR)


def test_a_shift_over_midnight_on_working_days_with_turns() -> None:
    night = {
        "people": weekly("ana", "ben", zone="UTC"),
        "from": "22:00",
        "to": "06:00",
        "days": ["mon", "tue", "wed", "thu", "fri"],
    }
    it = team({"shifts": [night]})
    friday = datetime(2026, 3, 6, 23, tzinfo=UTC)
    assert [first(it, friday + n * HOUR) for n in (0, 6, 7, 24)] == [["ana"], ["ana"], [], []]
    assert first(it, friday + WEEK) == ["ben"]


# --- Standing in --------------------------------------------------------------------------------------------------


def stand_in(person: str, since: datetime, until: datetime, **more: Any) -> dict[str, Any]:
    return {"from": since, "until": until, "person": person, **more}


def test_somebody_stands_in_for_a_while() -> None:
    it = team(weekly("ana", "ben"), ["cho"], overrides=[stand_in("dan", MONDAY + DAY, MONDAY + 2 * DAY)])
    assert [first(it, MONDAY + n * DAY) for n in (0, 1, 2)] == [["ana"], ["dan"], ["ana"]]
    assert levels_at(it, MONDAY + DAY)[1] == ["cho"]


def test_a_swap_is_two_overrides_and_is_not_undone() -> None:
    both = MONDAY, MONDAY + 2 * WEEK
    it = team(weekly("ana", "ben"), overrides=[
        stand_in("ben", *both, instead_of="ana"), stand_in("ana", *both, instead_of="ben"),
    ])  # fmt: skip
    assert [first(it, MONDAY + n * WEEK) for n in range(4)] == [["ben"], ["ana"], ["ana"], ["ben"]]
    assert gaps(it, MONDAY, MONDAY + 4 * WEEK) == []


def test_of_two_for_one_place_the_later_counts_and_it_is_said() -> None:
    it = team(["ana"], overrides=[
        stand_in("ben", MONDAY, MONDAY + 2 * DAY, instead_of="ana"),
        stand_in("cho", MONDAY + DAY, MONDAY + 3 * DAY, instead_of="ana"),
    ])  # fmt: skip
    assert [first(it, MONDAY + n * DAY) for n in range(4)] == [["ben"], ["cho"], ["cho"], ["ana"]]
    [twice] = gaps(it, MONDAY, MONDAY + WEEK)
    assert (twice.kind, twice.since, twice.until) == ("double", MONDAY + DAY, MONDAY + 2 * DAY)
    assert twice.text == "both ben and cho stand in for ana; cho, the later, counts"


def test_one_who_is_not_on_call_then_cannot_be_stood_in_for() -> None:
    it = team(weekly("ana", "ben"), overrides=[stand_in("cho", MONDAY, MONDAY + DAY, instead_of="ben")])
    [idle] = gaps(it, MONDAY - WEEK, MONDAY + WEEK)
    assert idle.text == "cho stands in for ben, who is not on call then: it changes nothing"


def test_a_level_without_anybody_new_is_no_back_up() -> None:
    it = team(weekly("ana", "ben"), weekly("ben", "cho"))
    assert gaps(it, MONDAY, MONDAY + 2 * WEEK) == []
    clash = team(weekly("ana", "ben"), weekly("cho", "ben"))
    [double] = gaps(clash, MONDAY, MONDAY + 2 * WEEK)
    assert (double.kind, double.level, double.since, double.until) == ("double", 2, MONDAY + WEEK, MONDAY + 2 * WEEK)
    assert gaps(team(["ana", "ben"], ["ben", "cho"]), MONDAY, MONDAY + WEEK) == []


# --- Who comes next -----------------------------------------------------------------------------------------------


def test_who_comes_next_and_when() -> None:
    it = team(weekly("ana", "ben"), ["cho"], weekly("dan", "eve", every="10w"))
    turns = [(t.level, t.people, t.at) for t in next_at(it, MONDAY + DAY)]
    assert turns == [
        (1, ["ben"], MONDAY + WEEK),
        (3, ["eve"], MONDAY + 10 * WEEK - HOUR),  # in May the same local hour is an hour earlier
    ]


@given(
    zone=st.sampled_from(ZONES), at=moments, clock=clocks, since=days, every=st.integers(1, 90), ends=st.integers(1, 99)
)
def test_until_the_next_turn_nothing_changes(zone, at, clock, since, every, ends) -> None:
    rotation = {"rotation": ["ana", "ben"], "every": f"{every}d", "from": since, "handover": clock, "zone": zone}
    it = team(rotation, overrides=[stand_in("cho", at - HOUR, at + ends * HOUR)])
    [turn] = next_at(it, at)
    assert turn.at > at
    assert first(it, turn.at) == turn.people != first(it, at)
    assert {tuple(first(it, at + (turn.at - at) * n / 20)) for n in range(20)} == {tuple(first(it, at))}


# --- Calendars ----------------------------------------------------------------------------------------------------


def test_what_a_calendar_books_is_on_call_and_unknown_names_are_said(good: dict[str, Any]) -> None:
    good["people"]["ana"]["name"] = "Ana Ng"
    good["teams"]["checkout"]["on_call"] = [{"ical": "rota.ics"}, ["ben"]]
    catalog = Catalog.load(good)
    [calendar] = calendars_of(catalog)
    assert levels_at(catalog.teams["checkout"], MONDAY) == [[], ["ben"]]
    assert gaps(catalog.teams["checkout"], MONDAY, MONDAY + WEEK) == []  # not read yet: nothing can be said
    read = [
        Booking(since=MONDAY, until=MONDAY + DAY, people=["ANA NG"]),
        Booking(since=MONDAY + DAY, until=MONDAY + 2 * DAY, people=["Zoë"]),
    ]
    filled, said = with_bookings(catalog, {key_of(calendar): read})
    it = filled.teams["checkout"]
    assert [first(it, MONDAY + n * DAY) for n in (-1, 0, 1)] == [[], ["ana"], []]
    assert said == ["checkout, level 1: the calendar rota.ics books 'Zoë', whom nobody knows"]
    assert [(g.since, g.until) for g in gaps(it, MONDAY, MONDAY + WEEK)] == [(MONDAY + DAY, MONDAY + WEEK)]
    assert filled.teams_of("ana") == ["checkout"]
    again, _ = with_bookings(filled, {})
    assert again.teams == filled.teams


# --- The file -----------------------------------------------------------------------------------------------------


def test_everybody_who_is_ever_on_call_is_a_member(good: dict[str, Any]) -> None:
    good["teams"]["checkout"] |= {
        "on_call": [weekly("ana", "ben")],
        "overrides": [stand_in("lou", MONDAY, MONDAY + DAY, instead_of="ana")],
    }
    assert Catalog.load(good).teams["checkout"].members == ["ana", "ben", "lou"]


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (weekly(), "rotation: []: list should have at least 1 item after validation, not 0"),
        (
            weekly("ana", every="12h"),
            "every: turns last whole days, for example 1d or 1w; parts of a day are `shifts:`",
        ),
        (weekly("ana", handover=960), '960 is read as a number; write the time in quotes, for example "16:00"'),
        (weekly("ana", handover="25:00"), "'25:00' is not a time of day; write for example \"09:00\""),
        (weekly("ana", zone="Paris"), "'Paris' is not a time zone; write for example Europe/Paris or UTC"),
        (weekly("ana", handovr="09:00"), "unknown key handovr; did you mean 'handover'?"),
        (weekly("ana", **{"from": "monday"}), "'monday' is not a day; write for example 2026-03-02"),
        ({"shifts": [{"people": ["ana"], "from": "08:00"}]}, "to: is missing; write for example"),
        ({"shifts": [{"people": [], "from": "08:00", "to": "09:00"}]}, "a shift needs people"),
        ({"shifts": "ana"}, "'ana' is not a list of shifts"),
        ({"ical": "x", "names": "title"}, "names: 'title': input should be 'summary' or 'attendee'"),
        ({"ical": "x", "booked": []}, "booked: is what is read of the calendar; it cannot be written here"),
        ({"people": ["ana"]}, "is none of [ana, ben], {rotation: "),
        (["ana", 7], "level 1: 7 is not read as text; write it in quotes"),
        (weekly("anna"), "there is no person 'anna'; did you mean 'ana'?"),
    ],
)
def test_a_level_that_cannot_be_read_is_said_in_one_sentence(good: dict[str, Any], level: Any, said: str) -> None:
    good["teams"]["checkout"]["on_call"] = [level]
    [finding] = [it for it in check(good) if it.level == "error"]
    assert finding.where == "teams.checkout.on_call"
    assert said in finding.text


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (stand_in("ben", MONDAY, MONDAY), "override 1: ends before it begins; until: must be after from:"),
        ({"from": "2026-03-02", "until": MONDAY, "person": "ben"}, "is a day without a time"),
        ({"until": MONDAY, "person": "ben"}, "from: is missing"),
        (stand_in("bem", MONDAY, MONDAY + DAY), "there is no person 'bem'; did you mean 'ben'?"),
        (stand_in("ben", MONDAY, MONDAY + DAY, level=9), "there is no level 9"),
        ("ben", "override 1: 'ben' is not an entry with keys and values"),
    ],
)
def test_an_override_that_cannot_be_read_is_said_in_one_sentence(good: dict[str, Any], override: Any, said: str):
    good["teams"]["checkout"]["overrides"] = [override]
    [finding] = [it for it in check(good) if it.level == "error"]
    assert finding.where == "teams.checkout.overrides"
    assert said in finding.text


def test_gaps_are_reported_before_they_hurt_each_kind_once(good: dict[str, Any]) -> None:
    day = {"people": ["ana"], "from": "08:00", "to": "20:00", "zone": "UTC"}
    good["teams"]["checkout"]["on_call"] = [{"shifts": [day]}, ["ben"]]
    assert check(good) == check(good, None)
    [gap] = [it for it in check(good, MONDAY) if it.where == "teams.checkout.on_call"]
    assert str(gap) == (
        "warning: teams.checkout.on_call: level 1: nobody is on call, from 2026-03-02T20:00:00Z "
        "until 2026-03-03T08:00:00Z, and 27 times more within 28 days"
    )
