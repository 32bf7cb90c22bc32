"""A notice reaches each customer by their own contacts, once; a test leaves the house nowhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities import Failed
from activities.comms.notice import Noticing
from activities.customers.outbox import OutboxCarrier
from link import catalog as live
from model.catalogue.entries import Contact
from model.coordinate.wording import Names, reviewed
from model.effects import Deliver, Errand, Notice
from model.policy import Policy
from store import Store
from tests.store.samples import ID, NINE, fresh
from worker.files import EXAMPLE_CATALOG, load_catalog


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with fresh(tmp_path) as it:
        yield it


@pytest.fixture(autouse=True)
def catalogue() -> None:
    live.use(load_catalog(EXAMPLE_CATALOG), Policy())


def notice(*to: str, test: bool = False) -> Errand[Notice]:
    order = Notice(
        incident=ID,
        draft=1,
        to=list(to),
        services=["checkout-api", "payments"],
        text=reviewed("Something is probably wrong.", Names(), "sam"),
        at=NINE,
        test=test,
    )
    return Errand(key="k/notice/1", order=order)


class Broken:
    """Takes nothing for some customers."""

    def __init__(self, *, again: bool) -> None:
        self.again = again
        self.told: list[str] = []

    async def deliver(self, order: Deliver, contact: Contact, key: str) -> None:
        if order.customer == "acme":
            raise Failed("mailbox full", again=self.again)
        self.told.append(order.customer)


async def test_every_customer_gets_one_and_reads_which_of_their_services_it_is_about(store: Store) -> None:
    noticing = Noticing({"*": OutboxCarrier(store)}, OutboxCarrier(store))
    for _ in range(2):
        assert (await noticing.notice(notice("acme", "globex"))).ok
    kept = {item.person: item for item in await store.outbox(ID)}
    assert list(kept) == ["acme", "globex"]
    assert kept["acme"].text == "Something is probably wrong.\nOf these you use: Checkout."
    assert kept["globex"].text == "Something is probably wrong."
    assert (kept["acme"].audience, kept["acme"].address) == ("external", "ops@acme.test")


async def test_who_is_not_reached_is_named_and_the_others_are_told(store: Store) -> None:
    carrier = Broken(again=True)
    outcome = await Noticing({"*": carrier}, None).notice(notice("acme", "globex"))
    assert (outcome.ok, outcome.left, outcome.lost) == (False, ["acme"], [])
    assert "mailbox full" in outcome.reason
    assert carrier.told == ["globex"]


async def test_who_will_never_be_reached_is_lost_not_tried_for_ever(store: Store) -> None:
    outcome = await Noticing({"*": Broken(again=False)}, None).notice(notice("acme", "nobody", "globex"))
    assert (outcome.ok, outcome.left, outcome.lost) == (True, [], ["acme", "nobody"])


async def test_a_test_leaves_the_house_nowhere(store: Store) -> None:
    outside = Broken(again=True)
    outcome = await Noticing({"*": outside}, OutboxCarrier(store)).notice(notice("acme", "globex", test=True))
    assert outcome.ok
    assert outside.told == []
    assert [item.test for item in await store.outbox(ID)] == [True, True]
