"""The catalogue's answer travels with an alarm; without it, or with one of no use, `Detection` asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from link import answers
from tests.workflows.house import House, house


async def asked(home: House) -> int:
    """How often the catalogue was asked."""
    events = await home.events(home.detection)
    types = [event.activity_task_scheduled_event_attributes.activity_type.name for event in events]
    return types.count("resolve")


async def test_an_alarm_that_knows_whom_it_means_pages_without_a_question(home: House) -> None:
    await home.alarm()
    await home.opened()
    assert await asked(home) == 0


async def test_which_policy_is_in_force_is_asked_once(client: Client) -> None:
    async with house(client, policy={"aggregate_services": 7}) as home:
        await home.alarm()
        await home.opened()
        await home.alarm(service="payments")
        await home.opened("payments")
        assert await asked(home) == 1


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\xfe",
        b'"words"',
        b'{"question": ["payments", "eu-west", ""], "at": "now"}',
        None,
    ],
)
async def test_what_cannot_be_read_is_asked_for(
    home: House, monkeypatch: pytest.MonkeyPatch, header: bytes | None
) -> None:
    await home.alarm()
    await home.opened()
    made = None if header is None else Payload(metadata={"encoding": b"json/plain"}, data=header)
    monkeypatch.setattr(answers, "_answer", lambda payload: made)
    await home.alarm(service="payments")
    await home.opened("payments")
    assert await asked(home) == 1


async def test_an_answer_from_before_the_change_of_shifts_is_not_believed(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await home.alarm()
    await home.opened()
    with two_hours_ago(monkeypatch):
        await home.alarm(service="payments")
    await home.opened("payments")
    assert await asked(home) == 1


@contextmanager
def two_hours_ago(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Earlier":
            return super().now(tz) - timedelta(hours=2)

    with monkeypatch.context() as patch:
        patch.setattr(answers, "datetime", Earlier)
        yield
