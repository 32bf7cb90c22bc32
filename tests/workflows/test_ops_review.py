"""The weekly review on a real server: begun by its starter, gathered, told, open for a day."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from link.starting import QUEUE
from model.close.closing_messages import AddAction
from model.learn.ops_review import OpsReview
from model.text import Refused
from tests.workflows.stage import Stage, stage

pytestmark = pytest.mark.usefixtures("own_catalogue")
WEDNESDAY = "2026-03-04T06:00:00+00:00"
ID = "ops-review/2026-03-04"
ACTION: dict[str, Any] = {**AddAction.example, "by": "noa", "owner": "eva", "due": "2026-05-01T12:00:00Z"}


async def begin(it: Stage, run: str = "1") -> None:
    """Begin the review as the Schedule does, on a Wednesday of the story."""
    shift = datetime.fromisoformat(WEDNESDAY) - await it.server.now()
    name = f"ops-review-starter-{run}"
    it.settler.started(name)
    # Not its result: asking for that lets the test server skip time, and a review lives for a day only.
    handle = await it.client.start_workflow(
        "OpsReviewStarter", {"clock_shift": shift.total_seconds()}, id=name, task_queue=QUEUE
    )
    await it.settler.settle()
    assert (await handle.describe()).status == WorkflowExecutionStatus.COMPLETED


async def test_it_is_gathered_told_and_open_for_a_day(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        await begin(it)
        handle = it.client.get_workflow_handle(ID)
        found: OpsReview = await handle.query("snapshot", result_type=OpsReview)
        assert found.status == "ready"
        assert [Path(name).exists() for name in found.files] == [True, True]
        told = await it.told()
        assert {"kim", "lou", "dee", "hal", "max"} <= {person for person, _ in told}
        assert found.files[0] in told[0][1]
        with pytest.raises(Refused, match="'stranger' is not on call"):
            await it.update(ID, "add_action", {**ACTION, "by": "stranger"})
        assert await it.update(ID, "add_action", ACTION) == f"{ID}/action/1, due 2026-05-01"
        await it.wait(days=1, minutes=1)
        assert await handle.result() is None
        await it.replay(ID)
        item = await it.client.get_workflow_handle(f"{ID}/action/1").result()
        assert (item["owner"], item["n"], item["incident"]) == ("eva", 1, ID)
        [row] = await it.store.matters("ops_review", open_only=False)
        assert (row.status, row.ended) == ("done", True)
        assert "1: Health checks" in " ".join(entry.text for entry in await it.store.timeline(ID))


async def test_begun_twice_on_one_day_it_is_one_review(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        await begin(it)
        await begin(it, "2")
        assert len(await it.store.matters("ops_review")) == 1


async def test_what_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "documents").write_text("in the way")
    async with stage(tmp_path) as it:
        await begin(it)
        handle = it.client.get_workflow_handle(ID)
        found: OpsReview = await handle.query("snapshot", result_type=OpsReview)
        assert (found.status, "cannot be written" in found.gather_error) == ("gathering", True)
        (tmp_path / "documents").unlink()
        await it.wait(minutes=11)
        found = await handle.query("snapshot", result_type=OpsReview)
        assert found.status == "ready"
