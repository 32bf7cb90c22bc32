"""The three programs of an installation: each in a process group of its own, killed, and started again."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from link.starting import QUEUE

NAMESPACE = "TEMPORAL_NAMESPACE"
ROOT = Path(__file__).parents[2]
RESTART = 0.2
"""Seconds until a program that ended is started again, as a service manager does."""

_SERVER = """
import asyncio, sys
from pathlib import Path
from worker.embedded import Embedded

async def main():
    server = Embedded(Path(sys.argv[1]), sys.argv[2], port=int(sys.argv[3]), ui_port=int(sys.argv[4]))
    await server.start()
    print(f"Serving, process {server.pid}.", flush=True)
    await server.keep(lambda line: print(f"{line} (process {server.pid})", flush=True))

asyncio.run(main())
"""


async def eventually(condition: Callable[[], Awaitable[Any]], what: str, within: float) -> Any:
    """Return what `condition` returns, once that is something."""
    try:
        async with asyncio.timeout(within):
            while True:
                if found := await condition():
                    return found
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {what}") from None


def free_ports(count: int) -> list[int]:
    """Return ports that stay free while nobody listens on them.

    Below those the kernel gives to outgoing connections: one of them could take the port of a server that
    has just been killed.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found += [port] if port not in found else []
    return found


class Program:
    """A program that is started again whenever it ends."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], folder: Path, ready: str) -> None:
        """Run `command`; it serves once it has said `ready`. What it says is kept in `folder`."""
        self.name = name
        self.starts = 0
        self._command = command
        self._env = env
        self._log = folder / f"{name}.log"
        self._ready = ready.encode()
        self._from = 0
        self._process: Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, and again whenever it ends."""
        self._log.touch()
        self._supervisor = asyncio.create_task(self._supervise())

    async def _supervise(self) -> None:
        while True:
            self._from = self._log.stat().st_size
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    env=self._env,
                    cwd=ROOT,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self.starts += 1
            await self._process.wait()
            await asyncio.sleep(RESTART)

    async def serves(self) -> bool:
        """Whether this life of it has said that it serves."""
        return bool(self.pid) and self._ready in self._words()

    @property
    def pid(self) -> int:
        """Its process, which leads its group; 0 while there is none."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    def kill(self) -> str:
        """Kill its group at once, as the kernel does when memory ends; return what was hit, or nothing."""
        if not (pid := self.pid):
            return ""
        hit = f"{self.name} {pid}" + ("" if self._ready in self._words() else ", starting")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return hit

    async def end(self) -> None:
        """End it for good, and everything of it."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait({self._supervisor})
        self.kill()
        if self._process is not None:
            await self._process.wait()

    def last_words(self, lines: int = 15) -> str:
        """Return the end of what it said in all its lives."""
        said = self._log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"--- {self.name} ({self.starts} lives)", *said])

    def _words(self) -> bytes:
        with self._log.open("rb") as log:
            log.seek(self._from)
            return log.read()


class Server(Program):
    """The embedded server, with its own keeper, which starts it again by itself."""

    def __init__(self, namespace: str, ports: tuple[int, int], env: Mapping[str, str], folder: Path) -> None:
        self._data = folder / "temporal"
        options = [str(self._data), namespace, *(str(port) for port in ports)]
        super().__init__("server", [sys.executable, "-c", _SERVER, *options], env, folder, "Serving")

    def kill(self) -> str:
        """Kill the server; its keeper lives and starts another."""
        if not (pid := self._pid()):
            return ""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return f"{self.name} {pid}"

    def kill_with_keeper(self) -> str:
        """Kill both, the server first: it would end in order when its keeper has gone."""
        hits = [hit for hit in (self.kill(), super().kill()) if hit]
        return " with its keeper, ".join(hits)

    async def end(self) -> None:
        """End both for good; a server that was just being started ends with its keeper."""
        self.kill_with_keeper()
        await super().end()
        await eventually(self._gone, "the server ends", 30)

    async def _gone(self) -> bool:
        self.kill()
        return not self._pid()

    def _pid(self) -> int:
        """Return the process that has our file open, none of anybody else's."""
        try:
            pid = int((self._data / "temporal.lock").read_text() or 0)
            named = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, ValueError):
            return 0
        ours = str(self._data / "temporal.db").encode() in named
        return pid if ours and state != "Z" and os.getpgid(pid) == pid else 0


class Worker(Program):
    """A worker serves once Temporal knows that it asks for work."""

    def __init__(self, command: Sequence[str], address: str, env: Mapping[str, str], folder: Path) -> None:
        super().__init__("worker", command, env, folder, "Working for")
        self._address = address
        self._client: Client | None = None

    async def serves(self) -> bool:
        """Whether the process of this life asks for work."""
        if not await super().serves():
            return False
        try:
            self._client = self._client or await Client.connect(self._address, namespace=self._env[NAMESPACE])
            asked = DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=QUEUE),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
            found = await self._client.workflow_service.describe_task_queue(asked, timeout=timedelta(seconds=1))
        except (RPCError, RuntimeError):
            return False
        return any(poller.identity.startswith(f"{self.pid}@") for poller in found.pollers)
