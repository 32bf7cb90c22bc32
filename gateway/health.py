"""`GET /api/health`: the whole organisation at one look, partition → region → service → key metric (D6)."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ValidationError
from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from activities.watch import WATCH
from gateway.door import Door
from gateway.openapi import PROBLEMS
from model.catalogue.catalog import GLOBAL, UNMAPPED, Catalog, Service
from model.catalogue.entries import Kpi
from model.catalogue.plan import facts_for
from model.detect.partition import Detection, Watched, metric_key
from model.detect.watch import Point, Seen, Watch, watched_regions
from model.times import Moment

LOOK_WITHIN: Final = timedelta(seconds=3)
"""In which a partition's `Detection` has to answer; then its state is unknown."""

FRESH: Final = 1.0
"""Seconds for which what was seen is shown again."""


@dataclass(frozen=True)
class _Look:
    """What was found of a partition.

    Attributes:
        seen: What watchers saw last, by region.
    """

    state: Detection | None
    error: str
    seen: Mapping[str, list[Seen]]


logger = logging.getLogger(__name__)

State = Literal["ALARM", "OK", "unknown"]
"""`OK`: no alarm says otherwise; `unknown`: `Detection` does not answer."""
_WORST: Final[dict[State, int]] = {"ALARM": 0, "unknown": 1, "OK": 2}


class MetricHealth(BaseModel):
    """One key metric of a service, or something else that is watched or in alarm.

    Attributes:
        key: Whether it is one of the service's key metrics.
        since: Since when its state is so; nothing where it never changed.
        value: The last value: of its series, or the last that its alarms told.
        at: When that was measured.
        series: The last values, oldest first, where a watcher reads them; nothing came where a value is missing.
        alarms: The alarms behind it.
    """

    name: str
    key: bool
    state: State
    since: Moment | None = None
    value: float | None = None
    at: Moment | None = None
    series: list[Point] = []
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
    looks: dict[str, tuple[asyncio.Task[_Look], float]] = {}

    def look(partition: str, regions: Sequence[str]) -> asyncio.Task[_Look]:
        """Return a look at a partition: however many dashboards are open, it is asked once a second."""
        found = looks.get(partition)
        if found is None or (found[0].done() and time.monotonic() - found[1] > FRESH):
            found = looks[partition] = (asyncio.create_task(_look(client, partition, regions)), time.monotonic())
        return found[0]

    @routes.get("/api/health", tags=["operation"])
    async def health() -> Health:
        """Say how every service is, partition by partition: as `Detection` and the watchers know it at this moment."""
        current = catalog()
        asked = _asked(current)
        for gone in looks.keys() - asked.keys():
            del looks[gone]
        found = await asyncio.gather(*(asyncio.shield(look(name, regions)) for name, regions in asked.items()))
        return _whole(current, list(asked), found)

    return routes


async def health_of(client: Client, catalog: Catalog) -> Health:
    """Say how every service is at this moment: for the command line, which asks once."""
    asked = _asked(catalog)
    found = await asyncio.gather(*(_look(client, name, regions) for name, regions in asked.items()))
    return _whole(catalog, list(asked), found)


def _asked(catalog: Catalog) -> dict[str, list[str]]:
    """Return each partition, and its regions in which anything is watched."""
    watched = watched_regions(catalog)
    home = {region: catalog.partition_of(region) for region in watched}
    first = next(iter(catalog.partitions), "")  # what is one for all regions is watched once, too
    return {
        **{name: [r for r in watched if (home[r] or first) == name] for name in catalog.partitions},
        UNMAPPED: [],
    }


def _whole(catalog: Catalog, names: list[str], found: Sequence[_Look]) -> Health:
    told = [
        partition_health(catalog, name, look.state, look.error, look.seen)
        for name, look in zip(names, found, strict=True)
    ]
    return Health(
        organisation=catalog.organisation,
        at=datetime.now(UTC),
        state=_worst(one.state for one in told),
        partitions=told,
    )


async def _look(client: Client, partition: str, regions: Sequence[str]) -> _Look:
    """Return what a partition's `Detection` and watchers know, or why they do not say."""
    watching = asyncio.gather(*(_watchers(client, region) for region in regions))
    state, error = await _detection(client, partition)
    return _Look(state, error, dict(zip(regions, await watching, strict=True)))


async def _detection(client: Client, partition: str) -> tuple[Detection | None, str]:
    try:
        async with asyncio.timeout(LOOK_WITHIN.total_seconds()):
            handle = client.get_workflow_handle(f"detection/{partition}")
            return await handle.query("snapshot", result_type=Detection, rpc_timeout=LOOK_WITHIN), ""
    except (TimeoutError, RuntimeError, WorkflowQueryFailedError, WorkflowQueryRejectedError, RPCError) as error:
        logger.debug("looking at %s", partition, exc_info=error)
        said = error.message if isinstance(error, RPCError) else str(error)
        return None, f"detection/{partition} does not answer{f': {said}' if said else ''}"


async def _watchers(client: Client, region: str) -> list[Seen]:
    """Return what a region's watchers saw last: by their last heartbeat, else by what their process was told.

    A region that is not watched yet has nothing to show; that says nothing about its services.
    """
    handle = client.get_workflow_handle(f"watch/{region}")
    try:
        async with asyncio.timeout(LOOK_WITHIN.total_seconds()):
            about = await handle.describe(rpc_timeout=LOOK_WITHIN)
            for pending in about.raw_description.pending_activities:
                if pending.activity_type.name == WATCH and pending.heartbeat_details.payloads:
                    payloads = [pending.heartbeat_details.payloads[0]]
                    (beaten,) = await client.data_converter.decode(payloads, [list[Seen]])
                    if any(seen.at for seen in beaten):
                        return list(beaten)
            told: Watch = await handle.query("snapshot", result_type=Watch, rpc_timeout=LOOK_WITHIN)
            return told.seen
    except (
        TimeoutError,
        RuntimeError,
        WorkflowQueryFailedError,
        WorkflowQueryRejectedError,
        RPCError,
        ValidationError,
    ) as error:
        logger.debug("looking at the watchers of %s", region, exc_info=error)
        return []


def partition_health(
    catalog: Catalog,
    partition: str,
    state: Detection | None,
    error: str = "",
    seen: Mapping[str, Sequence[Seen]] | None = None,
) -> PartitionHealth:
    """Return how a partition is: every service of the catalogue in every region, and what else is in alarm.

    Args:
        catalog: The organisation.
        partition: Which.
        state: What its `Detection` knows; None where it does not say …
        error: … and why.
        seen: What watchers saw last, by region.
    """
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
        watchers = (seen or {}).get(region, [])
        told = [
            _service_health(catalog, name, region, alarms, state, [one for one in watchers if one.service == name])
            for name, alarms in services.items()
        ]
        regions.append(RegionHealth(region=region, state=_worst(one.state for one in told), services=told))
    own: State = _worst(one.state for one in regions) if state else "unknown"
    return PartitionHealth(partition=partition, state=own, error=error, regions=regions)


def _is_global(service: Service) -> bool:
    return not service.regions or GLOBAL in service.regions


def _service_health(
    catalog: Catalog,
    name: str,
    region: str,
    alarms: list[Watched],
    state: Detection | None,
    watchers: Sequence[Seen],
) -> ServiceHealth:
    entry = catalog.services.get(name)
    quiet: State = "OK" if state else "unknown"
    rows = {kpi.name.casefold(): _resting(kpi, quiet) for kpi in (entry.kpis if entry else ())}
    series: dict[str, Seen] = {}
    of_watcher: dict[str, str] = {}
    for seen in watchers:
        metric = seen.metric or seen.name
        rows.setdefault(metric.casefold(), MetricHealth(name=metric, key=False, state=quiet, unit=seen.unit))
        series[metric.casefold()] = seen
        of_watcher |= dict.fromkeys(seen.alarms, metric.casefold())
    by_metric: dict[str, list[Watched]] = {}
    for watched in alarms:
        fact = watched.fact
        metric = of_watcher.get(fact.alarm) or fact.metric.casefold()
        by_metric.setdefault(metric, []).append(watched)
        rows.setdefault(metric, MetricHealth(name=fact.metric or fact.alarm, key=False, state=quiet))
    metrics = []
    for metric, row in rows.items():
        told = state.metrics.get(metric_key(name, region, metric)) if state else None
        if told:
            row = row.model_copy(update={"since": told.ok_since, "value": told.value, "at": told.at})
        if metric in by_metric:
            row = _in_alarm(row, by_metric[metric])
        metrics.append(_measured(row, series[metric]) if metric in series else row)
    return ServiceHealth(
        service=name,
        team=entry.team if entry else catalog.roles.incident_response,
        name=entry.customer_name if entry else "",
        state=_worst([quiet, *(one.state for one in metrics)]),
        since=min((one.since for one in metrics if one.since and one.state == "ALARM"), default=None),
        incidents=sorted({watched.incident for watched in alarms if watched.incident}),
        metrics=metrics,
    )


def _resting(kpi: Kpi, quiet: State) -> MetricHealth:
    limit = kpi.alarm_above if kpi.alarm_above is not None else kpi.alarm_below
    return MetricHealth(name=kpi.name, key=True, state=quiet, threshold=limit, unit=kpi.unit, severity=kpi.severity)


def _measured(row: MetricHealth, seen: Seen) -> MetricHealth:
    """Return a metric with its series; its last value counts where no alarm told a later one."""
    last = next((point for point in reversed(seen.points) if point.value is not None), None)
    row = row.model_copy(update={"series": seen.points})
    if last is None or (row.value is not None and row.at and row.at > last.at):
        return row
    return row.model_copy(update={"value": last.value, "at": last.at})


def _in_alarm(resting: MetricHealth, alarms: list[Watched]) -> MetricHealth:
    """Return a metric with the alarms on it: the worst counts, the oldest says since when."""
    worst = min(alarms, key=lambda watched: (watched.fact.severity, watched.fact.since)).fact
    told = {"value": worst.value, "at": worst.since} if worst.value is not None else {}
    return resting.model_copy(
        update={
            "state": "ALARM",
            "since": min(watched.fact.since for watched in alarms),
            "threshold": worst.threshold if worst.threshold is not None else resting.threshold,
            "unit": resting.unit or worst.unit,
            "severity": worst.severity,
            "silenced": all(watched.silenced for watched in alarms),
            "alarms": sorted(watched.fact.alarm for watched in alarms),
            **told,
        }
    )


def _worst(states: Iterable[State]) -> State:
    return min(states, key=lambda state: _WORST[state], default="OK")
