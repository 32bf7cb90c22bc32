"""Canaries act as the customer does, and say what they saw (D2)."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import trustme

from activities.watch.canary import Canaries
from model.detect.canaries import Canary, Run
from tests.activities.watch.servers import Page, closed, names, web

NOW = datetime.now(UTC)
AUTHORITY = trustme.CA()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def secured(name: str = "localhost", **more: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert(name, **more).configure_cert(context)
    return context


async def ran(*steps: dict[str, Any]) -> Run:
    canary = Canary.model_validate({"id": "buy-a-book", "service": "checkout-api", "steps": list(steps)})
    return await Canaries(trusting()).run(canary, NOW)


async def failed(*steps: dict[str, Any]) -> str:
    run = await ran(*steps)
    assert not run.ok
    return run.summary


async def test_a_customers_whole_way_is_walked_and_what_one_step_finds_serves_the_next() -> None:
    asked = []

    def shop(line: str, body: str) -> Page:
        asked.append((line.rsplit(" ", 1)[0], body))
        return Page('{"cart": "cart/4711"}', status=201) if line.startswith("POST") else Page("Your cart: 1 book")

    async with web(shop, secured()) as where, names({("shop.test", "A"): ["192.0.2.7"]}) as server:
        run = await ran(
            {"dns": "shop.test", "server": server, "answers": ["192.0.2.7"]},
            {"tcp": where},
            {"tls": where},
            {
                "http": f"https://{where}/carts",
                "method": "POST",
                "body": "book=1",
                "status": 201,
                "keep": {"cart": "cart/([0-9]+)"},
            },
            {"http": f"https://{where}/carts/{{cart}}", "contains": "Your cart", "matches": "[0-9]+ book"},
        )
    assert run.ok, run.summary
    assert asked == [("POST /carts", "book=1"), ("GET /carts/4711", "")]
    assert [step.did.split()[0] for step in run.steps] == ["dns", "tcp", "tls", "http", "http"]
    assert all(step.seconds > 0 for step in run.steps)
    assert run.steps[0].said == "192.0.2.7"
    assert run.summary.startswith("5 steps in ")


async def test_the_first_step_that_fails_ends_the_run_and_is_the_evidence() -> None:
    async with web(lambda line, body: Page("<h1>We are sorry</h1>\nrequest 4711", status=503)) as where:
        run = await ran({"tcp": where}, {"http": f"http://{where}/"}, {"tcp": where})
    assert [step.ok for step in run.steps] == [True, False]
    assert run.summary.startswith(
        f"step 2, http GET http://{where}/: answered 503, 200 expected: <h1>We are sorry</h1> request 4711 (after 0.0"
    )


async def test_a_page_that_answers_and_is_wrong_fails() -> None:
    async with web(lambda line, body: Page("Hello")) as where:
        url = f"http://{where}/"
        assert "'Your cart' is not in the answer: Hello" in await failed({"http": url, "contains": "Your cart"})
        assert "nothing in the answer matches '[0-9]+': Hello" in await failed({"http": url, "matches": "[0-9]+"})
        assert "there is no cart in the answer" in await failed({"http": url, "keep": {"cart": "cart/(.)"}})
        assert "answered 200, 301 or 404 expected" in await failed({"http": url, "status": [301, 404]})


async def test_a_right_answer_that_comes_too_late_fails() -> None:
    async with web(lambda line, body: Page(after=None)) as where:
        assert "no answer within 0.2s" in await failed({"http": f"http://{where}/", "within": "0.2s"})


async def test_a_redirect_is_followed_as_a_browser_does() -> None:
    def shop(line: str, body: str) -> Page:
        return Page(status=302, headers={"Location": "/home"}) if line.startswith("GET / ") else Page("at home")

    async with web(shop) as where:
        assert (await ran({"http": f"http://{where}/", "contains": "at home"})).ok


async def test_a_long_answer_is_kept_as_a_short_excerpt() -> None:
    async with web(lambda line, body: Page("x" * 2_000_000)) as where:
        run = await ran({"http": f"http://{where}/"})
    assert run.ok
    assert len(run.steps[0].said.encode()) <= 300


async def test_a_door_that_is_closed_is_said_in_words() -> None:
    async with closed() as where:
        assert "no connection" in await failed({"tcp": where})
        assert "no connection" in await failed({"tls": where})
        assert "no answer" in await failed({"http": f"http://{where}/"})


async def test_a_certificate_that_ends_soon_is_found_before_customers_find_it() -> None:
    soon = secured(not_after=NOW + timedelta(days=10))
    async with web(lambda line, body: Page(), soon) as where:
        assert "in less than 14d" in await failed({"tls": where})
        assert (await ran({"tls": where, "left": "9d"})).ok


async def test_a_certificate_of_another_name_or_that_has_ended_is_refused() -> None:
    other = secured("elsewhere.test")
    past = secured(not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1))
    for context, why in ((other, "Hostname mismatch"), (past, "certificate has expired")):
        async with web(lambda line, body: Page(), context) as where:
            for step in ({"tls": where}, {"http": f"https://{where}/"}):
                said = await failed(step)
                assert "the certificate does not hold" in said
                assert why in said


async def test_names_that_do_not_answer_or_answer_wrongly_are_told_apart() -> None:
    known = {("shop.test", "A"): ["192.0.2.7", "192.0.2.8"], ("shop.test", "MX"): ["10 mail.shop.test."]}
    async with names(known) as server:
        at = {"server": server, "within": "0.3s"}
        assert (await ran({"dns": "shop.test", "answers": ["192.0.2.8"], **at})).ok
        assert (await ran({"dns": "shop.test", "type": "MX", "answers": ["10 mail.shop.test"], **at})).ok
        wrong = await failed({"dns": "shop.test", "answers": ["192.0.2.9"], **at})
        assert "192.0.2.9 is not among the answers: 192.0.2.7, 192.0.2.8" in wrong
        assert "there is no such name" in await failed({"dns": "gone.test", **at})
        assert "has no AAAA record" in await failed({"dns": "shop.test", "type": "AAAA", **at})
        assert "no answer within" in await failed({"dns": "silent.test", **at})


async def test_several_canaries_run_at_the_same_time() -> None:
    async with web(lambda line, body: Page(after=0.2)) as where:
        loop = asyncio.get_running_loop()
        began = loop.time()
        runs = await asyncio.gather(*(ran({"http": f"http://{where}/"}) for _ in range(5)))
        assert all(run.ok for run in runs)
        assert loop.time() - began < 0.9
