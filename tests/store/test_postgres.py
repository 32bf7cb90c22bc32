"""What PostgreSQL does differently from SQLite: logins, zones, several workers, connections that end."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy.engine import make_url

from store import Store, StoreError, connect, open_store
from store.migrate import downgrade, head_is_current, upgrade
from tests.store.postgres import Postgres
from tests.store.samples import ID, NINE, incident, later, next_batch, opened, put


@pytest.fixture
def kind() -> str:
    return "postgresql"


@pytest.fixture
async def second(url: str, store: Store) -> AsyncIterator[Store]:
    """The same database as another worker has it open."""
    async with opened(url) as it:
        yield it


@contextmanager
def trouble(words: str) -> Iterator[None]:
    with pytest.raises(StoreError, match=words) as caught:
        yield
    assert "\n" not in str(caught.value)
    assert "of the tests" not in str(caught.value), "the password is told"


async def test_two_workers_that_write_the_same_incident_at_once_lose_nothing(store: Store, second: Store) -> None:
    it = incident()
    batches = []
    for number in range(20):
        it.say("observed", f"line {number}", now=later(number))
        it.severity = 1 + number % 5
        batches.append(next_batch(it))
    writers = [store, second]
    await asyncio.gather(
        *(writers[n % 2].record(batch.incident, batch.entries) for n, batch in enumerate([*batches[::-1], *batches]))
    )
    assert await store.timeline(ID) == it.timeline
    kept = await second.incident(ID)
    assert kept is not None
    assert (kept.next_seq, kept.severity) == (it.next_seq, it.severity)


async def test_two_workers_that_write_many_incidents_at_once_do_not_hold_each_other_up(
    store: Store, second: Store
) -> None:
    batches = []
    for number in range(30):
        it = incident(f"INC-20260302-A{number:03}")
        for line in range(5):
            it.say("observed", f"line {line}", now=later(line))
        batches.append(next_batch(it))
    async with asyncio.timeout(20):
        await asyncio.gather(*(store.record(b.incident, b.entries) for b in batches))
        await asyncio.gather(
            *(store.record(b.incident, b.entries) for b in batches),
            *(second.record(b.incident, b.entries) for b in reversed(batches)),
        )
    assert len(await store.incidents()) == 30


def test_two_workers_that_start_together_migrate_once(url: str) -> None:
    failures: list[Exception] = []

    def start() -> None:
        try:
            upgrade(url)
        except StoreError as error:
            failures.append(error)

    workers = [threading.Thread(target=start) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert head_is_current(url)


async def test_a_worker_goes_on_while_another_version_migrates(url: str, store: Store) -> None:
    await put(store, incident())
    assert await store.matters() == []
    await asyncio.to_thread(downgrade, url, "0001")
    await asyncio.to_thread(upgrade, url)
    assert await store.matters() == []
    assert [it.id for it in await store.incidents()] == [ID]


async def test_connections_that_the_server_ended_are_made_anew(url: str, store: Store, server: Postgres) -> None:
    await put(store, incident())
    other = await server.connect("postgres")
    ended = await other.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", make_url(url).database
    )
    await other.close()
    assert ended
    assert [it.id for it in await store.incidents()] == [ID]


async def test_a_server_that_lives_in_another_zone_changes_no_moment(url: str, store: Store, server: Postgres) -> None:
    database = make_url(url).database
    other = await server.connect("postgres")
    await other.execute(f"ALTER DATABASE \"{database}\" SET timezone = 'Asia/Kathmandu'")
    await other.close()
    async with opened(url) as there:
        await put(there, incident(mitigated_at=later(31)))
        [row] = await there.incidents(opened_since=NINE)
        assert (row.opened_at, row.mitigated_at) == (NINE, later(31))
        assert row.opened_at.utcoffset() == timedelta()
        assert await there.incidents(opened_since=later(0.01)) == []


async def test_our_connections_are_known_by_their_name(store: Store, url: str, server: Postgres) -> None:
    await store.incidents()
    other = await server.connect("postgres")
    names = await other.fetch(
        "SELECT application_name FROM pg_stat_activity WHERE datname = $1", make_url(url).database
    )
    await other.close()
    assert {row[0] for row in names} == {"allclear"}


async def test_options_as_libpq_writes_them_are_understood(url: str) -> None:
    upgrade(f"{url}?sslmode=prefer")
    async with opened(f"{url}?sslmode=prefer&application_name=a%20worker") as store:
        assert await store.incidents() == []
    async with opened(f"{url}?sslmode=require") as store:
        with trouble("rejected SSL upgrade"):
            await store.incidents()


async def test_a_wrong_password(url: str) -> None:
    wrong = make_url(url).set(password="hunter2").render_as_string(hide_password=False)
    async with opened(wrong) as store:
        with trouble(r"^the store allclear_\d+_\d+ on 127.0.0.1 refused the login$"):
            await store.incidents()
    with trouble("refused the login"):
        upgrade(wrong)


async def test_a_role_and_a_database_that_are_not_there(url: str) -> None:
    nobody = make_url(url).set(username="nobody").render_as_string(hide_password=False)
    async with opened(nobody) as store:
        with trouble("refused the login"):
            await store.incidents()
    nowhere = make_url(url).set(database="nowhere").render_as_string(hide_password=False)
    async with opened(nowhere) as store:
        with trouble("^the store nowhere on 127.0.0.1 does not exist on that server$"):
            await store.incidents()


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        async with opened(f"postgresql://allclear@127.0.0.1:{taken.getsockname()[1]}/allclear") as store:
            with trouble("cannot be reached: Connection refused"):
                await store.incidents()


async def test_a_server_that_takes_the_connection_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "CONNECTED", timedelta(seconds=0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with opened(f"postgresql://allclear@127.0.0.1:{silent.getsockname()[1]}/allclear") as store:
            with trouble("cannot be reached: no answer in time"):
                await store.incidents()


async def test_not_migrated(url: str) -> None:
    async with opened(url) as store:
        with trouble("lacks what this version needs: run `allclear migrate`"):
            await store.incidents()


async def test_read_only(url: str, store: Store, server: Postgres) -> None:
    other = await server.connect("postgres")
    await other.execute(f'ALTER DATABASE "{make_url(url).database}" SET default_transaction_read_only = on')
    await other.close()
    async with opened(url) as standby:
        assert await standby.incidents() == []
        with trouble("is read-only"):
            await put(standby, incident())


async def test_no_connection_is_left(url: str, store: Store, server: Postgres) -> None:
    other = await server.connect("postgres")
    await other.execute(f'ALTER DATABASE "{make_url(url).database}" CONNECTION LIMIT 0')
    await other.close()
    async with opened(url) as one_too_many:
        with trouble("has no connection left"):
            await one_too_many.incidents()


async def test_a_store_written_by_a_newer_version_is_left_alone(url: str, server: Postgres) -> None:
    upgrade(url)
    other = await server.connect(str(make_url(url).database))
    await other.execute("UPDATE alembic_version SET version_num = '9999'")
    await other.close()
    assert not head_is_current(url)
    with trouble("cannot be migrated: .*9999.*older AllClear"):
        upgrade(url)


async def test_a_migration_that_fails_leaves_nothing_behind(url: str, server: Postgres) -> None:
    other = await server.connect(str(make_url(url).database))
    try:
        await other.execute("CREATE TABLE outbox (what TEXT)")
        with trouble("already exists"):
            upgrade(url)
        tables = await other.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await other.close()
    assert [row[0] for row in tables] == ["outbox"]


def test_a_driver_that_is_not_installed_is_named() -> None:
    with trouble("needs the Python package psycopg2 for postgresql"):
        open_store("postgresql+psycopg2://allclear@127.0.0.1/allclear")
