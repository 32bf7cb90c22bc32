"""A worker that keeps nothing in memory replays at every task, and the story is the same."""

from datetime import timedelta

import pytest

from model.drill import Drill, DrillResult
from tests.drills.harness import SCENARIOS
from worker.drill.player import play
from worker.files import catalog_of, load_drill

HALF_AN_HOUR = timedelta(minutes=30)
"""Of the story: replayed at every task, its weeks would take longer than anybody waits."""


def _beginning(drill: Drill) -> Drill:
    steps = [step for step in drill.steps if step.at < HALF_AN_HOUR]
    return drill.model_copy(update={"steps": steps, "until": HALF_AN_HOUR})


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", ["several-services"])
async def test_without_a_cache_the_story_is_the_same(scenario, tmp_path):
    path = SCENARIOS / f"{scenario}.yaml"
    results: list[DrillResult] = []
    for cached in (0, 1000):
        drill = _beginning(load_drill(path))
        folder = tmp_path / str(cached)
        folder.mkdir()
        results.append((await play(drill, catalog_of(drill, path), folder, cached=cached)).result)
    assert [result.problems for result in results] == [[], []]
    told = [
        [(i.phase, i.kind, sorted((e.team, len(e.paged)) for e in i.engagements)) for i in r.incidents] for r in results
    ]
    assert told[0] == told[1]
