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

from model.drill import Drill
from worker.drill.player import play
from worker.files import EXAMPLE_CATALOG, load_catalog

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


async def make(name: str) -> None:
    """Play a story and keep the history of every process in it."""
    steps, until = STORIES[name]
    world = {"deployments": [], "faults": FAULTS.get(name, [])}
    drill = Drill.model_validate(
        {
            "title": name,
            "start": "2026-03-02T09:00:00Z",
            "world": world,
            "steps": [_step(step) for step in steps],
            "until": until,
        }
    )

    async def keep(client: Client, ids: Sequence[str]) -> None:
        numbers = {"detection": 0, "incident": 0}
        for workflow_id in ids:
            kind = "detection" if workflow_id.startswith("detection/") else "incident"
            if workflow_id == "detection/unmapped":
                continue
            numbers[kind] += 1
            history = await client.get_workflow_handle(workflow_id).fetch_history()
            path = FOLDER / f"{name}.{kind}-{numbers[kind]}.json.gz"
            path.write_bytes(gzip.compress(history.to_json().encode(), 9, mtime=0))

    with tempfile.TemporaryDirectory() as folder:
        await play(drill, load_catalog(EXAMPLE_CATALOG), Path(folder), after=keep)


async def main(names: Sequence[str]) -> None:
    """Make some histories, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or STORIES:
        await make(name)
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
