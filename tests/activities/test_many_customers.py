"""A message to thousands reaches each of them once, whatever fails on the way, and says whose parts are concerned."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities import Failed
from activities.comms import notice as noticing
from activities.comms.notice import Noticing
from activities.customers.send import Delivering
from activities.customers.told import KEPT, Told
from link import catalog as live
from model.catalogue.customers import NAMED, read_customers
from model.catalogue.entries import Contact
from model.coordinate.wording import Names, reviewed
from model.effects import Deliver, Errand, Notice
from model.policy import Policy
from tests.store.samples import ID, NINE
from worker.files import EXAMPLE_CATALOG, load_catalog

EVERYBODY = 1_200


class Post:
    """Takes copies; fails for whom it is told to, that often."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.texts: dict[str, str] = {}
        self.fails: dict[str, tuple[int, bool]] = {}
        self.pause = 0.0

    async def deliver(self, order: Deliver, contact: Contact, key: str) -> None:
        await asyncio.sleep(self.pause)
        times, again = self.fails.get(order.customer, (0, True))
        if times:
            self.fails[order.customer] = (times - 1, again)
            raise Failed("mailbox full", again=again)
        self.taken.append(order.customer)
        self.texts[order.customer] = order.text


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "told")


@pytest.fixture(autouse=True)
def groups(own_catalogue: None) -> list[str]:
    """The groups in which the customers of Checkout are."""
    return use(EVERYBODY)


def use(customers: int, *rows: str) -> list[str]:
    catalog = load_catalog(EXAMPLE_CATALOG)
    header = "customer,service,region,contact,resources\n"
    table = [f"c{n},checkout-api,eu-west,ops@c{n}.test,cart-{n}\n" for n in range(customers)]
    directory, findings = read_customers(
        header + "".join([*table, *(f"{row}\n" for row in rows)]),
        services=catalog.services,
        regions=[region for regions in catalog.partitions.values() for region in regions],
        people=catalog.people,
    )
    assert findings == []
    both = catalog.with_customers(directory)
    live.use(both, Policy())
    return [name for name in both.customers_of("checkout-api") if "~" in name]


def notice(*to: str, test: bool = False) -> Errand[Notice]:
    text = reviewed("Something is probably wrong.", Names(), "sam")
    services = ["checkout-api", "payments"]
    return Errand(
        key="k/notice/1",
        order=Notice(incident=ID, draft=1, to=list(to), services=services, text=text, at=NINE, test=test),
    )


def deliver(customer: str) -> Errand[Deliver]:
    return Errand(key=f"k/deliver/{customer}", order=Deliver(incident=ID, customer=customer, text="# Why", at=NINE))


async def test_everybody_in_every_group_gets_one(post: Post, told: Told, groups: list[str]) -> None:
    outcome = await Noticing({"*": post}, None, told).notice(notice("acme", *groups))
    assert (outcome.ok, outcome.left, outcome.lost) == (True, [], [])
    assert sorted(post.taken) == sorted(["acme", *(f"c{n}" for n in range(EVERYBODY))])


async def test_a_group_with_one_failure_is_tried_again_and_the_others_get_no_second_copy(
    post: Post, told: Told, groups: list[str]
) -> None:
    post.fails["c7"] = (1, True)
    bring = Noticing({"*": post}, None, told)
    outcome = await bring.notice(notice(*groups))
    [left] = outcome.left
    assert (outcome.ok, outcome.lost) == (False, [])
    assert "c7: mailbox full" in outcome.reason
    # Another worker, or the same after a crash: what is told is on the disk.
    again = Noticing({"*": post}, None, Told(told._folder))
    assert (await again.notice(notice(left))).ok
    assert len(post.taken) == len(set(post.taken)) == EVERYBODY


async def test_who_will_never_be_reached_is_named_and_their_group_is_done(
    post: Post, told: Told, groups: list[str]
) -> None:
    post.fails["c7"] = (99, False)
    outcome = await Noticing({"*": post}, None, told).notice(notice(*groups))
    assert (outcome.ok, outcome.left, outcome.lost) == (True, [], ["c7"])


async def test_of_thousands_of_lost_ones_the_first_are_named_and_all_counted(
    post: Post, told: Told, groups: list[str]
) -> None:
    post.fails = {f"c{n}": (99, False) for n in range(EVERYBODY)}
    outcome = await Noticing({"*": post}, None, told).notice(notice(*groups))
    assert len(outcome.lost) == 200
    assert outcome.reason.startswith(f"{EVERYBODY} customers; ")
    assert len(outcome.model_dump_json()) < 4_000


async def test_what_does_not_fit_into_an_attempt_comes_with_the_next(
    post: Post, told: Told, groups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noticing, "WITHIN", timedelta(seconds=0.3))
    post.pause = 0.01
    attempts, left = 0, groups
    while left:
        outcome = await Noticing({"*": post}, None, told).notice(notice(*left))
        attempts, left = attempts + 1, outcome.left
        assert attempts < 30
    assert attempts > 1
    assert set(post.taken) == {f"c{n}" for n in range(EVERYBODY)}
    # Copies under way when time was up may come twice, those of one attempt at most.
    assert len(post.taken) - EVERYBODY <= noticing.AT_ONCE * attempts


async def test_who_is_named_and_in_two_groups_gets_one_copy(post: Post, told: Told) -> None:
    rows = [f"c{n},checkout-api,us-east,ops@c{n}.test," for n in range(NAMED + 1)]
    groups = use(EVERYBODY, *rows)
    assert {name.split("~")[0] for name in groups} == {"checkout-api@eu-west", "checkout-api@us-east"}
    assert (await Noticing({"*": post}, None, told).notice(notice("c1", *groups))).ok
    assert len(post.taken) == len(set(post.taken)) == EVERYBODY


async def test_two_notices_are_two(post: Post, told: Told, groups: list[str]) -> None:
    bring = Noticing({"*": post}, None, told)
    first = notice(groups[0])
    await bring.notice(first)
    await bring.notice(first.model_copy(update={"key": "k/notice/2"}))
    assert len(post.taken) == 2 * len(set(post.taken))


async def test_customers_read_which_of_their_own_resources_it_is_about(post: Post, told: Told) -> None:
    parts = ";".join(f"p{n:02}" for n in range(25))
    use(1, f"globex,checkout-api,us-east,ops@globex.test,{parts}", "globex,payments,,ops@globex.test,wallet")
    await Noticing({"*": post}, None, told).notice(notice("c0", "globex"))
    assert post.texts["c0"].splitlines()[1:] == ["Of these you use: Checkout.", "Yours in eu-west: cart-0."]
    assert post.texts["globex"].splitlines()[1:] == [
        "Yours of these: wallet.",
        f"Yours in us-east: {', '.join(f'p{n:02}' for n in range(20))} and 5 more.",
    ]


async def test_a_group_with_nobody_in_it_is_said(post: Post, told: Told) -> None:
    live.use(load_catalog(EXAMPLE_CATALOG), Policy())
    bring = Noticing({"*": post}, None, told)
    unread = await bring.notice(notice("checkout-api@eu-west~1of3"))
    assert (unread.ok, unread.left) == (False, ["checkout-api@eu-west~1of3"]), "the table may come yet"
    use(1)
    gone = await bring.notice(notice("payments@eu-west~1of3"))
    assert (gone.ok, gone.lost) == (True, ["payments@eu-west~1of3"])


async def test_a_test_is_not_kept_as_told(post: Post, told: Told, groups: list[str]) -> None:
    bring = Noticing({"*": post}, Post(), told)
    assert (await bring.notice(notice(groups[0], test=True))).ok
    assert post.taken == []
    await bring.notice(notice(groups[0]))
    assert post.taken


async def test_a_group_gets_the_account_once_each(post: Post, told: Told, groups: list[str]) -> None:
    post.fails["c7"] = (1, True)
    outcomes = [await Delivering({"*": post}, None, told).deliver(deliver(group)) for group in groups]
    [failed] = [outcome for outcome in outcomes if not outcome.ok]
    assert failed.again
    assert "customers: mailbox full" in failed.reason
    for name in ["c1", *groups, "c2"]:
        assert (await Delivering({"*": post}, None, told).deliver(deliver(name))).ok
    assert len(post.taken) == len(set(post.taken)) == EVERYBODY


async def test_an_account_for_a_group_with_nobody_in_it_is_said(post: Post, told: Told) -> None:
    outcome = await Delivering({"*": post}, None, told).deliver(deliver("payments@eu-west~1of3"))
    assert (outcome.ok, outcome.again) == (False, False)
    assert "nobody in payments@eu-west~1of3" in outcome.reason


def test_whom_a_message_reached_is_read_also_behind_a_line_that_was_cut_off(tmp_path: Path) -> None:
    told = Told(tmp_path / "told")
    told.of("m").add("acme")
    [file] = (tmp_path / "told").iterdir()
    file.write_bytes(file.read_bytes() + b"\nglob")
    told.of("m").add("initech")
    reached = told.of("m")
    assert "acme" in reached
    assert "initech" in reached
    assert "globex" not in reached
    assert "acme" not in told.of("another")


def test_workers_of_several_machines_know_from_each_other_whom_a_message_reached(tmp_path: Path) -> None:
    here, there = Told(tmp_path / "told"), Told(tmp_path / "told")
    here.of("m").add("acme")
    there.of("m").add("initech")
    here.of("m").add("globex")
    for worker in (here, there, Told(tmp_path / "told")):
        reached = worker.of("m")
        assert all(customer in reached for customer in ("acme", "initech", "globex"))
        assert "acme" not in worker.of("another")
    files = {file.read_text().split()[0]: file for file in (tmp_path / "told").iterdir()}
    assert set(files) == {"acme", "initech"}, "each writes a file of its own"


def test_a_disk_that_is_full_sends_nothing_twice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "told").write_text("no folder")
    reached = Told(tmp_path / "told" / "deeper").of
    with pytest.raises(OSError, match="Not a directory"):
        reached("m")
    known: Any = Told(tmp_path / "elsewhere").of("m")
    known._path = tmp_path / "told" / "m"
    known.add("acme")
    assert "acme" in known
    assert "not kept that acme was told" in caplog.text


def test_what_nobody_repeats_any_more_is_forgotten(tmp_path: Path) -> None:
    import os
    import time

    told = Told(tmp_path / "told")
    told.of("old").add("acme")
    told.of("new").add("acme")
    old = next(iter(sorted((tmp_path / "told").iterdir())))
    os.utime(old, (time.time() - KEPT - 60,) * 2)
    Told(tmp_path / "told")
    assert len(list((tmp_path / "told").iterdir())) == 1
