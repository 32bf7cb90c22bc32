"""`allclear campaign`: what is still to go, and moving it on, against a running house."""

import asyncio
import contextlib
import io
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.catalogue.live import LiveCatalogue
from activities.comms.outbox import OutboxMessenger
from activities.comms.send import Telling
from activities.record.sql import SqlRecorder
from activities.record.write import Recording
from activities.tickets.markdown import MarkdownTickets
from cli import campaign as commands
from cli.say import Stop
from link import attributes
from link import catalog as live
from link.client import connect
from link.guard import Guard
from link.starting import Starter, behind
from model.catalogue.plan import plan_for
from model.effects import Errand, Start
from model.learn.campaign import Campaign, id_of
from model.text import Refused
from store.migrate import upgrade
from tests.cli.typing import PATIENCE, Typed
from tests.store.samples import opened
from worker.compose import Workers
from worker.files import EXAMPLE_CATALOG, load_catalog
from workflows.campaign import Campaign as Process

SECRET = "a secret of the tests"
NOW = datetime.now(UTC)

pytestmark = pytest.mark.heavy


def _typed(words: tuple[str, ...]) -> Typed:
    app = typer.Typer()
    app.callback()(lambda: None)
    commands.add(app)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = int(app(args=["campaign", *words], standalone_mode=False) or 0)
        except Stop as stop:
            return Typed(stop.code, out.getvalue(), str(stop))
        except Refused as refused:
            return Typed(1, out.getvalue(), str(refused))
    return Typed(code, out.getvalue(), err.getvalue())


async def typed(*words: str) -> Typed:
    return await asyncio.to_thread(_typed, words)


async def done(*words: str) -> str:
    found = await typed(*words)
    assert found.code == 0, found.err
    return found.out


async def until(*words: str, fits: Callable[[Typed], bool]) -> Typed:
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await typed(*words)
            if fits(found):
                return found
            await asyncio.sleep(0.05)


@pytest.fixture
async def client(temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch) -> Client:
    address, namespace = temporal.client.service_client.config.target_host, temporal.client.namespace
    it = await connect(address, namespace, secret=SECRET)
    await attributes.register(it)
    for name, value in (("TEMPORAL_ADDRESS", address), ("TEMPORAL_NAMESPACE", namespace), ("ALLCLEAR_SECRET", SECRET)):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ALLCLEAR_USER", "ana")
    return it


@pytest.fixture
async def slug(client: Client, tmp_path: Path) -> AsyncIterator[str]:
    """A campaign that runs, and a worker for it."""
    catalog = load_catalog(EXAMPLE_CATALOG)
    live.use(catalog, catalog.policy)
    name = f"endpoints-{uuid.uuid4().hex[:8]}"
    state = Campaign(
        id=id_of(name), slug=name, title="Own region", lesson="one region is everybody's", metric="share of calls",
        target=0.01, owner="ana", team="checkout", due_at=NOW + timedelta(days=90),
        plan=plan_for(catalog, teams=["checkout"], at=NOW),
    )  # fmt: skip
    url = f"sqlite:///{tmp_path / 'allclear.db'}"
    await asyncio.to_thread(upgrade, url)
    async with opened(url) as store:
        starter, messenger = Starter(client, queue=name), OutboxMessenger(store)
        recording = Recording(SqlRecorder(store), MarkdownTickets(store, tmp_path / "tickets"))
        activities: list[Any] = [LiveCatalogue().plan, Telling({"*": messenger}, messenger).tell, recording.record]
        first = Worker(
            client, task_queue=name, workflows=[Process], interceptors=[Guard(SECRET)],
            workflow_runner=UnsandboxedWorkflowRunner(), activities=[*activities, starter.start_process],
        )  # fmt: skip
        async with Workers(first, Worker(client, task_queue=behind(name), activities=activities)):
            order = Start(
                workflow="Campaign", workflow_id=id_of(name), origin="o", payload=state.model_dump(mode="json")
            )
            assert (await starter.start_process(Errand(key="o", order=order))).ok
            yield name
            handle = client.get_workflow_handle(id_of(name))
            with contextlib.suppress(Exception):
                await handle.terminate("the test is over")


def of(rows: list[dict[str, Any]], slug: str) -> dict[str, Any]:
    return next((row for row in rows if row["slug"] == slug), {})


async def test_from_the_first_measurement_to_the_end(slug: str) -> None:
    assert "taken" in await done("measure", slug, "40%", "--source", "metrics")
    shown = await until("show", slug, fits=lambda it: "**40 %**" in it.out)
    assert shown.out.startswith("# Own region")
    assert shown.out.rstrip().endswith("```"), "what to send comes last"
    listed = await until("list", "--json", fits=lambda it: of(it.json, slug).get("to_go") == 0.4)
    assert of(listed.json, slug) | {"due_at": ""} == {
        "slug": slug, "title": "Own region", "status": "running", "rung": "education", "to_go": 0.4, "of_start": 1.0,
        "target": 0.01, "due_at": "", "owner": "ana", "team": "checkout", "stalled_at": None,
    }  # fmt: skip
    table = (await done("list")).splitlines()
    row = next(line for line in table if line.startswith(slug))
    assert row.index("education") == table[0].index("rung")
    refused = await typed("start-rung", slug, "education")
    assert (refused.code, "never down" in refused.err) == (1, True)
    assert "on distributed; target 1 %" in await done("start-rung", f"campaign/{slug}")
    snapshot = (await typed("show", slug, "--json")).json
    assert (snapshot["rung"], snapshot["timeline"][-1]["claimed"]) == ("distributed", False)
    assert "finished" in await done("finish", slug, "the old one is switched off", "--as", "dee")
    gone = await until("list", "--json", fits=lambda it: not of(it.json, slug))
    assert gone.code == 0
    over = await until("list", "--all", "--json", fits=lambda it: of(it.json, slug).get("status") == "finished")
    assert over.code == 0
    after = await until("measure", slug, "0.1", fits=lambda it: it.code == 1)
    assert f"there is no campaign {slug} under way" in after.err


async def test_what_is_wrong_is_said(client: Client) -> None:
    for words, code, said in (
        (("measure", "none-such", "0.1"), 1, "there is no campaign none-such under way"),
        (("measure", "none-such", "much"), 2, "the value: Input should be a valid number"),
        (("measure", "none-such", "34"), 2, "the value: Input should be less than or equal to 1"),
        (("show", "none-such"), 1, "there is no campaign none-such under way"),
        (("finish", "none-such"), 2, "the reason is needed"),
        (("start-rung", "none-such", "down"), 2, "the rung: Input should be 'education'"),
    ):
        found = await typed(*words)
        assert (found.code, found.out) == (code, ""), words
        assert said in found.err
