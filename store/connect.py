"""How a database is reached: its URL, its folder, and what every connection is told first."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from store.errors import StoreError, in_words

LOCK_PATIENCE: Final = timedelta(seconds=5)
"""How long SQLite waits for another writer: well over any write of ours, well under an activity's timeout."""
CONNECTED: Final = timedelta(seconds=10)
"""How long PostgreSQL may take to accept a connection: a host that swallows packets would hold us for a minute."""


def read_url(address: str) -> URL:
    """Read the store's URL, and take an asynchronous driver where it names none.

    Raises:
        StoreError: It is no URL, or no kind of database we know.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # Without its cause, which may show the URL, and with it a password.
        raise StoreError("the store's URL cannot be read; write for example sqlite:///allclear.db") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"the store is kept in SQLite or PostgreSQL, not in {url.get_backend_name()}")
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    # Somebody who names a driver means it.
    return url if "+" in url.drivername else url.set(drivername=drivers[url.drivername])


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite store; None for any other, one in memory, or one named by a `file:` URI."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    if url.database == ":memory:" or url.database.startswith("file:"):
        return None
    return Path(url.database)


def make_engine(url: URL, *, lock_patience: timedelta = LOCK_PATIENCE) -> AsyncEngine:
    """Return an engine for a store, and make the folder it lies in.

    Raises:
        StoreError: The folder cannot be made, or the driver is missing.
    """
    if path := sqlite_file(url):
        _make_folder(path.parent)
    with in_words(url):
        try:
            # hide_parameters: what people wrote does not belong into the log of a failed statement.
            engine = create_async_engine(
                url, json_serializer=_json, hide_parameters=True, pool_pre_ping=True, **_creator(url)
            )
        except ModuleNotFoundError as error:
            reason = f"the store needs the Python package {error.name} for {url.drivername}:// addresses"
            raise StoreError(reason) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _Pragmas(lock_patience))
    return engine


def _creator(url: URL) -> dict[str, Any]:
    """Let asyncpg read PostgreSQL's URL itself: it knows libpq's options (`sslmode`, `sslrootcert`, several hosts)."""
    if url.drivername != "postgresql+asyncpg":
        return {}
    import asyncpg  # type: ignore[import-untyped]  # an installation with SQLite is spared it

    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)

    async def connect() -> Any:
        settings = {} if "application_name" in url.query else {"application_name": "allclear"}
        return await asyncpg.connect(dsn, timeout=CONNECTED.total_seconds(), server_settings=settings)

    return {"async_creator": connect}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the store's folder {folder} cannot be made: {error.strerror}") from error


def _json(value: object) -> str:
    """Write JSON into which any database can look: no NaN, and no NUL, which PostgreSQL cannot read."""
    written = to_json(value, inf_nan_mode="null").decode()
    if "\\u0000" not in written:
        return written
    return re.sub(r"\\(u0000|.)", lambda escape: "" if escape[1] == "u0000" else escape[0], written)


class _Pragmas:
    """Sets up every new SQLite connection."""

    def __init__(self, lock_patience: timedelta) -> None:
        self._pragmas = {
            # First, because already the next one may have to wait for a lock.
            "busy_timeout": int(lock_patience.total_seconds() * 1000),
            "journal_mode": "WAL",  # readers do not wait for the writer
            # In WAL mode a power cut loses at most the last commits, and can damage nothing.
            "synchronous": "NORMAL",
            "foreign_keys": "ON",
        }

    def __call__(self, connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for name, value in self._pragmas.items():
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.close()
