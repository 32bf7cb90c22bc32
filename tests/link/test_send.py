"""A person's message is sent until it is answered, under one id, and never longer than they wait (design §2)."""

import asyncio
import socket
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, Interceptor, OutboundInterceptor, StartWorkflowUpdateInput, WorkflowUpdateHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from link.client import connect
from link.send import Unreachable, send_update
from model.messages import Answer
from model.text import Refused


@workflow.defn(name="Listener")
class Listener:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.ended = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.ended)

    @workflow.update
    def note(self, x: dict[str, Any]) -> Answer:
        self.heard.append(x["text"])
        return Answer(text=f"noted as {len(self.heard)}")

    @note.validator
    def _may_note(self, x: dict[str, Any]) -> None:
        if not x["text"]:
            raise ApplicationError("say what you saw, for example {}", type="Refused")

    @workflow.signal
    def end(self) -> None:
        self.ended = True

    @workflow.query
    def all(self) -> list[str]:
        return self.heard


class Process:
    """A listener and its queue, which somebody serves or not."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.id = f"listener-{uuid.uuid4().hex[:8]}"

    async def begin(self) -> None:
        await self.client.start_workflow("Listener", id=self.id, task_queue=self.id)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        async with Worker(
            self.client, task_queue=self.id, workflows=[Listener], workflow_runner=UnsandboxedWorkflowRunner()
        ):
            yield

    async def say(self, client: Client | None = None, seconds: float = 20, **said: Any) -> str:
        deadline = timedelta(seconds=seconds)
        return (await send_update(client or self.client, self.id, "note", said, deadline=deadline)).text

    async def heard(self) -> list[str]:
        found: list[str] = await self.client.get_workflow_handle(self.id).query("all")
        return found


@pytest.fixture
async def process(client: Client) -> Process:
    it = Process(client)
    await it.begin()
    return it


class Losing(Interceptor):
    """Loses the first answers on their way back, as a broken connection does."""

    def __init__(self, lost: int, status: RPCStatusCode = RPCStatusCode.UNAVAILABLE) -> None:
        self.left, self.status = lost, status
        self.ids: list[str | None] = []

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        losing = self

        class Bound(OutboundInterceptor):
            async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
                handle = await super().start_workflow_update(input)
                losing.ids.append(input.update_id)
                if losing.left:
                    losing.left -= 1
                    raise RPCError("the connection broke", losing.status, b"")
                return handle

        return Bound(next)


def through(client: Client, losing: Losing) -> Client:
    config = client.config()
    config["interceptors"] = [*config["interceptors"], losing]
    return Client(**config)


async def test_a_message_is_answered(process: Process) -> None:
    async with process.served():
        assert await process.say(text="a") == "noted as 1"
        assert await process.say(text="b") == "noted as 2"


async def test_a_refusal_is_the_rules_own_sentence(process: Process) -> None:
    async with process.served():
        with pytest.raises(Refused, match=r"^say what you saw, for example \{\}$"):
            await process.say(text="")


async def test_without_a_worker_the_deadline_ends_it_with_a_clear_word(process: Process) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"no answer within 0\.4 s: no worker runs"):
        await process.say(text="a", seconds=0.4)
    assert 0.3 < time.monotonic() - began < 5


async def test_without_a_server_the_deadline_ends_it_with_its_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nowhere = await connect(f"127.0.0.1:{port}", "default", secret="s", lazy=True)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"no answer within 0\.4 s: .*connect"):
        await send_update(nowhere, "INC-X", "note", {}, deadline=timedelta(seconds=0.4))
    assert time.monotonic() - began < 5


async def test_somebody_who_stops_waiting_is_not_told_that_nobody_answered(process: Process) -> None:
    """A request that its sender broke off, or a server that stops, must end as such."""
    sending = asyncio.create_task(process.say(text="a"))
    await asyncio.sleep(0.1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_what_was_sent_before_the_worker_came_counts_once_however_often_it_was_tried(process: Process) -> None:
    for _ in range(3):
        with pytest.raises(Unreachable):
            await process.say(text="a", key="k1", seconds=0.2)
    async with process.served():
        assert await process.say(text="a", key="k1") == "noted as 1"
        assert await process.say(text="a", key="k1") == "noted as 1"
        assert await process.heard() == ["a"]


@pytest.mark.parametrize("keyed", [{"key": "k1"}, {}])
async def test_an_answer_lost_on_its_way_is_asked_for_again_under_the_same_id(
    process: Process, keyed: dict[str, Any]
) -> None:
    losing = Losing(2)
    async with process.served():
        assert await process.say(through(process.client, losing), text="a", **keyed) == "noted as 1"
        assert await process.heard() == ["a"]
    assert len(losing.ids) == 3
    assert len(set(losing.ids)) == 1
    assert losing.ids[0] == keyed.get("key", losing.ids[0])


async def test_a_message_that_met_a_change_of_runs_is_sent_again(process: Process) -> None:
    """The server says `FAILED_PRECONDITION`, unexpected workflow task failure: no refusal of ours."""
    losing = Losing(1, RPCStatusCode.FAILED_PRECONDITION)
    async with process.served():
        assert await process.say(through(process.client, losing), text="a") == "noted as 1"
    assert len(losing.ids) == 2


async def test_two_messages_without_a_key_are_two(process: Process) -> None:
    async with process.served():
        assert [await process.say(text="a"), await process.say(text="a")] == ["noted as 1", "noted as 2"]


async def test_what_the_server_will_never_take_is_not_tried_again(process: Process) -> None:
    losing = Losing(100, RPCStatusCode.PERMISSION_DENIED)
    async with process.served():
        with pytest.raises(Refused, match="the connection broke"):
            await process.say(through(process.client, losing), text="a")
    assert len(losing.ids) == 1


async def test_a_process_that_is_over_or_never_was_says_so_at_once(process: Process) -> None:
    began = time.monotonic()
    async with process.served():
        await process.client.get_workflow_handle(process.id).signal("end")
        await process.client.get_workflow_handle(process.id).result()
        with pytest.raises(Refused, match=f"{process.id} is not open"):
            await process.say(text="a")
    with pytest.raises(Refused, match="INC-20260302-7F3A is not open"):
        await send_update(process.client, "INC-20260302-7F3A", "note", {"text": "a"})
    assert time.monotonic() - began < 10
