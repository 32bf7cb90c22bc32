"""On-call calendars, as calendar programs write them: who, when, and what if nobody answers."""

import asyncio
import contextlib
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from activities import Failed
from activities.oncall.ical import IcalCalendars, bookings, with_calendars
from model.catalogue.catalog import Catalog
from model.catalogue.oncall import levels_at
from model.catalogue.rotation import Calendar
from tests.activities.watch.servers import Page, closed, web
from tests.model.test_catalog import good

__all__ = ["good"]

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)  # nine o'clock in Paris
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


def calendar_of(*events: str, zone: str = "") -> str:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *([f"X-WR-TIMEZONE:{zone}"] if zone else [])]
    body = [line for event in events for line in ("BEGIN:VEVENT", *event.split("\n"), "END:VEVENT")]
    return "\r\n".join([*head, *body, "END:VCALENDAR", ""])


def paris(begin: str, end: str, who: str, *more: str) -> str:
    return "\n".join(
        [f"UID:{who}", f"DTSTART;TZID=Europe/Paris:{begin}", f"DTEND;TZID=Europe/Paris:{end}", f"SUMMARY:{who}", *more]
    )


def read(text: str, *, days: int = 60, **options: Any) -> list[tuple[str, datetime, datetime]]:
    found = bookings(text.encode(), Calendar(ical="rota.ics", **options), MONDAY, MONDAY + timedelta(days=days))
    assert found.said == []
    return [(", ".join(it.people), it.since, it.until) for it in found.bookings or []]


# --- What is booked -----------------------------------------------------------------------------------------------


def test_turns_of_two_weeks_keep_their_nine_o_clock_when_summer_time_begins() -> None:
    text = calendar_of(
        paris("20260302T090000", "20260309T090000", "ana", "RRULE:FREQ=WEEKLY;INTERVAL=2"),
        paris("20260309T090000", "20260316T090000", "ben", "RRULE:FREQ=WEEKLY;INTERVAL=2"),
    )
    summer = MONDAY + 4 * WEEK - HOUR
    assert read(text, days=30) == [
        ("ana", MONDAY, MONDAY + WEEK),
        ("ben", MONDAY + WEEK, MONDAY + 2 * WEEK),
        ("ana", MONDAY + 2 * WEEK, MONDAY + 3 * WEEK),
        ("ben", MONDAY + 3 * WEEK, summer),
        ("ana", summer, summer + WEEK),
    ]


def test_one_taken_out_one_put_in_one_moved_one_called_off() -> None:
    daily = paris(
        "20260302T090000", "20260302T170000", "ana",
        "RRULE:FREQ=DAILY;UNTIL=20260306T080000Z",
        "EXDATE;TZID=Europe/Paris:20260303T090000",
        "RDATE;TZID=Europe/Paris:20260310T090000",
    )  # fmt: skip
    moved = paris("20260304T120000", "20260304T170000", "ben", "RECURRENCE-ID;TZID=Europe/Paris:20260304T090000")
    off = paris(
        "20260305T090000", "20260305T170000", "cho", "RECURRENCE-ID;TZID=Europe/Paris:20260305T090000",
        "STATUS:CANCELLED",
    )  # fmt: skip
    moved, off = (it.replace("UID:ben", "UID:ana").replace("UID:cho", "UID:ana") for it in (moved, off))
    assert [(who, since) for who, since, _ in read(calendar_of(daily, moved, off))] == [
        ("ana", MONDAY),
        ("ben", MONDAY + 2 * DAY + 3 * HOUR),
        ("ana", MONDAY + 4 * DAY),
        ("ana", MONDAY + 8 * DAY),
    ]


def test_whole_days_are_the_calendar_s_own() -> None:
    day = "UID:1\nDTSTART;VALUE=DATE:20260303\nDTEND;VALUE=DATE:20260305\nSUMMARY:ana"
    midnight = datetime(2026, 3, 2, 15, tzinfo=UTC)
    assert read(calendar_of(day, zone="Asia/Tokyo")) == [("ana", midnight, midnight + 2 * DAY)]
    assert read(calendar_of(day), zone="Asia/Tokyo") == [("ana", midnight, midnight + 2 * DAY)]


def test_whole_days_that_recur_until_a_day_include_it() -> None:
    day = "UID:1\nDTSTART;VALUE=DATE:20260303\nRRULE:FREQ=DAILY;UNTIL=20260305\nSUMMARY:ana"
    assert [since.day for _, since, _ in read(calendar_of(day))] == [3, 4, 5]


def test_outlook_s_names_of_zones() -> None:
    event = "UID:1\nDTSTART;TZID=W. Europe Standard Time:20260302T090000\nDURATION:P1D\nSUMMARY:ana"
    assert read(calendar_of(event)) == [("ana", MONDAY, MONDAY + DAY)]


def test_attendees() -> None:
    event = paris("20260302T090000", "20260303T090000", "On call", "ATTENDEE;CN=Ana:mailto:ana@example.test",
                  "ATTENDEE:MAILTO:ben@example.test")  # fmt: skip
    assert read(calendar_of(event), names="attendee")[0][0] == "ana@example.test, ben@example.test"


@given(
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    rule=st.sampled_from(["DAILY", "DAILY;INTERVAL=3", "WEEKLY", "WEEKLY;BYDAY=MO,TH", "MONTHLY;BYMONTHDAY=-1"]),
    hour=st.integers(0, 23),
    weeks=st.integers(0, 100),
)
def test_an_occurrence_is_when_the_wall_clock_says_so(zone: str, rule: str, hour: int, weeks: int) -> None:
    text = calendar_of(
        f"UID:1\nDTSTART;TZID={zone}:20240101T{hour:02}3000\nDURATION:PT8H\nRRULE:FREQ={rule}\nSUMMARY:ana"
    )
    since = MONDAY + weeks * WEEK
    found = bookings(text.encode(), Calendar(ical="x"), since, since + 30 * DAY).bookings or []
    local = [it.since.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for it in found]
    begin = datetime(2024, 1, 1, hour, 30, tzinfo=UTC)
    wanted = rrulestr(f"FREQ={rule}", dtstart=begin).between(since - 3 * DAY, since + 33 * DAY)
    inner = [it.replace(tzinfo=None) for it in wanted if since + DAY < it < since + 29 * DAY]
    # An hour that is jumped over comes as the next; every other is what the rule counts.
    assert len(set(inner) - set(local)) <= 1
    assert {it.date() for it in inner} <= {it.date() for it in local}


# --- What cannot be read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("UID:1\nDTSTART:soon\nSUMMARY:ana", "DTSTART: Expected datetime, date, or time. Got: 'soon'"),
        ("UID:1\nSUMMARY:ana", "DTSTART"),
        (paris("20260302T090000", "20260302T090000", "ana"), "it does not end after it begins"),
        (paris("20260302T090000", "20260303T090000", ""), "no summary that says who is on call"),
        (paris("20260302T090000", "20260302T100000", "ana", "RRULE:FREQ=SECONDLY"), "by the minute"),
        (
            paris("20260302T090000", "20260302T100000", "ana", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260302T080000Z"),
            "THISANDFUTURE",
        ),
    ],
)
def test_an_entry_that_cannot_be_read_is_said_and_the_others_count(event: str, why: str) -> None:
    text = calendar_of(event, paris("20260303T090000", "20260304T090000", "ben"))
    found = bookings(text.encode(), Calendar(ical="rota.ics"), MONDAY, MONDAY + WEEK)
    assert [it.people for it in found.bookings or []] == [["ben"]]
    [said] = found.said
    assert said.startswith("the calendar rota.ics has an entry that cannot be read, ")
    assert why in said


@pytest.mark.parametrize("text", [b"", b"<html>sign in</html>", b"BEGIN:VEVENT\nEND:VEVENT\n", b"\xff\xfe\x00"])
def test_what_is_no_calendar_is_refused(text: bytes) -> None:
    with pytest.raises(Failed, match="it is no iCalendar"):
        bookings(text, Calendar(ical="x"), MONDAY, MONDAY + WEEK)


LINES = [
    "BEGIN:VCALENDAR", "END:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "UID:1", "SUMMARY:ana", "ATTENDEE:x", ":", "é;=:",
    "DTSTART:20260302T090000Z", "DTSTART;TZID=:1", "DTSTART:99991231T235959Z", "DTSTART:00010101T000000",
    "DTEND:20260303T090000Z", "DTEND;VALUE=DATE:2026", "DTEND:99991231T235959", "DURATION:-P1D", "RECURRENCE-ID:y",
    "RRULE:FREQ=WEEKLY;COUNT=x", "RRULE:FREQ=YEARLY;BYSETPOS=400", "RRULE:INTERVAL=0", "RRULE:FREQ=DAILY;INTERVAL=0",
    "RDATE:x", "RDATE:20260304T090000Z", "EXDATE;TZID=Nowhere/At all:20260302T090000", "X-WR-TIMEZONE:Atlantis",
]  # fmt: skip


@given(st.lists(st.sampled_from(LINES)))
def test_whatever_a_calendar_holds_is_read_or_refused(lines: list[str]) -> None:
    text = "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""]).encode()
    with contextlib.suppress(Failed):
        found = bookings(text, Calendar(ical="x"), MONDAY, MONDAY + WEEK)
        assert found.bookings is not None


# --- Where it is read ---------------------------------------------------------------------------------------------

TEXT = calendar_of(paris("20260302T090000", "20260309T090000", "ana"))


async def test_a_calendar_that_cannot_be_reached_is_read_from_its_last_good_copy_and_it_is_said(tmp_path: Path) -> None:
    pages = [Page(TEXT), Page("gone", status=503), Page("<html>sign in</html>")]
    async with web(lambda *_: pages.pop(0)) as host:
        calendar = Calendar(ical=f"http://{host}/secret-address/rota.ics")
        reader = IcalCalendars(tmp_path, tmp_path / "copies")
        fresh = await reader.read(calendar, MONDAY, MONDAY + WEEK)
        refused = await reader.read(calendar, MONDAY, MONDAY + WEEK)
        signed_out = await reader.read(calendar, MONDAY, MONDAY + WEEK)
    unreachable = await reader.read(calendar, MONDAY, MONDAY + WEEK)
    assert fresh.said == []
    assert fresh.bookings
    for stale, why in ((refused, "it answered 503"), (signed_out, "it is no iCalendar"), (unreachable, "")):
        assert stale.bookings == fresh.bookings
        [said] = stale.said
        assert said.startswith(f"the calendar at localhost cannot be read ({why}")
        assert "; its copy of 20" in said
        assert "secret" not in said


async def test_two_workers_of_one_folder_keep_the_same_calendar_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rota.ics").write_text(TEXT)
    both_have_written, write = threading.Barrier(2), Path.write_bytes

    def written(path: Path, data: bytes) -> int:
        count = write(path, data)
        both_have_written.wait(10)
        return count

    monkeypatch.setattr(Path, "write_bytes", written)
    workers = [IcalCalendars(tmp_path, tmp_path / "copies") for _ in range(2)]
    found = await asyncio.gather(*(it.read(Calendar(ical="rota.ics"), MONDAY, MONDAY + WEEK) for it in workers))
    assert [it.said for it in found] == [[], []]
    [copy] = (tmp_path / "copies").iterdir()
    assert copy.read_text().split() == TEXT.split()


async def test_without_a_copy_it_is_said_that_it_wakes_nobody(tmp_path: Path) -> None:
    async with closed() as host:
        found = await IcalCalendars(tmp_path, tmp_path).read(Calendar(ical=f"webcal://{host}/x"), MONDAY, MONDAY + WEEK)
    assert found.bookings is None
    assert "and there is no copy: it wakes nobody" in found.said[0]


async def test_one_that_answers_too_late_is_not_waited_for(tmp_path: Path) -> None:
    async with web(lambda *_: Page(after=None)) as host:
        reader = IcalCalendars(tmp_path, tmp_path, within=timedelta(milliseconds=50))
        found = await reader.read(Calendar(ical=f"http://{host}/x"), MONDAY, MONDAY + WEEK)
    assert "no answer within 0.05 s" in found.said[0]


async def test_the_catalogue_with_its_calendars(tmp_path: Path, good: dict[str, Any]) -> None:
    (tmp_path / "rota.ics").write_text(TEXT.replace("SUMMARY:ana", "SUMMARY:Ana\\, ben"))
    good["teams"]["checkout"]["on_call"] = [{"ical": "rota.ics"}, {"ical": "lost.ics"}]
    catalog = Catalog.load(good)
    reader = IcalCalendars(tmp_path, tmp_path / "copies")
    filled, said = await with_calendars(catalog, reader, MONDAY)
    team = filled.teams["checkout"]
    assert [levels_at(team, MONDAY + n * WEEK) for n in (0, 1)] == [[["ana", "ben"], []], [[], []]]
    [lost] = said
    assert lost.startswith("the calendar lost.ics cannot be read (No such file or directory), and there is no copy")
    (tmp_path / "rota.ics").unlink()
    again, said = await with_calendars(filled, IcalCalendars(tmp_path, tmp_path / "elsewhere"), MONDAY)
    assert levels_at(again.teams["checkout"], MONDAY)[0] == ["ana", "ben"]  # what was read before is kept
    assert len(said) == 2
