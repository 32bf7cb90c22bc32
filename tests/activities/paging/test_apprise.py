"""Pages through Apprise, whose service `json://` posts to a server of ours as others post to theirs."""

import asyncio
import time
from datetime import timedelta

import pytest

pytest.importorskip("apprise", reason="the extra `apprise` is not installed")

from activities import Failed
from activities.paging.apprise import ApprisePager
from model.text import Refused
from tests.activities.paging.orders import KEY, TEXT, activity_of, order, refused
from tests.activities.paging.provider import HANGS, Provider, Says

TOKEN = "t0ken0000000000000000000000000000"
TWILIO = f"twilio://AC0000000000000000000000000000dead:{TOKEN}@15551112222/{{address}}"
ANA = order("push", "ana")


def pager_to(provider: Provider, more: str = "", within: float = 5) -> ApprisePager:
    url = f"json://u:{TOKEN}@localhost:{provider.port}/push/{{address}}/{more}"
    return ApprisePager("push", url, timedelta(seconds=within))


async def test_a_page_arrives_at_the_persons_address(provider: Provider) -> None:
    await pager_to(provider).page(ANA, TEXT, KEY)
    [request] = provider.requests
    assert request.path.startswith("/push/ana")
    assert request.json["message"] == TEXT


async def test_an_address_cannot_lead_anywhere_else(provider: Provider) -> None:
    await pager_to(provider).page(order("push", "ana/../kim?x=1#y"), TEXT, KEY)
    [request] = provider.requests
    assert request.path.startswith("/push/ana%2F..%2Fkim%3F")
    assert request.path.count("/") == 3


async def test_a_place_for_the_key_makes_a_repetition_recognisable(provider: Provider) -> None:
    provider.first = [HANGS]
    paging, errand = activity_of(pager_to(provider, "?+Idempotency-Key={key}"), ANA)
    dying = asyncio.create_task(paging.page(errand))
    await provider.arrived.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert (await paging.page(errand)).ok
    assert [request.headers["idempotency-key"] for request in provider.requests] == [KEY, KEY]


@pytest.mark.parametrize(
    ("code", "again"), [(400, False), (401, False), (404, False), (429, True), (500, True), (503, True)]
)
async def test_what_apprise_lets_us_know_decides_about_another_attempt(
    provider: Provider, code: int, again: bool
) -> None:
    provider.answer = Says(code, f"no: {TOKEN}")
    failed = await refused(pager_to(provider, "?retry=3"), ANA)
    assert failed.reason == f"JSON answered {code}"
    assert failed.again is again
    assert len(provider.requests) == 1, "who owes the page decides when it is tried again"


async def test_nobody_there(provider: Provider) -> None:
    pager = ApprisePager("push", f"json://u:{TOKEN}@localhost:1/{{address}}")
    failed = await refused(pager, ANA)
    assert failed.again
    assert "JSON did not take it" in failed.reason
    assert TOKEN not in failed.reason


async def test_a_hang_ends_with_a_reason_and_stops_no_other_page(provider: Provider) -> None:
    provider.first = [HANGS]
    pager = pager_to(provider, "?rto=1", within=0.4)
    before = time.monotonic()
    failed = await refused(pager, ANA)
    assert failed.reason == "JSON gave no answer within 0.4s"
    await pager.page(ANA, TEXT, KEY)
    assert time.monotonic() - before < 3


@pytest.mark.parametrize("address", ["nobody", "5551", "---", "+15550001234/+15550009999"])
async def test_an_address_the_provider_would_leave_out_is_refused(address: str) -> None:
    # Twilio without an address to call calls the number we call from.
    with pytest.raises(Failed, match="is no address of Twilio") as caught:
        await ApprisePager("sms", TWILIO).check(address)
    assert not caught.value.again


async def test_a_check_sends_nothing(provider: Provider) -> None:
    await pager_to(provider).check("ana")
    assert provider.requests == []
    await ApprisePager("sms", TWILIO).check("+15550001234")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("json://h/x", "{address} is missing"),
        ("nonsense://h/{address}", "knows no such"),
        ("{address}", "knows no such"),
    ],
)
def test_what_is_no_address_is_refused_at_the_start(url: str, words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        ApprisePager("push", url)
    assert "ALLCLEAR_APPRISE_URLS, push" in str(caught.value)
    assert url not in str(caught.value) or url == "{address}"


async def test_a_template_apprise_cannot_use_is_a_failure_without_its_secrets() -> None:
    failed = await refused(ApprisePager("sms", f"twilio://{TOKEN}/{{address}}"), order("sms", "+15550001234"))
    assert "ALLCLEAR_APPRISE_URLS, sms" in failed.reason
    assert TOKEN not in failed.reason
    assert not failed.again
