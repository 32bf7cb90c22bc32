"""Plays one drill and says what came of it."""

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.comms.outbox import OutboxMessenger
from activities.customers.outbox import OutboxCarrier
from activities.paging.outbox import OutboxPager
from activities.record.sql import SqlRecorder
from activities.statuspage.embedded import EmbeddedPage
from activities.tickets.markdown import MarkdownTickets
from link import catalog as live
from link.guard import proven
from link.signing import page_link
from link.starting import open_detection, signal_detection
from model.catalogue.catalog import Catalog
from model.catalogue.plan import facts_for
from model.drill import TO_DETECTION, Connected, Drill, DrillResult, Problem, Step, incident_row
from model.incident import Incident, Phase
from model.matter import Entry
from model.text import Refused
from model.times import ago
from store.engine import Store, open_store
from store.migrate import upgrade
from worker.compose import Connectors, make_workers
from worker.drill.connected import Outside, Reach
from worker.drill.drivers import DRIVERS, Driver
from worker.drill.settle import PATIENCE, Settler
from worker.drill.world import (
    DrillCarrier,
    DrillDeployments,
    DrillMessenger,
    DrillPager,
    DrillRecorder,
    DrillTickets,
    Weather,
)
from worker.settings import Settings
from workflows.errands import MIRROR_WITHIN

Watch = Callable[[Incident, list[Entry]], None]
"""Hears what is new in an incident while the drill plays."""

After = Callable[[Client, Sequence[str]], Awaitable[None]]
"""What is to be done when the story is over, while its server still runs."""


@dataclass(frozen=True)
class Connection:
    """An installation's connectors beside a drill's own, and whom they may reach."""

    settings: Settings
    reach: Reach


@dataclass
class Played:
    """What a drill left."""

    result: DrillResult
    tickets: dict[str, Path]


async def play(
    drill: Drill,
    catalog: Catalog,
    folder: Path,
    *,
    driver: str = "skipping",
    watch: Watch = lambda i, e: None,
    after: After | None = None,
    cached: int = 1000,
    connection: Connection | None = None,
) -> Played:
    """Play a drill.

    Args:
        drill: What happens.
        catalog: The organisation it happens to.
        folder: Where the store and the tickets go.
        driver: `skipping` (virtual time) or `real-time`.
        watch: Hears of new lines after every step.
        after: Called with the client and every process's id, before the server goes.
        cached: Workflows the worker keeps in memory; 0 replays at every task.
        connection: What it reaches outside; None: nothing.

    Raises:
        Refused: What it is connected to does not work, or has nothing that a drill could reach.
    """
    began = time.monotonic()
    policy = catalog.policy.overridden(drill.policy)
    live.use(catalog, policy)
    secret = secrets.token_hex(16)
    outside = Outside(connection.settings, connection.reach, drill.title) if connection else None
    url = f"sqlite+aiosqlite:///{folder / 'allclear.db'}"
    upgrade(url)
    store = open_store(url)
    try:
        async with DRIVERS[driver](secret) as server:
            stage = _Stage(drill, catalog, server, store, folder, watch, outside)
            connectors = stage.connectors(secret)
            if outside:
                await outside.check()
            await stage.begin()
            worker = make_workers(
                server.client, connectors, secret=secret, started=stage.settler.started, cached=cached
            )
            async with worker:
                await stage.play()
                result = await stage.result(time.monotonic() - began)
                if after:
                    await after(server.client, stage.settler.ids)
        return Played(result, {row.id: folder / f"{row.id}.md" for row in result.incidents})
    finally:
        await store.close()


class _Stage:
    def __init__(
        self,
        drill: Drill,
        catalog: Catalog,
        server: Driver,
        store: Store,
        folder: Path,
        watch: Watch,
        outside: Outside | None,
    ) -> None:
        self.drill, self.catalog, self.server, self.store = drill, catalog, server, store
        self.folder, self.watch, self.outside = folder, watch, outside
        # Bringing a real system forty lines may take as long as its activity may.
        self.settler = Settler(server.client, PATIENCE + (MIRROR_WITHIN.total_seconds() if outside else 0))
        self.problems: list[Problem] = []
        self.base = drill.start
        self.shift = timedelta()
        self._seen: dict[str, int] = {}
        self._late = timedelta()

    async def begin(self) -> None:
        """Fix where the story begins on the server's clock."""
        self.base = await self.server.now()
        self.shift = self.drill.start - self.base

    async def story_now(self) -> datetime:
        return await self.server.now() + self.shift

    def connectors(self, secret: str) -> Connectors:
        weather = Weather(self.drill, self.story_now)
        pager = DrillPager(weather, OutboxPager(self.store))
        messenger = DrillMessenger(weather, OutboxMessenger(self.store))
        carrier = DrillCarrier(weather, OutboxCarrier(self.store))
        deployments = self.drill.world.deployments
        inside = Connectors(
            pagers={"*": pager},
            messengers={"*": messenger},
            inside_pager=pager,
            inside_messenger=messenger,
            carriers={"*": carrier},
            inside_carrier=carrier,
            status_page=EmbeddedPage(self.folder / "status"),
            recorder=DrillRecorder(weather, SqlRecorder(self.store)),
            tickets=DrillTickets(weather, MarkdownTickets(self.store, self.folder)),
            deployments=None if deployments is None else DrillDeployments(weather, deployments),
        )
        if self.outside is None:
            return inside
        # A secret of the drill's own: the installation's gateway takes nothing by such a link.
        links = partial(page_link, self.outside.gateway, secret)
        return replace(self.outside.connect(inside, weather, self.store), links=links)

    async def play(self) -> None:
        for partition in [*self.catalog.partitions, "unmapped"]:
            self.settler.started(f"detection/{partition}")
            await open_detection(self.server.client, partition, clock_shift=self.shift)
        await self.settler.settle()
        for number, step in enumerate(self.drill.steps, start=1):
            await self.server.until(self.base + step.at)
            # What fires at this very moment ends first: the test server chokes on an update that meets a
            # timer.
            await self.settler.settle()
            self._late = max(self._late, await self.server.now() - self.base - step.at)
            await self._take(number, step)
            await self.settler.settle()
            await self._tell()
        await self.server.until(self.base + self.drill.until)
        await self.settler.settle()
        if self.outside:
            # What was said last is on its way outside.
            await self.server.until(await self.server.now() + 2 * live.policy().mirror_rest)
            await self.settler.settle()
        await self._tell()

    async def _take(self, number: int, step: Step) -> None:
        try:
            await self._send(step)
            got = "accepted"
        except Refused as error:
            got = f"refused: {error}"
        refused = got.startswith("refused")
        words = step.refused if isinstance(step.refused, str) else ""
        if refused != bool(step.refused) or (words and words not in got):
            expected = f"refused{': ' + words if words else ''}" if step.refused else "accepted"
            at = ago(step.at)
            self.problems.append(Problem(step=number, at=at, message=step.message, expected=expected, got=got))

    async def _send(self, step: Step) -> None:
        kind = TO_DETECTION.get(step.message, "")
        if kind == "signal":
            partition = self._partition(step.payload)
            await signal_detection(self.server.client, partition, step.message, step.payload, clock_shift=self.shift)
            return
        workflow_id = f"detection/{self._partition(step.payload)}" if kind else await self._incident(step)
        if step.message == "measure":
            await self.server.client.get_workflow_handle(workflow_id).signal("measure", step.payload)
            return
        await self._update(workflow_id, step.message, step.payload)

    def _partition(self, payload: Any) -> str:
        first = next(iter(self.catalog.partitions), "unmapped")
        if not isinstance(payload, dict):
            return first
        services = payload.get("services") or [payload.get("service")]
        facts = facts_for(self.catalog, str(services[0]), str(payload.get("region") or ""), "")
        return facts.partition if facts.service_known else first

    async def _update(self, workflow_id: str, name: str, payload: Any) -> None:
        if isinstance(payload, dict) and "file" in payload:
            payload = {**payload, "text": self._text(str(payload["file"]))}
            del payload["file"]
        args = [] if payload is None else [payload]
        try:
            with proven():
                await self.server.client.get_workflow_handle(workflow_id).execute_update(
                    name, args=args, id=secrets.token_hex(8)
                )
        except WorkflowUpdateFailedError as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            raise Refused(str(cause)) from None
        except RPCError as error:
            raise Refused(f"{workflow_id}: {error.message}") from None

    def _text(self, name: str) -> str:
        path = Path(self.drill.folder / name)
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"{path}: cannot be read ({error})") from None

    async def _incident(self, step: Step) -> str:
        incidents = await self.incidents()
        if step.incident is not None:
            if not 1 <= step.incident <= len(incidents):
                raise Refused(f"there is no incident {step.incident}; {len(incidents)} have been opened")
            name = incidents[step.incident - 1].id
        else:
            name = _only(incidents)
        return f"{name}/{step.to}" if step.to and not step.to.startswith("campaign/") else step.to or name

    async def incidents(self) -> list[Incident]:
        """Return every incident, by opening."""
        found = []
        for name in self.settler.ids:
            if name.startswith("INC-") and "/" not in name:
                handle = self.server.client.get_workflow_handle(name)
                found.append(await handle.query("snapshot", result_type=Incident))
        return sorted(found, key=lambda incident: (incident.opened_at, self.settler.ids.index(incident.id)))

    async def _tell(self) -> None:
        for incident in await self.incidents():
            seen = self._seen.get(incident.id, 0)
            fresh = [entry for entry in incident.timeline if entry.seq > seen]
            if fresh:
                self._seen[incident.id] = fresh[-1].seq
                self.watch(incident, fresh)

    async def result(self, wall_seconds: float) -> DrillResult:
        rows = []
        for incident in await self.incidents():
            rows.append(incident_row(incident, await self.store.timeline(incident.id)))
        return DrillResult(
            title=self.drill.title,
            problems=self.problems,
            wall_seconds=round(wall_seconds, 3),
            virtual_seconds=self.drill.until.total_seconds(),
            incidents=rows,
            connected=await self._connected(self.outside) if self.outside else None,
        )

    async def _connected(self, outside: Outside) -> Connected:
        late = round(self._late.total_seconds(), 1)
        return Connected(late_seconds=late, systems=await outside.rows(self.settler.ids))


def _only(incidents: list[Incident]) -> str:
    """Return the only open incident's id; one that is all clear counts where no other is open.

    Raises:
        Refused: There is none, or several.
    """
    standing = [i for i in incidents if i.phase != Phase.ABSORBED]
    candidates = [i for i in standing if i.phase != Phase.ALL_CLEAR] or standing[-1:]
    if len(candidates) == 1:
        return candidates[0].id
    if not candidates:
        raise Refused("no incident is open")
    listed = ", ".join(f"{n}: {i.id} ({', '.join(i.services)})" for n, i in enumerate(incidents, start=1))
    raise Refused(f"several incidents are open; say which with `incident: n` ({listed})")
