"""A thousand people of two hundred teams, while one provider takes ten seconds an answer and another gives none."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from activities.posting import WITHIN
from link import catalog as live
from link.starting import Starter
from model.catalogue.catalog import Catalog
from model.catalogue.plan import plan_for
from model.effects import Errand, Start
from model.incident import Incident
from store import Store
from tests.bench.house import PARTITION, REGION, House, house, organisation, service
from tests.bench.providers import CHANNELS, Health, Providers, providers
from tests.bench.scale import Scale
from tests.bench.table import Row, at_most, p50

ALL_WITHIN = 60.0
"""Seconds until the last of all was reached over some channel."""
SAID_WITHIN = 1.0
"""Seconds that an acknowledgement or a decision may take meanwhile."""
WORST_WITHIN = 20.0
"""Seconds until everybody of the worse incident was reached: two channels that never answer, and a third that does."""
PATIENCE = 180.0
FEW = 50
"""Teams: with fewer nothing is measured, it is only seen that it runs; then pages have a second and not seven."""
WELL: dict[str, Health] = dict.fromkeys(CHANNELS, "well")
TROUBLE: dict[str, Health] = {"webhook": "silent", "email": "slow", "push": "well"}
TALKERS = 10
"""Teams of which somebody acknowledges and decides meanwhile; nobody waits for the others of theirs."""


@dataclass
class Seen:
    """What one run showed.

    Attributes:
        pages: Seconds until each person was reached.
        worst: The same, for the people of the severity 1 incident, from its own opening.
        said: Seconds that each acknowledgement and decision took.
        failed: Channel → pages that failed over it, as the timeline tells.
        told: Of all failed pages, how many in a hundred the timeline tells of, with the reason.
        most: Channel → connections at the same time.
    """

    pages: list[float]
    worst: list[float]
    said: list[float]
    failed: dict[str, int]
    told: float
    most: dict[str, int]


async def rows(scale: Scale) -> tuple[list[Row], list[str]]:
    """Page everybody twice: with three providers that are well, which is the floor, and with one."""
    async with providers() as there:
        catalog = _with_channels(organisation(scale.teams + 1, scale.teams + 1, scale.on_call), there)
        quick = scale.teams < FEW
        policy = {"provider_patience": "900ms"} if quick else None
        async with house(catalog, policy, there.pagers(timedelta(seconds=1) if quick else WITHIN)) as it:
            floor = await _run(it, there, catalog, scale, WELL, "WELL")
            seen = await _run(it, there, catalog, scale, TROUBLE, "TROUBLE")
    assert not floor.failed, f"providers that are well failed: {floor.failed}"
    title = "one provider well, one slow, one silent"
    last, worst, said = seen.pages[-1], seen.worst[-1], max(seen.said)
    return [
        Row(f"{title}: p50", p50(seen.pages), "s", p50(floor.pages)),
        Row(f"{title}: last person", last, "s", floor.pages[-1], *at_most(ALL_WITHIN, last, f"≤ {ALL_WITHIN:g} s")),
        Row("… slowest answer to a person", said, "s", max(floor.said), *at_most(SAID_WITHIN, said, "< 1 s")),
        Row("… severity 1 in the middle: first", seen.worst[0], "s", floor.worst[0]),
        Row("… severity 1 in the middle: last", worst, "s", floor.worst[-1], *at_most(WORST_WITHIN, worst, "≤ 20 s")),
        Row("… failed pages told with their reason", seen.told, "%", None, "all", seen.told == 100),
    ], [
        f"'{title}': everybody has a webhook, mail and Apprise's json://, in turns; the webhook is accepted and never "
        f"answered, mail takes 10 s, Apprise is well; floor: all three well, same incident; connections at once: "
        f"{seen.most}, floor {floor.most}; failed by channel: {seen.failed}"
    ]


def _with_channels(catalog: Catalog, there: Providers) -> Catalog:
    people = {}
    for n, (name, person) in enumerate(catalog.people.items()):
        turned = CHANNELS[n % 3 :] + CHANNELS[: n % 3]
        people[name] = person.model_copy(update={"contact": [there.contact(channel, name) for channel in turned]})
    return catalog.model_copy(update={"people": people})


async def _run(
    it: House, there: Providers, catalog: Catalog, scale: Scale, health: dict[str, Health], name: str
) -> Seen:
    await there.become(health)
    big = await _open(it, catalog, [service(n) for n in range(scale.teams)], 2, name)
    began = time.perf_counter()
    silenced = min(TALKERS, scale.teams // 2)
    waited = {p for n in range(silenced, scale.teams) for p in catalog.teams[f"team-{n}"].members if p.startswith("p")}
    worst_team = {p for p in catalog.teams[f"team-{scale.teams}"].members if p.startswith("p")}
    talking = asyncio.create_task(_talk(big, there, silenced, f"team-{scale.teams}"))
    await asyncio.sleep(scale.later)
    small = await _open(it, catalog, [service(scale.teams)], 1, f"{name}WORST")
    opened = time.perf_counter()
    reached = await _all(there, waited | worst_team)
    said = await talking
    failed, told = await _told(it.store, big)
    most = await there.most()
    await asyncio.gather(big.terminate("measured"), small.terminate("measured"))
    await it.pager.at_rest()
    return Seen(
        sorted(reached[p] - began for p in waited),
        sorted(reached[p] - opened for p in worst_team),
        said,
        failed,
        told,
        most,
    )


async def _open(it: House, catalog: Catalog, services: list[str], severity: int, name: str) -> WorkflowHandle[Any, Any]:
    now = datetime.now(UTC)
    incident = Incident(
        id=f"INC-{now:%Y%m%d}-{name}",
        detection=f"detection/{PARTITION}",
        title="everything at once",
        kind="multi_service" if len(services) > 1 else "single_service",
        severity=severity,
        detected_by="aggregate",
        opened_at=now,
        services=services,
        regions=[REGION],
        plan=plan_for(catalog, services=services, at=now),
        policy=live.policy(),
    )
    order = Start(
        workflow="Incident", workflow_id=incident.id, origin="bench", payload=incident.model_dump(mode="json")
    )
    outcome = await Starter(it.client).start_process(Errand[Start](key=f"bench/{name}", order=order))
    assert outcome.ok, outcome.reason
    return it.client.get_workflow_handle(incident.id)


async def _talk(incident: WorkflowHandle[Any, Any], there: Providers, teams: int, aside: str) -> list[float]:
    """Acknowledge and decide, one team after the other, while the pages go out; return how long each took."""
    took: list[float] = []

    async def say(update: str, **message: Any) -> None:
        began = time.perf_counter()
        await incident.execute_update(update, message)
        took.append(time.perf_counter() - began)

    for n in range(teams):
        await asyncio.sleep(0.5)
        by = f"p{n}-0"
        await say("acknowledge", by=by)
        await say("propose", by=by, kind="roll_back", target=f"{service(n)}@{n}", why="began with it", go=True)
    return took


async def _all(there: Providers, people: set[str]) -> dict[str, float]:
    deadline = time.perf_counter() + PATIENCE
    while missing := people - (reached := await there.reached()).keys():
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{len(missing)} of {len(people)} people not reached after {PATIENCE:g} s")
        await asyncio.sleep(0.1)
    return reached


async def _told(store: Store, incident: WorkflowHandle[Any, Any]) -> tuple[dict[str, int], float]:
    """Return how many failed pages of each channel the record tells of with a reason, and their share of all in %."""
    deadline = time.perf_counter() + PATIENCE
    while True:
        state = await incident.query("snapshot", result_type=Incident)
        failed = [page for it in state.people.values() for page in it.pages if page.failed_at]
        found = [entry.text for entry in await store.timeline(incident.id) if entry.what == "fallback"]
        if len(found) >= len(failed) or time.perf_counter() > deadline:
            break
        await asyncio.sleep(1)
    said = {c: sum(t.startswith(f"{c} to ") and " failed (" in t and "; next: " in t for t in found) for c in CHANNELS}
    told = {channel: count for channel, count in said.items() if count}
    return told, 100 * min(sum(told.values()) / len(failed), 1) if failed else 100
