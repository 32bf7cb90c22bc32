"""How much history one page and one acknowledgement cost: it is kept, replayed and paid for."""

from collections.abc import Sequence
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle

from link.guard import proven
from link.starting import signal_detection
from model.incident import Incident
from tests.bench.bare import QUEUE, Call
from tests.bench.house import PARTITION, House, alarm, at_rest, house, organisation, service
from tests.bench.scale import Scale
from tests.bench.table import Figure, Row, at_most

MOST = 40

Handle = WorkflowHandle[Any, Any]


async def measure(_: Scale) -> Figure:
    """Play alarm, page, acknowledgement; count when all has come to rest."""
    async with house(organisation(20, 20)) as it:
        page = it.pager.expected(service(1))
        await signal_detection(it.client, PARTITION, "alarm", alarm(1))
        await page
        detection = it.client.get_workflow_handle(f"detection/{PARTITION}")
        incident = it.client.get_workflow_handle((await detection.query("open_incidents"))[0]["id"])
        await at_rest(incident)
        with proven():
            await incident.execute_update("acknowledge", {"by": "p1-0"}, id="acknowledge-1")
        await at_rest(incident)
        state: Incident = await incident.query("snapshot", result_type=Incident)
        return _figure(
            await _events(incident),
            await _events(detection),
            await _events(await _bare(it)),
            len(state.model_dump_json().encode()),
        )


async def _bare(it: House) -> Handle:
    """Do the same barely: one activity, one update, one timer."""
    reached = it.reach.expected("bare/0")
    handle = await it.client.start_workflow(Call.run, args=["bare", 1], id="bare", task_queue=QUEUE)
    await reached
    await at_rest(handle)
    await handle.execute_update(Call.acknowledge, "p1-0")
    await at_rest(handle)
    return handle


async def _events(handle: Handle) -> list[HistoryEvent]:
    return [event async for event in handle.fetch_history_events()]


def _figure(
    incident: list[HistoryEvent], detection: list[HistoryEvent], bare: list[HistoryEvent], state: int
) -> Figure:
    count, least = len(incident), len(bare)
    rows = [
        Row("events in Incident", count, "events", least, *at_most(MOST, count, f"≤ {MOST}")),
        Row("history of Incident", _bytes(incident), "bytes", _bytes(bare)),
        Row("state of Incident", state, "bytes"),
        Row("events in Detection", len(detection), "events"),
        Row("history of Detection", _bytes(detection), "bytes"),
    ]
    notes = [
        "one alarm, one page, one acknowledgement, then at rest; floor: a workflow of one activity, one "
        "update and one timer",
        "Incident: " + "; ".join(_grouped(incident)),
        "Detection: " + "; ".join(_grouped(detection)),
    ]
    detail = {"incident": list(map(_line, incident)), "detection": list(map(_line, detection))}
    return Figure(rows, notes, detail)


def _bytes(events: Sequence[HistoryEvent]) -> int:
    return sum(event.ByteSize() for event in events)


def _grouped(events: Sequence[HistoryEvent]) -> list[str]:
    """Return the events in their order, a whole workflow task as one word."""
    words: list[str] = []
    for event in events:
        name = _name(event)
        if name in ("WorkflowTaskScheduled", "WorkflowTaskStarted"):
            continue
        words.append("(task)" if name == "WorkflowTaskCompleted" else f"{event.event_id} {name} {_what(event)}".strip())
    return words


def _line(event: HistoryEvent) -> dict[str, Any]:
    return {"id": event.event_id, "type": _name(event), "what": _what(event), "bytes": event.ByteSize()}


def _name(event: HistoryEvent) -> str:
    words = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").split("_")
    return "".join(word.capitalize() for word in words)


def _what(event: HistoryEvent) -> str:
    """Return which activity, signal, update or marker it is."""
    kind = event.WhichOneof("attributes")
    attributes: Any = getattr(event, str(kind))
    for field in ("activity_type", "signal_name", "marker_name", "accepted_request"):
        found = getattr(attributes, field, None)
        if field == "accepted_request" and found is not None:
            return str(found.input.name)
        if field == "marker_name" and found:
            data = attributes.details.get("data")
            return data.payloads[0].data.decode(errors="replace")[:90] if data and data.payloads else str(found)
        if found:
            return str(getattr(found, "name", found))
    return ""
