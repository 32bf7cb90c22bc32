"""The embedded server: ours alone, kept, and started again."""

import asyncio
import os
import re
import signal
import socket
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from link import attributes
from model.text import Refused
from tests.worker.conftest import NAMESPACE
from tests.worker.processes import alive, eventually
from worker import embedded
from worker.embedded import PID, RETENTION, Embedded, free_port, keep_closed, locked, retention, running_at

heavy = pytest.mark.heavy


async def _two(said: list[str]) -> bool:
    return len(said) == 2


async def client_of(server: Embedded, namespace: str = NAMESPACE) -> Client:
    return await Client.connect(server.address, namespace=namespace)


@heavy
async def test_it_serves_a_namespace_as_we_need_it(server: Embedded) -> None:
    client = await client_of(server)
    assert await retention(client) == RETENTION
    assert await attributes.missing(client) == []
    assert re.fullmatch(r"127\.0\.0\.1:\d+", server.address)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.ui_url)


@heavy
async def test_retention_is_lengthened_never_shortened(server: Embedded) -> None:
    client = await client_of(server, "default")
    before = await retention(client)
    await keep_closed(client, timedelta(hours=1))
    assert await retention(client) == before
    await keep_closed(client, before + timedelta(days=1))
    assert await retention(client) == before + timedelta(days=1)


@heavy
async def test_what_it_kept_is_there_after_a_stop_and_after_a_kill(tmp_path: Path) -> None:
    server = Embedded(tmp_path, NAMESPACE)
    await server.start()
    try:
        address = server.address
        assert running_at(tmp_path) == address
        handle = await (await client_of(server)).start_workflow("Sleeper", id="sleeper", task_queue="nobody")

        await server.stop()
        assert running_at(tmp_path) is None
        assert server.pid is None

        await server.start()
        assert server.address == address
        assert (await handle.describe()).close_time is None

        said: list[str] = []
        keeping = asyncio.create_task(server.keep(said.append))
        killed = server.pid
        assert killed
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda: _two(said), "it is back")
        assert "ended by itself (status -9)" in said[0]
        assert "is back" in said[1]
        assert server.pid != killed
        assert (await handle.describe()).close_time is None
        keeping.cancel()
    finally:
        await server.stop()


@heavy
async def test_a_second_one_on_the_same_folder_is_refused(server: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "GRACE", timedelta(seconds=0.2))
    folder = server._folder
    with pytest.raises(Refused, match=rf"a Temporal server \(process {server.pid}\) runs here"):
        await Embedded(folder, NAMESPACE).start()
    assert running_at(folder) == server.address
    assert server.pid
    assert alive(server.pid)


async def test_a_taken_port_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port} .*ALLCLEAR_TEMPORAL_PORT"):
            await Embedded(tmp_path, NAMESPACE, port=port).start()
        with pytest.raises(Refused, match=f"port {port} .*ALLCLEAR_UI_PORT"):
            await Embedded(tmp_path, NAMESPACE, ui_port=port).start()
    assert free_port(port, "X") == port


@heavy
async def test_a_port_taken_at_the_last_moment_is_not_mistaken_for_ours(
    tmp_path: Path, server: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = int(server.address.rpartition(":")[2])
    offered = iter([taken])
    monkeypatch.setattr(embedded, "free_port", lambda wanted, _: wanted or next(offered, free_port(0, "")))
    other = Embedded(tmp_path, NAMESPACE, port=taken, ui_port=free_port(0, ""))
    with pytest.raises(Refused, match=r"did not start: .*can't set frontend port .*already in use"):
        await other.start()
    assert other.pid is None

    another = Embedded(tmp_path, NAMESPACE)
    await another.start()
    assert another.address != server.address
    await another.stop()
    assert (await retention(await client_of(server))) == RETENTION


@heavy
async def test_a_damaged_file_is_said_in_the_servers_words(tmp_path: Path) -> None:
    (tmp_path / "temporal.db").write_text("not a database " * 100)
    server = Embedded(tmp_path, NAMESPACE)
    with pytest.raises(Refused, match=r"did not start: .*file is not a database"):
        await server.start()
    assert server.pid is None


@heavy
async def test_a_server_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Embedded(tmp_path, NAMESPACE)
    await server.start()
    pid = server.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)  # it cannot hear us
    monkeypatch.setattr(embedded, "GRACE", timedelta(seconds=0.2))
    await server.stop()
    assert not alive(pid)
    with pytest.raises((RuntimeError, RPCError)):
        await client_of(server)


def test_a_lock_is_held_once_and_free_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "it.lock"
    for _ in range(2):
        with locked(path, "taken"), pytest.raises(Refused, match=f"^{os.getpid()} has it$"):
            locked(path, f"{PID} has it").__enter__()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="ALLCLEAR_DATA"), locked(tmp_path / "file" / "it.lock", "taken"):
        pass


def test_where_it_runs_is_nowhere_when_the_file_is_broken(tmp_path: Path) -> None:
    for text in ("", "{}", "[]", "nonsense"):
        (tmp_path / "temporal.json").write_text(text)
        assert running_at(tmp_path) is None
