"""Without a provider, pages and messages are kept where `allclear up` can show them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities import Failed
from activities.comms.outbox import OutboxMessenger
from activities.paging.outbox import OutboxPager
from model.catalogue.plan import Contact
from model.effects import Page, Recipient, Tell
from store import Store
from tests.store.samples import ID, NINE, fresh, opened

SMS = Contact(channel="sms", address="+15550001")
PAGE = Page(incident=ID, person="ana", contact=SMS, team="checkout", level=1, severity=2, opened_at=NINE, at=NINE)
ANA = Recipient(person="ana", contact=SMS)
BEN = Recipient(person="ben", contact=Contact(channel="email", address="ben@example.test"))
TELL = Tell(incident=ID, to=["checkout"], recipients=[ANA, BEN], text="It is over.", at=NINE)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with fresh(tmp_path) as it:
        yield it


async def test_a_page_is_kept_and_announced(store: Store) -> None:
    said: list[str] = []
    await OutboxPager(store, said.append).page(PAGE, "SEV2 checkout-api", "k/1")
    [kept] = await store.outbox(ID)
    assert (kept.key, kept.lane, kept.at, kept.to) == ("k/1", "page", NINE, ["checkout"])
    assert (kept.person, kept.channel, kept.address) == ("ana", "sms", "+15550001")
    assert kept.text == "SEV2 checkout-api"
    assert said == ["page to ana by sms +15550001: SEV2 checkout-api"]


async def test_a_page_sent_again_reaches_nobody_twice(store: Store) -> None:
    said: list[str] = []
    pager = OutboxPager(store, said.append)
    for _ in range(3):
        await pager.page(PAGE, "SEV2", "k/1")
    assert len(said) == len(await store.outbox()) == 1


async def test_a_test_page_says_so(store: Store) -> None:
    said: list[str] = []
    await OutboxPager(store, said.append).page(PAGE.model_copy(update={"test": True}), "SEV2", "k/1")
    assert said == ["test page to ana by sms +15550001: SEV2"]
    assert [kept.test for kept in await store.outbox()] == [True]


async def test_what_is_announced_cannot_command_a_terminal(store: Store) -> None:
    said: list[str] = []
    await OutboxPager(store, said.append).page(PAGE, "SEV2 \x1b[2J\r\nroot# \x07ok\u202e", "k/1")
    assert said == ["page to ana by sms +15550001: SEV2 [2J root# ok"]


async def test_a_terminal_that_has_gone_away_fails_no_page(store: Store) -> None:
    def gone(_: str) -> None:
        raise BrokenPipeError

    await OutboxPager(store, gone).page(PAGE, "SEV2", "k/1")
    assert len(await store.outbox()) == 1


async def test_nobody_needs_to_listen(store: Store) -> None:
    await OutboxPager(store).page(PAGE, "SEV2", "k/1")
    await OutboxMessenger(store).tell(TELL, ANA, "k/2")
    assert [kept.lane for kept in await store.outbox()] == ["page", "message"]


@pytest.mark.parametrize("suffix", ["", "/{person}"])
async def test_a_message_is_kept_once_per_recipient(store: Store, suffix: str) -> None:
    said: list[str] = []
    messenger = OutboxMessenger(store, said.append)
    for recipient in (ANA, BEN, ANA):
        await messenger.tell(TELL, recipient, "k/1" + suffix.format(person=recipient.person))
    kept = await store.outbox(ID)
    assert [(it.key, it.person, it.address) for it in kept] == [
        ("k/1/ana", "ana", "+15550001"),
        ("k/1/ben", "ben", "ben@example.test"),
    ]
    assert {(it.lane, it.audience, it.text, *it.to) for it in kept} == {
        ("message", "internal", "It is over.", "checkout")
    }
    assert said == [
        "message to ana by sms +15550001: It is over.",
        "message to ben by email ben@example.test: It is over.",
    ]


async def test_a_store_in_trouble_is_a_reason_and_nothing_is_announced(tmp_path: Path) -> None:
    said: list[str] = []
    async with opened(f"sqlite:///{tmp_path}/allclear.db") as nothing_migrated:
        with pytest.raises(Failed, match="run `allclear migrate`"):
            await OutboxPager(nothing_migrated, said.append).page(PAGE, "SEV2", "k/1")
        with pytest.raises(Failed, match="run `allclear migrate`"):
            await OutboxMessenger(nothing_migrated, said.append).tell(TELL, ANA, "k/1")
    assert said == []
