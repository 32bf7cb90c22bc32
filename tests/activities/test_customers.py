"""What leaves for customers: every contact once, nothing lost, a test leaves the house nowhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities import Failed
from activities.customers.outbox import OutboxCarrier
from activities.customers.send import Delivering
from link import catalog as live
from model.catalogue.entries import Contact
from model.effects import Deliver, Errand
from store import Store
from tests.model.simulation import CATALOG
from tests.store.samples import ID, NINE, fresh

pytestmark = pytest.mark.usefixtures("own_catalogue")
MAIL = Contact(channel="email", address="ops@acme.test")
PORTAL = Contact(channel="portal", address="acme")
ORDER = Deliver(incident=ID, customer="acme", contacts=[MAIL], text="Between nine and ten …", at=NINE)
KEY = f"{ID}/rca/deliver/acme"


class Carrier:
    """Takes what it is given, or not."""

    def __init__(self, failed: Failed | None = None) -> None:
        self.failed = failed
        self.keys: list[str] = []

    async def deliver(self, order: Deliver, contact: Contact, key: str) -> None:
        if self.failed:
            raise self.failed
        self.keys.append(key)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with fresh(tmp_path) as it:
        yield it


async def test_the_same_copy_again_is_kept_once(store: Store) -> None:
    delivering = Delivering({"*": OutboxCarrier(store)}, Carrier())
    for _ in range(3):
        assert (await delivering.deliver(Errand(key=KEY, order=ORDER))).ok
    [kept] = await store.outbox(ID)
    assert (kept.audience, kept.to, kept.address, kept.text) == ("external", ["acme"], MAIL.address, ORDER.text)


async def test_a_test_leaves_the_house_nowhere() -> None:
    outside, inside = Carrier(), Carrier()
    order = ORDER.model_copy(update={"test": True})
    assert (await Delivering({"*": outside}, inside).deliver(Errand(key=KEY, order=order))).ok
    assert (outside.keys, inside.keys) == ([], [f"{KEY}/{MAIL.address}"])


async def test_a_contact_that_may_still_come_is_tried_again_the_other_has_its_copy_already() -> None:
    mail, portal = Carrier(), Carrier(Failed("down"))
    both = ORDER.model_copy(update={"contacts": [MAIL, PORTAL]})
    outcome = await Delivering({"email": mail, "portal": portal}, Carrier()).deliver(Errand(key=KEY, order=both))
    assert (outcome.ok, outcome.again, outcome.reason) == (False, True, "down")
    assert mail.keys == [f"{KEY}/{MAIL.address}"]


async def test_one_contact_that_is_dead_is_enough_when_another_took_it() -> None:
    both = ORDER.model_copy(update={"contacts": [MAIL, PORTAL]})
    dead = Carrier(Failed("no such portal", again=False))
    assert (await Delivering({"email": Carrier(), "portal": dead}, Carrier()).deliver(Errand(key=KEY, order=both))).ok
    outcome = await Delivering({"*": dead}, Carrier()).deliver(Errand(key=KEY, order=both))
    assert (outcome.ok, outcome.again) == (False, False)


async def test_without_contacts_the_catalogues_count_and_without_any_it_says_so() -> None:
    bare = ORDER.model_copy(update={"contacts": []})
    carrier = Carrier()
    delivering = Delivering({"*": carrier}, Carrier())
    outcome = await delivering.deliver(Errand(key=KEY, order=bare))
    assert (outcome.ok, outcome.again, outcome.reason) == (False, False, "no contact of acme is known")
    live.use(CATALOG, CATALOG.policy)
    assert (await delivering.deliver(Errand(key=KEY, order=bare))).ok
    assert carrier.keys == [f"{KEY}/ops@acme.test"]
