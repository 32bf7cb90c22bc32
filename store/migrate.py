"""Bringing a store's tables up to date: in this process, from any folder, with or without a running loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from store.connect import make_engine, read_url, sqlite_file
from store.errors import StoreError, in_words

T = TypeVar("T")

_SCRIPTS: Final = Path(__file__).with_name("migrations")
_LOCK: Final = 0x0A11C1EA
"""PostgreSQL's advisory lock that two migrating processes share."""


def upgrade(address: str) -> None:
    """Bring the tables up to what this version needs; a store that is new gets all of them.

    Raises:
        StoreError: The database did not do it, or a newer version of AllClear has changed it already.
    """
    _alone(address, lambda connection: command.upgrade(_config(connection), "head"))


def downgrade(address: str, revision: str) -> None:
    """Take the tables back to an older revision (`base`: none at all); what has no place there is lost.

    Raises:
        StoreError: The database did not do it, or has no such revision.
    """
    _alone(address, lambda connection: command.downgrade(_config(connection), revision))


def head_is_current(address: str) -> bool:
    """Whether the tables are those this version needs. A SQLite file that is not there is not made.

    Raises:
        StoreError: The database did not answer.
    """
    url = read_url(address)
    path = sqlite_file(url)
    if path and not path.exists():
        return False
    needed = ScriptDirectory(str(_SCRIPTS)).get_heads()
    have = _run(url, lambda connection: MigrationContext.configure(connection).get_current_heads())
    return set(have) == set(needed)


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def _alone(address: str, change: Callable[[Connection], None]) -> None:
    """Change the tables in one transaction while nobody else does: two processes may start together."""

    def locked(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        change(connection)

    try:
        _run(read_url(address), locked)
    except CommandError as error:
        reason = f"the store cannot be migrated: {error}; is this an older AllClear than the one that wrote it?"
        raise StoreError(reason) from error


def _run(url: URL, work: Callable[[Connection], T]) -> T:
    """Do something in one transaction, in a thread with a loop of its own: the caller's may be running."""

    async def connected() -> T:
        engine = make_engine(url)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    with in_words(url), ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, connected()).result()
