"""`allclear up` as a process of its own, as a person runs it."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DEADLINE = 30.0
"""Seconds for anything to happen, on a machine that is busy with other tests."""

_COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started deaf to it
import asyncio
from rich.console import Console
from cli.finish import finish
from cli.up import up
from worker.settings import Settings
finish(asyncio.run(up(Settings(), Console())))
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    """Return what `condition` returns, once that is something."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {DEADLINE:g} s: {what}")


class Up:
    """A running `allclear up`."""

    def __init__(self, data: Path, **more: str) -> None:
        names = {name: value for name, value in os.environ.items() if not name.startswith("ALLCLEAR_")}
        ports = {f"ALLCLEAR_{name}_PORT": "0" for name in ("GATEWAY", "TEMPORAL", "UI")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND],
            env={**names, **ports, "ALLCLEAR_DATA": str(data), **more},
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def says(self, pattern: str) -> re.Match[str]:
        """Return the first match in what it has said, once there is one."""

        def look() -> re.Match[str] | None:
            found = re.search(pattern, self.said, re.MULTILINE)
            assert found or self.process.poll() is None, f"it ended without {pattern!r}:\n{self.said}"
            return found

        found: re.Match[str] = until(look, f"{pattern!r} in:\n{self.said}")
        return found

    @property
    def gateway(self) -> str:
        return self.says(r"^ +Gateway +(http://\S+)$")[1]

    def ended(self, how: signal.Signals | None = None) -> int:
        """Return its exit status, after `how`."""
        if how is not None:
            self.process.send_signal(how)
        status = self.process.wait(DEADLINE)
        self._reading.join(DEADLINE)
        return status


async def eventually(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Return what `condition` returns, once that is something."""
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                if found := await condition():
                    return found
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {DEADLINE:g} s: {what}") from None


@contextmanager
def running(data: Path, **more: str) -> Iterator[Up]:
    """Run it in this block; it is killed if the block leaves it."""
    up = Up(data, **more)
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.process.kill()
        up.ended()


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has buried yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
