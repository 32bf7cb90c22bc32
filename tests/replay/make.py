"""Makes the committed histories: `python -m tests.replay.make`. Each story ends in the phase it is named for.

Run it when a workflow's commands were changed on purpose (under a patch), and commit what it writes. Histories that
are there stay: what ran in production must go on replaying.
"""

import asyncio
import lzma
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from link import attributes
from link.converter import DATA_CONVERTER
from model.catalogue.catalog import Catalog
from model.drill import Drill
from tests.workflows.house import house, until
from tests.workflows.stage import stage
from tests.workflows.test_ops_review import ACTION, begin
from tests.workflows.test_ops_review import ID as REVIEW
from tests.workflows.test_watch import watching
from worker.binaries import binary
from worker.drill.player import play
from worker.embedded import FLAGS
from worker.files import EXAMPLE_CATALOG, catalog_of, load_catalog, load_drill

FOLDER = Path(__file__).parent / "histories"
ALARM = "alarm: {alarm: err, service: checkout-api, region: eu-west, metric: error-rate, state: ALARM, severity: 2}"
OK = ALARM.replace("ALARM, severity: 2", "OK")
ACK = "acknowledge: {by: ana}"
LIGHT = "close: {by: ana, reason: self_recovered}"
THREE = [
    f"{n}m alarm: {{alarm: err, service: {service}, region: eu-west, state: ALARM, severity: 2}}"
    for n, service in enumerate(("checkout-api", "payments", "search-api"))
]
STORIES: dict[str, tuple[list[str], str]] = {
    "engage": ([f"0s {ALARM}"], "4m"),
    "exhausted": ([f"0s {ALARM}"], "50m"),
    "coordinate": ([f"0s {ALARM}", f"3m {ACK}", "4m observe: {by: ana, text: 503 from host 17}"], "6m"),
    "mitigate": (
        [
            f"0s {ALARM}",
            f"3m {ACK}",
            "5m propose: {by: ana, kind: roll_back, target: checkout-api@2, why: started with it, go: true}",
        ],
        "8m",
    ),
    "verify": ([f"0s {ALARM}", f"3m {ACK}", f"9m {OK}"], "12m"),
    "close": ([f"0s {ALARM}", f"3m {ACK}", f"9m {OK}"], "30m"),
    "all-clear": ([f"0s {ALARM}", f"3m {ACK}", f"9m {OK}", f"12m {LIGHT}"], "30m"),
    "over": ([f"0s {ALARM}", f"3m {ACK}", f"9m {OK}", f"12m {LIGHT}"], "2h"),
    "reopened": ([f"0s {ALARM}", f"3m {ACK}", f"9m {OK}", f"12m {LIGHT}", f"40m {ALARM}"], "50m"),
    "full-response": ([*THREE, "4m acknowledge: {by: kim}", "5m release: {by: noa, reason: not us}"], "20m"),
    "side-systems-down": ([f"0s {ALARM}", f"9m {ACK}"], "2h"),
}
SCENARIOS = ("one-bad-host", "regional-endpoints", "late-promise")
"""Committed scenarios that have every other process in them."""
FAULTS = {
    "side-systems-down": [
        {"port": "record", "from": "0s", "to": "20m"},
        {"port": "comms", "from": "0s", "to": "20m"},
        {"port": "paging", "channel": "email", "from": "0s", "to": "20m"},
    ]
}


def _step(text: str) -> dict[str, object]:
    at, _, message = text.partition(" ")
    return {"at": at, **yaml.safe_load(message)}


def _drill(name: str) -> tuple[Drill, Catalog]:
    if name in SCENARIOS:
        path = EXAMPLE_CATALOG.parent / f"{name}.yaml"
        drill = load_drill(path)
        return drill, catalog_of(drill, path)
    steps, until = STORIES[name]
    drill = Drill.model_validate(
        {
            "title": name,
            "start": "2026-03-02T09:00:00Z",
            "world": {"deployments": [], "faults": FAULTS.get(name, [])},
            "steps": [_step(step) for step in steps],
            "until": until,
        }
    )
    return drill, load_catalog(EXAMPLE_CATALOG)


async def make(name: str) -> None:
    """Play a story and keep the history of every process in it."""
    drill, catalog = _drill(name)

    async def keep(client: Client, ids: Sequence[str]) -> None:
        incidents = [i for i in ids if i.startswith("INC-") and "/" not in i]
        for workflow_id in ids:
            if workflow_id == "detection/unmapped":
                continue
            told = workflow_id
            for number, incident in enumerate(incidents, start=1):
                told = told.replace(incident, f"incident-{number}")
            await _keep(client, workflow_id, f"{name}.{told.replace('/', '-')}")

    with tempfile.TemporaryDirectory() as folder:
        await play(drill, catalog, Path(folder), after=keep)


async def make_ops_review() -> None:
    """Begin a weekly review as its Schedule does, decide an action in it, and let its day pass."""
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as it:
            await begin(it)
            await it.update(REVIEW, "add_action", ACTION)
            await it.wait(days=1, minutes=1)
            await _keep(it.client, "ops-review-starter-1", "ops-review.starter")
            await _keep(it.client, REVIEW, "ops-review.ops-review")


async def make_watch() -> None:
    """Watch a region in which one canary finds nobody, for a few rounds."""
    # Port 9, discard: nobody listens there.
    canary = {"service": "payments", "region": "eu-west", "every": "200ms", "steps": [{"tcp": "127.0.0.1:9"}]}
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=binary("temporal"),
        dev_server_log_level="error",
        dev_server_extra_args=FLAGS,
        data_converter=DATA_CONVERTER,
    )
    async with server:
        await attributes.register(server.client)
        with tempfile.TemporaryDirectory() as folder:
            async with house(server.client, canaries={"door": canary}) as home:
                await home.open()
                async with watching(home, Path(folder)) as watch:
                    await home.opened("payments")
                    await until(lambda: _rounds(watch), "three rounds")
                    await _keep(server.client, watch.id, "watch.eu-west")


async def _rounds(watch: WorkflowHandle[Any, Any]) -> bool:
    return (await watch.describe()).history_length > 3 * 6


async def _keep(client: Client, workflow_id: str, name: str) -> None:
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    (FOLDER / f"{name}.json.xz").write_bytes(lzma.compress(history.to_json().encode()))


OTHERS: Mapping[str, Callable[[], Awaitable[None]]] = {"ops-review": make_ops_review, "watch": make_watch}
"""Processes that no drill begins."""


async def main(names: Sequence[str]) -> None:
    """Make some histories, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or (*STORIES, *SCENARIOS, *OTHERS):
        await (OTHERS[name]() if name in OTHERS else make(name))
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
