"""A storm wakes a person once, and nobody waits for a page that is their first."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from pydantic import ValidationError

from activities.paging import send as sending
from activities.paging.bundle import Bundles
from model.effects import Outcome, Page
from model.engage.pagetext import LONGEST, bundle_text
from model.policy import Policy
from tests.activities.paging.orders import LINK, order
from workflows import errands

WITHIN = 2.0


@dataclass
class Phone:
    """A phone, with a clock that stands still until it is moved."""

    now: float = 100.0
    rings: list[list[str]] = field(default_factory=list)
    answer: Outcome = field(default_factory=Outcome)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def bundles(self) -> Bundles:
        return Bundles(lambda: WITHIN, lambda: self.now, self.sleep)

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            await self.moved.wait()

    def move(self, seconds: float) -> None:
        self.now += seconds
        self.moved.set()

    async def send(self, pages: list[Page], key: str) -> Outcome:
        self.rings.append([page.service for page in pages])
        return self.answer


def page(service: str, severity: int = 2, address: str = "ana@example.com") -> Page:
    return order("email", address, severity).model_copy(update={"service": service})


@pytest.fixture
def phone() -> Phone:
    return Phone()


@pytest.fixture
def send(phone: Phone) -> Callable[[Page], Awaitable[Outcome]]:
    bundles = phone.bundles()
    return lambda it: bundles.send(it, f"key/{it.service}", phone.send)


async def begun(*sendings: Awaitable[Outcome]) -> list[asyncio.Future[Outcome]]:
    tasks: list[asyncio.Future[Outcome]] = [asyncio.ensure_future(it) for it in sendings]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_the_first_page_goes_at_once_and_seven_more_go_as_one(
    phone: Phone, send: Callable[[Page], Awaitable[Outcome]]
) -> None:
    assert (await send(page("checkout-api"))).ok
    waiting = await begun(*(send(page(f"s{n}")) for n in range(7)))
    assert phone.rings == [["checkout-api"]]
    phone.move(WITHIN)
    assert [outcome.reason for outcome in await asyncio.gather(*waiting)] == ["one page for 7"] * 7
    assert phone.rings == [["checkout-api"], [f"s{n}" for n in range(7)]]


async def test_who_was_not_paged_lately_and_another_contact_wait_for_nothing(
    phone: Phone, send: Callable[[Page], Awaitable[Outcome]]
) -> None:
    await send(page("a"))
    await send(page("b", address="ben@example.com"))
    phone.move(WITHIN)
    await send(page("c"))
    assert phone.rings == [["a"], ["b"], ["c"]]


async def test_something_worse_does_not_wait(phone: Phone, send: Callable[[Page], Awaitable[Outcome]]) -> None:
    await send(page("a", severity=3))
    await send(page("b", severity=1))
    assert phone.rings == [["a"], ["b"]]


async def test_something_worse_does_not_wait_with_those_that_wait_already(
    phone: Phone, send: Callable[[Page], Awaitable[Outcome]]
) -> None:
    await send(page("a", severity=3))
    waiting = await begun(send(page("b", severity=3)))
    await send(page("c", severity=1))
    assert phone.rings == [["a"], ["c"]]
    phone.move(WITHIN)
    await asyncio.gather(*waiting)
    assert phone.rings == [["a"], ["c"], ["b"]]


async def test_a_test_never_takes_a_real_page_with_it(phone: Phone, send: Callable[[Page], Awaitable[Outcome]]) -> None:
    test = page("a").model_copy(update={"test": True})
    await send(test)
    await send(page("b"))
    waiting = await begun(send(test), send(page("c")))
    phone.move(WITHIN)
    await asyncio.gather(*waiting)
    assert phone.rings == [["a"], ["b"], ["a"], ["c"]]


async def test_a_bundle_that_is_not_taken_is_not_taken_for_any_of_them(
    phone: Phone, send: Callable[[Page], Awaitable[Outcome]]
) -> None:
    await send(page("a"))
    waiting = await begun(send(page("b")), send(page("c")))
    phone.answer = Outcome(ok=False, reason="503")
    phone.move(WITHIN)
    assert [outcome.reason for outcome in await asyncio.gather(*waiting)] == ["503", "503"]


async def test_when_the_attempt_that_sends_is_ended_the_others_begin_again(
    phone: Phone, send: Callable[[Page], Awaitable[Outcome]]
) -> None:
    await send(page("a"))
    first, second = await begun(send(page("b")), send(page("c")))
    first.cancel()
    outcome = await second
    assert (outcome.ok, outcome.again) == (False, True)
    phone.move(WITHIN)
    await send(page("c"))
    assert phone.rings == [["a"], ["c"]]


def test_whoever_waits_for_others_still_has_the_provider_s_whole_time() -> None:
    longest = timedelta(seconds=3)
    assert Policy(bundle_within=longest).bundle_within == longest
    with pytest.raises(ValidationError, match="less than or equal to 3 seconds"):
        Policy(bundle_within=longest + timedelta(seconds=1))
    assert longest + sending.WITHIN < errands.PAGE_WITHIN


def test_the_text_says_how_many_how_bad_and_where_to_answer() -> None:
    text = bundle_text([page("payments", 3), page("search-api", 1), page("payments")], LINK)
    assert text == f"SEV1 3 more: payments, search-api. All: {LINK}"


def test_the_text_of_a_large_storm_still_fits_one_message_with_its_link() -> None:
    text = bundle_text([page(f"a-service-of-number-{n}") for n in range(40)], LINK)
    assert len(text) <= LONGEST
    assert text.endswith(LINK)
