"""`allclear actions`: a manager sees what is overdue, from the record, with Temporal or without."""

import asyncio
import contextlib
import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.testing import WorkflowEnvironment

from cli import actions
from cli.say import Stop
from link import attributes
from link.client import connect
from store import MatterSummary, Store, open_store
from store.migrate import upgrade
from tests.cli.typing import PATIENCE, Typed

NOW = datetime.now(UTC)
ONE, TWO = "INC-20260302-7F3A", "INC-20260302-9KQX"


def _typed(words: tuple[str, ...]) -> Typed:
    app = typer.Typer()
    app.callback()(lambda: None)
    actions.add(app)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = int(app(args=["actions", *words], standalone_mode=False) or 0)
        except Stop as stop:
            return Typed(stop.code, out.getvalue(), str(stop))
    return Typed(code, out.getvalue(), err.getvalue())


async def typed(*words: str) -> Typed:
    """Type `allclear actions …` in a thread, because a command has a loop of its own."""
    return await asyncio.to_thread(_typed, words)


async def titles(*words: str) -> list[str]:
    found = await typed(*words, "--json")
    assert found.code == 0, found.err
    return [row["title"] for row in found.json]


async def keep(store: Store, id: str, title: str, days: float | None, owner: str, team: str, **state: Any) -> None:
    """Record an item due so many days from now."""
    due = {} if days is None else {"due_at": (NOW + timedelta(days=days)).isoformat()}
    known = {"incident": id.partition("/")[0], "status": "started", "horizon": "mid", "next_seq": 1}
    await store.record({"id": id, "title": title, "owner": owner, "team": team, **known, **due, **state}, [])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Six items: dee manages checkout and search, hal payments and storage."""
    url = f"sqlite:///{tmp_path / 'data' / 'allclear.db'}"
    upgrade(url)
    it = open_store(url)
    promised = (NOW - timedelta(days=10)).isoformat()
    await keep(it, f"{ONE}/action/1", "late", -3, "ana", "checkout")
    await keep(it, f"{ONE}/action/2", "promised", -10, "eva", "payments", promised=True, promised_due_at=promised)
    await keep(it, f"{ONE}/action/3", "coming", 20, "ben", "", horizon="short")
    await keep(it, f"{TWO}/action/1", "of dee", -1, "dee", "dns")
    await keep(it, f"{TWO}/action/2", "in place", -5, "ida", "search", status="in_force", horizon="short")
    await keep(it, f"{TWO}/action/3", "=done()", -5, "ida", "search", status="done", ended=True)
    yield it
    await it.close()


@pytest.mark.usefixtures("store")
class TestOfTheRecord:
    async def test_open_items_are_listed_the_longest_overdue_first(self) -> None:
        assert await titles() == ["promised", "in place", "late", "of dee", "coming"]
        assert await titles("--all") == ["promised", "in place", "=done()", "late", "of dee", "coming"]

    async def test_overdue_is_what_is_past_its_date_and_not_in_place(self) -> None:
        assert await titles("--overdue") == ["promised", "late", "of dee"]

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            (["--owner", "EVA@example.test"], ["promised"]),
            (["--owner", "gone"], []),
            (["--team", "checkout"], ["late", "coming"]),
            (["--horizon", "short"], ["in place", "coming"]),
            (["--incident", "9kqx"], ["in place", "of dee"]),
            (["--incident", ONE, "--overdue"], ["promised", "late"]),
            (["--incident", "ZZZZ"], []),
            (["--mine", "--as", "dee"], ["in place", "late", "of dee", "coming"]),
            (["--mine", "--as", "dee", "--overdue"], ["late", "of dee"]),
            (["--mine", "--as", "ana"], ["late"]),
        ],
    )
    async def test_whose_they_are_can_be_chosen(self, words: list[str], found: list[str]) -> None:
        assert await titles(*words) == found

    async def test_columns_stand_below_their_heads_and_what_is_promised_is_said_last(self) -> None:
        said = await typed("--overdue")
        head, *lines, last = said.out.splitlines()
        assert len(lines) == 3
        for line, title, late in zip(lines, ("promised", "late", "of dee"), ("10 d", "3 d", "1 d"), strict=True):
            assert line[head.index("what") :] == title
            assert line[head.index("overdue") :].startswith(late)
        assert last == "3 action items overdue, 1 of them promised to customers"

    async def test_json_and_csv_say_the_same(self) -> None:
        rows = (await typed("--json", "--all")).json
        table = list(csv.DictReader(io.StringIO((await typed("--csv", "--all")).out)))
        assert [row["id"] for row in table] == [row["id"] for row in rows]
        late = next(row for row in rows if row["title"] == "late")
        assert (late["days_overdue"], late["promised"], late["incident"]) == (3, False, ONE)
        assert next(row for row in rows if row["title"] == "coming")["days_overdue"] is None
        assert "'=done()" in [row["title"] for row in table], "a spreadsheet must not run a title"

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (["--horizon", "never"], 2, "it is short, mid, long"),
            (["--team", "netwrk"], 2, "the catalogue has no team netwrk"),
            (["--incident", "3A"], 2, "names no incident"),
            (["--mine"], 2, "say who you are"),
            (["--live", "--all"], 2, "--live lists what is open"),
        ],
    )
    async def test_what_cannot_be_is_said(self, words: list[str], code: int, said: str) -> None:
        found = await typed(*words)
        assert (found.code, found.out) == (code, "")
        assert said in found.err

    async def test_without_a_catalogue_an_owner_is_still_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALLCLEAR_CATALOG", "/no/such/catalog.yaml")
        assert await titles("--owner", "eva") == ["promised"]
        assert (await typed("--mine", "--as", "eva")).code == 2


async def test_where_there_is_no_record_none_is_made(tmp_path: Path) -> None:
    found = await typed()
    assert found.code == 1
    assert "there is no record at" in found.err
    assert not (tmp_path / "data").exists()


async def test_nothing_overdue_is_good_news(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path / 'data' / 'allclear.db'}")
    assert (await typed("--overdue")).out == "No action item is overdue.\n"
    assert (await typed()).out == "There is no action item.\n"


async def test_an_ambiguous_incident_is_asked_for(store: Store) -> None:
    await keep(store, "INC-20270101-7F3A/action/1", "another", 5, "ana", "checkout")
    found = await typed("--incident", "7f3a")
    assert (found.code, found.out) == (2, "")
    assert f"may be {ONE} or INC-20270101-7F3A" in found.err


def test_a_terminal_shows_short_ids_and_what_is_late_in_colour() -> None:
    late = MatterSummary(id=f"{ONE}/action/1", status="started", due_at=NOW - timedelta(days=3))
    cells = actions._cells(late, NOW, is_short=True)
    assert cells[2] == "7F3A/action/1"
    assert getattr(cells[1], "style", None) == "bad"
    coming = late.model_copy(update={"due_at": NOW + timedelta(days=3)})
    assert getattr(actions._cells(coming, NOW, is_short=False)[1], "style", None) == ""


@pytest.mark.heavy
async def test_live_is_what_temporal_lists_with_titles_from_the_record(
    temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    address, namespace = temporal.client.service_client.config.target_host, temporal.client.namespace
    client = await connect(address, namespace, secret="s")
    await attributes.register(client)
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", namespace)
    monkeypatch.setenv("ALLCLEAR_SECRET", "s")
    for number, days in ((1, -4), (2, 30)):
        pairs: list[SearchAttributePair[Any]] = [
            SearchAttributePair(attributes.INCIDENT_ID, ONE),
            SearchAttributePair(attributes.TEAM, "checkout"),
            SearchAttributePair(attributes.ITEM_STATUS, "started"),
            SearchAttributePair(attributes.DUE_AT, NOW + timedelta(days=days)),
        ]
        await client.start_workflow(
            "ActionItem", {}, id=f"{ONE}/action/{number}", task_queue="nobody works",
            search_attributes=TypedSearchAttributes(pairs),
        )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        while True:
            if len((await typed("--live", "--json")).json) == 2:
                break
            await asyncio.sleep(0.05)
    assert await titles("--live") == ["late", "promised"]
    assert await titles("--live", "--overdue", "--incident", "7F3A") == ["late"]
    (row,) = (await typed("--live", "--overdue", "--json")).json
    assert (row["days_overdue"], row["owner"]) == (4, "ana"), "the date is Temporal's, the owner the record's"
