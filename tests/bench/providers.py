"""`python -m tests.bench.providers`: providers of pages in a process of their own, each well, slow or silent.

Real servers behind the real connectors. The clock is the system's monotonic one, the same in every process.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from activities.paging import Pager
from activities.paging.apprise import ApprisePager
from activities.paging.smtp import SmtpPager
from activities.paging.webhook import WebhookPager
from activities.posting import WITHIN, Poster
from activities.smtp import Mailer
from model.catalogue.plan import Contact

Health = Literal["well", "slow", "silent"]
SLOW: Final = 10.0
"""Seconds that a slow provider takes for an answer: more than a page has."""
SILENT: Final = 3600.0
KEY: Final = "whsec_c2lnbnMgd2hhdCB0aGUgYmVuY2htYXJrIHNlbmRz"
CHANNELS: Final = ("webhook", "email", "push")


@dataclass
class Provider:
    """Answers HTTP and SMTP after a while; keeps when it took the page of whom."""

    wait: float = 0.0
    reached: dict[str, float] = field(default_factory=dict)
    open: int = 0
    most: int = 0

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._connected(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(line[15:] for line in head.lower().split("\r\n") if line.startswith("content-length:"))
            await reader.readexactly(int(length))
            person = head.split(" ")[1].strip("/").partition("/")[0]
            if self.wait >= SILENT:
                await reader.read()  # until the other side gives up
            await self._take(person)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()

    async def smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._connected(writer):
            if self.wait >= SILENT:
                await reader.read()
            person = ""
            writer.write(b"220 here\r\n")
            while line := (await reader.readline()).decode().strip():
                word = line[:4].upper()
                if word == "RCPT":
                    person = line.partition("<")[2].partition("@")[0]
                if word == "DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    await self._take(person)
                writer.write(b"221 bye\r\n" if word == "QUIT" else b"250 fine\r\n")
                await writer.drain()
                if word == "QUIT":
                    return

    async def _take(self, person: str) -> None:
        """Take a page; who waits too long for the answer has given it up."""
        if self.wait:
            await asyncio.sleep(self.wait)
        self.reached.setdefault(person, time.perf_counter())

    @contextlib.contextmanager
    def _connected(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                yield
        finally:
            self.open -= 1
            writer.close()


async def _serve() -> None:
    """Serve until standard input ends; each line of it sets who is well, and is answered with what was reached."""
    three = {channel: Provider() for channel in CHANNELS}
    ports = {}
    servers = []
    for channel, it in three.items():
        server = await asyncio.start_server(it.smtp if channel == "email" else it.http, "127.0.0.1", 0, backlog=2000)
        servers.append(server)
        ports[channel] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        for channel, health in json.loads(line).items():
            three[channel].wait = {"well": 0.0, "slow": SLOW, "silent": SILENT}[health]
            three[channel].reached.clear()
            three[channel].most = three[channel].open
        print(json.dumps({c: {"reached": it.reached, "most": it.most} for c, it in three.items()}), flush=True)
    os._exit(0)


@dataclass
class Providers:
    """Three providers, seen from the outside."""

    ports: Mapping[str, int]
    process: asyncio.subprocess.Process
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def pagers(self, within: timedelta = WITHIN) -> dict[str, Pager]:
        """Return the connectors, as the settings would make them."""
        mailer = Mailer("127.0.0.1", self.ports["email"], "AllClear <a@bench.test>", tls="none", within=within)
        url = f"json://127.0.0.1:{self.ports['push']}/{{address}}"
        return {
            "webhook": WebhookPager([KEY], Poster(within)),
            "email": SmtpPager(mailer),
            "push": ApprisePager("push", url, within),
        }

    def contact(self, channel: str, person: str) -> Contact:
        """Return how somebody is reached over a channel."""
        address = {
            "webhook": f"http://127.0.0.1:{self.ports['webhook']}/{person}",
            "email": f"{person}@bench.test",
            "push": person,
        }
        return Contact(channel=channel, address=address[channel])

    async def become(self, health: Mapping[str, Health]) -> None:
        """Set how some of them are, from now on; what they took is forgotten."""
        await self._ask(health)

    async def reached(self) -> dict[str, float]:
        """Return who was reached first when, over whichever channel."""
        first: dict[str, float] = {}
        for it in (await self._ask({})).values():
            for person, at in it.reached.items():
                first[person] = min(at, first.get(person, at))
        return first

    async def most(self) -> dict[str, int]:
        """Return how many connections each had at once."""
        return {channel: it.most for channel, it in (await self._ask({})).items()}

    async def _ask(self, health: Mapping[str, Health]) -> dict[str, Provider]:
        async with self.turn:
            assert self.process.stdin
            assert self.process.stdout
            self.process.stdin.write(json.dumps(dict(health)).encode() + b"\n")
            await self.process.stdin.drain()
            told = json.loads(await self.process.stdout.readline())
            return {channel: Provider(**it) for channel, it in told.items()}


@asynccontextmanager
async def providers() -> AsyncIterator[Providers]:
    """Start three providers that are well."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.providers",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
    )  # fmt: skip
    try:
        assert process.stdout
        yield Providers(json.loads(await process.stdout.readline()), process)
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
