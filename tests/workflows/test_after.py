"""COE, RCA and action items as real processes: on the time-skipping server, and replayed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowHandle, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from activities.catalogue.live import LiveCatalogue
from activities.comms.outbox import OutboxMessenger
from activities.comms.send import Telling
from activities.customers.outbox import OutboxCarrier
from activities.customers.send import Delivering
from activities.record import RECORD
from link import catalog as live
from link.converter import DATA_CONVERTER
from link.guard import Guard, proven
from link.starting import QUEUE, behind
from model.effects import Outcome
from model.recording import Record
from model.reflect.action_item import ActionItem as ActionItemState
from model.reflect.after import After
from model.reflect.coe import Coe as CoeState
from model.reflect.rca import Rca as RcaState
from store import Store, open_store
from store.migrate import upgrade
from tests.model.after import INCIDENT, days, hours, plan
from tests.model.simulation import CATALOG, START
from tests.model.test_coe_process import GOOD
from tests.model.test_rca import TEXT
from worker.compose import Workers
from worker.drill.drivers import Driver, skipping
from worker.drill.settle import Settler
from workflows.action_item import ActionItem
from workflows.coe import Coe
from workflows.rca import Rca

pytestmark = pytest.mark.usefixtures("own_catalogue")
SECRET = "a secret of this test"
PROCESSES: dict[str, type] = {"ActionItem": ActionItem, "Rca": Rca, "Coe": Coe}


@workflow.defn(name="Incident", sandboxed=False)
class Listener:
    """Stands for the incident: it hears what its matters say."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def item_changed(self, x: Any = None) -> None:
        self.heard.append(x)

    @workflow.signal
    def actions_accepted(self, x: Any = None) -> None:
        self.heard.append(x)

    @workflow.query
    def all(self) -> list[Any]:
        return self.heard


class Recorded:
    """A record that only counts."""

    def __init__(self) -> None:
        self.batches: list[Record] = []

    @activity.defn(name=RECORD)
    async def record(self, batch: Record) -> Outcome:
        self.batches.append(batch)
        return Outcome()


class House:
    """A server, a worker, and one matter in it."""

    def __init__(self, server: Driver, store: Store, recorded: Recorded, base: datetime) -> None:
        self.server, self.store, self.recorded, self.base = server, store, recorded, base
        self.settler = Settler(server.client)
        self.id = ""

    async def begin(self, matter: After) -> None:
        matter.clock_shift = START - self.base
        self.id = matter.id
        for workflow_id in (INCIDENT, matter.id):
            self.settler.started(workflow_id)
        client = self.server.client
        await client.start_workflow("Incident", id=INCIDENT, task_queue=QUEUE)
        name = type(matter).__name__
        await client.start_workflow(name, matter, id=matter.id, task_queue=QUEUE, static_summary=matter.title)
        await self.settler.settle()

    async def after(self, since_start: timedelta) -> None:
        await self.server.until(self.base + since_start)
        await self.settler.settle()

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.server.client.get_workflow_handle(self.id)

    async def say(self, message: str, **fields: Any) -> str:
        try:
            with proven():
                answer = await self.handle.execute_update(message, fields, id=f"{message}-{len(self.recorded.batches)}")
        except WorkflowUpdateFailedError as error:
            return f"refused: {error.cause}"
        await self.settler.settle()
        return str(answer["text"])

    async def snapshot(self) -> dict[str, Any]:
        state: dict[str, Any] = await self.handle.query("snapshot")
        return state

    async def heard(self) -> list[Any]:
        return list(await self.server.client.get_workflow_handle(INCIDENT).query("all"))

    async def statuses(self) -> list[str]:
        return [change["item"]["status"] for change in await self.heard() if "item" in change]

    async def kept(self, person: str) -> list[str]:
        return [item.text for item in await self.store.outbox() if item.person == person]

    async def replay(self) -> None:
        history = await self.handle.fetch_history()
        replayer = Replayer(
            workflows=list(PROCESSES.values()),
            data_converter=DATA_CONVERTER,
            interceptors=[Guard(SECRET)],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        await replayer.replay_workflow(WorkflowHistory(self.id, history.events))


@asynccontextmanager
async def house(folder: Path, cached: int = 100) -> AsyncIterator[House]:
    live.use(CATALOG, CATALOG.policy)
    url = f"sqlite+aiosqlite:///{folder / 'allclear.db'}"
    upgrade(url)
    store, recorded = open_store(url), Recorded()
    inside = OutboxMessenger(store)
    carrier = OutboxCarrier(store)
    activities: list[Callable[..., Any]] = [
        LiveCatalogue().plan,
        Telling({"*": inside}, inside).tell,
        Delivering({"*": carrier}, carrier).deliver,
        recorded.record,
    ]
    try:
        async with skipping(SECRET) as server:
            base = await server.now()
            first = Worker(
                server.client,
                task_queue=QUEUE,
                workflows=[*PROCESSES.values(), Listener],
                activities=activities,
                interceptors=[Guard(SECRET)],
                workflow_runner=UnsandboxedWorkflowRunner(),
                max_cached_workflows=cached,
            )
            async with Workers(first, Worker(server.client, task_queue=behind(QUEUE), activities=activities)):
                yield House(server, store, recorded, base)
    finally:
        await store.close()


def item(**fields: Any) -> ActionItemState:
    given: dict[str, Any] = {
        "id": f"{INCIDENT}/action/1",
        "incident": INCIDENT,
        "n": 1,
        "title": "Health checks see the data path",
        "goal": "a host that fails its writes leaves the pool",
        "owner": "ana",
        "validation": "break one host's disk",
        "plan": plan(),
        "opened_at": START,
        "due_at": START + days(28),
    }
    return ActionItemState(**{**given, **fields})


@pytest.mark.parametrize("cached", [100, 0])
async def test_an_item_slips_is_agreed_to_fails_its_trial_passes_and_ends(tmp_path: Path, cached: int) -> None:
    async with house(tmp_path, cached) as it:
        await it.begin(item(promised=True))
        assert "is started" in await it.say("start", by="ana")
        await it.after(days(10))
        assert "to `agree`" in await it.say("replan", by="ana", due="2026-05-01T09:00:00Z", reason="the larger fix")
        assert "refused" in await it.say("agree", by="ana")
        assert "agreed: due 2026-05-01" in await it.say("agree", by="dee")
        assert any("Tell them before" in text for text in await it.kept("sam"))
        await it.after(days(50))
        await it.say("implemented", by="ana", evidence="rolled out")
        tried = {"by": "ana", "method": "broke a disk"}
        assert "not done" in await it.say("validated", passed=False, evidence="3 % failed", **tried)
        await it.say("implemented", by="ana", evidence="and the writes")
        await it.after(days(55))
        assert "is done" in await it.say("validated", passed=True, evidence="none failed", **tried)
        statuses = await it.statuses()
        assert statuses[:2] == ["open", "started"]
        assert statuses[-4:] == ["started", "implemented", "validated", "done"]
        assert (await it.handle.describe()).status.name == "COMPLETED"  # type: ignore[union-attr]
        assert it.recorded.batches[-1].incident["status"] == "done"
        await it.replay()


async def test_an_rca_is_recalled_and_then_delivered_once(tmp_path: Path) -> None:
    rca = RcaState(
        id=f"{INCIDENT}/rca",
        incident=INCIDENT,
        title="RCA: payments are refused",
        services=["checkout-api"],
        plan=plan("checkout-api"),
        mitigated_at=START,
        opened_at=START,
    )
    async with house(tmp_path) as it:
        await it.begin(rca)
        await it.after(days(3))
        assert any("there is no draft yet" in text for text in await it.kept("ana"))
        assert "refused" in await it.say("submit", by="ana", text="chk-router failed")
        await it.say("submit", by="ana", text=TEXT)
        await it.say("approve", by="dee")
        assert "nothing has left" in await it.say("recall", by="dee", reason="a wrong date")
        await it.after(days(4))
        assert await it.kept("acme") == []
        await it.say("approve", by="dee")
        await it.after(days(4) + timedelta(minutes=11))
        assert await it.kept("acme") == [TEXT]
        assert [kept.address for kept in await it.store.outbox() if kept.audience == "external"] == [
            "ops@acme.test", "globex@example.test", "umbra@example.test"
        ]  # fmt: skip
        assert await it.statuses() == [
            "assigned", "assigned", "draft", "approved", "recalled", "approved", "delivered"
        ]  # fmt: skip
        await it.replay()


async def test_a_coe_comes_back_with_its_errors_and_is_reviewed(tmp_path: Path) -> None:
    coe = CoeState(
        id=f"{INCIDENT}/coe/checkout",
        incident=INCIDENT,
        title="COE of checkout",
        team="checkout",
        author="ana",
        plan=plan(),
        assigned_at=START,
        due_at=START + days(5),
    )
    async with house(tmp_path) as it:
        await it.begin(coe)
        await it.after(days(5) + hours(1))
        assert any("the text is due since" in text for text in await it.kept("ana"))
        assert "returned with" in await it.say("submit", by="ana", text="It broke.")
        await it.say("submit", by="ana", text=GOOD)
        await it.say("review", by="dee", level="team", verdict="accept")
        await it.after(days(8))
        assert "is reviewed" in await it.say("review", by="dee", level="organisation")
        (accepted,) = [heard for heard in await it.heard() if "actions" in heard]
        assert [action["title"] for action in accepted["actions"]] == ["Bound retries", "Check the writes"]
        assert (await it.statuses())[-1] == "reviewed"
        await it.replay()


async def test_nine_years_asleep_are_renewed_every_year_and_stay_small(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        await it.begin(item(horizon="long", due_at=START + days(3400)))
        first = (await it.handle.describe()).run_id
        for year in range(1, 10):
            await it.after(days(365 * year))
        description = await it.handle.describe()
        assert description.run_id != first
        assert description.history_length < 400
        assert (await it.snapshot())["status"] == "open"
        await it.say("implemented", by="ana", evidence="at last")
        assert "is done" in await it.say("validated", by="ana", passed=True, method="tried", evidence="seen")
        await it.replay()


async def test_what_cannot_be_read_wedges_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        await it.begin(item())
        for signal in ("replaced", "customers_told"):
            for said in (None, {}, "garbage", [1], {"by": {"no": "name"}}):
                await it.handle.signal(signal, said)
            await it.handle.signal(signal)
        for update in ("start", "replan", "agree", "implemented", "validated", "hand_over", "withdraw"):
            for wrong in ("", [1], {"nonsense": True}, 7):
                with pytest.raises(WorkflowUpdateFailedError):
                    await it.handle.execute_update(update, wrong)
        await it.settler.settle()
        item_now = await it.snapshot()
        assert (item_now["status"], item_now["replaced_by"]) == ("open", ""), "nobody said what replaces it"
        unreadable = [line["text"] for line in item_now["timeline"] if line["what"] == "unreadable"]
        assert [sum(text.startswith(f"{name}:") for text in unreadable) for name in ("replaced", "customers_told")] == [
            6,
            6,
        ]
        await it.replay()


async def test_an_item_hears_that_customers_know_and_of_what_replaces_it(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        await it.begin(item(promised=True, horizon="short"))
        await it.say("replan", by="ana", due="2026-03-31T09:00:00Z", reason="a day to try it under load")
        assert (await it.heard())[-1]["item"]["customer_message_due"].startswith("2026-03-30")
        await it.handle.signal("customers_told", {"due": "2026-03-31T09:00:00+00:00"})
        await it.handle.signal("replaced", {"by": f"{INCIDENT}/action/2", "validated": False})
        await it.settler.settle()
        assert (await it.heard())[-1]["item"]["customer_message_due"] is None
        assert (await it.snapshot())["successor"] == f"{INCIDENT}/action/2"
        await it.replay()


async def test_an_rca_hears_who_writes_it_and_who_was_hit_since_and_names_nothing_of_ours(tmp_path: Path) -> None:
    rca = RcaState(
        id=f"{INCIDENT}/rca", incident=INCIDENT, services=["checkout-api"], plan=plan("checkout-api"), opened_at=START
    )
    async with house(tmp_path) as it:
        await it.begin(rca)
        live.use(CATALOG, CATALOG.policy)
        await it.handle.signal("author_named", {"author": "ben", "by": "kim"})
        await it.handle.signal("customers_named", {"customers": ["acme", "initech"]})
        await it.settler.settle()
        assert (await it.snapshot())["author"] == "ben"
        assert any("are promised an RCA" in text for text in await it.kept("ben"))
        refused = await it.say("submit", by="ben", text="The lucene index was full.")
        assert "customers must not read lucene" in refused, "of no service of this incident, but ours"
        await it.say("submit", by="ben", text=TEXT)
        await it.say("approve", by="dee")
        await it.after(hours(1))
        assert await it.kept("initech") == [TEXT]
        await it.replay()
