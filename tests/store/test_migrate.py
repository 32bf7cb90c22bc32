"""The tables are brought up to date from anywhere, and are those the code speaks of."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Constraint, Index, inspect
from sqlalchemy.ext.asyncio import AsyncEngine

from store import Store, StoreError, open_store
from store.migrate import downgrade, head_is_current, upgrade
from store.tables import Base
from tests.store.samples import incident, opened, put


async def ask(engine: AsyncEngine, question: Callable[[Connection], object]) -> object:
    async with engine.connect() as connection:
        return await connection.run_sync(question)


def _differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


def _names(connection: Connection) -> set[str]:
    inspector = inspect(connection)
    return {
        name
        for table in Base.metadata.tables
        for name in (
            inspector.get_pk_constraint(table)["name"],
            *(key["name"] for key in inspector.get_foreign_keys(table)),
            *(index["name"] for index in inspector.get_indexes(table)),
        )
        if name
    }


async def test_the_migrations_make_the_tables_the_code_speaks_of(store: Store) -> None:
    assert await ask(store.engine, _differences) == []


async def test_constraints_have_the_names_a_later_migration_will_call_them_by(store: Store) -> None:
    parts: list[Constraint | Index] = []
    for table in Base.metadata.sorted_tables:
        parts += [table.primary_key, *table.foreign_key_constraints, *table.indexes]
    assert await ask(store.engine, _names) == {str(part.name) for part in parts}


def test_a_new_store_is_made_with_its_folder_from_any_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///deep/down/allclear.db"
    assert not head_is_current(url)
    assert not (tmp_path / "deep").exists(), "asking must not make it"
    upgrade(url)
    assert head_is_current(url)


def test_there_and_back_and_there_again(url: str) -> None:
    upgrade(url)
    downgrade(url, "base")
    assert not head_is_current(url)
    upgrade(url)
    assert head_is_current(url)


async def test_a_store_of_the_first_release_keeps_what_it_has(url: str, store: Store) -> None:
    await put(store, incident())
    await asyncio.to_thread(downgrade, url, "0001")
    assert not await asyncio.to_thread(head_is_current, url)
    await asyncio.to_thread(upgrade, url)
    assert [it.title for it in await store.incidents()] == ["calls fail"]
    assert await store.matters() == []


async def test_upgrading_again_keeps_what_is_there_while_a_loop_runs_and_the_store_is_open(
    url: str, store: Store
) -> None:
    await put(store, incident())
    upgrade(url)
    await asyncio.to_thread(upgrade, url)
    assert [it.title for it in await store.incidents()] == ["calls fail"]


async def test_a_store_written_by_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/allclear.db"
    upgrade(url)
    with closing(sqlite3.connect(tmp_path / "allclear.db")) as later_version:
        later_version.execute("UPDATE alembic_version SET version_num = '9999'")
        later_version.commit()
    assert not head_is_current(url)
    with pytest.raises(StoreError, match=r"cannot be migrated: .*9999.*older AllClear"):
        upgrade(url)
    async with opened(url) as store:
        assert await store.incidents() == []


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "allclear.db"
    with closing(sqlite3.connect(path)) as somebody:
        somebody.execute("CREATE TABLE outbox (what TEXT)")
    with pytest.raises(StoreError, match="already exists"):
        upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as reader:
        tables = reader.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert tables == [("outbox",)]


def test_the_store_is_set_up_for_many_readers_and_one_writer(tmp_path: Path) -> None:
    async def pragmas() -> list[object]:
        store = open_store(f"sqlite:///{tmp_path}/allclear.db")
        async with store.engine.connect() as connection:
            names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
            answers = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in names]
        await store.close()
        return answers

    assert asyncio.run(pragmas()) == ["wal", 1, 5000, 1]
