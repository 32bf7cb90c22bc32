"""Small real servers on free loopback ports."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@dataclass
class Page:
    """What a web server answers; `after` seconds, or never when it is None."""

    text: str = "ok"
    status: int = 200
    kind: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)
    after: float | None = 0.0


@asynccontextmanager
async def web(answer: Callable[[str, str], Page], secured: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run a web server that answers a request line and a body; yield `host:port`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
            page = answer(lines[0], (await reader.readexactly(length)).decode())
            if page.after is None:
                await reader.read()  # until the other side gives up
                return
            await asyncio.sleep(page.after)
            body = page.text.encode()
            headers = {"Content-Type": page.kind, "Content-Length": str(len(body)), "Connection": "close"}
            told = "".join(f"{name}: {value}\r\n" for name, value in {**headers, **page.headers}.items())
            writer.write(f"HTTP/1.1 {page.status} Word\r\n{told}\r\n".encode() + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secured)
    try:
        yield f"localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def closed() -> AsyncIterator[str]:
    """Yield an address at which nobody listens."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    yield f"localhost:{port}"


class _Names(asyncio.DatagramProtocol):
    def __init__(self, names: dict[tuple[str, str], list[str]]) -> None:
        self._names = names

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = dns.message.from_wire(data)
        (question,) = asked.question
        name, kind = str(question.name).removesuffix("."), question.rdtype.name
        if name == "silent.test":
            return
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        if not any(known == name for known, _ in self._names):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif records := self._names.get((name, kind)):
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def names(known: dict[tuple[str, str], list[str]]) -> AsyncIterator[str]:
    """Run a name server that knows `(name, type) → records` and never answers for silent.test; yield `host:port`."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Names(known), local_addr=("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()
