"""`allclear health`: the whole organisation at one look, as `/api/health` has it (D6)."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from cli import here
from cli.find import short_name
from cli.say import FAILED, OK, Cell, as_json, console, line, table
from cli.talk import Json
from model.times import ago

if TYPE_CHECKING:
    from gateway.health import Health, MetricHealth, RegionHealth, ServiceHealth

_STYLES = {"ALARM": "bad", "OK": "good", "unknown": "warn"}
ROWS = 20
"""Services of a region on a terminal; the first that broke are what the others may follow from."""
_BARS = "▁▂▃▄▅▆▇█"
_All = Annotated[bool, typer.Option("--all", help="Services and metrics that are OK, too.")]


def add(app: typer.Typer) -> None:
    """Add `health`."""
    app.command("health", rich_help_panel="Look", epilog="Example: allclear health --all")(_health)


def _health(everything: _All = False, json: Json = False) -> int:
    """Show every partition, region and service with its key metrics; exit with 1 where something is in alarm.

    Behind a metric stand its last value and the last two hours as bars, where a watcher reads it; else what its alarm
    told last, and how long ago.
    """
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
    brief = out.is_terminal and not everything
    first = sorted(shown, key=lambda service: service.since or now)[:ROWS] if brief else shown
    rows: list[tuple[Cell, ...]] = [_row(service, now, brief) for service in first]
    if rows:
        table(out, ("service", "", "for", "incident", "key metrics"), rows, indent=2)
    if len(shown) > len(first):
        line(out, f"  … and {len(shown) - len(first)} more that are not OK: `allclear health --all`", "note")


def _row(service: "ServiceHealth", now: datetime, brief: bool) -> tuple[Cell, ...]:
    since = ago(now - service.since) if service.since else ""
    apart = "\n" if console().is_terminal else ", "  # what is piped has a line for a service
    told = [metric for metric in service.metrics if not brief or metric.state != "OK" or metric.series]
    metrics = [_metric(metric, now) for metric in told]
    if quiet := len(service.metrics) - len(told):
        metrics[-1:] = [Text(", ").join([*metrics[-1:], Text(f"{quiet} ok", "note")])]
    state = Text(service.state, style=_STYLES[service.state])
    incidents = [short_name(name) if console().is_terminal else name for name in service.incidents]
    return service.service, state, since, ", ".join(incidents), Text(apart).join(metrics)


def _metric(metric: "MetricHealth", now: datetime) -> Text:
    unit = metric.unit if metric.unit == "%" else f" {metric.unit}".rstrip()
    said = Text(metric.name)
    if metric.state != "OK":
        said.append(" IN ALARM" if metric.state == "ALARM" else " ?", _STYLES[metric.state])
    if metric.value is not None:
        said.append(f" {metric.value:.4g}{unit}")
    else:
        said.append(" ok" if metric.state == "OK" else "")
    if metric.series:
        said.append(f" {sparkline([point.value for point in metric.series])}")
    elif metric.at and metric.state == "OK":
        said.append(f" {ago(now - metric.at)} ago", "note")
    if metric.silenced:
        said.append(" (silenced)", "warn")
    return said


def sparkline(values: Sequence[float | None]) -> str:
    """Draw values as bars from zero on, or from the lowest where one is below; nothing came where there is a dot."""
    known = [value for value in values if value is not None]
    lowest = min([0.0, *known])
    span = max(known, default=0.0) - lowest
    bars = len(_BARS) - 1
    return "".join("·" if value is None else _BARS[round((value - lowest) / (span or 1.0) * bars)] for value in values)
