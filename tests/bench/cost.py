"""What a whole life costs: actions per effect, history per phase, the state at its largest, ten years of rest."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from model.drill import Drill
from model.incident import Incident
from tests.bench.scale import Scale
from tests.bench.table import Figure, Row, at_most
from worker.drill.player import play
from worker.files import EXAMPLE_CATALOG, catalog_of, load_catalog, load_drill

LIFE = EXAMPLE_CATALOG.parent / "one-bad-host.yaml"
MOST_ACTIONS = 3.0
MOST_EVENTS = 4_096
"""Events of one run from which on Temporal asks for a new one (facts-temporal §0)."""
STATE_CAP = 2 * 1024 * 1024

ACTIONS = {
    "workflow_execution_started_event_attributes": "starts",
    "workflow_execution_signaled_event_attributes": "signals",
    "workflow_execution_update_accepted_event_attributes": "updates",
    "activity_task_started_event_attributes": "activities",
    "marker_recorded_event_attributes": "local activities",
    "timer_started_event_attributes": "timers",
    "upsert_workflow_search_attributes_event_attributes": "attributes",
    "workflow_properties_modified_event_attributes": "marks",
}
"""What Temporal's price list counts as an action, by the event that shows it. A mark is a memo (design, timers)."""

TEN_YEARS: dict[str, Any] = {
    "title": "An item that sleeps for ten years",
    "start": "2026-03-02T09:00:00Z",
    "steps": [
        {"at": "0s", "alarm": {"alarm": "err", "service": "checkout-api", "region": "eu-west", "state": "ALARM"}},
        {"at": "1m", "acknowledge": {"by": "ana"}},
        {
            "at": "2m",
            "add_action": {
                "by": "ana",
                "title": "Leave the old data centre",
                "goal": "no service needs it",
                "horizon": "long",
                "kind": "incremental",
                "owner": "ana",
                "due": "2036-03-01T09:00:00Z",
                "validation": "its power is off for a day and nobody is paged",
            },
        },
    ],
    "until": "3640d",
}


async def measure(scale: Scale) -> Figure:
    """Play a whole life and a long sleep; read what Temporal kept of them."""
    rows, notes = await _life()
    if scale.rounds > 1:
        rows += await _sleep()
    return Figure(rows, notes)


async def _life() -> tuple[list[Row], list[str]]:
    drill = load_drill(LIFE)
    histories: dict[str, list[HistoryEvent]] = {}
    states: list[int] = []

    async def read(client: Client, ids: Sequence[str]) -> None:
        for workflow_id in ids:
            histories[workflow_id] = await _events(client, workflow_id)

    def watch(incident: Incident, _: object) -> None:
        states.append(len(incident.model_dump_json().encode()))

    with tempfile.TemporaryDirectory() as folder:
        await play(drill, catalog_of(drill, LIFE), Path(folder), watch=watch, after=read)
    events = [event for history in histories.values() for event in history]
    actions = Counter(kind for event in events if (kind := ACTIONS.get(str(event.WhichOneof("attributes")))))
    retries = sum(max(_attempt(event) - 1, 0) for event in events)
    effects = Counter(name for event in events if (name := _effect(event)))
    per_effect = (actions.total() + retries) / effects.total()
    incident = next(history for name, history in histories.items() if name.startswith("INC-") and "/" not in name)
    largest = max(states)
    rows = [
        Row("actions per effect", per_effect, "actions", None, *at_most(MOST_ACTIONS, per_effect, "≤ 3")),
        Row(
            "actions per effect, the record not counted",
            actions.total() / (effects.total() - effects["record"]),
            "actions",
        ),
        Row("actions", actions.total() + retries, "actions"),
        Row("effects", effects.total(), "effects"),
        Row("state of Incident at its largest", largest, "bytes", None, *at_most(STATE_CAP, largest, "< 2 MiB")),
    ]
    for phase, part in _phases(incident).items():
        rows.append(Row(f"Incident in {phase}: events", len(part), "events"))
        rows.append(Row(f"Incident in {phase}: history", sum(event.ByteSize() for event in part), "bytes"))
    notes = [
        f"{LIFE.name}, every process of it; an action is a start, signal, update, activity (each try), local activity, "
        "timer, upsert of attributes or of a memo; an effect is something done outside Temporal, the record included",
        "actions: " + _told(actions) + (f", {retries} tried again" if retries else ""),
        "effects: " + _told(effects),
    ]
    return rows, notes


async def _sleep() -> list[Row]:
    runs: list[int] = []

    async def read(client: Client, ids: Sequence[str]) -> None:
        item = next(name for name in ids if "/action/" in name)
        run: str | None = None
        while run != "":
            events = await _events(client, item, run)
            runs.append(len(events))
            run = events[0].workflow_execution_started_event_attributes.continued_execution_run_id

    with tempfile.TemporaryDirectory() as folder:
        played = await play(Drill.model_validate(TEN_YEARS), load_catalog(EXAMPLE_CATALOG), Path(folder), after=read)
    assert not played.result.problems, played.result.problems
    return [
        Row("ten years of a sleeping item: runs", len(runs), "runs"),
        Row("… events of its longest run", max(runs), "events", None, *at_most(MOST_EVENTS, max(runs), "< 4,096")),
    ]


async def _events(client: Client, workflow_id: str, run: str | None = None) -> list[HistoryEvent]:
    return [event async for event in client.get_workflow_handle(workflow_id, run_id=run).fetch_history_events()]


def _attempt(event: HistoryEvent) -> int:
    return event.activity_task_started_event_attributes.attempt


def _effect(event: HistoryEvent) -> str:
    return event.activity_task_scheduled_event_attributes.activity_type.name


def _phases(history: Iterable[HistoryEvent]) -> dict[str, list[HistoryEvent]]:
    """Return the events of each phase: it is an attribute, and set whenever it changes."""
    found: dict[str, list[HistoryEvent]] = {}
    phase = "detect"
    for event in history:
        found.setdefault(phase, []).append(event)
        fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        if "IncidentPhase" in fields:
            phase = fields["IncidentPhase"].data.decode().strip('"')
    return found


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())
