"""A thousand people of two hundred teams, paged in one multi-service event."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from temporalio.client import WorkflowHandle

from link import catalog as live
from link.starting import Starter, open_detection, signal_detection
from model.catalogue.catalog import Catalog
from model.catalogue.plan import plan_for
from model.effects import Errand, Start
from model.incident import Incident
from tests.bench import troubled
from tests.bench.bare import QUEUE, Call
from tests.bench.house import PARTITION, REGION, House, alarm, at_rest, house, organisation, service
from tests.bench.scale import Scale
from tests.bench.table import Figure, Row, at_most, p50

LAST_WITHIN = 10.0
PATIENCE = 120.0
REST = 180.0
"""Seconds that everything behind the pages (messages, record) may take before it is left as it is."""
STATE_CAP = 2 * 1024 * 1024
"""A state over it wedges a workflow for good (design §2)."""


async def measure(scale: Scale) -> Figure:
    """Page everybody: barely, in an incident that begins with all of them, and by a storm of alarms."""
    catalog = organisation(scale.teams, scale.teams, scale.on_call)
    everybody = {person for team in catalog.teams.values() for person in team.members}
    everybody = {person for person in everybody if person.startswith("p")}
    async with house(catalog) as it:
        bare = await _bare(it, len(everybody))
        whole, first_rows = await _whole(it, catalog, scale, everybody)
        it.pager.people.clear()
        storm, second_rows = await _storm(it, scale, everybody)
    rows = [
        *_times("one incident of all", whole, bare),
        *first_rows,
        *_times(f"storm of {scale.teams} alarms", storm, bare),
        *second_rows,
    ]
    in_trouble, more = await troubled.rows(scale)
    notes = [
        f"{len(everybody)} people on call of {scale.teams} teams, {scale.on_call} each, and a manager for ten "
        f"teams; 'one incident of all' begins with {scale.teams} services, timed from its accepted start; the "
        f"storm is {scale.teams} alarms sent at once through Detection, default policy, timed from the first "
        f"being sent; floor: one workflow of {len(everybody)} activities"
    ]
    return Figure([*rows, *in_trouble], [*notes, *more])


def _times(title: str, pages: list[float], bare: list[float]) -> list[Row]:
    return [
        Row(f"{title}: first page", pages[0], "s", bare[0]),
        Row(f"{title}: p50", p50(pages), "s", p50(bare)),
        Row(
            f"{title}: last page",
            pages[-1],
            "s",
            bare[-1],
            *at_most(LAST_WITHIN, pages[-1], f"≤ {LAST_WITHIN:g} s"),
        ),
    ]


async def _bare(it: House, people: int) -> list[float]:
    reached = [it.reach.expected(f"crowd/{n}") for n in range(people)]
    await it.client.start_workflow(Call.run, args=["crowd", people], id="crowd", task_queue=QUEUE)
    began = time.perf_counter()
    return sorted(at - began for at in await asyncio.wait_for(asyncio.gather(*reached), PATIENCE))


async def _whole(it: House, catalog: Catalog, scale: Scale, everybody: set[str]) -> tuple[list[float], list[Row]]:
    await open_detection(it.client, PARTITION)
    now = datetime.now(UTC)
    services = [service(n) for n in range(scale.teams)]
    incident = Incident(
        id=f"INC-{now:%Y%m%d}-CROWD",
        detection=f"detection/{PARTITION}",
        title="everything at once",
        kind="multi_service",
        severity=2,
        detected_by="aggregate",
        opened_at=now,
        services=services,
        regions=[REGION],
        plan=plan_for(catalog, services=services, at=now),
        policy=live.policy(),
    )
    payload = incident.model_dump(mode="json")
    order = Start(workflow="Incident", workflow_id=incident.id, origin="bench", payload=payload)
    outcome = await Starter(it.client).start_process(Errand[Start](key="bench", order=order))
    assert outcome.ok, outcome.reason
    handle = it.client.get_workflow_handle(incident.id)
    watched = await _watch(it, handle, time.perf_counter(), scale, everybody)
    await handle.terminate("measured")
    return watched


async def _storm(it: House, scale: Scale, everybody: set[str]) -> tuple[list[float], list[Row]]:
    began = time.perf_counter()
    await asyncio.gather(*(signal_detection(it.client, PARTITION, "alarm", alarm(n)) for n in range(scale.teams)))
    await _all_paged(it, everybody)
    known = await it.client.get_workflow_handle(f"detection/{PARTITION}").query("open_incidents")
    big = next(k["id"] for k in known if k["kind"] == "multi_service")
    return await _watch(it, it.client.get_workflow_handle(big), began, scale, everybody)


async def _watch(
    it: House, incident: WorkflowHandle[Any, Any], began: float, scale: Scale, everybody: set[str]
) -> tuple[list[float], list[Row]]:
    await _all_paged(it, everybody)
    pages = sorted(it.pager.people[person] - began for person in everybody)
    await at_rest(incident, quiet=scale.quiet, patience=REST)
    rest = time.perf_counter() - began - scale.quiet
    state = await incident.query("snapshot", result_type=Incident)
    size = len(state.model_dump_json().encode())
    told = (await incident.describe()).raw_description.workflow_execution_info
    return pages, [
        Row("… state", size, "bytes", None, *at_most(STATE_CAP, size, "< 2 MiB")),
        Row("… history", told.history_size_bytes, "bytes"),
        Row("… events", told.history_length, "events"),
        Row("… messages and record done", rest, "s"),
    ]


async def _all_paged(it: House, everybody: set[str]) -> None:
    deadline = time.perf_counter() + PATIENCE
    while missing := everybody - it.pager.people.keys():
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{len(missing)} of {len(everybody)} people not paged after {PATIENCE:g} s")
        await asyncio.sleep(0.02)
