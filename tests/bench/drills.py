"""How long a drill takes: what a newcomer's first command costs, and every test that plays one."""

import asyncio
import importlib.util
import json
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.bench.scale import Scale
from tests.bench.table import Figure, Row, p50
from worker.binaries import binary
from worker.drill.player import play
from worker.files import catalog_of, load_drill

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NAMES = ("nobody-answers.yaml", "several-services.yaml")


@workflow.defn
class Nap:
    """One long timer."""

    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(timedelta(minutes=45))


async def measure(scale: Scale) -> Figure:
    """Play each drill in a process of its own, in turns with a process that only sleeps virtually."""
    names = NAMES[: scale.scenarios]
    outside: dict[str, list[float]] = {name: [] for name in ("", *names)}
    inside: dict[str, list[float]] = {name: [] for name in ("", *names)}
    for _ in range(scale.drills):
        for name in outside:
            whole, told = await _timed(name)
            outside[name].append(whole)
            inside[name].append(told)
    rows = []
    for name in names:
        rows.append(Row(f"{name}: process start to exit", p50(outside[name]), "s", p50(outside[""])))
        rows.append(Row(f"{name}: inside", p50(inside[name]), "s", p50(inside[""])))
    how = "`allclear drill`" if _command_exists() else "the player (there is no `allclear` command yet)"
    notes = [
        f"median of {scale.drills}, by {how}; floor: a process that starts the same test server and one "
        "worker, and lets one workflow sleep 45 virtual minutes"
    ]
    return Figure(rows, notes)


async def _timed(name: str) -> tuple[float, float]:
    """Return how long a process took, and how long it says its drill took."""
    if name and _command_exists():
        command = [str(Path(sys.executable).with_name("allclear")), "drill", str(SCENARIOS / name), "--json"]
    else:
        command = [sys.executable, "-m", "tests.bench.drills", name]
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, cwd=SCENARIOS.parent, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    took = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {err.decode()[-500:]}")
    return took, float(_last_object(out.decode())["wall_seconds"])


def _last_object(out: str) -> Any:
    """Return the JSON at the end of an output: the SDK warns on standard output, too."""
    return json.loads(out[out.index("\n{") if "\n{" in out else 0 :])


def _command_exists() -> bool:
    return importlib.util.find_spec("cli.main") is not None and Path(sys.executable).with_name("allclear").exists()


async def _play(name: str) -> float:
    with tempfile.TemporaryDirectory(prefix="allclear-bench-") as folder:
        path = SCENARIOS / name
        drill = load_drill(path)
        return (await play(drill, catalog_of(drill, path), Path(folder))).result.wall_seconds


async def _nap() -> float:
    began = time.monotonic()
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary("temporal-test-server")
    )
    async with environment:
        runner = UnsandboxedWorkflowRunner()
        async with Worker(environment.client, task_queue="floor", workflows=[Nap], workflow_runner=runner):
            await environment.client.execute_workflow(Nap.run, id="nap", task_queue="floor")
            return time.monotonic() - began


if __name__ == "__main__":
    seconds = asyncio.run(_play(sys.argv[1]) if sys.argv[1] else _nap())
    print(json.dumps({"wall_seconds": seconds}), flush=True)
    # The SDK may abort at the interpreter's exit (facts-temporal §9).
    os._exit(0)
