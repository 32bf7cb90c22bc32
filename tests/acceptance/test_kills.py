"""The promise for the worst day: kill -9 of any part, at any time, loses no alarm and no page (design §6.2)."""

import asyncio
import contextlib
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from model.detect.partition import Detection, Known
from model.incident import Incident
from store import open_store
from tests.acceptance.installation import Installation, installed
from tests.acceptance.programs import eventually
from workflows.errands import PAGE_WITHIN

pytestmark = [pytest.mark.slow, pytest.mark.heavy, pytest.mark.timeout(240)]

SEED = "ALLCLEAR_KILL_SEED"
"""In the environment: a seed to play again. The kills are the same, the machine's pace is not."""
INCIDENTS = 20
KILLS = 10
OF_EACH = 2
"""At least this many kills of each program."""
REST = (0.8, 1.8)
"""Seconds between two kills."""
PATIENCE = 3.0
"""Seconds for which a kill waits for its moment; then it comes all the same."""
BETWEEN_ALARMS = (0.1, 0.8)
THINKS = 0.25
"""Seconds in which a page is with the provider, and we do not know it."""
CATCHES_UP = 60.0
"""Seconds until nothing is owed any more, after the last kill."""


async def kill_at_random(it: Installation, chance: random.Random) -> None:
    """Kill by schedule: at any moment, or once the program serves, or in the middle of a page."""
    targets = [*it.programs * OF_EACH]
    targets += chance.choices(it.programs, k=KILLS - len(targets))
    chance.shuffle(targets)
    for target in targets:
        rest, moment, keeper = chance.uniform(*REST), chance.choice(["any", "serving", "paging"]), chance.random() < 0.5
        await asyncio.sleep(rest)
        if moment == "serving":
            await patiently(target.serves)
        elif moment == "paging":
            await patiently(it.is_paging)
        await it.killed(target, keeper=keeper)


async def patiently(moment: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a moment, but not long: the machine may be too busy for it."""
    with contextlib.suppress(AssertionError):
        await eventually(moment, "a good moment", PATIENCE)


async def raise_all(it: Installation, chance: random.Random) -> None:
    """Raise one alarm after the other, all through the kills."""
    async with httpx2.AsyncClient() as http:
        for number, service in enumerate(it.services):
            await asyncio.sleep(chance.uniform(*BETWEEN_ALARMS))
            await it.kills_reached(number * KILLS // INCIDENTS - 1)
            await it.send(http, service)


async def test_killing_server_worker_and_gateway_at_random_loses_no_alarm_and_no_page(tmp_path: Path) -> None:
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(1_000_000))
    print(f"play it again with {SEED}={seed}")
    async with installed(tmp_path, INCIDENTS, THINKS) as it:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(raise_all(it, random.Random(seed)))
                group.create_task(kill_at_random(it, random.Random(seed)))
            await everybody_paged(it)
            incidents = await one_incident_each(it)
            await at_rest(it, incidents)
            pages_doubled_by_kills_only(it)
            await all_recorded(it, incidents)
        finally:
            print(it.told())


async def everybody_paged(it: Installation) -> None:
    """Every owner of an accepted alarm gets a page."""
    assert set(it.accepted) == set(it.services)

    async def all_have_one() -> bool:
        return all(it.letters(owner) for owner in it.services.values())

    try:
        await eventually(all_have_one, "a page for everybody", CATCHES_UP)
    except AssertionError as late:
        missing = [service for service, owner in it.services.items() if not it.letters(owner)]
        raise AssertionError(f"{late}: {', '.join(missing)}") from None


async def one_incident_each(it: Installation) -> dict[str, str]:
    """Return the incident of each service: there is exactly one, and no other."""
    client = await it.client()
    detection = client.get_workflow_handle("detection/public")
    found: list[Known] = await _asked(detection.query, "open_incidents", list[Known])
    assert sorted(service for known in found for service in known.services) == sorted(it.services)
    assert all(len(known.services) == 1 for known in found)
    ids = {known.services[0]: known.id for known in found}

    async def all_visible() -> bool:
        return await _running(client) == set(ids.values())

    await eventually(all_visible, "Temporal runs these incidents and no others", CATCHES_UP)
    return ids


async def at_rest(it: Installation, incidents: dict[str, str]) -> None:
    """Nothing is owed any more, and every incident knows of one page, which arrived."""
    client = await it.client()
    detection = client.get_workflow_handle("detection/public")

    async def decided() -> bool:
        state: Detection = await _asked(detection.query, "snapshot", Detection)
        assert not state.unreadable, state.unreadable
        return not state.inbox and not state.owed

    await eventually(decided, "Detection owes nothing", CATCHES_UP)
    for service, name in incidents.items():
        handle = client.get_workflow_handle(name)

        async def nothing_owed(handle: Any = handle) -> Incident | None:
            state: Incident = await _asked(handle.query, "snapshot", Incident)
            return None if state.owed or state.unrecorded else state

        state = await eventually(nothing_owed, f"{name} of {service} owes nothing", CATCHES_UP)
        assert [fact.service for fact in state.in_alarm] == [service]
        person = it.services[service].partition("@")[0]
        assert list(state.people) == [person]
        pages = state.people[person].pages
        assert [(page.level, page.channel, page.confirmed) for page in pages] == [(1, "email", True)], (name, pages)


def pages_doubled_by_kills_only(it: Installation) -> None:
    """A page comes at most once more for each kill that met it; nobody gets two different ones, no bystander any.

    All pages that are with the provider at that moment come again: the bound is one for a page and a kill.
    """
    assert {letter.to for letter in it.post.letters} == set(it.services.values())
    for service, owner in it.services.items():
        letters = it.letters(owner)
        assert len({letter.id for letter in letters}) == 1, letters
        assert all(service in letter.subject for letter in letters), letters
        # It was under way from before the provider had it; a gateway has no part in that.
        began, ended = letters[0].at - PAGE_WITHIN.total_seconds(), letters[-1].at
        met = [kill for kill in it.kills if began < kill.at < ended and kill.program is not it.gateway]
        assert len(letters) - 1 <= len(met), f"{len(letters)} times, with {len(met)} kills meanwhile: {letters}"


async def all_recorded(it: Installation, incidents: dict[str, str]) -> None:
    """The record has every line, each once, however often it was written."""
    store = open_store(it.settings.store_url)
    try:
        for name in incidents.values():
            lines = await store.timeline(name)
            assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
            said = Counter(line.what for line in lines)
            assert (said["opened"], said["paged"]) == (1, 1), (name, said)
    finally:
        await store.close()


async def _running(client: Client) -> set[str]:
    try:
        return {run.id async for run in client.list_workflows('WorkflowType="Incident" AND ExecutionStatus="Running"')}
    except RPCError:
        return set()


async def _asked(query: Any, name: str, kind: Any) -> Any:
    """Ask until somebody answers: a query that went to a worker that was killed is lost."""

    async def answer() -> Any:
        try:
            return [await query(name, result_type=kind)]
        except RPCError:
            return None

    [found] = await eventually(answer, f"an answer to {name}", CATCHES_UP)
    return found
