"""A time-skipping server with a worker for what learns and scales, and everything they reach."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.client import WorkflowUpdateFailedError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from activities.catalogue.live import LiveCatalogue
from activities.comms.outbox import OutboxMessenger
from activities.comms.send import Telling
from activities.documents.ops_review import FiledReviews
from activities.documents.review import Reviewing
from activities.record.sql import SqlRecorder
from activities.record.write import Recording
from activities.tickets.markdown import MarkdownTickets
from link import catalog as live
from link.converter import DATA_CONVERTER
from link.guard import Guard, proven
from link.starting import QUEUE, Starter, behind
from model.effects import Errand, Outcome, Start
from model.text import Refused
from store import Store, open_store
from store.migrate import upgrade
from worker.compose import Workers
from worker.drill.drivers import Driver, skipping
from worker.drill.settle import Settler
from worker.files import EXAMPLE_CATALOG, load_catalog
from workflows.campaign import Campaign
from workflows.ops_review import OpsReview, OpsReviewStarter

SECRET = "a secret of the tests"


@workflow.defn(name="ActionItem", sandboxed=False)
class Item:
    """Stands for an action item: this is about who begins it."""

    @workflow.run
    async def run(self, x: Any = None) -> Any:
        return x


WORKFLOWS = [Campaign, OpsReview, OpsReviewStarter, Item]


class Stage:
    """A house in virtual time."""

    def __init__(self, server: Driver, store: Store, folder: Path) -> None:
        self.server, self.store, self.folder = server, store, folder
        self.client = server.client
        self.settler = Settler(self.client)
        self.starter = Starter(self.client, started=self.settler.started)

    def activities(self) -> list[Callable[..., Any]]:
        messenger = OutboxMessenger(self.store)
        reviewing = Reviewing(FiledReviews(self.store, self.folder / "documents"))
        recording = Recording(SqlRecorder(self.store), MarkdownTickets(self.store, self.folder / "tickets"))
        return [
            self.starter.start_process,
            LiveCatalogue().plan,
            Telling({"*": messenger}, messenger).tell,
            recording.record,
            reviewing.plan,
            reviewing.gather,
        ]

    async def start(self, order: Start) -> Outcome:
        outcome = await self.starter.start_process(Errand(key=order.origin, order=order))
        await self.settler.settle()
        return outcome

    async def signal(self, workflow_id: str, name: str, *args: Any) -> None:
        await self.client.get_workflow_handle(workflow_id).signal(name, args=list(args))
        await self.settler.settle()

    async def update(self, workflow_id: str, name: str, *args: Any) -> str:
        """Send an update in a proven name, and return its answer.

        Raises:
            Refused: It was refused.
        """
        handle = self.client.get_workflow_handle(workflow_id)
        try:
            with proven():
                answer = await handle.execute_update(name, args=list(args))
        except WorkflowUpdateFailedError as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            raise Refused(str(cause)) from None
        await self.settler.settle()
        return str(answer["text"])

    async def wait(self, **duration: float) -> None:
        await self.server.until(await self.server.now() + timedelta(**duration))
        await self.settler.settle()

    async def replay(self, workflow_id: str) -> None:
        """Run a history again: what is not replayable raises."""
        replayer = Replayer(
            workflows=WORKFLOWS,
            data_converter=DATA_CONVERTER,
            interceptors=[Guard(SECRET)],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        await replayer.replay_workflow(await self.client.get_workflow_handle(workflow_id).fetch_history())

    async def told(self) -> list[tuple[str, str]]:
        """Who was told what, in order."""
        return [(item.person, item.text) for item in await self.store.outbox()]


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """Begin a house; it ends with the block."""
    catalog = load_catalog(EXAMPLE_CATALOG)
    live.use(catalog, catalog.policy)
    url = f"sqlite:///{folder / 'allclear.db'}"
    await asyncio.to_thread(upgrade, url)
    store = open_store(url)
    try:
        async with skipping(SECRET) as server:
            it = Stage(server, store, folder)
            first = Worker(
                server.client,
                task_queue=QUEUE,
                workflows=WORKFLOWS,
                activities=it.activities(),
                interceptors=[Guard(SECRET)],
                workflow_runner=UnsandboxedWorkflowRunner(),
            )
            async with Workers(first, Worker(server.client, task_queue=behind(QUEUE), activities=it.activities())):
                yield it
    finally:
        await store.close()
