"""The public page: whole at every moment, harmless whatever is written on it, and without our names for an event."""

import asyncio
import xml.etree.ElementTree as ET
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from activities import Failed
from activities.statuspage.embedded import EmbeddedPage
from activities.statuspage.publish import Publishing
from model.coordinate.wording import Names, reviewed
from model.effects import Errand, Publication
from tests.store.samples import ID, NINE

ATOM = "{http://www.w3.org/2005/Atom}"


def entry(text: str = "Payments fail for some.", minutes: int = 0, test: bool = False) -> Publication:
    return Publication(
        incident=ID,
        draft=minutes,
        about=reviewed("Checkout & <b>Payments</b>", Names(), "sam"),
        text=reviewed(text, Names(), "sam"),
        status="wrong",
        by="sam",
        at=NINE + timedelta(minutes=minutes),
        test=test,
    )


class Text(HTMLParser):
    """What a reader sees, and which elements there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen, self.tags = "", set[str]()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.seen += data

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


async def test_two_workers_with_one_folder_lose_no_entry(tmp_path: Path) -> None:
    workers = [EmbeddedPage(tmp_path / "status") for _ in range(3)]
    await asyncio.gather(*(workers[n % 3].publish(entry(f"Line {n}.", minutes=n), f"k/{n}") for n in range(24)))
    feed = ET.fromstring((tmp_path / "status" / "feed.atom").read_text())
    texts = [e.findtext(f"{ATOM}content") for e in feed.findall(f"{ATOM}entry")]
    assert texts == [f"Line {n}." for n in reversed(range(24))]


async def test_an_entry_is_on_the_page_and_in_the_feed(tmp_path: Path) -> None:
    page = EmbeddedPage(tmp_path / "status")
    await page.publish(entry(), "k/1")
    await page.publish(entry("It is over.", minutes=30), "k/2")
    seen = Text((tmp_path / "status" / "index.html").read_text()).seen
    assert seen.index("It is over.") < seen.index("Payments fail for some."), "the newest first"
    feed = ET.fromstring((tmp_path / "status" / "feed.atom").read_text())
    entries = feed.findall(f"{ATOM}entry")
    assert [e.findtext(f"{ATOM}content") for e in entries] == ["It is over.", "Payments fail for some."]
    assert feed.findtext(f"{ATOM}updated") == "2026-03-02T09:30:00Z"
    assert len({e.findtext(f"{ATOM}id") for e in entries}) == 2


async def test_the_same_entry_again_changes_nothing(tmp_path: Path) -> None:
    page = EmbeddedPage(tmp_path / "status")
    for _ in range(3):
        await page.publish(entry(), "k/1")
    feed = ET.fromstring((tmp_path / "status" / "feed.atom").read_text())
    assert len(feed.findall(f"{ATOM}entry")) == 1


async def test_words_are_shown_and_never_run(tmp_path: Path) -> None:
    await EmbeddedPage(tmp_path / "status").publish(entry("<script>alert(1)</script> & more"), "k/1")
    page = Text((tmp_path / "status" / "index.html").read_text())
    assert "script" not in page.tags
    assert "<script>alert(1)</script> & more" in page.seen
    feed = ET.fromstring((tmp_path / "status" / "feed.atom").read_text())
    assert feed.findtext(f"{ATOM}entry/{ATOM}content") == "<script>alert(1)</script> & more"


async def test_the_folder_that_is_served_does_not_name_our_incident(tmp_path: Path) -> None:
    await EmbeddedPage(tmp_path / "status").publish(entry(), "k/1")
    files = [path for path in (tmp_path / "status").rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["feed.atom", "index.html"]
    assert all(ID not in path.read_text() for path in files)


async def test_what_cannot_be_read_is_said_and_nothing_is_overwritten(tmp_path: Path) -> None:
    page = EmbeddedPage(tmp_path / "status")
    await page.publish(entry(), "k/1")
    (tmp_path / "status.entries.json").write_text("{")
    with pytest.raises(Failed, match="cannot be read"):
        await page.publish(entry("more"), "k/2")
    assert "Payments fail" in (tmp_path / "status" / "index.html").read_text()


async def test_a_test_is_taken_and_shown_to_nobody(tmp_path: Path) -> None:
    publishing = Publishing(EmbeddedPage(tmp_path / "status"))
    assert (await publishing.publish(Errand(key="k/1", order=entry(test=True)))).ok
    assert not (tmp_path / "status").exists()


async def test_without_a_page_the_answer_is_final_and_says_so() -> None:
    outcome = await Publishing(None).publish(Errand(key="k/1", order=entry()))
    assert (outcome.ok, outcome.again) == (False, False)
    assert "no public status page" in outcome.reason
