"""Whom a connected drill reaches, with a real mail server: nobody unasked, and never without saying what it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from activities import Failed
from activities.mirror import Guest, Place
from model.catalogue.entries import Contact
from model.drill import Drill
from model.effects import Page
from model.text import Refused
from tests.activities.mail_server import House, serving
from tests.activities.mirrors import Board
from tests.activities.tickets.subjects import incident, line
from tests.drills.harness import minutes
from tests.store.samples import NINE
from worker.drill.connected import Reach
from worker.drill.player import Connection, Played, play
from worker.drill.world import DrillMirror, DrillPager, Weather
from worker.files import EXAMPLE_CATALOG, load_catalog
from worker.settings import Settings

ALERT = {"alarm": "err", "service": "checkout-api", "region": "eu-west", "state": "ALARM", "severity": 2}
NOTICE = {"by": "sam", "audience": "external", "text": "One payment in thirty fails."}
STEPS = [
    {"at": "0s", "alarm": ALERT},
    {"at": "2m", "notify": {**NOTICE, "public": True}},
]


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def settings(house: House, tmp_path: Path) -> Iterator[Settings]:
    with serving(house) as mailer:
        yield Settings(
            data=tmp_path / "data",
            smtp_host=mailer.host,
            smtp_port=mailer.port,
            smtp_tls="none",
            smtp_sender=mailer.sender,
            statuspage_page="abc",
            statuspage_key="a key",  # type: ignore[arg-type]
            statuspage_url="http://127.0.0.1:1",
        )


async def rehearse(settings: Settings, folder: Path, *to: str, **world: object) -> Played:
    drill = Drill.model_validate(
        {"title": "A story", "start": "2026-03-02T09:00:00Z", "steps": STEPS, "until": "6m", "world": world}
    )
    connection = Connection(settings, Reach.read(to))
    return await play(drill, load_catalog(EXAMPLE_CATALOG), folder, connection=connection)


async def test_one_address_stands_in_for_everybody_customers_too(
    house: House, settings: Settings, tmp_path: Path
) -> None:
    done = await rehearse(settings, tmp_path, "email=me@example.test")
    assert done.result.problems == []
    assert {str(letter["To"]) for letter in house.letters} == {"me@example.test"}
    said = [letter.get_content() for letter in house.letters]
    assert all(str(letter["Subject"]).strip().startswith("[drill] ") for letter in house.letters)
    assert all("THIS IS A DRILL, played by AllClear: A story." in text for text in said)
    meant = "".join(said)
    for who in ("ana@example.test", "ben@example.test", "ops@acme.test"):
        assert f"It was meant for {who}." in meant
    assert any("One payment in thirty fails." in text for text in said)
    assert done.result.connected
    (mail,) = done.result.connected.systems
    assert (mail.system, mail.place, mail.count) == ("mail", "me@example.test", len(house.letters))
    assert "One payment in thirty" in (tmp_path / "status" / "index.html").read_text(), "the public page stays here"


async def test_people_of_the_catalogue_are_reached_and_its_customers_never(
    house: House, settings: Settings, tmp_path: Path
) -> None:
    faults = [{"port": "paging", "channel": "email", "from": "4m", "to": "10m"}]
    done = await rehearse(settings, tmp_path, "catalogue", faults=faults)
    assert done.result.problems == []
    people = {f"{id}@example.test" for id in load_catalog(EXAMPLE_CATALOG).people}
    assert {"ana@example.test"} <= {str(letter["To"]) for letter in house.letters} <= people
    paged = [str(letter["To"]) for letter in house.letters if str(letter["Subject"]).strip().startswith("[drill] SEV")]
    assert "ben@example.test" not in paged, "the world's faults apply, also to what is outside"


async def test_pages_over_other_channels_go_elsewhere_or_stay_here(weather: Weather) -> None:
    got: list[str] = []

    class Phone:
        async def page(self, order: Page, text: str, key: str) -> None:
            got.append(order.contact.address)

    sms = Contact(channel="sms", address="+15550001")
    page = Page(incident="INC-1", person="ana", contact=sms, team="x", level=1, severity=2, opened_at=NINE, at=NINE)
    await DrillPager(weather, Phone(), "+15559999").page(page, "text", "key")
    await DrillPager(weather, Phone()).page(page, "text", "key")
    assert got == ["+15559999", "+15550001"]
    reach = Reach.read(["sms=+15559999"])
    assert [reach.reaches(channel) for channel in ("sms", "email")] == [True, False]


@pytest.fixture
def weather() -> Weather:
    async def clock() -> object:
        return NINE + minutes(5)

    faults = [
        {"port": "tickets", "channel": "board", "from": "0s", "to": "1h"},
        {"port": "comms", "from": "2h", "to": "3h"},
    ]
    drill = Drill.model_validate({"title": "x", "start": NINE, "steps": [], "until": "1h", "world": {"faults": faults}})
    return Weather(drill, clock)  # type: ignore[arg-type]


async def test_what_is_shown_outside_is_called_a_drill_and_invites_whom_it_may(weather: Weather) -> None:
    rooms = Board("chat", ["incident"])
    subject = incident(guests=[_guest("ana"), _guest("ben")])
    mirror = DrillMirror(weather, rooms, Reach.read(["chat=@me:example.test"]).guest)
    place = await mirror.open(subject)
    await mirror.show(place, subject)
    await mirror.add(place, line(), f"{subject.id}/1")
    shown = rooms.subjects[place.id]
    assert (shown.id, shown.drill, shown.mark) == (f"DRILL-{subject.id}", True, "DRILL")
    assert [[contact.address for contact in guest.contacts] for guest in shown.guests] == [["@me:example.test"]] * 2
    assert list(rooms.lines[place.id]) == [f"DRILL-{subject.id}/1"]


def _guest(person: str) -> Guest:
    return Guest(
        person=person,
        contacts=[
            Contact(channel="email", address=f"{person}@example.test"),
            Contact(channel="chat", address=f"@{person}:example.test"),
        ],
    )


async def test_a_fault_of_the_story_reaches_what_is_outside_too(weather: Weather) -> None:
    mirror = DrillMirror(weather, Board(), Reach(catalogue=True).guest)
    with pytest.raises(Failed, match="tickets by board is down"):
        await mirror.show(Place(id="1"), incident())


async def test_settings_that_cannot_work_are_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="ALLCLEAR_RT_TOKEN, ALLCLEAR_RT_QUEUE is missing"):
        await rehearse(settings.model_copy(update={"rt_url": "https://rt.example.test"}), tmp_path, "catalogue")
