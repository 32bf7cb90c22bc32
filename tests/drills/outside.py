"""Real systems outside, together: a mail server, Synapse and Request Tracker, and what a drill left in them."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

from activities.comms import rooms
from activities.tickets import telling
from model.catalogue.catalog import Catalog
from model.catalogue.entries import Contact
from model.drill import ActionRow, ConnectedRow
from model.matter import Entry
from store import open_store
from tests.activities.comms.synapse import Account, Homeserver
from tests.activities.mail_server import House, serving
from tests.activities.tickets.rt_desk import RequestTrackerDesk
from tests.activities.tickets.rt_server import QUEUE
from tests.drills.harness import SCENARIOS, Outcome
from worker.drill.connected import Reach
from worker.drill.drivers import DRIVERS, Driver
from worker.drill.player import Connection, play
from worker.files import catalog_of, load_drill
from worker.settings import Settings

PUBLIC = "https://allclear.example.test"
LINK = re.compile(rf"{PUBLIC}/i/(INC-[\w-]+)\?t=\S+")


@dataclass
class World:
    """The three systems, and who may be invited."""

    mail: House
    settings: Settings
    desk: RequestTrackerDesk
    homeserver: Homeserver
    bot: Account
    accounts: dict[str, str]

    def inviting(self, catalog: Catalog) -> Catalog:
        """Return a catalogue whose people have an account at the homeserver."""
        people = dict(catalog.people)
        for id, account in self.accounts.items():
            contacts = [*people[id].contact, Contact(channel="matrix", address=account)]
            people[id] = people[id].model_copy(update={"contact": contacts})
        return catalog.model_copy(update={"people": people})

    async def play(
        self, scenario: str, folder: Path, *, driver: str = "skipping", until: timedelta | None = None
    ) -> "Rehearsed":
        """Play a committed scenario with all of them, or its beginning."""
        path = SCENARIOS / f"{scenario}.yaml"
        drill = load_drill(path)
        if until is not None:
            drill = drill.model_copy(update={"steps": [it for it in drill.steps if it.at < until], "until": until})
        before = len(self.mail.letters)
        connection = Connection(self.settings, Reach.read(["catalogue"]))
        catalog = self.inviting(catalog_of(drill, path))
        done = await play(drill, catalog, folder, driver=driver, connection=connection)
        return Rehearsed(Outcome(done.result, drill.start, folder), self, self.mail.letters[before:])


@asynccontextmanager
async def world(
    homeserver: Homeserver, desk: RequestTrackerDesk, catalog: Catalog, folder: Path
) -> AsyncIterator[World]:
    """Let the three be there in this block."""
    bot = await homeserver.account("allclear")
    accounts = {id: (await homeserver.account(id)).id for id in catalog.people}
    house = House()
    with serving(house) as mailer:
        settings = Settings(
            data=folder,
            public_url=PUBLIC,
            smtp_host=mailer.host,
            smtp_port=mailer.port,
            smtp_tls="none",
            smtp_sender=mailer.sender,
            matrix_url=bot.url,
            matrix_token=bot.token,  # type: ignore[arg-type]
            rt_url=desk.there.url,
            rt_token=desk.there.token,  # type: ignore[arg-type]
            rt_queue=QUEUE,
        )
        yield World(house, settings, desk, homeserver, bot, accounts)


@dataclass
class Rehearsed:
    """What a connected drill came to, here and outside."""

    here: Outcome
    world: World
    letters: Sequence[EmailMessage]

    def row(self, system: str, matter: str = "") -> ConnectedRow:
        assert self.here.result.connected is not None
        (found,) = [it for it in self.here.result.connected.systems if (it.system, it.matter) == (system, matter)]
        return found

    def pages(self) -> list[str]:
        """Whom letters page; each has a link to an incident of this drill."""
        ours = {incident.id for incident in self.here.result.incidents}
        found = []
        for letter in self.letters:
            if str(letter["Subject"]).strip().startswith("[drill] SEV"):
                (incident,) = set(LINK.findall(letter.get_content()))
                assert incident in ours
                found.append(str(letter["To"]))
        return sorted(found)

    def owed_pages(self) -> list[str]:
        """Whom the record says that a mail paged."""
        return sorted(
            f"{page.person}@example.test"
            for incident in self.here.result.incidents
            for team in incident.engagements
            for page in team.paged
            if page.channel == "email"
        )

    async def record(self, matter: str) -> list[Entry]:
        """Return the timeline as the record has it."""
        store = open_store(f"sqlite+aiosqlite:///{self.here.folder / 'allclear.db'}")
        try:
            return await store.timeline(matter)
        finally:
            await store.close()

    async def ticket(self, matter: str) -> str:
        """Return the one ticket of an incident or action item."""
        (ticket,) = await self.world.desk.tickets(f"DRILL-{matter}")
        return ticket

    async def comments(self, matter: str) -> list[str]:
        """What an incident's ticket says behind its first words, oldest first."""
        return [text.strip() for text in self.world.desk.there.comments(await self.ticket(matter))]

    async def owed_comments(self, matter: str) -> list[str]:
        """And what it must say."""
        told = [it for it in await self.record(matter) if telling.told(it)]
        return ["\n".join(filter(None, [telling.heading(it), it.text, it.link])) for it in told]

    async def room(self, incident: str) -> str:
        alias = quote(f"#drill-{incident.lower()}:localhost")
        return str((await self.world.bot.call("GET", f"/directory/room/{alias}"))["room_id"])

    async def messages(self, incident: str) -> list[str]:
        """What we said in an incident's room, oldest first; the notice and its edits are no lines."""
        room = await self.room(incident)
        (notice,) = (await self.world.bot.state(room, "m.room.pinned_events"))["pinned"]
        return [
            event["content"]["body"]
            for event in await self.world.bot.events(room)
            if event["type"] == "m.room.message"
            and event["event_id"] != notice
            and "m.relates_to" not in event["content"]
        ]

    async def owed_messages(self, incident: str) -> list[str]:
        """And what must be there: all but where the room itself is."""
        here = (f"https://matrix.to/#/{quote(await self.room(incident))}",)
        return [rooms.line(it) for it in await self.record(incident) if rooms.told(it, here)]

    async def invited(self, incident: str) -> list[str]:
        events = await self.world.bot.events(await self.room(incident))
        members = [e for e in events if e["type"] == "m.room.member" and e["content"]["membership"] == "invite"]
        return sorted(str(event["state_key"]) for event in members)


def over(row: ActionRow) -> bool:
    return row.status in ("done", "withdrawn")


Act = Callable[[], Awaitable[None]]


class _Interrupted:
    """A driver that lets something happen outside when the story reaches a moment."""

    def __init__(self, inner: Driver, acts: Sequence[tuple[timedelta, Act]]) -> None:
        self.client = inner.client
        self._inner = inner
        self._acts = list(acts)
        self._base: datetime | None = None

    async def now(self) -> datetime:
        now = await self._inner.now()
        self._base = self._base or now
        return now

    async def until(self, moment: datetime) -> None:
        base = self._base or await self.now()
        while self._acts and base + self._acts[0][0] <= moment:
            at, act = self._acts.pop(0)
            await self._inner.until(base + at)
            await act()
        await self._inner.until(moment)


@contextmanager
def interrupted(*acts: tuple[timedelta, Act]) -> Iterator[str]:
    """Offer a driver in whose stories `acts` happen, each at its moment."""
    name = "skipping, interrupted"

    @asynccontextmanager
    async def driver(secret: str) -> AsyncIterator[Any]:
        async with DRIVERS["skipping"](secret) as inner:
            yield _Interrupted(inner, acts)

    DRIVERS[name] = driver
    try:
        yield name
    finally:
        del DRIVERS[name]
