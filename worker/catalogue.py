"""The catalogue in force: its file, what lies beside it (calendars, customers), and what it lets be watched."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from activities.oncall import Calendars
from activities.oncall.ical import IcalCalendars, with_calendars
from link import catalog as live
from link.starting import open_detection, open_watch
from model.catalogue.calendars import calendars_of
from model.catalogue.catalog import UNMAPPED, Catalog, CatalogError
from model.detect.watch import watched_regions
from model.text import Refused
from worker.customers import Customers, table_of
from worker.files import load_catalog
from worker.settings import Settings

Say = Callable[[str], None]
"""Gets one line for whoever watches."""

LOOK: Final = 1.0
"""Seconds between looks at the catalogue's file."""
CALENDARS_EVERY: Final = 3600.0
"""Seconds between readings of on-call calendars; a changed catalogue reads them at once."""

logger = logging.getLogger(__name__)


class CatalogFile:
    """The catalogue's file: read at the start, and again whenever it changes."""

    def __init__(
        self, path: Path, say: Say, calendars: Calendars | None = None, customers: Customers | None = None
    ) -> None:
        """Watch a file.

        Args:
            path: The file.
            say: Hears what becomes of it.
            calendars: Read those that it names.
            customers: Those beside it.
        """
        self._path = path
        self._say = say
        self._calendars = calendars
        self._customers = customers
        self._asked_at = 0.0
        self._read = self._stamp()

    def load(self) -> Catalog:
        """Make the file's catalogue, and its policy, the live ones of this process.

        Raises:
            Refused: It cannot be used; all its errors are in the text.
        """
        self._read = self._stamp()
        try:
            catalog = load_catalog(self._path)
        except CatalogError as error:
            raise Refused(f"{self._path} cannot be used:\n{error}") from None
        if self._customers is not None:
            catalog = self._customers.join(catalog)
        live.use(catalog, catalog.policy)
        return catalog

    async def read_beside(self) -> None:
        """Read what the live catalogue does not say itself: calendars and customers."""
        await self.read_calendars()
        await self.read_customers()

    async def read_customers(self) -> None:
        """Read the customers beside the live catalogue; a table that cannot be used changes nothing, and is named."""
        catalog = live.live()
        if self._customers is None or catalog is None:
            return
        joined = await self._customers.read(catalog)
        live.use(joined, joined.policy)

    async def read_calendars(self) -> None:
        """Read the on-call calendars that the live catalogue names; one that cannot be read keeps what it said."""
        catalog = live.live()
        self._asked_at = time.monotonic()
        if self._calendars is None or catalog is None or not calendars_of(catalog):
            return
        filled, said = await with_calendars(catalog, self._calendars, datetime.now(UTC))
        for text in said:
            logger.warning("on call: %s", text)
        live.use(filled, filled.policy)

    async def watch(self, client: Client) -> None:
        """Take in every change, until cancelled; a file that cannot be used changes nothing, and is named."""
        before = self._read
        while True:
            await asyncio.sleep(LOOK)
            if time.monotonic() - self._asked_at > CALENDARS_EVERY:
                await self.read_calendars()
            if self._customers is not None and self._customers.due():
                await self.read_customers()
            now = await asyncio.to_thread(self._stamp)
            # Twice the same: nobody is in the middle of writing it.
            if now == before != self._read:
                await self._again(client)
            before = now

    async def _again(self, client: Client) -> None:
        try:
            catalog = await asyncio.to_thread(self.load)
        except Exception as error:
            self._say(f"THE CATALOGUE WAS NOT TAKEN, the one before stays in force: {error}")
            return
        await self.read_calendars()
        self._say(f"{self._path} is in force as it is now: {counted(catalog)}")
        try:
            await open_detections(client, catalog)
            await open_watches(client, catalog)
        except RPCError as error:
            self._say(f"a new partition is watched from its first alarm on only: {error.message}")

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino


def catalog_file(settings: Settings, say: Say) -> CatalogFile:
    """Return the catalogue's file with what belongs to it: every process that answers alarms must know the same.

    Raises:
        Refused: The settings cannot work.
    """
    calendars = IcalCalendars(settings.catalog.parent, settings.data / "calendars")
    customers = Customers(table_of(settings), settings.data / "customers" / "copy.csv", say)
    return CatalogFile(settings.catalog, say, calendars, customers)


async def calendars_read(settings: Settings, path: Path, catalog: Catalog, at: datetime) -> tuple[Catalog, list[str]]:
    """Return a file's catalogue with its on-call calendars read as a worker reads them, and what is wrong with them.

    Nothing is kept: the copies are the workers'.
    """
    calendars = IcalCalendars(path.parent, settings.data / "calendars", keep=False)
    return await with_calendars(catalog, calendars, at)


def counted(catalog: Catalog) -> str:
    """Return how much is in a catalogue."""
    tabled = f", {catalog.customers_tabled} customers in a table" if catalog.customers_tabled else ""
    return f"{len(catalog.services)} services, {len(catalog.teams)} teams, {len(catalog.people)} people{tabled}"


async def open_detections(client: Client, catalog: Catalog) -> None:
    """Let every partition be watched, and what the catalogue does not know, so that people can declare."""
    for partition in [*catalog.partitions, UNMAPPED]:
        await open_detection(client, partition)


async def open_watches(client: Client, catalog: Catalog) -> None:
    """Let every region be watched in which the catalogue names canaries or traffic."""
    for region in watched_regions(catalog):
        await open_watch(client, region)
