"""The customers beyond the catalogue's: their table read, kept, and put beside the catalogue in force."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from activities import Failed
from activities.customers import Table
from activities.customers.table import FileTable, SignedTable
from model.catalogue.catalog import Catalog
from model.catalogue.customers import Directory, read_customers
from model.text import Refused
from model.times import iso
from worker.settings import Settings

ASK_EVERY: Final = 900.0
"""Seconds between questions to an address; a file is read when it changes."""
SHOWN: Final = 3
"""Findings said one by one; the rest is counted."""

logger = logging.getLogger(__name__)


def table_of(settings: Settings) -> Table | None:
    """Return the configured table of customers.

    Raises:
        Refused: The settings cannot work; secrets in them are not said.
    """
    where = settings.customers
    if not where:
        return None
    if "://" not in where:
        return FileTable(Path(where))
    try:
        return SignedTable(where, settings.customer_keys())
    except Failed as failed:
        raise Refused(f"ALLCLEAR_CUSTOMERS: {failed.reason}") from None


class Customers:
    """The table as it was read last; the last good one is kept on disk, for when it cannot be read at a start."""

    def __init__(self, table: Table | None, copy: Path, say: Callable[[str], None] = logger.warning) -> None:
        """Keep a table's customers.

        Args:
            table: Where it is; None where there is none.
            copy: The file in which the last good one is kept.
            say: Hears what an operator should know.
        """
        self._table = table
        self._copy = copy
        self._say = say
        self._text = ""
        self._stamp: tuple[int, ...] = ()
        self._asked_at = float("-inf")

    def due(self) -> bool:
        """Whether the table should be read: its file has changed, or its address was not asked for long."""
        if self._table is None:
            return False
        stamp = self._table.stamp()
        return stamp != self._stamp if stamp else time.monotonic() - self._asked_at > ASK_EVERY

    async def read(self, catalog: Catalog) -> Catalog:
        """Read the table, and return the catalogue with its customers.

        One that cannot be read or used changes nothing, and is named: the customers known before stay, at a start
        those of the copy.
        """
        if self._table is None:
            return catalog
        self._asked_at, stamp = time.monotonic(), self._table.stamp()
        try:
            text = await self._table.read()
            joined, findings = await asyncio.to_thread(_joined, catalog, text)
        except (Failed, Refused) as error:
            self._stamp = stamp
            return await self._as_before(catalog, f"{self._table.name}: {error}")
        self._stamp, self._text = stamp, text
        self._say_findings(findings)
        try:
            await asyncio.to_thread(_keep, self._copy, text)
        except OSError as error:
            self._say(f"no copy of the customers could be kept: {self._copy}: {error.strerror}")
        return joined

    def join(self, catalog: Catalog) -> Catalog:
        """Return another catalogue with the customers of the table as it was read last."""
        if not self._text:
            return catalog
        joined, findings = _joined(catalog, self._text)
        self._say_findings(findings)
        return joined

    async def _as_before(self, catalog: Catalog, why: str) -> Catalog:
        if self._text:
            self._say(f"THE CUSTOMERS WERE NOT TAKEN, those before stay: {why}")
            return await asyncio.to_thread(self.join, catalog)
        try:
            text, changed = await asyncio.to_thread(_kept, self._copy)
            joined, _ = await asyncio.to_thread(_joined, catalog, text)
        except (OSError, Refused):
            self._say(f"THERE ARE NO CUSTOMERS but the catalogue's own, and no copy of them: {why}")
            return catalog
        self._text = text
        self._say(f"THE CUSTOMERS WERE NOT TAKEN, those of {changed} are told: {why}")
        return joined

    def _say_findings(self, findings: Sequence[str]) -> None:
        if findings and self._table is not None:
            self._say(f"{self._table.name}: rows are left out, their customers are not told: {_some(findings)}")


async def check(settings: Settings, catalog: Catalog) -> str:
    """Read the configured table for `allclear doctor`, and return what is in it.

    Raises:
        Failed: It cannot be read.
        Refused: It cannot be used, or rows of it are left out.
    """
    table = table_of(settings)
    if table is None:
        return "customers are those the catalogue names; for more set ALLCLEAR_CUSTOMERS"
    joined, findings = _joined(catalog, await table.read())
    if findings:
        raise Refused(f"{table.name}: rows are left out, their customers are not told: {_some(findings)}")
    return f"{table.name} has {joined.customers_tabled} customers"


def _joined(catalog: Catalog, text: str) -> tuple[Catalog, list[str]]:
    directory, findings = _directory(catalog, text)
    return catalog.with_customers(directory), findings


def _directory(catalog: Catalog, text: str) -> tuple[Directory, list[str]]:
    regions = [region for regions in catalog.partitions.values() for region in regions]
    return read_customers(text, services=catalog.services, regions=regions, people=catalog.people)


def _keep(path: Path, text: str) -> None:
    """Replace the copy in one step; it has people's addresses in it, so it is for our eyes only."""
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _kept(path: Path) -> tuple[str, str]:
    return path.read_text(encoding="utf-8"), iso(datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _some(findings: Sequence[str]) -> str:
    more = f"; {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
    return "; ".join(findings[:SHOWN]) + more
