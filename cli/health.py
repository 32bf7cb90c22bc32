"""`allclear health`: the whole organisation at one look, as `/api/health` has it (D6)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from cli import here
from cli.say import FAILED, OK, Cell, as_json, console, line, table
from cli.talk import Json
from model.times import ago

if TYPE_CHECKING:
    from gateway.health import Health, MetricHealth, RegionHealth, ServiceHealth

_STYLES = {"ALARM": "bad", "OK": "good", "unknown": "warn"}
_All = Annotated[bool, typer.Option("--all", help="Services that are OK, too.")]


def add(app: typer.Typer) -> None:
    """Add `health`."""
    app.command("health", rich_help_panel="Look", epilog="Example: allclear health --all")(_health)


def _health(everything: _All = False, json: Json = False) -> int:
    """Show every partition, region and service with its key metrics; exit with 1 where something is in alarm."""
    from gateway.health import health_of  # FastAPI takes a third of a second, which no other command should pay

    settings = here.settings()
    catalog = here.catalog(settings)

    async def ask() -> "Health":
        return await health_of(await here.connected(settings), catalog)

    found = here.in_loop(ask())
    if json:
        as_json(found.model_dump(mode="json"))
    else:
        _show(found, everything)
    return OK if found.state == "OK" else FAILED


def _show(health: "Health", everything: bool) -> None:
    out = console()
    line(out, f"{health.organisation}: {health.state}, {health.at:%Y-%m-%d %H:%M:%S} UTC", _STYLES[health.state])
    for partition in health.partitions:
        if partition.error:
            line(out, f"{partition.partition}: {partition.error}", _STYLES["unknown"])
            continue
        for region in partition.regions:
            _region(partition.partition, region, health.at, everything)


def _region(partition: str, region: "RegionHealth", now: datetime, everything: bool) -> None:
    out = console()
    shown = [service for service in region.services if everything or service.state != "OK"]
    quiet = len(region.services) - len(shown)
    aside = f", {quiet} services are OK" if quiet else ""
    line(out, f"{partition} / {region.region}: {region.state}{aside}", "head")
    rows: list[tuple[Cell, ...]] = [_row(service, now) for service in shown]
    if rows:
        table(out, ("service", "", "for", "key metrics", "incident"), rows, indent=2)


def _row(service: "ServiceHealth", now: datetime) -> tuple[Cell, ...]:
    since = ago(now - service.since) if service.since else ""
    metrics = ", ".join(_metric(metric) for metric in service.metrics)
    state = Text(service.state, style=_STYLES[service.state])
    return service.service, state, since, metrics, ", ".join(service.incidents)


def _metric(metric: "MetricHealth") -> str:
    if metric.state != "ALARM":
        return f"{metric.name} {'?' if metric.state == 'unknown' else 'ok'}"
    unit = metric.unit if metric.unit == "%" else f" {metric.unit}".rstrip()
    value = f" {metric.value:g}{unit}" if metric.value is not None else ""
    silent = " (silenced)" if metric.silenced else ""
    return f"{metric.name} IN ALARM{value}{silent}"
