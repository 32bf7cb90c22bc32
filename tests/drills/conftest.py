"""The repertoire: each committed scenario is played once for all tests that read what it came to."""

from collections.abc import Awaitable, Callable

import pytest

from tests.drills.harness import Outcome, played

Played = Callable[[str], Awaitable[Outcome]]


@pytest.fixture(scope="session")
def played_once(tmp_path_factory: pytest.TempPathFactory) -> Played:
    known: dict[str, Outcome] = {}

    async def of(scenario: str) -> Outcome:
        if scenario not in known:
            known[scenario] = await played(scenario, tmp_path_factory.mktemp(scenario))
        return known[scenario]

    return of
