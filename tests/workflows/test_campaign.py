"""A campaign on a real server: measured by signals that may be anything, moved up, done, recorded for ever."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from link import attributes
from model.catalogue.plan import plan_for
from model.effects import Start
from model.learn.campaign import Campaign, id_of
from model.text import Refused
from tests.workflows.stage import Stage, stage
from worker.files import EXAMPLE_CATALOG, load_catalog

pytestmark = pytest.mark.usefixtures("own_catalogue")
SLUG = "endpoints"
WRONG: list[tuple[Any, ...]] = [(), (None,), ({},), ("",), ([],), ({"by": "ana", "rung": "down"},), (3,)]
"""Nothing of it is an update anybody could mean."""
ID = id_of(SLUG)


async def begin(it: Stage, **facts: Any) -> None:
    """Begin a campaign as an incident would."""
    now = await it.server.now()
    known: dict[str, Any] = {
        "slug": SLUG, "title": "Own region", "lesson": "l", "metric": "m", "target": 0.01, "owner": "ana",
        "team": "checkout", "incident": "INC-20260302-7F3A", "due_at": now + timedelta(days=300), **facts,
    }  # fmt: skip
    plan = plan_for(load_catalog(EXAMPLE_CATALOG), teams=["checkout"], at=now)
    payload = Campaign(id=ID, plan=plan, **known).model_dump(mode="json")
    order = Start(workflow="Campaign", workflow_id=ID, origin="INC-20260302-7F3A/process/1", payload=payload)
    outcome = await it.start(order)
    assert outcome.ok, outcome.reason


async def snapshot(it: Stage) -> Campaign:
    found: Campaign = await it.client.get_workflow_handle(ID).query("snapshot", result_type=Campaign)
    return found


async def test_from_the_first_measurement_to_done(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        await begin(it)
        assert [person for person, _ in await it.told()] == ["ana", "dee"]
        await it.signal(ID, "measure", {"value": 0.4, "source": "metrics"})
        await it.wait(days=27)
        await it.signal(ID, "measure", 0.39)
        await it.wait(days=2)
        assert (await snapshot(it)).status == "stalled"
        assert [person for person, text in await it.told() if "stalls" in text] == ["ana", "dee"]
        with pytest.raises(Refused, match="up, never down"):
            await it.update(ID, "start_rung", {"by": "ana", "rung": "education"})
        with pytest.raises(Refused, match="sam may not finish"):
            await it.update(ID, "finish", {"by": "sam", "reason": "x"})
        assert await it.update(ID, "start_rung", {"by": "dee", "rung": "centralized"}) != ""
        await it.signal(ID, "measure", {"value": "0.5 %"})
        assert await it.client.get_workflow_handle(ID).result() is None
        [row] = await it.store.matters("campaign", open_only=False)
        assert (row.status, row.ended, row.owner, row.incident_id) == ("done", True, "ana", "INC-20260302-7F3A")
        lines = [entry.text for entry in await it.store.timeline(ID)]
        assert any("education → centralized" in text for text in lines)
        assert "done: measured" in next(text for text in lines if text.startswith("done"))
        assert not list(tmp_path.glob("tickets/*")), "a campaign has no ticket"
        await it.replay(ID)


async def test_garbage_is_kept_and_wedges_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        await begin(it)
        for args in ((), (None,), ("soon",), ({"value": "nan"},), ([1],), ({"value": 0.2}, "and more"), (b"\xff",)):
            await it.signal(ID, "measure", *args)
        for name in ("start_rung", "finish"):
            for payload in WRONG:
                with pytest.raises(Refused):
                    await it.update(ID, name, *payload)
        found = await snapshot(it)
        assert (found.values, found.unread, found.ended) == ([], 7, False)
        await it.signal(ID, "measure", 0.3)
        assert (await snapshot(it)).started_value == 0.3
        await it.replay(ID)


async def test_it_is_found_by_its_team_status_and_date_from_its_first_moment(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        await begin(it)
        found = (await it.client.get_workflow_handle(ID).describe()).typed_search_attributes
        state = await snapshot(it)
        assert found[attributes.INCIDENT_ID] == "INC-20260302-7F3A"
        assert (found[attributes.TEAM], found[attributes.ITEM_STATUS]) == ("checkout", "running")
        assert abs(found[attributes.DUE_AT] - state.due_at) < timedelta(seconds=1)


async def test_the_name_of_another_campaign_is_not_taken_over(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        await begin(it)
        payload = (await snapshot(it)).model_dump(mode="json")
        again = Start(workflow="Campaign", workflow_id=ID, origin="INC-20260302-7F3A/process/1", payload=payload)
        assert (await it.start(again)).ok, "the same order twice is one campaign"
        other = again.model_copy(update={"origin": "INC-20260401-9KQX/process/4"})
        outcome = await it.start(other)
        assert (outcome.ok, outcome.again) == (False, False)
        assert "is taken" in outcome.reason


async def test_many_measurements_at_once_are_all_taken_over_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It continues as new on the way and forgets none."""
    monkeypatch.setattr("workflows.process.CONTINUE_AFTER", 5)
    async with stage(tmp_path) as it:
        await begin(it)
        handle = it.client.get_workflow_handle(ID)
        first = (await handle.describe()).run_id
        for batch in range(4):
            await asyncio.gather(*(handle.signal("measure", {"value": 0.5, "key": f"{batch}/{n}"}) for n in range(10)))
            await it.settler.settle()
        assert len((await snapshot(it)).values) == 40
        assert (await handle.describe()).run_id != first
