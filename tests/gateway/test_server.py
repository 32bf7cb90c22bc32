"""The gateway on a real socket: it is found, it hears large senders out, and it ends in order."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway.bodies import LARGEST
from gateway.server import Address, serve
from model.text import Refused
from tests.gateway.house import ALARM, House


async def test_an_alarm_comes_in_over_a_real_socket(house: House) -> None:
    async with serve(house.app(), "127.0.0.1", 0) as address, httpx.AsyncClient() as http:
        answer = await http.post(f"{address.url}/alarms/allclear", json=ALARM)
        healthy = await http.get(f"{address.url}/healthz")
    assert (answer.status_code, healthy.status_code) == (202, 200)
    assert await house.alarms() == [ALARM]
    assert "server" not in answer.headers


async def test_who_sends_too_much_hears_why(house: House) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3 * LARGEST // 65536):
            yield b" " * 65536

    async with serve(house.app(), "127.0.0.1", 0) as address, httpx.AsyncClient() as http:
        answer = await http.post(f"{address.url}/alarms/allclear", content=chunks())
    assert answer.status_code == 413
    assert "5,120 KiB" in answer.json()["error"]


async def test_an_answer_waits_for_no_acknowledgement_of_the_other_side(house: House) -> None:
    async with serve(house.app(), "127.0.0.1", 0) as address, httpx.AsyncClient(base_url=address.url) as http:
        seconds = []
        for _ in range(11):
            began = time.perf_counter()
            await http.get("/nothing")
            seconds.append(time.perf_counter() - began)
    assert min(seconds[1:]) < 0.03, "with Nagle's algorithm on, an answer takes 0.04 s at least"


async def test_a_proxy_cannot_make_a_stranger_local(house: House) -> None:
    async with serve(house.app(), "127.0.0.1", 0) as address, httpx.AsyncClient() as http:
        answer = await http.get(f"{address.url}/metrics", headers={"X-Forwarded-For": "127.0.0.1"})
    assert answer.status_code == 403


class Slow:
    """An application whose answers wait for a word."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.came.set()
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})


async def test_a_server_that_is_cancelled_lets_requests_end_first() -> None:
    app = Slow()
    listening: asyncio.Future[Address] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        async with serve(app, "127.0.0.1", 0) as address:
            listening.set_result(address)
            await asyncio.Event().wait()

    running = asyncio.create_task(run())
    address = await listening
    async with httpx.AsyncClient() as http:
        asked = asyncio.create_task(http.get(address.url))
        await app.came.wait()
        running.cancel()
        await asyncio.sleep(0)
        app.go.set()
        assert (await asked).text == "done"
        with pytest.raises(asyncio.CancelledError):
            await running
        with pytest.raises(httpx.ConnectError):
            await http.get(address.url)


async def test_a_server_touches_no_signal_handler(house: House) -> None:
    before: list[Any] = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    async with serve(house.app(), "127.0.0.1", 0):
        assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before


async def test_a_port_that_is_taken_is_said_with_its_setting(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match="ALLCLEAR_GATEWAY_PORT"):
            async with serve(house.app(), "127.0.0.1", port):
                pass


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:7"), ("0.0.0.0", "http://127.0.0.1:7"), ("::", "http://[::1]:7")],
)
def test_an_address_can_be_opened(host: str, url: str) -> None:
    assert Address(host, 7).url == url
