"""A database in trouble says so in one line without credentials, and does nothing by halves."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from store import OutboxItem, Store, StoreError, open_store
from store.errors import in_words
from store.migrate import upgrade
from tests.store.samples import ID, NINE, incident, opened, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "allclear.db"


@contextmanager
def trouble(words: str) -> Iterator[None]:
    with pytest.raises(StoreError, match=words) as caught:
        yield
    assert str(caught.value).startswith("the store allclear.db ")
    assert "\n" not in str(caught.value)


async def everything(store: Store) -> None:
    """Ask something of the store that reads and writes."""
    await store.timeline(ID)
    await put(store, incident())
    await store.put_outbox(OutboxItem(key="a", incident_id=ID, lane="page", at=NINE, text="x"))


async def test_locked(path: Path) -> None:
    upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        store = open_store(f"sqlite:///{path}", lock_patience=timedelta())
        with trouble("is locked by another process"):
            await everything(store)
        other.rollback()
        await everything(store)
        await store.close()


async def test_read_only(path: Path) -> None:
    upgrade(f"sqlite:///{path}")
    async with opened(f"sqlite:///file:{path}?mode=ro&uri=true") as store:
        assert await store.incidents() == []
        with trouble("is read-only"):
            await everything(store)


async def test_disk_full(path: Path) -> None:
    upgrade(f"sqlite:///{path}")
    async with opened(f"sqlite:///{path}") as store:

        @event.listens_for(store.engine.sync_engine, "connect")
        def _no_room(connection: Any, _: object) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA max_page_count=1")
            cursor.close()

        it = incident(title="long " * 20_000)
        it.say("opened", "SEV3", now=NINE)
        with trouble("has no space left"):
            await put(store, it)
        assert await store.incidents() == []
        assert await store.timeline(ID) == []


async def test_missing_without_permission_to_make_it(path: Path) -> None:
    async with opened(f"sqlite:///file:{path}?mode=rw&uri=true") as store:
        with trouble("cannot be opened"):
            await everything(store)


async def test_not_migrated(path: Path) -> None:
    async with opened(f"sqlite:///{path}") as store:
        with trouble("run `allclear migrate`"):
            await everything(store)


async def test_something_else_lies_there(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("shopping list\n" * 100)
    async with opened(f"sqlite:///{path}") as store:
        with trouble("is not a database"):
            await everything(store)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreError, match=r"folder .* cannot be made"):
        open_store(f"sqlite:///{tmp_path}/store/deep/allclear.db")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "allclear.db",
        "postgresql://ana:hunter2@host:port/db",
        "mysql://ana:hunter2@host/db",
        "ana:hunter2",
    ],
)
def test_a_url_that_cannot_be_used_is_not_repeated(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)
    assert "ana" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('FATAL:  password authentication failed for user "ana"', "refused the login"),
        ('FATAL:  database "hunts" does not exist', "does not exist on that server"),
        ("connection failed as ana with hunter2\nHINT: more", "failed: connection failed as *** with ***"),
        ("", "failed: Exception"),
    ],
)
def test_what_a_server_says_is_told_without_credentials(said: str, words: str) -> None:
    url = make_url("postgresql://ana:hunter2@db.example.test/hunts?sslpassword=hunter3")
    with pytest.raises(StoreError) as caught, in_words(url):
        raise OperationalError("SELECT 1", {}, Exception(said))
    assert str(caught.value) == f"the store hunts on db.example.test {words}"


def test_a_server_that_cannot_be_reached() -> None:
    url = make_url("postgresql://ana:hunter2@h/db")
    with (
        pytest.raises(StoreError, match=r"^the store db on h cannot be reached: Connection refused$"),
        in_words(url),
    ):
        raise ConnectionRefusedError(111, "Connection refused")
