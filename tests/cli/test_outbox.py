"""`allclear outbox`: what a shadow would have sent, beside what the pager of today did send."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from model.incident import Incident
from store import OutboxItem, Store, open_store
from store.migrate import upgrade
from tests.cli.typing import run

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
ONE, TWO, SAME = "INC-20260302-7F3A", "INC-20260302-9KQX", "INC-20260301-7F3A"


def kept(incident: str, minutes: float, lane: str = "page") -> OutboxItem:
    return OutboxItem(
        key=f"{incident}/{lane}/{minutes}", incident_id=incident, lane="page" if lane == "page" else "message",
        at=NINE + timedelta(minutes=minutes), person="ana", channel="sms", address="+15550001", to=["checkout"],
        text=f"SEV2 at {minutes:g}",
    )  # fmt: skip


@pytest.fixture(autouse=True)
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Two pages and two messages of one incident, a page of another that the record does not know yet."""
    url = f"sqlite:///{tmp_path / 'data' / 'allclear.db'}"
    upgrade(url)
    it = open_store(url)
    await it.record(Incident(id=ONE, title="Payments fail", opened_at=NINE).model_dump(mode="json"), [])
    for item in (
        kept(ONE, 0), kept(ONE, 2), kept(TWO, 1), kept(ONE, 3, "message"), kept(ONE, 4, "message"),
    ):  # fmt: skip
        await it.put_outbox(item)
    yield it
    await it.close()


def texts(*words: str) -> list[str]:
    typed = run("outbox", *words, "--json")
    assert typed.code == 0, typed.err
    return [item["text"] for item in typed.json]


def test_everything_that_stayed_is_listed_in_its_order() -> None:
    assert texts() == ["SEV2 at 0", "SEV2 at 1", "SEV2 at 2", "SEV2 at 3", "SEV2 at 4"]
    typed = run("outbox")
    assert typed.code == 0
    first = next(line for line in typed.out.splitlines() if "SEV2 at 0" in line)
    assert first.split()[:6] == ["2026-03-02", "09:00:00", ONE, "page", "ana", "sms"]


def test_pages_alone_are_the_newest_so_many_pages_however_many_messages_came_since() -> None:
    assert texts("--pages") == ["SEV2 at 0", "SEV2 at 1", "SEV2 at 2"]
    assert texts("--pages", "--limit", "2") == ["SEV2 at 1", "SEV2 at 2"]
    assert texts("--limit", "2") == ["SEV2 at 3", "SEV2 at 4"]


@pytest.mark.parametrize("name", [ONE, "7f3a", ONE.lower()])
def test_one_incident_by_its_id_or_its_last_characters(name: str) -> None:
    assert texts(name) == ["SEV2 at 0", "SEV2 at 2", "SEV2 at 3", "SEV2 at 4"]
    assert texts(name, "--pages") == ["SEV2 at 0", "SEV2 at 2"]


def test_an_incident_that_is_not_recorded_yet_has_its_pages_all_the_same() -> None:
    assert texts(TWO) == ["SEV2 at 1"]


def test_an_incident_nobody_knows_is_said_and_not_taken_for_a_quiet_one() -> None:
    typed = run("outbox", "INC-20260302-ZZZZ")
    assert typed.code == 1
    assert "no incident INC-20260302-ZZZZ is known here" in typed.err


async def test_two_that_end_alike_are_named(store: Store) -> None:
    await store.record(Incident(id=SAME, title="Older", opened_at=NINE).model_dump(mode="json"), [])
    typed = run("outbox", "7F3A")
    assert typed.code == 1
    assert ONE in typed.err
    assert SAME in typed.err


async def test_an_incident_of_which_everything_went_out_says_so(store: Store) -> None:
    await store.record(Incident(id=SAME, title="Older", opened_at=NINE).model_dump(mode="json"), [])
    typed = run("outbox", SAME)
    assert typed.code == 0
    assert "Nothing stayed in the house." in typed.out
