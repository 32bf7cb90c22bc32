"""Serves an application inside another program: no signal handlers, a known port, an orderly end."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from model.text import Refused

GRACE = 10
"""Seconds that requests under way may take to end: an intake answers within ten."""
BACKLOG = 2048
"""Connections the kernel keeps for us in an alarm storm."""


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Return the address for a browser on the same machine."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
        host = everywhere.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


@asynccontextmanager
async def serve(app: ASGIApp, host: str, port: int) -> AsyncIterator[Address]:
    """Serve until the block is left, or cancelled: then no new connection, and what is under way ends first.

    Args:
        app: The application.
        host: A name or address of this machine.
        port: 0 takes a free one.

    Raises:
        Refused: The address cannot be listened on.
    """
    listening = _listen(host, port)
    server = _Quiet(
        uvicorn.Config(
            app,
            log_config=None,  # the program that embeds us decides about its logs
            access_log=False,  # it would keep the links of pages, which prove who opens them
            proxy_headers=False,  # the door must see who really connects
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACE,
        )
    )
    running = asyncio.create_task(server.serve([listening]))
    try:
        running.add_done_callback(lambda _: server.listening.set())
        await server.listening.wait()
        if running.done():
            await running
        yield Address(host, listening.getsockname()[1])
    finally:
        server.should_exit = True
        await _end(running)


class _Quiet(uvicorn.Server):
    """A server that leaves the signals to the program it is part of, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _end(running: asyncio.Task[None]) -> None:
    """Wait for the end, also when we are cancelled meanwhile: the server knows its own limit."""
    cancelled = False
    while not running.done():
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            if running.cancelled():
                break
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


def _listen(host: str, port: int) -> socket.socket:
    listening: socket.socket | None = None
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        # With its protocol: without, asyncio leaves Nagle's algorithm on, and every answer takes 40 ms more.
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
        return listening
    except OSError as error:
        if listening is not None:
            listening.close()
        reason = error.strerror or str(error)
        raise Refused(
            f"the gateway cannot listen on {host}:{port} ({reason}); "
            "set ALLCLEAR_GATEWAY_HOST and ALLCLEAR_GATEWAY_PORT (0 takes a free port)"
        ) from None
