"""The weekly review's Schedule is made once, kept current, and what people changed about it stays."""

import uuid
from dataclasses import replace

import pytest
from temporalio.client import Client, ScheduleUpdate

from link.client import connect
from tests.worker.conftest import NAMESPACE
from worker import schedules
from worker.drill.drivers import skipping
from worker.embedded import Embedded
from worker.schedules import HOUR, WEDNESDAY, keep_schedules


@pytest.fixture
async def client(server: Embedded) -> Client:
    return await connect(server.address, NAMESPACE, secret="secret")


@pytest.mark.heavy
async def test_it_is_made_once_and_what_people_changed_stays(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"ops-review-{uuid.uuid4().hex}"
    monkeypatch.setattr(schedules, "OPS_REVIEW", name)
    said: list[str] = []
    await keep_schedules(client, "first-queue", said.append)
    handle = client.get_schedule_handle(name)
    made = (await handle.describe()).schedule
    (when,) = made.spec.calendars
    assert ([it.start for it in when.hour], [it.start for it in when.day_of_week]) == ([HOUR], [WEDNESDAY])

    await handle.pause(note="nobody is here in August")
    await handle.update(
        lambda found: ScheduleUpdate(
            replace(
                found.description.schedule,
                spec=replace(found.description.schedule.spec, time_zone_name="Europe/Paris"),
            )
        )
    )
    await keep_schedules(client, "second-queue", said.append)
    kept = (await handle.describe()).schedule
    assert (kept.state.paused, kept.state.note) == (True, "nobody is here in August")
    assert kept.spec.time_zone_name == "Europe/Paris"
    assert getattr(kept.action, "task_queue", "") == "second-queue"
    assert getattr(kept.action, "workflow", "") == "OpsReviewStarter"
    assert said == []
    await handle.delete()


async def test_a_server_without_schedules_is_said_and_stops_nothing() -> None:
    said: list[str] = []
    async with skipping("secret") as server:
        await keep_schedules(server.client, say=said.append)
    assert len(said) == 1
    assert "begins only by hand" in said[0]
