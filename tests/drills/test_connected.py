"""Drills that reach a real mail server, a real Synapse and a real Request Tracker, all at once."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from model.drill import IncidentRow
from model.mirroring import closed_by_people
from tests.activities.comms.synapse import Homeserver
from tests.activities.tickets.rt_desk import RequestTrackerDesk
from tests.activities.tickets.rt_server import HERE
from tests.activities.tickets.test_every_system import NO_RT
from tests.drills.harness import minutes
from tests.drills.outside import Rehearsed, World, interrupted, over, world
from worker.files import EXAMPLE_CATALOG, load_catalog

# Three servers begin, and a month passes in which everything is told to each.
pytestmark = [pytest.mark.heavy, pytest.mark.timeout(300), pytest.mark.skipif(not HERE, reason=NO_RT)]


@pytest.fixture(scope="module")
async def there(
    homeserver: Homeserver, rt_desk: RequestTrackerDesk, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with world(homeserver, rt_desk, load_catalog(EXAMPLE_CATALOG), tmp_path_factory.mktemp("data")) as it:
        yield it


async def whole(drill: Rehearsed) -> None:
    """What must be so outside after every story, whatever happened in it."""
    assert drill.here.result.problems == []
    for incident in drill.here.result.incidents:
        await in_its_ticket(drill, incident)
        await in_its_room(drill, incident)
    assert drill.pages() == drill.owed_pages()
    ids = [str(letter["Message-ID"]) for letter in drill.letters]
    assert len(ids) == len(set(ids)) == drill.row("mail").count
    assert [it["Subject"] for it in drill.letters if not str(it["Subject"]).strip().startswith("[drill] ")] == []
    assert [it["Subject"] for it in drill.letters if "THIS IS A DRILL" not in it.get_content()] == []


async def in_its_ticket(drill: Rehearsed, incident: IncidentRow) -> None:
    ticket = await drill.ticket(incident.id)
    comments = await drill.comments(incident.id)
    assert comments == await drill.owed_comments(incident.id)
    shown = await drill.world.desk.shown(ticket)
    assert shown.title.startswith(f"[DRILL-{incident.id}] DRILL ")
    assert shown.open is (incident.phase not in ("all_clear", "absorbed"))
    row = drill.row("request_tracker", incident.id)
    assert (row.place, row.count, row.closed, row.behind) == (f"ticket {ticket}", len(comments), not shown.open, 0)
    for item in incident.actions:
        matter = f"{incident.id}/action/{item.n}"
        child = await drill.ticket(matter)
        assert await drill.world.desk.linked(child) == [ticket]
        shown = await drill.world.desk.shown(child)
        assert (item.title in shown.title, shown.open) == (True, not over(item))
        row = drill.row("request_tracker", matter)
        assert (row.place, row.closed, row.behind) == (f"ticket {child}", over(item), 0)


async def in_its_room(drill: Rehearsed, incident: IncidentRow) -> None:
    messages = await drill.messages(incident.id)
    assert messages == await drill.owed_messages(incident.id)
    room = await drill.room(incident.id)
    topic = (await drill.world.bot.state(room, "m.room.topic"))["topic"]
    assert topic.startswith("DRILL · ")
    row = drill.row("matrix", incident.id)
    assert (row.place, row.behind) == (f"#drill-{incident.id.lower()}:localhost", 0)
    assert row.count == len(messages) + 1, "the lines and the notice"


async def test_one_bad_host_from_its_first_page_to_its_last_promise(there: World, tmp_path: Path) -> None:
    drill = await there.play("one-bad-host", tmp_path)
    await whole(drill)
    one = drill.here.incident
    observed = [text for text in await drill.comments(one.id) if " observed\n" in text]
    assert len(observed) == len(drill.here.said("observed")) >= 3
    assert [over(item) for item in one.actions] == [False, True, False, True]
    room = await drill.room(one.id)
    assert (await there.bot.state(room, "m.room.topic"))["topic"].startswith("DRILL · ALL CLEAR · ")
    assert await drill.invited(one.id) == [there.accounts[who] for who in ("ana", "kim", "sam")]
    assert not [letter for letter in drill.letters if "acme" in str(letter["To"])], "no customer hears of a drill"


async def test_several_services_are_one_event_outside_too(there: World, tmp_path: Path) -> None:
    drill = await there.play("several-services", tmp_path, until=minutes(25))
    await whole(drill)
    invited = await drill.invited(drill.here.incident.id)
    assert len(invited) == len(set(invited))
    assert {there.accounts[who] for who in ("ana", "kim", "sam", "noa", "mia", "eva", "ida")} <= set(invited)


async def test_a_room_and_a_ticket_system_that_die_in_the_middle_delay_no_page_and_get_every_line_once(
    there: World, tmp_path: Path
) -> None:
    async def close() -> None:
        newest = await there.desk.there.root("GET", "/tickets?query=Subject+LIKE+'DRILL'&orderby=id&order=DESC")
        await there.desk.close(newest.json()["items"][0]["id"])

    async def kill() -> None:
        await there.desk.there.stop(signal.SIGKILL)

    acts = [
        (minutes(1.5), close),
        (minutes(3.5), there.homeserver.kill),
        (minutes(7.5), kill),
        (minutes(20), there.homeserver.start),
        (minutes(21), there.desk.there.start),
    ]
    with interrupted(*acts) as driver:
        drill = await there.play("nobody-answers", tmp_path, driver=driver)
    await whole(drill)
    as_ever(drill)
    room, tickets = sorted(text for text in drill.here.said("fallback") if "does not follow" in text)
    assert room.startswith("matrix does not follow: Matrix cannot be reached")
    assert tickets.startswith("request_tracker does not follow: ")
    assert drill.here.said("linked").count(closed_by_people("request_tracker")) == 1


def as_ever(drill: Rehearsed) -> None:
    """Everybody was paged when nothing outside fails, too."""
    assert drill.here.paged("ana")[:2] == [(minutes(0), "email"), (minutes(2), "sms")]
    assert drill.here.paged("ben")[0] == (minutes(5), "email")
    assert drill.here.paged("dee")[0] == drill.here.paged("kim")[0] == (minutes(10), "email")
    assert drill.here.paged("lou")[0] == (minutes(15), "email")
