"""A provider on a port of its own: keeps what it was sent, and answers what it is told to."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Says:
    """An answer.

    Attributes:
        after: Seconds before it comes; None: never.
        cut: The connection ends in the middle of it.
    """

    code: int = 200
    body: str | bytes = ""
    headers: dict[str, str] = field(default_factory=dict)
    after: float | None = 0
    cut: bool = False


HANGS = Says(after=None)
DROPS = Says(cut=True)


@dataclass
class Provider:
    """Answers with `answer`, after the ones in `first` have been used up."""

    answer: Says | Callable[[Request], Says] = field(default_factory=Says)
    first: list[Says] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await _read(reader)
            self.requests.append(request)
            self.arrived.set()
            says = self.first.pop(0) if self.first else self.answer
            await _write(writer, request, says(request) if callable(says) else says, reader)
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))


async def _write(writer: asyncio.StreamWriter, request: Request, says: Says, reader: asyncio.StreamReader) -> None:
    if says.after is None:
        await reader.read()  # until the other side gives up
        return
    await asyncio.sleep(says.after)
    body = says.body.encode() if isinstance(says.body, str) else says.body
    length = len(body) + (100 if says.cut else 0)
    lines = [f"HTTP/1.1 {says.code} Said", f"content-length: {length}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in says.headers.items()]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    writer.write(head if request.method == "HEAD" else head + body)
    await writer.drain()


@asynccontextmanager
async def serving(provider: Provider, tls: ssl.SSLContext | None = None) -> AsyncIterator[Provider]:
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, ssl=tls)
    provider.port = server.sockets[0].getsockname()[1]
    provider.scheme = "https" if tls else "http"
    try:
        yield provider
    finally:
        server.close()
