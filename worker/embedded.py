"""The embedded Temporal server: one process, one file, for one machine."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from link import attributes
from model.text import Refused
from worker.binaries import binary

FLAGS = [
    "--sqlite-pragma",
    "journal_mode=WAL",
    "--sqlite-pragma",
    "synchronous=NORMAL",
    "--dynamic-config-value",
    "history.transferProcessorMaxPollRPS=100",
    "--dynamic-config-value",
    "history.maxInFlightUpdatePayloads=1900000",
]
"""Six times the throughput and a fifth of the latency of its defaults (facts-temporal §9).

The last one: a worker answers an update by repeating it, and may not send more than 2 MiB. A larger update would be
given to it again and again, and nothing else would reach the process (tried: one of 2.5 MB stopped a `Detection`).
"""
HOST: Final = "127.0.0.1"
"""It has no authentication, so nobody but this machine may reach it."""
WHERE: Final = "temporal.json"
"""File that says where it runs, while it does: for commands, whatever its port."""
RETENTION: Final = timedelta(days=90)
"""How long closed processes can still be opened in the Web UI; its own default is a day."""
BOOT: Final = timedelta(seconds=30)
"""How long it may take to serve; it takes half a second where the machine is idle."""
GRACE: Final = timedelta(seconds=10)
"""How long it may take to stop before it is killed, and how long an earlier run may: a second is usual."""
STEADY: Final = 10.0
"""Seconds after which a server that ends is no longer one that cannot start."""
LONGEST_PAUSE: Final = 30.0
"""Seconds between attempts to start it again, at most."""

# The server must not outlive a killed parent, or it would keep ports and file. On Linux the kernel tells it.
_UNTIL_PARENT_ENDS: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""

PID: Final = "{pid}"
"""Stands for the holder of a lock."""

IN_USE: Final = "address already in use"
"""What the server says when somebody else has its port."""

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: Path, otherwise: str) -> Iterator[int]:
    """Hold a lock file in this block. The kernel frees it when the process ends, however it does.

    Args:
        path: The file; made, with its folder, where it is not there.
        otherwise: What to say when somebody else has it; `PID` in it is who.

    Yields:
        The file's descriptor: a process that inherits it holds the lock, too.

    Raises:
        Refused: Somebody else has it, or the file cannot be made.
    """
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)  # pages, with their links, are kept here
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Refused(f"{path}: cannot be written ({error.strerror}); set ALLCLEAR_DATA") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 20, 0).decode(errors="replace") or "?"
            raise Refused(otherwise.replace(PID, holder)) from None
        note_pid(file, os.getpid())
        yield file
    finally:
        os.close(file)


def note_pid(lock: int, pid: int) -> None:
    """Say in a lock file who holds it."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(pid).encode(), 0)


def free_port(wanted: int, setting: str) -> int:
    """Return a port nobody listens on: the wanted one, or any for 0.

    Raises:
        Refused: The wanted one is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            raise Refused(
                f"port {wanted} cannot be used ({error.strerror}); set {setting} to a free one, or 0 for any"
            ) from None
        port: int = probe.getsockname()[1]
        return port


class Embedded:
    """A server of our own; started again on the same ports, so that clients find it by themselves."""

    def __init__(self, folder: Path, namespace: str, *, port: int = 0, ui_port: int = 0) -> None:
        """Keep everything in `folder`; a port of 0 takes a free one, once."""
        self._folder = folder.absolute()
        self._where = self._folder / WHERE
        self._namespace = namespace
        self._ports = (port, ui_port)
        self._process: Process | None = None
        self._began = 0.0
        self._tail: deque[str] = deque(maxlen=50)
        self._reading: set[asyncio.Task[None]] = set()
        self._held = contextlib.ExitStack()
        self._lock = -1

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return f"{HOST}:{self._ports[0]}"

    @property
    def ui_url(self) -> str:
        """Where people reach its Web UI."""
        return f"http://{HOST}:{self._ports[1]}"

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Return when it serves, with its namespace as we need it.

        Raises:
            Refused: It cannot; the text says what to change.
        """
        try:
            self._lock = await self._its_turn()
            await self._boot_on(*self._ports)
            self._held.callback(self._where.unlink, missing_ok=True)
        except BaseException:
            await self.stop()
            raise

    async def keep(self, say: Callable[[str], None]) -> None:
        """Start it again whenever it ends, and `say` so; for as long as this is not cancelled."""
        pause = 0.0
        while self._process is not None:
            code = await self._process.wait()
            steady = time.monotonic() - self._began > STEADY
            pause = 0.0 if steady else min(max(2 * pause, 0.2), LONGEST_PAUSE)
            say(f"the Temporal server ended by itself (status {code}{self._last_words()}); starting it again")
            await asyncio.sleep(pause)
            try:
                await self._boot()
                say("the Temporal server is back")
            except (Refused, OSError) as error:
                say(str(error))

    async def stop(self) -> None:
        """End it in order, or after `GRACE` in any way; only ever the process started here."""
        process = self._process
        try:
            if process is not None and process.returncode is None:
                await self._end(process)
        finally:
            self._held.close()

    async def _its_turn(self) -> int:
        """Take the lock, which a server of an earlier, killed run holds until it has ended."""
        otherwise = f"{self._folder}: a Temporal server (process {PID}) runs here; end it, or set ALLCLEAR_DATA"
        deadline = time.monotonic() + GRACE.total_seconds()
        while True:
            try:
                return self._held.enter_context(locked(self._folder / "temporal.lock", otherwise))
            except Refused:
                if time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(0.05)

    async def _end(self, process: Process) -> None:
        process.terminate()
        try:
            async with asyncio.timeout(GRACE.total_seconds()):
                await process.wait()
        except TimeoutError:
            logger.warning("the Temporal server did not stop within %s; killing it", GRACE)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    async def _boot_on(self, port: int, ui_port: int) -> None:
        """Start on these ports; one that was free, and taken a moment later, is replaced by another."""
        for left in (2, 1, 0):
            self._ports = free_port(port, "ALLCLEAR_TEMPORAL_PORT"), free_port(ui_port, "ALLCLEAR_UI_PORT")
            try:
                return await self._boot()
            except Refused as refused:
                if not left or (port and ui_port) or IN_USE not in str(refused):
                    raise

    async def _boot(self) -> None:
        """Start the process and wait until it, and nobody else on its port, serves."""
        self._tail.clear()
        self._began = time.monotonic()
        process = self._process = await self._spawn()
        try:
            async with asyncio.timeout(BOOT.total_seconds()):
                # Its first words come once it has all its ports: before, somebody else may answer on them.
                if process.stdout is None or not await process.stdout.readline():
                    await process.wait()
                    raise Refused(f"the Temporal server did not start{self._last_words()}")
                self._follow(process.stdout, deque(maxlen=0))
                await self._prepare(process)
            told = {"address": self.address, "ui": self.ui_url, "pid": process.pid}
            self._where.write_text(json.dumps(told), encoding="utf-8")
        except TimeoutError:
            await self._end(process)
            raise Refused(
                f"the Temporal server does not serve after {BOOT.total_seconds():g} s{self._last_words()}"
            ) from None

    async def _spawn(self) -> Process:
        command = [binary("temporal"), "server", "start-dev", *self._options()]
        if sys.platform == "linux":
            command = [sys.executable, "-ISc", _UNTIL_PARENT_ENDS, str(os.getpid()), *command]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,  # Ctrl-C is for us; it is stopped in its turn
            pass_fds=[self._lock],  # until it has ended, the next run waits
        )
        note_pid(self._lock, process.pid)
        if process.stderr is not None:
            self._follow(process.stderr, self._tail)
        return process

    def _options(self) -> list[str]:
        port, ui_port = self._ports
        return [
            *("--ip", HOST, "--port", str(port), "--ui-port", str(ui_port), "--ui-disable-news-fetch"),
            *("--namespace", self._namespace, "--db-filename", str(self._folder / "temporal.db")),
            *("--log-level", "error", *FLAGS),
            *("--dynamic-config-value", "frontend.enableServerVersionCheck=false"),  # it would ask the internet
        ]

    def _follow(self, stream: asyncio.StreamReader, kept: deque[str]) -> None:
        async def read() -> None:
            async for line in stream:
                text = line.decode(errors="replace").strip()
                kept.append(text)
                logger.debug("temporal: %s", text)

        task = asyncio.create_task(read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def _last_words(self) -> str:
        said = [line for line in self._tail if line.startswith("Error:")] or list(self._tail)
        return f": {said[-1][:300]}" if said else ""

    async def _prepare(self, process: Process) -> None:
        """Wait until the namespace answers, then give it its retention and its search attributes."""
        while process.returncode is None:
            try:
                client = await Client.connect(self.address, namespace=self._namespace)
                await keep_closed(client, RETENTION)
                await attributes.register(client, await attributes.missing(client))
                return
            except (RPCError, RuntimeError) as error:
                logger.debug("the Temporal server does not serve yet: %s", error)
                await asyncio.sleep(0.05)
        raise Refused(f"the Temporal server did not start{self._last_words()}")


def running_at(folder: Path) -> str | None:
    """Return the address of the embedded server that runs on a data folder; None where none does."""
    try:
        told = json.loads((folder / WHERE).read_text(encoding="utf-8"))
        return str(told["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def retention(client: Client) -> timedelta:
    """Return how long the namespace keeps closed processes."""
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    return described.config.workflow_execution_retention_ttl.ToTimedelta()


async def keep_closed(client: Client, at_least: timedelta) -> None:
    """Let the namespace keep closed processes that long, if it keeps them shorter."""
    if await retention(client) >= at_least:
        return
    ttl = Duration()
    ttl.FromTimedelta(at_least)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(namespace=client.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=ttl))
    )
    if (kept := await retention(client)) < at_least:
        raise RuntimeError(f"the namespace keeps closed processes {kept}, not {at_least}")
