"""`GET /api/health`: the whole organisation at one look, partition → region → service → key metric (D6)."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from gateway.door import Door
from gateway.openapi import PROBLEMS
from model.catalogue.catalog import GLOBAL, UNMAPPED, Catalog, Service
from model.catalogue.plan import facts_for
from model.detect.partition import Detection, Watched
from model.times import Moment

LOOK_WITHIN: Final = timedelta(seconds=3)
"""In which a partition's `Detection` has to answer; then its state is unknown."""

FRESH: Final = 1.0
"""Seconds for which what was seen is shown again."""

logger = logging.getLogger(__name__)

State = Literal["ALARM", "OK", "unknown"]
"""`OK`: no alarm says otherwise; `unknown`: `Detection` does not answer."""
_WORST: Final[dict[State, int]] = {"ALARM": 0, "unknown": 1, "OK": 2}


class MetricHealth(BaseModel):
    """One key metric of a service, or an alarm on something that is none of them.

    Attributes:
        since: Since when it is in alarm.
        value: The last value its alarm told; nothing where none is in alarm, or none was told.
        key: Whether it is one of the service's key metrics.
        alarms: The alarms behind it.
    """

    name: str
    key: bool
    state: State
    since: Moment | None = None
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    severity: int | None = None
    silenced: bool = False
    alarms: list[str] = []


class ServiceHealth(BaseModel):
    """A service in a region."""

    service: str
    team: str = ""
    name: str = ""
    state: State
    since: Moment | None = None
    incidents: list[str] = []
    metrics: list[MetricHealth] = []


class RegionHealth(BaseModel):
    """A region; `global` has the services that are one for all regions."""

    region: str
    state: State
    services: list[ServiceHealth] = []


class PartitionHealth(BaseModel):
    """A partition; `unmapped` has what the catalogue does not know.

    Attributes:
        error: Why its state is not known.
    """

    partition: str
    state: State
    error: str = ""
    regions: list[RegionHealth] = []


class Health(BaseModel):
    """Everything at one moment."""

    organisation: str
    at: Moment
    state: State
    partitions: list[PartitionHealth]


def dashboard_routes(door: Door, client: Client, catalog: Callable[[], Catalog]) -> APIRouter:
    """Return the route of the health dashboard, for whoever passes the door."""
    routes = APIRouter(dependencies=[Depends(door)], responses=PROBLEMS)
    looks: dict[str, tuple[asyncio.Task[tuple[Detection | None, str]], float]] = {}

    def look(partition: str) -> asyncio.Task[tuple[Detection | None, str]]:
        """Return a look at a partition: however many dashboards are open, one query a second asks for it."""
        found = looks.get(partition)
        if found is None or (found[0].done() and time.monotonic() - found[1] > FRESH):
            found = looks[partition] = (asyncio.create_task(_look(client, partition)), time.monotonic())
        return found[0]

    @routes.get("/api/health", tags=["operation"])
    async def health() -> Health:
        """Say how every service is, partition by partition, as `Detection` knows it at this moment."""
        current = catalog()
        names = [*current.partitions, UNMAPPED]
        for gone in looks.keys() - set(names):
            del looks[gone]
        return _whole(current, names, await asyncio.gather(*(asyncio.shield(look(name)) for name in names)))

    return routes


async def health_of(client: Client, catalog: Catalog) -> Health:
    """Say how every service is at this moment: for the command line, which asks once."""
    names = [*catalog.partitions, UNMAPPED]
    return _whole(catalog, names, await asyncio.gather(*(_look(client, name) for name in names)))


def _whole(catalog: Catalog, names: list[str], found: Sequence[tuple[Detection | None, str]]) -> Health:
    told = [partition_health(catalog, name, *seen) for name, seen in zip(names, found, strict=True)]
    return Health(
        organisation=catalog.organisation,
        at=datetime.now(UTC),
        state=_worst(one.state for one in told),
        partitions=told,
    )


async def _look(client: Client, partition: str) -> tuple[Detection | None, str]:
    """Return what a partition's `Detection` knows, or why it does not say."""
    try:
        async with asyncio.timeout(LOOK_WITHIN.total_seconds()):
            handle = client.get_workflow_handle(f"detection/{partition}")
            return await handle.query("snapshot", result_type=Detection, rpc_timeout=LOOK_WITHIN), ""
    except (TimeoutError, RuntimeError, WorkflowQueryFailedError, WorkflowQueryRejectedError, RPCError) as error:
        logger.debug("looking at %s", partition, exc_info=error)
        said = error.message if isinstance(error, RPCError) else str(error)
        return None, f"detection/{partition} does not answer{f': {said}' if said else ''}"


def partition_health(catalog: Catalog, partition: str, state: Detection | None, error: str = "") -> PartitionHealth:
    """Return how a partition is: every service of the catalogue in every region, and what else is in alarm."""
    grid: dict[str, dict[str, list[Watched]]] = {}
    for region in catalog.partitions.get(partition, []):
        grid[region] = {service.id: [] for service in catalog.services.values() if region in service.regions}
    everywhere = [service.id for service in catalog.services.values() if _is_global(service)]
    ours = [name for name in everywhere if facts_for(catalog, name, GLOBAL, "").partition == partition]
    if ours:
        grid[GLOBAL] = {name: [] for name in ours}
    for watched in state.alarms.values() if state else ():
        if not watched.test:
            grid.setdefault(watched.fact.region, {}).setdefault(watched.fact.service, []).append(watched)
    regions = []
    for region, services in grid.items():
        told = [_service_health(catalog, name, alarms, known=state is not None) for name, alarms in services.items()]
        regions.append(RegionHealth(region=region, state=_worst(one.state for one in told), services=told))
    own: State = _worst(one.state for one in regions) if state else "unknown"
    return PartitionHealth(partition=partition, state=own, error=error, regions=regions)


def _is_global(service: Service) -> bool:
    return not service.regions or GLOBAL in service.regions


def _service_health(catalog: Catalog, name: str, alarms: list[Watched], *, known: bool) -> ServiceHealth:
    entry = catalog.services.get(name)
    quiet: State = "OK" if known else "unknown"
    by_metric: dict[str, list[Watched]] = {}
    for watched in alarms:
        by_metric.setdefault(watched.fact.metric.casefold(), []).append(watched)
    metrics = []
    for kpi in entry.kpis if entry else ():
        limit = kpi.alarm_above if kpi.alarm_above is not None else kpi.alarm_below
        found = by_metric.pop(kpi.name.casefold(), [])
        resting = MetricHealth(
            name=kpi.name, key=True, state=quiet, threshold=limit, unit=kpi.unit, severity=kpi.severity
        )
        metrics.append(_in_alarm(resting, found) if found else resting)
    for found in by_metric.values():
        fact = found[0].fact
        metrics.append(_in_alarm(MetricHealth(name=fact.metric or fact.alarm, key=False, state=quiet), found))
    since = [one.since for one in metrics if one.since]
    return ServiceHealth(
        service=name,
        team=entry.team if entry else catalog.roles.incident_response,
        name=entry.customer_name if entry else "",
        state=_worst([quiet, *(one.state for one in metrics)]),
        since=min(since, default=None),
        incidents=sorted({watched.incident for watched in alarms if watched.incident}),
        metrics=metrics,
    )


def _in_alarm(resting: MetricHealth, alarms: list[Watched]) -> MetricHealth:
    """Return a metric with the alarms on it: the worst counts, the oldest says since when."""
    worst = min(alarms, key=lambda watched: (watched.fact.severity, watched.fact.since))
    return resting.model_copy(
        update={
            "state": "ALARM",
            "since": min(watched.fact.since for watched in alarms),
            "value": worst.fact.value,
            "threshold": worst.fact.threshold if worst.fact.threshold is not None else resting.threshold,
            "unit": resting.unit or worst.fact.unit,
            "severity": worst.fact.severity,
            "silenced": all(watched.silenced for watched in alarms),
            "alarms": sorted(watched.fact.alarm for watched in alarms),
        }
    )


def _worst(states: Iterable[State]) -> State:
    return min(states, key=lambda state: _WORST[state], default="OK")
