"""What `Detection` needs to decide about one change of an alarm, with many standing.

`python -m tests.bench --only correlation`.

A change is read, decided, and followed by all that one turn of the process does: what time made due, the next effect of
each process, the page in the Web UI. Seconds are of the processor, so that other jobs on the machine blur them little.
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from model.catalogue.catalog import Catalog
from model.catalogue.plan import facts_for, plan_for
from model.details import detection_details
from model.detect import detection, routing
from model.detect.partition import Detection, Resolved
from model.effects import Outcome
from model.engage.suspects import graph_of
from model.policy import Policy
from tests.bench.scale import Scale
from tests.bench.table import Figure, Row, p50, p99
from worker.compose import rest_collector

PARTITION = "bench"
SERVICES, REGIONS, TEAMS = 1_000, 30, 200
DEPENDS_ON = 3
ALONE = 100
"""Changes of the floor; each leaves an incident behind."""
WANTED = 1.0
"""Milliseconds of a decision, the slowest of a hundred as well."""
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
APART = {"aggregate_services": 100_000}
"""A policy under which each service has an incident of its own."""


@dataclass(frozen=True)
class Change:
    """One change, and what the catalogue says about its service."""

    payload: dict[str, Any]
    resolved: Resolved


async def measure(scale: Scale) -> Figure:
    """Measure events that grow together and incidents that stay apart, beside a partition where nothing is."""
    catalog = organisation()
    rows: list[Row] = []
    empty = p50(_turns(_standing(catalog, 0, catalog.policy), _changes(catalog, min(scale.decisions, ALONE), 0)))
    for standing in scale.standing:
        for words, policy in (("one event", catalog.policy), ("an incident each", catalog.policy.overridden(APART))):
            state = _standing(catalog, standing, policy)
            taken = _turns(state, _changes(catalog, scale.decisions, standing))
            for name, value in (("p50", p50(taken)), ("p99", p99(taken))):
                what = f"a change decided, {standing:,} alarms standing, {words}: {name}"
                rows.append(Row(what, value, "ms", empty, f"< {WANTED:g} ms", value < WANTED))
    graph, chance = graph_of(catalog), random.Random(5)
    for impacted in scale.standing:
        named = chance.sample(sorted(catalog.services), impacted)
        ranked = p99([_spent(lambda: graph.common(named)) for _ in range(scale.decisions)])  # noqa: B023
        rows.append(Row(f"the dependency {impacted:,} impacted services share: p99", ranked, "ms", None,
                        f"< {WANTED:g} ms", ranked < WANTED))  # fmt: skip
    notes = [
        f"{SERVICES:,} services of {TEAMS} teams in {REGIONS} regions, {DEPENDS_ON} dependencies each; "
        f"{scale.decisions} changes, ALARM and OK of alarms nobody knew in turns, some of services that have one; "
        "processor time of everything a turn of Detection decides; floor: the median where no other alarm stands"
    ]
    return Figure(rows, notes)


def organisation() -> Catalog:
    """Return a made-up organisation whose services depend on each other without circles."""
    chance = random.Random(1)
    regions = [f"region-{n}" for n in range(REGIONS)]
    people = {f"p{n}": {"name": f"P {n}", "contact": [{"email": f"p{n}@example.test"}]} for n in range(TEAMS + 3)}
    teams: dict[str, Any] = {f"team-{n}": {"on_call": [[f"p{n}"]], "manager": f"p{n // 10}"} for n in range(TEAMS)}
    teams["incident-response"] = {"on_call": [[f"p{TEAMS}"]], "manager": f"p{TEAMS + 2}"}
    teams["support"] = {"on_call": [[f"p{TEAMS + 1}"]], "manager": f"p{TEAMS + 2}"}
    services = {
        service(n): {
            "team": f"team-{n % TEAMS}",
            "regions": regions,
            "depends_on": sorted({service(chance.randrange(n)) for _ in range(DEPENDS_ON)}) if n else [],
        }
        for n in range(SERVICES)
    }
    roles = {"incident_response": "incident-response", "support": "support", "call_leaders": [f"p{TEAMS + 2}"]}
    return Catalog.load(
        {
            "organisation": "Bench",
            "partitions": {PARTITION: regions},
            "people": people,
            "teams": teams,
            "services": services,
            "suspects": [service(n) for n in range(3)],
            "roles": roles,
        }
    )


def service(n: int) -> str:
    """Return the n-th service's name."""
    return f"service-{n}"


def _change(catalog: Catalog, n: int, state: str) -> Change:
    name, region = service(n % SERVICES), f"region-{n % 7 * n % REGIONS}"
    payload = {"alarm": f"errors-{n}", "service": name, "region": region, "metric": "error-rate", "state": state,
               "severity": 2, "value": 4.2, "summary": f"5xx of {name} above 1 %"}  # fmt: skip
    facts = facts_for(catalog, name, region, "error-rate")
    return Change(payload, Resolved(facts=facts, plan=plan_for(catalog, services=[name], at=NOON)))


def _changes(catalog: Catalog, count: int, standing: int) -> Iterator[Change]:
    """Yield changes that leave as many alarms standing as there were."""
    for n in range(count // 2):
        for state in ("ALARM", "OK"):
            yield _change(catalog, standing + n, state)


def _standing(catalog: Catalog, count: int, policy: Policy) -> Detection:
    state = Detection(partition=PARTITION, policy=policy)
    for n in range(count):
        turn(state, _change(catalog, n, "ALARM"), NOON + timedelta(seconds=n / 100))
        _done(state, NOON)
    return state


def _turns(state: Detection, changes: Iterator[Change]) -> Sequence[float]:
    """Return the milliseconds of each change."""
    now = NOON + timedelta(minutes=1)
    rest_collector()  # as a worker does
    taken = []
    for change in changes:
        now += timedelta(milliseconds=100)
        taken.append(_spent(lambda: turn(state, change, now)))  # noqa: B023
        _done(state, now)
    return taken


def turn(state: Detection, change: Change, now: datetime) -> None:
    """Take in one change, and do what a turn of the process does."""
    detection.receive(state, "alarm", change.payload, now)
    for arrived in state.inbox:
        routing.decide(state, arrived, {change.payload["service"]: change.resolved}, now)
    state.inbox.clear()
    detection.advance(state, now)
    detection.next_for_each(state)
    detection_details(state, now)


def _done(state: Detection, now: datetime) -> None:
    for key in list(state.owed):
        detection.effect_ended(state, key, Outcome(), now)


def _spent(doing: Any) -> float:
    began = time.thread_time()
    doing()
    return (time.thread_time() - began) * 1000
