"""Pages by signed webhook, against a server that answers as the world does."""

import asyncio
import base64
import logging
import socket
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
import trustme
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from activities import Failed
from activities.paging.webhook import WebhookPager, message_id
from activities.posting import LARGEST, Poster
from model.effects import Page
from model.text import Refused
from tests.activities.paging.orders import ID, KEY, LINK, TEXT, activity_of, order, refused
from tests.activities.paging.provider import DROPS, HANGS, Provider, Says, serving

SECRET = "whsec_" + base64.b64encode(b"a key for the tests of webhooks!").decode()
OTHER = "whsec_" + base64.b64encode(b"the key that comes after the one").decode()
QUICK = Poster(within=timedelta(seconds=2))


@pytest.fixture
def pager() -> WebhookPager:
    return WebhookPager([SECRET], QUICK)


def to(provider: Provider, path: str = "/hooks/s3cret-path") -> Page:
    return order("webhook", provider.url + path)


async def test_a_page_arrives_signed_with_everything_a_provider_needs(pager: WebhookPager, provider: Provider) -> None:
    await pager.page(to(provider), TEXT, KEY)
    [request] = provider.requests
    told = Webhook(SECRET).verify(request.body, request.headers)
    assert (request.method, request.path) == ("POST", "/hooks/s3cret-path")
    assert request.headers["content-type"] == "application/json"
    assert told["type"] == "page"
    data = told["data"]
    assert (data["incident"], data["person"], data["severity"]) == (ID, "ana", 2)
    assert (data["text"], data["ack"], data["key"]) == (TEXT, LINK, KEY)
    assert request.headers["webhook-id"] == KEY


async def test_a_page_leads_to_the_call_through_the_signed_page_only(pager: WebhookPager, provider: Provider) -> None:
    page = order("webhook", provider.url).model_copy(update={"tech_call": "https://meet.test/{incident}-{call}"})
    await pager.page(page, TEXT, KEY)
    [request] = provider.requests
    assert request.json["data"]["call"] == f"{LINK}&call=1"
    assert b"meet.test" not in request.body


async def test_a_changed_body_or_another_key_does_not_verify(pager: WebhookPager, provider: Provider) -> None:
    await pager.page(to(provider), TEXT, KEY)
    [request] = provider.requests
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body.replace(b'"severity": 2', b'"severity": 5'), request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(request.body, request.headers)


async def test_while_keys_change_receivers_with_either_are_served(provider: Provider) -> None:
    await WebhookPager([SECRET, OTHER], QUICK).page(to(provider), TEXT, KEY)
    [request] = provider.requests
    for key in (SECRET, OTHER):
        assert Webhook(key).verify(request.body, request.headers)["data"]["key"] == KEY


async def test_a_late_page_is_signed_when_it_is_sent(provider: Provider) -> None:
    longer = datetime.now(UTC) - timedelta(minutes=6)
    await WebhookPager([SECRET], QUICK, now=lambda: longer).page(to(provider), TEXT, KEY)
    await WebhookPager([SECRET], QUICK).page(to(provider), TEXT, KEY)
    old, new = provider.requests
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(SECRET).verify(old.body, old.headers)
    Webhook(SECRET).verify(new.body, new.headers)


async def test_a_worker_that_dies_between_sent_and_recorded_sends_the_same_id_again(
    pager: WebhookPager, provider: Provider
) -> None:
    provider.first = [HANGS]
    paging, errand = activity_of(pager, to(provider))
    dying = asyncio.create_task(paging.page(errand))
    await provider.arrived.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert (await paging.page(errand)).ok
    first, again = provider.requests
    assert first.headers["webhook-id"] == again.headers["webhook-id"] == KEY
    assert first.json == again.json


@pytest.mark.parametrize("key", ["INC-1/page/ana.ng/1", "INC-1/page/zoë/1", "INC-1/page/a b/1"])
async def test_every_key_is_a_header_from_which_it_can_be_read_back(
    pager: WebhookPager, provider: Provider, key: str
) -> None:
    await pager.page(to(provider), TEXT, key)
    [request] = provider.requests
    shown = request.headers["webhook-id"]
    assert shown.isascii()
    assert "." not in shown
    assert unquote(shown) == key
    assert message_id(key) != message_id(KEY)
    Webhook(SECRET).verify(request.body, request.headers)


@pytest.mark.parametrize(
    "says",
    [
        Says(200),
        Says(204),
        Says(202, '{"taken": true}'),
        Says(200, "<html>Welcome</html>", {"content-type": "text/html"}),
        Says(201, b"\xff\xfe\x00"),
        Says(200, b"x" * (LARGEST * 3)),
    ],
)
async def test_any_2xx_takes_it(pager: WebhookPager, provider: Provider, says: Says) -> None:
    provider.answer = says
    await pager.page(to(provider), TEXT, KEY)
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("code", "again"),
    [
        (301, False), (307, False), (400, False), (401, False), (403, False), (404, False), (410, False), (413, False),
        (422, False), (408, True), (409, True), (425, True), (429, True), (500, True), (502, True), (503, True),
    ],
)  # fmt: skip
async def test_the_code_decides_about_another_attempt_and_there_is_none_of_its_own(
    pager: WebhookPager, provider: Provider, code: int, again: bool
) -> None:
    provider.answer = Says(code, "nobody  knows\nana", {"location": "/elsewhere"})
    failed = await refused(pager, to(provider))
    assert failed.again is again
    assert str(code) in failed.reason
    assert "\n" not in failed.reason
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "17"}, 17),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "9" * 40}, 86_400),
        ({"retry-after": "Mon, 02 Mar 2026 09:00:30 GMT", "date": "Mon, 02 Mar 2026 09:00:00 GMT"}, 30),
        ({"retry-after": "Mon, 02 Mar 2026 08:00:00 GMT", "date": "Mon, 02 Mar 2026 09:00:00 GMT"}, 0),
        ({"retry-after": "Mon, 02 Mar 2026 09:00:30 GMT"}, None),
        ({"retry-after": "Mon, 02 Mar 2026 09:00:30", "date": "Mon, 02 Mar 2026 09:00:00 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
async def test_who_asks_for_rest_gets_it(
    pager: WebhookPager, provider: Provider, headers: dict[str, str], pause: float | None
) -> None:
    provider.answer = Says(429, "", headers)
    paging, errand = activity_of(pager, to(provider))
    outcome = await paging.page(errand)
    assert not outcome.ok
    assert outcome.again
    assert outcome.retry_after == (None if pause is None else timedelta(seconds=pause))


async def test_a_hang_ends_with_a_reason_of_ours_before_the_next_channel_must_be_used(provider: Provider) -> None:
    provider.answer = HANGS
    failed = await refused(WebhookPager([SECRET], Poster(within=timedelta(milliseconds=300))), to(provider))
    assert failed.reason == "localhost gave no answer within 0.3s"
    assert failed.again


@pytest.mark.parametrize("says", [DROPS, Says(200, "x" * 100, cut=True)])
async def test_a_connection_that_breaks_is_no_page(pager: WebhookPager, provider: Provider, says: Says) -> None:
    provider.answer = says
    failed = await refused(pager, to(provider))
    assert "localhost cannot be reached" in failed.reason
    assert failed.again


async def test_nobody_there(pager: WebhookPager) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        failed = await refused(pager, order("webhook", f"http://127.0.0.1:{dead.getsockname()[1]}/x"))
    assert failed.reason == "127.0.0.1 cannot be reached: Connection refused"
    assert failed.again


@pytest.mark.parametrize("name", ["localhost", "elsewhere.test"])
async def test_a_certificate_counts_only_with_the_right_name_and_from_somebody_trusted(name: str) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    server, trusting, strange = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
        ssl.create_default_context(),
    )
    ours.issue_cert(name).configure_cert(server)
    ours.configure_trust(trusting)
    theirs.configure_trust(strange)
    within = timedelta(seconds=2)
    async with serving(Provider(), server) as provider:
        stranger = await refused(WebhookPager([SECRET], Poster(within, strange)), to(provider))
        assert "its certificate is not trusted" in stranger.reason
        assert stranger.again
        assert provider.requests == []
        if name == "localhost":
            await WebhookPager([SECRET], Poster(within, trusting)).page(to(provider), TEXT, KEY)
            assert len(provider.requests) == 1
        else:
            wrong = await refused(WebhookPager([SECRET], Poster(within, trusting)), to(provider))
            assert "not valid for 'localhost'" in wrong.reason
            assert provider.requests == []


async def test_tls_with_somebody_who_speaks_none(pager: WebhookPager) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.write(b"SSH-2.0-something\r\n"), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        failed = await refused(pager, order("webhook", f"https://localhost:{port}/x"))
    assert "no TLS with it" in failed.reason
    assert failed.again


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "+15550001",
        "ftp://h/x",
        "https://",
        "https://h:99999/",
        "https://[::1",
        "https://h/a b",
        "file:///etc",
    ],
)
async def test_what_is_no_address_is_said_and_not_tried_again(pager: WebhookPager, address: str) -> None:
    failed = await refused(pager, order("webhook", address))
    assert "write https://host/path" in failed.reason
    assert not failed.again


@pytest.mark.parametrize("address", ["https://a..b/", "https://" + "x" * 300 + ".test/", "https://\u2603.test./"])
async def test_a_strange_address_is_a_failure_and_no_crash(pager: WebhookPager, address: str) -> None:
    assert (await refused(pager, order("webhook", address))).reason


async def test_a_link_that_acknowledges_does_not_travel_in_the_clear(pager: WebhookPager) -> None:
    failed = await refused(pager, order("webhook", "http://hooks.example.test/ana"))
    assert "needs https" in failed.reason
    assert not failed.again


async def test_no_secret_is_in_an_error_or_a_log(
    pager: WebhookPager, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.answer = lambda request: Says(400, f"{SECRET} {provider.url}{request.path} {request.body.decode()}")
    failed = await refused(pager, to(provider))
    provider.answer = Says(200)
    await pager.page(to(provider), TEXT, KEY)
    for secret in (SECRET, SECRET.removeprefix("whsec_"), "s3cret-path", "ana.signed"):
        assert secret not in failed.reason
        assert secret not in caplog.text
    assert "***" in failed.reason


@pytest.mark.parametrize(
    "keys",
    [[], [""], ["secret"], ["whsec_"], ["whsec_c2hvcnQ="], ["whsec_not base64!" + "x" * 40], [SECRET, "other"]],
)
def test_a_key_that_is_none_is_refused_and_not_repeated(keys: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        WebhookPager(keys)
    assert "ALLCLEAR_WEBHOOK_KEYS" in str(caught.value)
    assert "openssl rand" in str(caught.value)
    assert not any(len(key) > len("whsec_") and key in str(caught.value) for key in keys)


@pytest.mark.parametrize("code", [200, 204, 400, 401, 405])
async def test_a_check_wakes_nobody(pager: WebhookPager, provider: Provider, code: int) -> None:
    provider.answer = Says(code)
    await pager.check(provider.url + "/hooks/ana")
    [request] = provider.requests
    assert (request.method, request.body) == ("HEAD", b"")


@pytest.mark.parametrize("code", [302, 404, 410, 503])
async def test_a_check_finds_the_wrong_address(pager: WebhookPager, provider: Provider, code: int) -> None:
    provider.answer = Says(code)
    with pytest.raises(Failed, match=str(code)):
        await pager.check(provider.url + "/hooks/ana")
