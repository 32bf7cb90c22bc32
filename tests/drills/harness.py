"""Drills in the user's words."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from model.catalogue.catalog import Catalog
from model.drill import Drill, DrillResult, EngagementRow, IncidentRow
from worker.drill.player import play
from worker.files import EXAMPLE_CATALOG, catalog_of, load_catalog, load_drill

SCENARIOS = EXAMPLE_CATALOG.parent
ALARM = "alarm: {alarm: err, service: checkout-api, region: eu-west, metric: error-rate, state: ALARM, severity: 2}"


class Outcome:
    """What a drill came to."""

    def __init__(self, result: DrillResult, start: datetime, folder: Path) -> None:
        self.result, self.start, self.folder = result, start, folder

    @property
    def incident(self) -> IncidentRow:
        """The first incident that is no part of another."""
        return next(row for row in self.result.incidents if row.absorbed_into is None)

    def team(self, name: str) -> EngagementRow:
        return next(row for row in self.incident.engagements if row.team == name)

    def paged(self, person: str) -> list[tuple[timedelta, str]]:
        """After how long, and over which channel, in every incident."""
        return sorted(
            (_rounded(page.at - self.start), page.channel)
            for incident in self.result.incidents
            for row in incident.engagements
            for page in row.paged
            if page.person == person
        )

    def said(self, what: str) -> list[str]:
        return [line.text for line in self.incident.timeline if line.what == what]

    def ticket(self) -> str:
        return (self.folder / f"{self.incident.id}.md").read_text()


async def played(scenario: str, folder: Path, driver: str = "skipping") -> Outcome:
    """Play a committed scenario."""
    path = SCENARIOS / f"{scenario}.yaml"
    drill = load_drill(path)
    return await _play(drill, catalog_of(drill, path), folder, driver)


async def story(folder: Path, *steps: str, until: str = "2h", driver: str = "skipping", **more: Any) -> Outcome:
    """Play steps written as in a scenario's file, each as one string: `3m acknowledge: {by: ana}`."""
    drill = Drill.model_validate(
        {
            "title": "a story",
            "start": more.pop("start", "2026-03-02T09:00:00Z"),
            "steps": [_step(step) for step in steps],
            "until": until,
            **more,
        }
    )
    return await _play(drill, load_catalog(EXAMPLE_CATALOG), folder, driver)


def _step(text: str) -> dict[str, Any]:
    at, _, message = text.partition(" ")
    step: dict[str, Any] = {"at": at, **yaml.safe_load(message)}
    return step


async def _play(drill: Drill, catalog: Catalog, folder: Path, driver: str) -> Outcome:
    done = await play(drill, catalog, folder, driver=driver)
    return Outcome(done.result, drill.start, folder)


def _rounded(since: timedelta) -> timedelta:
    """To ten seconds: virtual time runs at wall speed while work is under way, and machines are noisy."""
    return timedelta(seconds=round(since.total_seconds(), -1))


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)
