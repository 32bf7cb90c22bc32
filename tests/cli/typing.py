"""Typing `allclear …`, in this process and as a person does."""

import asyncio
import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client

from cli.main import allclear

TOP = Path(__file__).parents[2]
PATIENCE = 20.0
"""Seconds in which something must come true, on a machine that is busy with other tests."""


@dataclass
class Typed:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*words: str) -> Typed:
    """Type a command here; in a thread, because a command has a loop of its own."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_run, words).result()


def _run(words: tuple[str, ...]) -> Typed:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = allclear(words)
    return Typed(code, out.getvalue(), err.getvalue())


def run_for_real(*words: str) -> Typed:
    """Type a command as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words], cwd=TOP, capture_output=True, text=True, timeout=100, check=False
    )
    return Typed(done.returncode, done.stdout, done.stderr)


@dataclass
class House:
    """A house that is up."""

    client: Client

    async def run(self, *words: str) -> Typed:
        """Type a command while the worker in this process goes on."""
        return await asyncio.to_thread(_run, words)

    async def done(self, *words: str) -> str:
        """Type a command that must succeed, and return what it says."""
        typed = await self.run(*words)
        assert typed.code == 0, typed.err
        return typed.out

    async def until(self, *words: str, fits: Callable[[Typed], bool]) -> Typed:
        """Type a command again and again until what it says fits."""
        async with asyncio.timeout(PATIENCE):
            while True:
                typed = await self.run(*words)
                if fits(typed):
                    return typed
                await asyncio.sleep(0.05)
