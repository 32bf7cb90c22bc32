"""The registry: which workflows and activities the workers run, with which connectors."""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.catalogue.live import LiveCatalogue
from activities.comms import Messenger
from activities.comms.compose import Composing
from activities.comms.notice import Noticing
from activities.comms.send import Telling
from activities.customers import Carrier
from activities.customers.send import Delivering
from activities.customers.told import Told
from activities.documents import Reviews
from activities.documents.review import Reviewing
from activities.mirror import Mirror
from activities.mirror.follow import Following
from activities.mitigation import Mitigator
from activities.mitigation.by_hand import ByHand
from activities.mitigation.run import Mitigating
from activities.paging import Pager
from activities.paging.bundle import Bundles
from activities.paging.send import Paging
from activities.record import Recorder
from activities.record.write import Recording
from activities.rush import Rush
from activities.statuspage import StatusPage
from activities.statuspage.publish import Publishing
from activities.telemetry import Deployments
from activities.telemetry.look import Telemetry
from activities.tickets import Ticketing
from activities.watch.watching import MetricsOf, Watching
from link.guard import Guard
from link.starting import QUEUE, Starter, behind
from store import Store
from workflows.action_item import ActionItem
from workflows.campaign import Campaign
from workflows.coe import Coe
from workflows.detection import Detection
from workflows.incident import Incident
from workflows.ops_review import OpsReview, OpsReviewStarter
from workflows.rca import Rca
from workflows.watch import Watch

WORKFLOWS: Sequence[type] = (Detection, Incident, Coe, Rca, ActionItem, Campaign, OpsReview, OpsReviewStarter, Watch)
"""Every workflow type."""
SLOTS = 300
"""Activities of one worker at a time: a provider that hangs with a hundred pages must not hold up the others."""
SLOTS_BEHIND = 100
"""Of what may wait."""
GRACE = timedelta(seconds=10)
"""How long a stopping worker lets activities end."""


@dataclass
class Connectors:
    """What the activities reach the world through.

    Attributes:
        told: Keeps whom messages to customers have reached.
        bundles: Lets a storm wake a person once; None in drills.
        rush: Lets the record wait while many pages go out; None where nobody measures, as in drills.
        mirrors: What follows the record outside: tickets, rooms.
        store: The record they follow.
        mark: What the text of a page begins with: a drill says that it is one.
        metrics: What has the samples of a watched series.
        watches: Where watchers keep what they learned; None where nothing is watched, as in drills.
    """

    pagers: Mapping[str, Pager]
    messengers: Mapping[str, Messenger]
    inside_pager: Pager
    inside_messenger: Messenger
    recorder: Recorder
    tickets: Ticketing
    carriers: Mapping[str, Carrier] = field(default_factory=dict)
    told: Told = field(default_factory=Told)
    inside_carrier: Carrier | None = None
    deployments: Deployments | None = None
    reviews: Reviews | None = None
    status_page: StatusPage | None = None
    bundles: Bundles | None = None
    rush: Rush | None = None
    mirrors: Sequence[Mirror] = ()
    store: Store | None = None
    metrics: MetricsOf | None = None
    watches: Path | None = None
    mitigator: Mitigator = field(default_factory=ByHand)
    links: Callable[[str, str], str] = field(default=lambda incident, person: "")
    mark: str = ""


def activities_of(
    client: Client, connectors: Connectors, started: Callable[[str], None], queue: str = QUEUE
) -> list[Callable[..., Any]]:
    """Return what a page or a decision waits for, bound to its connectors."""
    starter = Starter(client, queue, started)
    catalogue = LiveCatalogue()
    them = connectors
    paging = Paging(them.pagers, them.inside_pager, them.links, them.rush, them.bundles, them.mark)
    return [
        starter.start_process,
        starter.forward,
        catalogue.resolve,
        catalogue.plan,
        paging.page,
        Mitigating(connectors.mitigator, inside=ByHand()).execute,
        Reviewing(connectors.reviews).plan,
    ]


def activities_behind(client: Client, connectors: Connectors) -> list[Callable[..., Any]]:
    """Return what may wait, bound to its connectors (design §6.1)."""
    following = Following(connectors.mirrors, connectors.store, connectors.rush)
    watching = Watching(client, connectors.watches, connectors.metrics).watch if connectors.watches else None
    return [
        *([watching] if watching else []),
        Telling(connectors.messengers, connectors.inside_messenger).tell,
        Composing().compose,
        Noticing(connectors.carriers, connectors.inside_carrier, connectors.told).notice,
        Publishing(connectors.status_page).publish,
        Recording(connectors.recorder, connectors.tickets, connectors.rush, following.systems).record,
        following.follow,
        Telemetry(connectors.deployments).deployments,
        Reviewing(connectors.reviews).gather,
        Delivering(connectors.carriers, connectors.inside_carrier, connectors.told).deliver,
    ]


DEADLOCK = 60
"""Seconds after which a workflow that does not yield counts as dead. The SDK's own 2 s pass on a machine that is
overloaded for a moment, in the middle of a storm's few hundred signals; then it interrupts the workflow, cannot evict
it any more, and the process stands still until the worker is restarted (tried: `Detection`, at load 13 on two cores).
Temporal gives a workflow task up after 10 s and lets it be done again, which ends well."""


class Workers:
    """A worker for processes and pages, and one for what may wait, with places of its own."""

    def __init__(self, first: Worker, second: Worker) -> None:
        self._both = (first, second)
        self._running = contextlib.AsyncExitStack()

    async def run(self) -> None:
        """Work until `shutdown`; when one of the two fails, so do both."""
        try:
            async with asyncio.TaskGroup() as group:
                for worker in self._both:
                    group.create_task(worker.run())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def shutdown(self) -> None:
        """Let what is under way end."""
        await asyncio.gather(*(worker.shutdown() for worker in self._both))

    async def __aenter__(self) -> Self:
        for worker in self._both:
            await self._running.enter_async_context(worker)
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._running.aclose()


def rest_collector() -> None:
    """Let Python's garbage collector look less often, and never at what a process keeps for its whole life.

    A thousand cached workflows are much to look through: with its defaults, all stood still for up to 0.3 s while
    pages waited, and a twelfth of the processor time went there (measured at 20 alarms/s).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def patient(worker: Worker) -> Worker:
    """Return a worker that takes a workflow for dead only after `DEADLOCK`; the SDK has no setting for it."""
    inner = worker._workflow_worker
    if inner is None or not hasattr(inner, "_deadlock_timeout_seconds"):
        raise RuntimeError("this version of the SDK keeps its patience with a workflow elsewhere: mend `patient`")
    inner._deadlock_timeout_seconds = DEADLOCK
    return worker


def make_workers(
    client: Client,
    connectors: Connectors,
    *,
    secret: str,
    started: Callable[[str], None] = lambda _: None,
    queue: str = QUEUE,
    cached: int = 1000,
) -> Workers:
    """Return workers for everything.

    The workflows run without the SDK's sandbox: with our own rooms passed through it guarded nothing of ours, and it
    took a third of the processor time. What workflow code may not do is linted, and every history is replayed.

    Args:
        client: Whose namespace it serves.
        connectors: How it reaches the world.
        secret: What proofs of identity are signed with.
        started: Hears the id of every process begun.
        queue: The task queue of processes and pages.
        cached: Workflows kept in memory; 0 replays at every task (tests).
    """
    return Workers(
        patient(
            Worker(
                client,
                task_queue=queue,
                workflows=WORKFLOWS,
                activities=activities_of(client, connectors, started, queue),
                interceptors=[Guard(secret)],
                workflow_runner=UnsandboxedWorkflowRunner(),
                max_cached_workflows=cached,
                max_concurrent_activities=SLOTS,
                graceful_shutdown_timeout=GRACE,
            )
        ),
        Worker(
            client,
            task_queue=behind(queue),
            activities=activities_behind(client, connectors),
            max_concurrent_activities=SLOTS_BEHIND,
            graceful_shutdown_timeout=GRACE,
        ),
    )
