"""The weekly review shows what there is to talk about, loudest first, as Markdown and as a page."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from activities.documents.ops_review import FiledReviews
from activities.documents.review import Reviewing
from link import catalog as live
from model.learn.campaign import Campaign, Reading
from model.learn.ops_review import Gathered, Week
from store import Store
from tests.store.samples import ID, NINE, fresh, incident, opened, put, with_alarm
from worker.files import EXAMPLE_CATALOG, load_catalog

NOW = NINE + timedelta(days=2)
WEEK = Week(review="ops-review/2026-03-04", date="2026-03-04", since=NOW - timedelta(days=7), until=NOW)
DAY = timedelta(days=1)
EVIL = '<script>alert(1)</script> | & "x" **y**'


@pytest.fixture(autouse=True)
def _catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = load_catalog(EXAMPLE_CATALOG)
    monkeypatch.setattr(live, "_live", [(catalog, catalog.policy)])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with fresh(tmp_path) as it:
        yield it


async def keep(store: Store, id: str, **state: Any) -> None:
    moments = {name: value.isoformat() for name, value in state.items() if isinstance(value, datetime)}
    await store.record({"id": id, "incident": ID, "owner": "ana", "team": "checkout", **state, **moments}, [])


async def a_week(store: Store) -> None:
    """Fill the record with one of everything."""
    it = incident(severity=1, title=EVIL, mitigated_at=NINE + timedelta(minutes=31), broken_tenets=["one-region"])
    light = incident("INC-20260302-9KQX", closed_at=NINE, close_reason="false_alarm")
    old = incident("INC-20260101-AAAA", opened_at=NOW - timedelta(days=60))
    await put(store, it, with_alarm(light, "err"), old, incident("INC-20260302-TEST", test=True))
    await keep(store, f"{ID}/coe/checkout", status="submitted", author="ana", title="COE of checkout", due_at=NOW + DAY)
    await keep(store, f"{ID}/coe/dns", status="assigned", title="COE of dns", team="dns", due_at=NOW - 3 * DAY)
    await keep(store, f"{ID}/coe/auth", status="assigned", title="COE of auth", due_at=NOW + 30 * DAY)
    await keep(store, f"{ID}/action/1", status="started", title="Small one", horizon="mid", due_at=NOW - 5 * DAY)
    await keep(
        store, f"{ID}/action/2", status="open", title="Promised one", promised=True, due_at=NOW - DAY,
        promised_due_at=NOW - DAY,
    )  # fmt: skip
    await keep(store, f"{ID}/action/3", status="done", title="Proven one", validated_at=NOW - DAY, ended=True)
    campaign = Campaign(
        id="campaign/endpoints", slug="endpoints", title="Own region", target=0.01, owner="ana", status="stalled",
        stalled_at=NOW - DAY, due_at=NOW + 30 * DAY, values=[Reading(at=NINE, value=0.4)], started_value=0.4,
    )  # fmt: skip
    await store.record(campaign.model_dump(mode="json", exclude={"plan", "policy"}), [])


async def gathered(store: Store, folder: Path) -> tuple[Gathered, str, str]:
    found = await FiledReviews(store, folder).gather(WEEK)
    html, markdown = (Path(name).read_text() for name in found.files)
    return found, html, markdown


def tables(markdown: str) -> dict[str, list[list[str]]]:
    """Return each section's rows as a reader sees them."""
    found: dict[str, list[list[str]]] = {}
    before = ""
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown):
        text = "".join(child.content for child in token.children or [])
        if token.type == "inline" and before == "heading_open":
            found[text] = []
        elif token.type == "tr_open":
            found[list(found)[-1]].append([])
        elif token.type == "inline" and before in ("th_open", "td_open"):
            found[list(found)[-1]][-1].append(text)
        before = token.type
    return found


async def test_everything_there_is_to_talk_about_is_counted(store: Store, tmp_path: Path) -> None:
    await a_week(store)
    found, _, _ = await gathered(store, tmp_path / "documents")
    assert {words: number for words, number in found.counts.items() if number} == {
        "incidents": 2,
        "tenets broken": 1,
        "COEs to review": 1,
        "COEs overdue": 1,
        "action items overdue": 2,
        "promises overdue": 1,
        "campaigns stalled": 1,
    }
    assert [Path(name).name for name in found.files] == ["ops-review-2026-03-04.html", "ops-review-2026-03-04.md"]
    assert all(Path(name).is_absolute() for name in found.files)


async def test_the_loudest_come_first_and_each_says_how_long(store: Store, tmp_path: Path) -> None:
    await a_week(store)
    _, _, markdown = await gathered(store, tmp_path)
    shown = tables(markdown)
    assert [row[:6] for row in shown["Action items overdue"][1:]] == [
        ["Promised one", "ana", "checkout", "", "open", "1 d"],
        ["Small one", "ana", "checkout", "mid", "started", "5 d"],
    ]
    assert [(row[0], row[3]) for row in shown["Post-mortems (COEs)"][1:]] == [
        ("COE of dns", "overdue for 3 d"),
        ("COE of checkout", "waits for its review"),
    ]
    assert shown["Campaigns"][1][3:] == ["40 % (100 % of the start)", "1 %", "2026-04-03", "stalls for 1 d"]
    assert shown["Tenets that were broken"][1] == ["one-region", "A failure must not impact several regions.", ID]
    assert shown["Alarms that were closed without work"][1] == ["err", "checkout-api", "1", "false alarm 1"]
    assert shown["Tried against the failure, and proven"][1][0] == "Proven one"
    assert [row[0] for row in shown["Incidents of the week"][1:]] == [ID, "INC-20260302-9KQX"]


async def test_no_text_from_outside_disturbs_either_document(store: Store, tmp_path: Path) -> None:
    await a_week(store)
    _, html, markdown = await gathered(store, tmp_path)
    assert tables(markdown)["Incidents of the week"][1][3] == EVIL
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "http" not in html.replace("http-equiv", ""), "the page needs nothing from anywhere"


async def test_a_quiet_week_says_so_in_words(store: Store, tmp_path: Path) -> None:
    found, html, markdown = await gathered(store, tmp_path)
    assert not any(found.counts.values())
    for words in ("No incident was opened this week.", "No action item is overdue.", "No campaign is under way."):
        assert words in markdown
        assert words in html


async def test_the_same_week_again_makes_the_same_documents(store: Store, tmp_path: Path) -> None:
    await a_week(store)
    assert await gathered(store, tmp_path / "d") == await gathered(store, tmp_path / "d")
    assert len(list((tmp_path / "d").iterdir())) == 2


async def test_trouble_is_a_reason_and_not_an_exception(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/allclear.db") as nothing_migrated:
        found = await Reviewing(FiledReviews(nothing_migrated, tmp_path)).gather(WEEK)
    assert not found.outcome.ok
    assert "run `allclear migrate`" in found.outcome.reason


async def test_a_disk_that_does_not_take_it_is_a_reason_too(store: Store, tmp_path: Path) -> None:
    (tmp_path / "documents").write_text("a file")
    found = await Reviewing(FiledReviews(store, tmp_path / "documents")).gather(WEEK)
    assert "the review cannot be written" in found.outcome.reason


async def test_it_concerns_everybody(store: Store, tmp_path: Path) -> None:
    plan = await Reviewing(FiledReviews(store, tmp_path)).plan(datetime(2026, 3, 4, tzinfo=UTC))
    catalog = live.live()
    assert catalog is not None
    assert set(plan.teams) == set(catalog.teams)
    assert set(plan.people) == set(catalog.people)
