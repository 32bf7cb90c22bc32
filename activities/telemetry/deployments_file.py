"""Deployments from a file that pipelines append to.

A line is JSON: `{"service": "dns", "version": "2.3.1", "started": "2026-03-02T09:00:00Z"}` and `finished`.
A pipeline may write one line at the start and another, with `finished`, at the end: the later one counts.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from activities import Failed
from activities.telemetry import Deployments
from model.effects import Deployment, Lookup
from model.text import Name

logger = logging.getLogger(__name__)


class Line(Deployment):
    """A line: stricter than a deployment, because a moment without a zone may mean any of 26 hours."""

    service: Name
    version: Name
    started: AwareDatetime
    finished: AwareDatetime | None = None


@dataclass
class Reading:
    """What a file says.

    Attributes:
        deployments: By their start.
        bad: What cannot be read, and where.
    """

    deployments: list[Deployment] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)


class FileDeployments(Deployments):
    """Knows the deployments in a file."""

    def __init__(self, path: Path) -> None:
        """Read `path`, anew at every question."""
        self._path = path

    async def around(self, order: Lookup) -> list[Deployment]:
        """Return deployments running, or started, between two moments, in every service.

        Raises:
            Failed: The file is not there, or cannot be read.
        """
        reading = await self.read()
        if reading.bad:
            first = "; ".join(reading.bad[:3])
            logger.warning("%s: %d lines are left out: %s", self._path, len(reading.bad), first)
        return [d for d in reading.deployments if d.started <= order.until and _end(d, order) >= order.since]

    async def read(self) -> Reading:
        """Return everything the file says.

        Raises:
            Failed: The file is not there, or cannot be read.
        """
        try:
            return _read(await asyncio.to_thread(_lines, self._path))
        except OSError as error:
            raise Failed(f"the deployments in {self._path.name} cannot be read: {error.strerror}") from None


def _end(deployment: Deployment, order: Lookup) -> datetime:
    return deployment.finished or order.until


def _lines(path: Path) -> Sequence[bytes]:
    return path.read_bytes().splitlines()


def _read(lines: Sequence[bytes]) -> Reading:
    found: dict[tuple[str, str, datetime], Deployment] = {}
    reading = Reading()
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = Line.model_validate_json(text)
        except ValidationError as error:
            reading.bad.append(f"line {number}: {_problem(error)}")
            continue
        if line.finished and line.finished < line.started:
            reading.bad.append(f"line {number}: it finished before it started")
            continue
        found[line.service, line.version, line.started] = Deployment(**line.model_dump())
    reading.deployments = sorted(found.values(), key=lambda d: d.started)
    return reading


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
