"""Many pages at once, over providers of which one is slow and one silent: the next channels are used in time."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from activities.paging.send import Paging
from activities.paging.smtp import SmtpPager
from activities.paging.turns import Turns
from activities.paging.webhook import WebhookPager
from activities.posting import Poster
from activities.smtp import Mailer
from link import catalog as live
from model.effects import Errand, Outcome, Page
from model.policy import Policy
from tests.activities.mail_server import House
from tests.activities.mail_server import serving as mail_server
from tests.activities.paging.orders import ID, LINK, order
from tests.activities.paging.provider import HANGS, Provider, serving
from tests.activities.paging.test_webhook import SECRET
from tests.model.simulation import CATALOG, Simulation

WITHIN = timedelta(seconds=1)
PEOPLE = 40
POLICY = Policy().overridden({"provider_at_once": 10, "provider_patience": "900ms"})


class Slow(House):
    """A mail server that takes longer for its answer than a page has."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        await asyncio.sleep(3)
        return "250 OK"


@pytest.fixture
async def silent() -> AsyncIterator[Provider]:
    async with serving(Provider(HANGS)) as it:
        yield it


@pytest.fixture
async def well() -> AsyncIterator[Provider]:
    async with serving(Provider()) as it:
        yield it


@pytest.fixture
def slow() -> Iterator[Mailer]:
    with mail_server(Slow()) as mailer:
        yield replace(mailer, within=WITHIN)


@pytest.fixture
def paging(slow: Mailer, monkeypatch: pytest.MonkeyPatch) -> Paging:
    monkeypatch.setattr(live, "_live", [(CATALOG, POLICY)])
    web = WebhookPager([SECRET], Poster(within=WITHIN))
    return Paging({"webhook": web, "email": SmtpPager(slow)}, web, lambda incident, person: LINK)


async def reach(paging: Paging, contacts: list[tuple[str, str]], person: int, severity: int = 2) -> list[Outcome]:
    """Page somebody over their channels, one after the other as the incident does, until one takes it."""
    outcomes = []
    for number, (channel, address) in enumerate(contacts):
        page = order(channel, address, severity).model_copy(update={"person": f"p{person}"})
        outcomes.append(await paging.page(Errand[Page](key=f"{ID}/page/p{person}/{number}", order=page)))
        if outcomes[-1].ok:
            break
    return outcomes


async def test_everybody_is_reached_while_one_provider_is_slow_and_another_silent(
    paging: Paging, silent: Provider, well: Provider
) -> None:
    channels = [
        ("webhook", silent.url),
        ("email", "ana@example.test"),
        ("webhook", well.url.replace("localhost", "127.0.0.1")),
    ]
    began = time.monotonic()
    people = [asyncio.create_task(reach(paging, channels, n)) for n in range(PEOPLE)]
    await asyncio.sleep(0.3)
    worst = asyncio.create_task(reach(paging, channels[2:], PEOPLE, severity=1))
    assert (await worst)[-1].ok
    assert time.monotonic() - began < 0.8, "who is worse off is not behind those who wait"
    outcomes = await asyncio.gather(*people)
    took = time.monotonic() - began
    assert all(it[-1].ok for it in outcomes)
    assert took < 2 * WITHIN.total_seconds() + 1, "each sick provider costs its patience once, and not once a turn"
    assert len(silent.requests) <= 10
    reasons = [it[0].reason for it in outcomes]
    assert sum("gave no answer within 1s" in reason for reason in reasons) == 10
    assert sum(f"webhook localhost:{silent.port} left the last" in reason for reason in reasons) == PEOPLE - 10
    assert all(not it[1].ok and it[1].again for it in outcomes)


async def test_the_timeline_says_which_channel_failed_and_why(paging: Paging, silent: Provider) -> None:
    await asyncio.gather(*(reach(paging, [("webhook", silent.url)], n) for n in range(3)))
    [outcome] = await reach(paging, [("webhook", silent.url)], 3)
    day = Simulation()
    day.fails = lambda page: outcome if page.contact.channel == "email" else False
    day.alarm("checkout-api", severity=2)
    [line] = day.said("fallback")
    assert "email to ana failed (webhook localhost" in line
    assert "left the last 3 pages without an answer, and is left alone for 15s" in line
    assert line.endswith("next: sms")


async def test_after_its_rest_a_provider_is_asked_with_one_page_and_is_back_when_it_takes_it() -> None:
    clock = Clock()
    turns = Turns(lambda: POLICY, clock)
    for _ in range(POLICY.provider_unanswered):
        assert not await clock.sent(turns, seconds=1, taken=False)
    before = clock.handed
    assert not await clock.sent(turns)
    assert clock.handed == before, "it is left alone"
    clock.now += POLICY.provider_rest.total_seconds()
    assert not await clock.sent(turns, seconds=1, taken=False)
    assert not await clock.sent(turns)
    assert clock.handed == before + 1, "one asked, the others took their next channel"
    clock.now += POLICY.provider_rest.total_seconds()
    assert await clock.sent(turns)
    assert all([await clock.sent(turns) for _ in range(5)])


async def test_the_worst_goes_first_and_never_more_at_once_than_a_provider_takes() -> None:
    turns, order_of, gates = Turns(lambda: POLICY), [], [asyncio.Event() for _ in range(30)]
    under_way = most = 0

    async def send(n: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        order_of.append(n)
        await gates[n].wait()
        under_way -= 1

    tasks = [
        asyncio.create_task(turns.take(order("sms", "+1", 1 if n >= 25 else 3), partial(send, n))) for n in range(30)
    ]
    await asyncio.sleep(0)
    for gate in gates:
        gate.set()
    await asyncio.gather(*tasks)
    assert most == POLICY.provider_at_once
    assert order_of[:10] == list(range(10))
    assert order_of[10:15] == list(range(25, 30)), "of those who wait, severity 1 first"


async def test_who_gives_up_waiting_keeps_no_place() -> None:
    turns, gate = Turns(lambda: POLICY), asyncio.Event()
    page = order("sms", "+1")
    flying = [asyncio.create_task(turns.take(page, gate.wait)) for _ in range(10)]
    waiting = [asyncio.create_task(turns.take(page, gate.wait)) for _ in range(10)]
    await asyncio.sleep(0.01)
    for task in [*waiting, *flying[:5]]:
        task.cancel()
    await asyncio.sleep(0.01)
    gate.set()
    async with asyncio.timeout(1):
        for _ in range(25):
            await turns.take(page, gate.wait)


class Clock:
    """A clock that moves while a page is under way."""

    def __init__(self) -> None:
        self.now = 100.0
        self.handed = 0

    def __call__(self) -> float:
        return self.now

    async def sent(self, turns: Turns, seconds: float = 0, taken: bool = True) -> bool:
        async def send() -> None:
            self.handed += 1
            self.now += seconds
            if not taken:
                raise TimeoutError

        try:
            await turns.take(order("sms", "+1"), send)
        except Exception:
            return False
        return True
