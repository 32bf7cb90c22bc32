"""Every committed history replays: a change of commands cannot reach a running incident unseen."""

import lzma
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError, _Definition

from link.converter import DATA_CONVERTER
from link.guard import Guard
from tests.replay.make import FOLDER, OTHERS, SCENARIOS, STORIES
from worker.compose import WORKFLOWS

HISTORIES = sorted(path.name for path in FOLDER.glob("*.json.xz"))
PAGES: Mapping[str, int] = {"engage": 2, "exhausted": 24, "coordinate": 2, "close": 2, "over": 2}
"""Pages each incident's history must hold: the replayer does not notice a changed argument, or a page too few that
was recorded so."""


def history(name: str) -> WorkflowHistory:
    return WorkflowHistory.from_json(name, lzma.decompress((FOLDER / name).read_bytes()).decode())


def replayer(**more: Any) -> Replayer:
    return Replayer(
        workflows=WORKFLOWS,
        data_converter=DATA_CONVERTER,
        interceptors=[Guard("another secret than the one that signed")],
        workflow_runner=UnsandboxedWorkflowRunner(),
        **more,
    )


@pytest.mark.parametrize("name", HISTORIES)
async def test_a_committed_history_replays(name):
    await replayer().replay_workflow(history(name))


def test_there_is_a_history_of_every_story():
    assert {name.split(".")[0] for name in HISTORIES} == {*STORIES, *SCENARIOS, *OTHERS}


def test_there_is_a_history_of_every_workflow():
    types = {
        history(name).events[0].workflow_execution_started_event_attributes.workflow_type.name for name in HISTORIES
    }
    assert types == {_Definition.must_from_class(cls).name for cls in WORKFLOWS}


@pytest.mark.parametrize("story", sorted(PAGES))
def test_a_history_holds_the_pages_of_its_story(story):
    events = history(f"{story}.incident-1.json.xz").events
    scheduled = [e for e in events if e.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    names = [e.activity_task_scheduled_event_attributes.activity_type.name for e in scheduled]
    assert names.count("page") == PAGES[story]


async def test_a_changed_command_is_noticed(monkeypatch):
    """The test above can fail: a workflow that pages by another activity does not replay."""
    monkeypatch.setattr("workflows.errands.PAGE", "page_differently")
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(history("engage.incident-1.json.xz"))


def test_histories_are_small_enough_to_keep():
    assert sum(Path(FOLDER / name).stat().st_size for name in HISTORIES) < 1_000_000
