"""What is watched from the outside in one region: canaries and traffic (D2, D4); what the process shows of it."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from model.catalogue.catalog import Catalog
from model.detect.canaries import Canary
from model.detect.traffic import Traffic
from model.text import cut, escape
from model.times import Moment

BLIND = 4
"""Severity of going blind (policy `watch_blind_after`): a ticket, for the next working morning."""
POINTS = 24
"""Of a series, shown on the dashboard: two hours of five minutes."""
PARTIAL = 4
"""Severity of a partial shortfall, until a canary, an alarm or reports agree (design §5, facts-detection)."""


class Point(BaseModel):
    """A value of a series at a moment; None where none came."""

    at: Moment
    value: float | None = None


class Seen(BaseModel):
    """What one watcher saw last.

    Attributes:
        service: Whose.
        metric: What it measures: a key metric, or the watcher itself.
        unit: Of its values, where the catalogue does not say.
        alarms: Each alarm it can raise, and whether it does.
        why: What is wrong, or how it is.
        at: When it looked last.
        points: What it measured last, oldest first (D6).
    """

    name: str
    service: str = ""
    metric: str = ""
    unit: str = ""
    alarms: dict[str, Literal["ALARM", "OK"]] = {}
    why: str = ""
    at: Moment | None = None
    points: list[Point] = []

    def brief(self) -> "Seen":
        """What goes into a history: without all but the last point."""
        return self.model_copy(update={"points": self.points[-1:]})


class Watch(BaseModel):
    """Everything the process of one region knows; its only argument."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int = 1
    region: str
    seen: list[Seen] = []
    error: str = ""
    clock_shift: timedelta = timedelta()


def watched_in(catalog: Catalog, region: str) -> tuple[list[Canary], list[Traffic]]:
    """Return what is to be watched in a region."""
    return (
        [canary for canary in catalog.canaries.values() if canary.region == region],
        [traffic for traffic in catalog.traffic.values() if traffic.region == region],
    )


def watched_regions(catalog: Catalog) -> list[str]:
    """List the regions in which anything is watched."""
    canaries = {canary.region for canary in catalog.canaries.values()}
    return sorted(canaries | {traffic.region for traffic in catalog.traffic.values()})


def alarm_of(
    watcher: Canary | Traffic, alarm: str, state: str, *, severity: int, summary: str, at: Moment
) -> dict[str, Any]:
    """Return the message to `Detection` that one of a watcher's alarms changed."""
    source = "canary" if isinstance(watcher, Canary) else "traffic"
    return {
        "alarm": alarm,
        "service": watcher.service,
        "region": watcher.region,
        "metric": source,
        "state": state,
        "source": "subsystem" if alarm.endswith("-blind") else source,
        "severity": severity,
        "summary": cut(summary, 300) if state == "ALARM" else "",
        "at": at.isoformat(),
    }


def watch_details(state: Watch) -> str:
    """Return the process's page in Markdown."""
    lines = [f"# Watch: {escape(state.region)}", ""]
    if state.error:
        lines += [f"**It cannot watch:** {escape(state.error)}", ""]
    for seen in state.seen:
        firing = [name for name, said in seen.alarms.items() if said == "ALARM"]
        standing = f"**in alarm** ({escape(', '.join(firing))})" if firing else "ok"
        looked = f", looked at {seen.at:%H:%M:%S}" if seen.at else ""
        lines.append(f"- {escape(seen.name)}: {standing}{looked}. {escape(seen.why)[:300]}")
    if not state.seen:
        lines.append("Nothing has been looked at yet.")
    return "\n".join(lines)
