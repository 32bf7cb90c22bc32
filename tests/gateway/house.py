"""What the tests of the gateway stand on: an organisation, a gateway for it, and eyes into Temporal."""

import asyncio
import json
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx2 as httpx
from fastapi import FastAPI
from temporalio.client import Client
from temporalio.service import RPCError

from gateway.app import make_app
from link.client import connect
from model.catalogue.catalog import Catalog
from model.catalogue.plan import plan_for
from model.incident import AlarmFact, Incident
from store import Store

SECRET = "a secret of the tests"
TOKEN = "a token of the tests"
ALARM = {"alarm": "errors", "service": "checkout-api", "region": "eu-west", "state": "ALARM"}
REPORT = {"service": "checkout-api", "region": "eu-west", "source": "case", "customer": "acme"}

T = TypeVar("T")


@dataclass
class House:
    """One organisation with a partition of its own, so that tests can share a server."""

    client: Client
    store: Store
    catalog: Catalog
    partition: str

    def app(self, **options: Any) -> FastAPI:
        given = {"public_url": "http://127.0.0.1:8600", "token": "", **options}
        return make_app(
            client=given.pop("client", self.client),
            catalog=lambda: self.catalog,
            store=self.store,
            secret=SECRET,
            **given,
        )

    @asynccontextmanager
    async def gateway(
        self,
        sender: tuple[str, int] = ("127.0.0.1", 5000),
        base: str = "http://127.0.0.1:8600",
        **options: Any,
    ) -> AsyncIterator[httpx.AsyncClient]:
        """Yield a client of the gateway, as if it were called from `sender`."""
        transport = httpx.ASGITransport(self.app(**options), client=sender, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=base) as http:
            yield http

    async def signals(self, partition: str = "") -> list[tuple[str, Any]]:
        """Return the signals a partition's `Detection` was given, in their order."""
        handle = self.client.get_workflow_handle(f"detection/{partition or self.partition}")
        try:
            history = await handle.fetch_history()
        except RPCError:
            return []
        taken = [e.workflow_execution_signaled_event_attributes for e in history.events]
        return [(s.signal_name, json.loads(s.input.payloads[0].data)) for s in taken if s.signal_name]

    async def alarms(self, partition: str = "") -> list[dict[str, Any]]:
        return [payload for name, payload in await self.signals(partition) if name == "alarm"]


def new_name(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:8]}"


def an_incident(catalog: Catalog, **facts: Any) -> Incident:
    """Return an incident of checkout-api as `Detection` would open it now."""
    now = datetime.now(UTC)
    letters = uuid.uuid4().hex[:8].upper().translate(str.maketrans("01", "XY"))
    fact = AlarmFact(
        alarm="errors", service="checkout-api", region="eu-west", metric="error-rate", since=now, severity=2
    )
    given: dict[str, Any] = {
        "id": f"INC-20260302-{letters}",
        "title": "Payments fail",
        "severity": 2,
        "opened_at": now,
        "alarms": {fact.key: fact},
        "services": ["checkout-api"],
        "regions": ["eu-west"],
        "plan": plan_for(catalog, services=["checkout-api"], at=now),
        **facts,
    }
    return Incident(**given)


async def record(store: Store, it: Incident) -> None:
    """Put an incident into the record as its workflow does: without its plan."""
    hidden = {"timeline", "plan", "policy", "owed", "answers"}
    await store.record(it.model_dump(mode="json", exclude=hidden), it.timeline)


async def nowhere() -> Client:
    """Return a client of a server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return await connect(f"127.0.0.1:{port}", "default", secret=SECRET, lazy=True)


async def until(look: Callable[[], Awaitable[T | None]], within: float = 30) -> T:
    """Look until there is something to see."""
    end = time.monotonic() + within
    while not (seen := await look()):
        assert time.monotonic() < end, f"nothing came within {within:g} s"
        await asyncio.sleep(0.02)
    return seen
