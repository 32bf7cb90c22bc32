"""Makes the committed histories: `python -m tests.replay.make`. Each story ends in the phase it is named for.

Run it when a workflow's commands were changed on purpose (under a patch), and commit what it writes. Histories that
are there stay: what ran in production must go on replaying.
"""

import asyncio
import gzip
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml
from temporalio.client import Client

from model.catalogue.catalog import Catalog
from model.drill import Drill
from worker.drill.player import play
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
SCENARIOS = ("one-bad-host", "regional-endpoints")
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
            history = await client.get_workflow_handle(workflow_id).fetch_history()
            path = FOLDER / f"{name}.{told.replace('/', '-')}.json.gz"
            path.write_bytes(gzip.compress(history.to_json().encode(), 9, mtime=0))

    with tempfile.TemporaryDirectory() as folder:
        await play(drill, catalog, Path(folder), after=keep)


async def main(names: Sequence[str]) -> None:
    """Make some histories, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or (*STORIES, *SCENARIOS):
        await make(name)
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
