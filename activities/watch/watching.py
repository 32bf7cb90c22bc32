"""The activity that watches one region from the outside, and signals changes only: canaries (D2), traffic (D4)."""

import asyncio
import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from activities import Failed
from activities.watch import WATCH, Metrics
from activities.watch.canary import Canaries
from activities.watch.detector import Detector
from activities.watch.shortfall import SeasonalShortfall
from activities.watch.static import Static
from link import catalog as live
from link.starting import signal_detection
from model.catalogue.catalog import Catalog
from model.catalogue.plan import facts_for
from model.detect.canaries import Canary, Votes
from model.detect.traffic import Traffic
from model.detect.watch import BLIND, PARTIAL, POINTS, Point, Seen, alarm_of, watched_in
from model.text import Refused, cut, one_line

LASTS: Final = timedelta(minutes=5)
"""One activity watches for so long, then its process shows what it saw, and begins the next: a changed catalogue is in
force by then."""
BEAT: Final = 5.0
"""Seconds between heartbeats."""
TELL_WITHIN: Final = timedelta(seconds=10)

MetricsOf = Callable[[Traffic], Metrics]


class Watching:
    """Watches regions, one activity each."""

    def __init__(self, client: Client, folder: Path, metrics: MetricsOf | None, lasts: timedelta = LASTS) -> None:
        """Take what is needed.

        Args:
            client: By which `Detection` hears of changes.
            folder: Where watchers keep what they learned, for after a restart.
            metrics: Returns what has the samples of a series; None where no Prometheus is configured.
            lasts: How long one activity watches.
        """
        self._client = client
        self._folder = folder
        self._metrics = metrics
        self._lasts = lasts
        self._canaries = Canaries()
        self._seen: dict[tuple[str, str], Seen] = {}

    @activity.defn(name=WATCH)
    async def watch(self, region: str) -> list[Seen]:
        """Watch a region for a while; return what was seen last.

        Each heartbeat has it too, with the last points of each series: they are for the dashboard, not for the history.
        """
        catalog = live.live()
        if catalog is None:
            raise RuntimeError("this worker has no catalogue; start it with one")
        canaries, traffic = watched_in(catalog, region)
        watchers: list[_Watcher] = [
            *(_CanaryWatcher(canary, self._told(catalog), self._folder, self._canaries) for canary in canaries),
            *(_TrafficWatcher(series, self._told(catalog), self._folder, self._metrics) for series in traffic),
        ]
        for watcher in watchers:
            watcher.seen = self._seen.get((region, watcher.watched.id), watcher.seen)
        tasks = [asyncio.create_task(watcher.watch()) for watcher in watchers]
        try:
            await _beating(self._lasts, lambda: [watcher.seen for watcher in watchers])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._seen |= {(region, watcher.watched.id): watcher.seen for watcher in watchers}
        return [watcher.seen.brief() for watcher in watchers]

    def _told(self, catalog: Catalog) -> Callable[[dict[str, Any]], Awaitable[None]]:
        async def tell(alarm: dict[str, Any]) -> None:
            partition = facts_for(catalog, alarm["service"], alarm["region"], alarm["metric"]).partition
            async with asyncio.timeout(TELL_WITHIN.total_seconds()):
                await signal_detection(self._client, partition, "alarm", alarm)

        return tell


async def _beating(lasts: timedelta, seen: Callable[[], list[Seen]]) -> None:
    """Beat for so long, or until the worker stops; say what is seen."""
    loop = asyncio.get_running_loop()
    end = loop.time() + lasts.total_seconds()
    while (left := end - loop.time()) > 0 and not activity.is_worker_shutdown():
        activity.heartbeat(seen())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(activity.wait_for_worker_shutdown(), min(BEAT, left))


class _Watcher(ABC):
    """Looks again and again, and tells what changed until it was heard.

    Attributes:
        metric: What its points are of.
        unit: Theirs, where the catalogue does not say.
    """

    metric = ""
    unit = ""

    def __init__(
        self,
        watched: Canary | Traffic,
        tell: Callable[[dict[str, Any]], Awaitable[None]],
        folder: Path,
    ) -> None:
        self.watched = watched
        self.seen = Seen(name=watched.id, service=watched.service)
        self._tell = tell
        self._file = folder / watched.region / f"{watched.id}.state"
        self._heard: dict[str, str] = {}

    async def watch(self) -> None:
        """Look at every tick, for ever."""
        every = self.watched.every
        while True:
            now = datetime.now(UTC)
            try:
                await self.look(now)
            except (Refused, Failed) as error:
                self.seen = self.seen.model_copy(update={"why": str(error), "at": now})
            except Exception as error:  # one watcher must never end, nor end the others
                activity.logger.exception("%s could not look", self.watched.id)
                why = f"it could not look: {type(error).__name__}: {cut(one_line(str(error)), 200)}"
                self.seen = self.seen.model_copy(update={"why": why, "at": now})
            await asyncio.sleep(_until_next(every, datetime.now(UTC)))

    @abstractmethod
    async def look(self, now: datetime) -> None:
        """Look once, and say what was seen."""

    async def say(self, name: str, *, firing: bool, severity: int, summary: str, at: datetime) -> None:
        """Say how an alarm is, where that is news to `Detection`; what was not heard is said again at the next tick."""
        state = "ALARM" if firing else "OK"
        if self._heard.get(name) == state:
            return
        with contextlib.suppress(RPCError, TimeoutError):
            await self._tell(alarm_of(self.watched, name, state, severity=severity, summary=summary, at=at))
            self._heard[name] = state

    def show(self, alarms: dict[str, bool], why: str, at: datetime, points: Sequence[Point]) -> None:
        """Keep what was seen, for the process's page and the dashboard; `points` are new."""
        said: dict[str, Literal["ALARM", "OK"]] = {name: "ALARM" if firing else "OK" for name, firing in alarms.items()}
        before = [point for point in self.seen.points if not points or point.at < points[0].at]
        self.seen = Seen(
            name=self.watched.id,
            service=self.watched.service,
            metric=self.metric,
            unit=self.unit,
            alarms=said,
            why=why,
            at=at,
            points=[*before, *points][-POINTS:],
        )

    def kept(self) -> bytes | None:
        """Return what was kept before the last restart."""
        try:
            return self._file.read_bytes()
        except FileNotFoundError:
            return None

    def keep(self, data: bytes) -> None:
        """Keep something, whole or not at all."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        draft.write_bytes(data)
        os.replace(draft, self._file)


class _CanaryWatcher(_Watcher):
    unit = "s"

    def __init__(self, canary: Canary, tell: Any, folder: Path, canaries: Canaries) -> None:
        super().__init__(canary, tell, folder)
        self._canary = canary
        self._canaries = canaries
        kept = self.kept()
        self._votes = Votes.model_validate_json(kept) if kept else Votes()

    async def look(self, now: datetime) -> None:
        canary = self._canary
        run = await self._canaries.run(canary, now)
        votes = self._votes.after(not run.ok, canary.fails, canary.of)
        if votes != self._votes:
            await asyncio.to_thread(self.keep, votes.model_dump_json().encode())
        self._votes = votes
        name = f"canary-{canary.id}"
        await self.say(name, firing=votes.alarmed, severity=canary.severity, summary=run.summary, at=now)
        took = sum(step.seconds for step in run.steps) if run.ok else None
        self.show({name: votes.alarmed}, run.summary, now, [Point(at=now, value=took)])


class _TrafficWatcher(_Watcher):
    def __init__(self, traffic: Traffic, tell: Any, folder: Path, metrics: MetricsOf | None) -> None:
        super().__init__(traffic, tell, folder)
        self._traffic = traffic
        self._metrics = metrics(traffic) if metrics else None
        self._judge: Detector | Static | None = self._made() if traffic.alarms else None
        self._since: datetime | None = None
        self._in_vain = 0
        self._standing: tuple[bool, bool, str] = (False, False, "")
        self._points: list[Point] = []
        self.metric = traffic.kpi
        kept = self.kept()
        if kept and isinstance(self._judge, Detector):
            with contextlib.suppress(Refused):
                self._judge.load(kept)
                self._since = self._judge.seen_until

    def _made(self) -> Detector | Static:
        traffic = self._traffic
        if traffic.fixed:
            return Static(
                above=traffic.above, below=traffic.below, fails=traffic.fails, of=traffic.of, missing=traffic.missing
            )
        return SeasonalShortfall(traffic.every, zone=traffic.zone, missing=traffic.missing)

    async def look(self, now: datetime) -> None:
        try:
            await self._read(now)
        except Failed as error:
            self._in_vain += 1
            await self._blind(str(error), now)
            raise
        self._in_vain = 0
        await self._blind("", now)
        lost, short, why = self._standing
        points, self._points = self._points, []
        if not self._traffic.alarms:
            self.show({}, why, now, points)
            return
        name, severity = f"traffic-{self._traffic.id}", self._traffic.severity
        await self.say(name, firing=lost, severity=severity, summary=why, at=now)
        await self.say(f"{name}-partial", firing=short, severity=PARTIAL, summary=why, at=now)
        self.show({name: lost, f"{name}-partial": short}, why, now, points)

    async def _read(self, now: datetime) -> None:
        if self._metrics is None:
            raise Failed("no Prometheus is configured; set ALLCLEAR_PROMETHEUS", again=False)
        every = self._traffic.every
        until = datetime.fromtimestamp(now.timestamp() // every.total_seconds() * every.total_seconds(), UTC)
        lately = max(POINTS, self._traffic.of) * every
        learns_from = self._traffic.learns_from if isinstance(self._judge, Detector) else lately
        since = self._since + every if self._since else until - learns_from
        if since > until:
            return
        shown_from = since if self.seen.points else min(since, until - lately)
        found = await self._metrics.read(self._traffic.query, shown_from, until)
        read = [(sample.at, sample.value) for sample in found]
        # Weeks of history are many samples: they must not hold up pages.
        await asyncio.to_thread(self._take, [sample for sample in read if sample[0] >= since], until)
        self._points = [Point(at=at, value=value) for at, value in read[-POINTS:]]
        if not read or read[-1][0] < until:
            self._points.append(Point(at=until))
        self._since = until
        if isinstance(self._judge, Detector):
            await asyncio.to_thread(self.keep, self._judge.save())

    def _take(self, samples: list[tuple[datetime, float | None]], until: datetime) -> None:
        judge = self._judge
        if judge is None:
            self._standing = (False, False, f"{samples[-1][1] if samples else None} came")
            return
        if isinstance(judge, Static):
            came = dict(samples)
            for at, value in samples or [(until, None)]:
                votes = judge.take(at, value)
                self._standing = (votes.alarmed, False, judge.why if votes.alarmed else f"{came.get(at)} came")
            return
        verdicts = [verdict for at, value in samples for verdict in judge.take(at, value)]
        if samples and samples[-1][0] < until:
            verdicts += judge.take(until, None)
        for verdict in verdicts[-1:]:
            lost, short = verdict.standing in ("lost", "high"), verdict.standing == "short"
            why = verdict.why or f"{verdict.value} came, {verdict.expected} were expected"
            self._standing = (lost, short, why)

    async def _blind(self, why: str, now: datetime) -> None:
        if not self._traffic.alarms:
            return
        blind = self._in_vain >= live.policy().watch_blind_after
        name = f"traffic-{self._traffic.id}-blind"
        await self.say(name, firing=blind, severity=BLIND, summary=f"traffic cannot be watched: {why}", at=now)


def _until_next(every: timedelta, now: datetime) -> float:
    """Return the seconds until the next tick; all watchers of a rhythm share it."""
    seconds = every.total_seconds()
    return seconds - now.timestamp() % seconds
