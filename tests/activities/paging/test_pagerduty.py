"""Pages through PagerDuty, against a server that answers what its Events API v2 says it does."""

import asyncio
import json
import logging
import os
import socket
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import trustme

from activities import Failed
from activities.paging.pagerduty import EU, NOBODYS, US, PagerDutyPager
from activities.posting import Poster
from tests.activities.paging.orders import ID, KEY, LINK, TEXT, activity_of, order, refused
from tests.activities.paging.provider import DROPS, HANGS, Provider, Request, Says, serving

ROUTING, OTHER = "e93facc04764012d7bfb002500d5d1a6", "737ea619db564d41bd9824063e1f8au1"
QUICK = Poster(within=timedelta(seconds=2))
PAGE = order("pagerduty", "checkout")
CONTRACT = "pagerduty-events-v2.openapi.json"


class PagerDuty:
    """What PagerDuty does with events: checks them, and keeps one alert per `dedup_key` and integration."""

    def __init__(self) -> None:
        self.alerts: dict[tuple[str, str], dict[str, Any]] = {}

    def __call__(self, request: Request) -> Says:
        event = request.json
        errors = list(_errors(event))
        if request.path != "/v2/enqueue":
            return Says(404)
        if errors:
            return says(400, "invalid event", "Event object is invalid", errors)
        key = (event["routing_key"], event["dedup_key"])
        if event["event_action"] == "trigger":
            self.alerts.setdefault(key, event)
        return says(202, "success", "Event processed", dedup_key=event["dedup_key"])


def _errors(event: dict[str, Any]) -> Any:
    if event.get("routing_key") not in (ROUTING, OTHER):
        yield f"Invalid routing key {event.get('routing_key')}"
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        yield "'event_action' is invalid"
    if len(event.get("dedup_key", "")) > 255:
        yield "'dedup_key' is too long"
    if event.get("event_action") == "trigger":
        payload = event.get("payload", {})
        yield from (
            f"'payload.{name}' is missing" for name in ("summary", "source", "severity") if not payload.get(name)
        )
        if payload.get("severity") not in ("critical", "error", "warning", "info"):
            yield "'payload.severity' is invalid"
        if len(payload.get("summary", "")) > 1024:
            yield "'payload.summary' is too long"


def says(code: int, status: str, message: str, errors: list[str] | None = None, **more: str) -> Says:
    body = {"status": status, "message": message, **({"errors": errors} if errors else {}), **more}
    return Says(code, json.dumps(body), {"content-type": "application/json"})


@pytest.fixture
def there() -> PagerDuty:
    return PagerDuty()


@pytest.fixture
def pager(provider: Provider) -> PagerDutyPager:
    return PagerDutyPager({"checkout": ROUTING, "dns": OTHER}, provider.url, QUICK)


async def test_a_page_becomes_an_alert_of_the_named_key(pager: PagerDutyPager, there: PagerDuty) -> None:
    await pager.page(PAGE, TEXT, KEY)
    [((routing, dedup), event)] = there.alerts.items()
    assert (routing, dedup, event["event_action"]) == (ROUTING, KEY, "trigger")
    assert event["payload"]["summary"] == TEXT
    assert event["payload"]["source"] == "checkout-api"
    assert event["payload"]["timestamp"] == "2026-03-02T09:00:00+00:00"
    assert event["payload"]["custom_details"]["incident"] == ID
    assert event["client_url"] == LINK
    assert event["links"] == [{"href": LINK, "text": f"Acknowledge {ID}"}]


@pytest.mark.parametrize(
    ("ours", "theirs"), [(1, "critical"), (2, "critical"), (3, "error"), (4, "warning"), (5, "info")]
)
async def test_a_severity_that_wakes_people_is_urgent_there_too(
    pager: PagerDutyPager, there: PagerDuty, ours: int, theirs: str
) -> None:
    await pager.page(order("pagerduty", "dns", ours), TEXT, KEY)
    assert there.alerts[OTHER, KEY]["payload"]["severity"] == theirs


async def test_a_page_without_a_link_or_a_service_is_an_alert_all_the_same(
    pager: PagerDutyPager, there: PagerDuty
) -> None:
    bare = PAGE.model_copy(update={"service": "", "what": "", "region": ""})
    await pager.page(bare, f"SEV2. Ack: allclear ack {ID}", KEY)
    event = there.alerts[ROUTING, KEY]
    assert event["payload"]["source"] == ID
    assert "links" not in event


async def test_the_call_is_a_second_link_of_the_alert_and_leads_through_the_signed_page(
    pager: PagerDutyPager, provider: Provider
) -> None:
    page = PAGE.model_copy(update={"tech_call": "https://meet.test/{incident}-{call}"})
    await pager.page(page, TEXT, KEY)
    [request] = provider.requests
    assert [link["href"] for link in request.json["links"]] == [LINK, f"{LINK}&call=1"]
    assert b"meet.test" not in request.body


async def test_a_worker_that_dies_between_sent_and_recorded_makes_no_second_alert(
    pager: PagerDutyPager, provider: Provider, there: PagerDuty
) -> None:
    provider.first = [HANGS]
    paging, errand = activity_of(pager, PAGE)
    dying = asyncio.create_task(paging.page(errand))
    await provider.arrived.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    for _ in range(2):
        assert (await paging.page(errand)).ok
    assert [request.json["dedup_key"] for request in provider.requests] == [KEY] * 3
    assert len(there.alerts) == 1


async def test_a_routing_key_that_is_none_is_said_by_name_only(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "0123456789abcdef0123456789abcdef"
    failed = await refused(PagerDutyPager({"checkout": secret}, provider.url, QUICK), PAGE)
    assert not failed.again
    assert "refused the event for 'checkout'" in failed.reason
    assert failed.reason.endswith("Event object is invalid; Invalid routing key ***")
    assert secret not in failed.reason + caplog.text


async def test_a_name_without_a_key_asks_nobody(pager: PagerDutyPager, provider: Provider) -> None:
    failed = await refused(pager, order("pagerduty", "chekout"))
    assert failed.reason == "ALLCLEAR_PAGERDUTY_KEYS has no key 'chekout' (it has: checkout, dns)"
    assert not failed.again
    assert provider.requests == []


async def test_too_many_events_is_no_page_and_asks_for_rest(pager: PagerDutyPager, provider: Provider) -> None:
    provider.first = [Says(429, "", {"retry-after": "30"})]
    paging, errand = activity_of(pager, PAGE)
    outcome = await paging.page(errand)
    assert (outcome.ok, outcome.again, outcome.retry_after) == (False, True, timedelta(seconds=30))
    assert len(provider.requests) == 1, "who owes the page decides when it is tried again"
    assert (await paging.page(errand)).ok


@pytest.mark.parametrize("answer", [says(500, "error", "x"), Says(502, "<html>"), Says(503), DROPS, Says(408)])
async def test_trouble_there_is_no_refusal(pager: PagerDutyPager, provider: Provider, answer: Says) -> None:
    provider.answer = answer
    failed = await refused(pager, PAGE)
    assert failed.again
    assert "PagerDuty" in failed.reason


@pytest.mark.parametrize(
    ("answer", "words", "again"),
    [
        (says(200, "invalid event", "Event object is invalid"), "did not take the event for 'checkout'", False),
        (says(202, "throttled", "later"), "did not take the event", False),
        (Says(200, "<html>Sign in</html>"), "this is not PagerDuty: 200, <html>Sign in</html>", True),
        (Says(202, ""), "this is not PagerDuty", True),
        (Says(202, "[]"), "this is not PagerDuty", True),
        (Says(202, "{}"), "this is not PagerDuty", True),
        (Says(200, b"\xff\xfe"), "this is not PagerDuty", True),
        (Says(302, "", {"location": "https://login.test"}), "redirects are not followed", False),
        (Says(403, "Forbidden"), "answered 403: Forbidden", False),
    ],
)
async def test_only_success_is_success(
    pager: PagerDutyPager, provider: Provider, answer: Says, words: str, again: bool
) -> None:
    provider.answer = answer
    failed = await refused(pager, PAGE)
    assert words in failed.reason
    assert failed.again is again


async def test_a_hang_ends_with_a_reason(provider: Provider) -> None:
    provider.answer = HANGS
    pager = PagerDutyPager({"checkout": ROUTING}, provider.url, Poster(within=timedelta(milliseconds=300)))
    assert (await refused(pager, PAGE)).reason == "PagerDuty gave no answer within 0.3s"


async def test_nobody_there() -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        pager = PagerDutyPager({"checkout": ROUTING}, f"http://127.0.0.1:{dead.getsockname()[1]}", QUICK)
        assert (await refused(pager, PAGE)).reason == "PagerDuty cannot be reached: Connection refused"


async def test_somebody_else_with_a_certificate_gets_no_key() -> None:
    server, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    trustme.CA().issue_cert("localhost").configure_cert(server)
    trustme.CA().configure_trust(trusting)
    async with serving(Provider(), server) as provider:
        pager = PagerDutyPager({"checkout": ROUTING}, provider.url, Poster(QUICK.within, trusting))
        assert "its certificate is not trusted" in (await refused(pager, PAGE)).reason
        assert provider.requests == []


async def test_a_key_does_not_travel_in_the_clear() -> None:
    failed = await refused(PagerDutyPager({"checkout": ROUTING}, "http://events.pagerduty.com", QUICK), PAGE)
    assert "needs https" in failed.reason


async def test_a_check_finds_a_wrong_key_and_makes_no_alert(
    pager: PagerDutyPager, provider: Provider, there: PagerDuty
) -> None:
    await pager.check("checkout")
    [request] = provider.requests
    assert (request.json["event_action"], request.json["dedup_key"]) == ("resolve", NOBODYS)
    assert there.alerts == {}
    with pytest.raises(Failed, match="Invalid routing key"):
        await PagerDutyPager({"checkout": "wrong"}, provider.url, QUICK).check("checkout")


def test_both_service_regions_have_their_address() -> None:
    assert {US, EU} == {"https://events.pagerduty.com", "https://events.eu.pagerduty.com"}


async def test_every_event_is_as_the_published_contract_has_it(pager: PagerDutyPager, provider: Provider) -> None:
    folder = os.environ.get("CONTRACTS", "")
    if not (Path(folder) / CONTRACT).is_file():
        pytest.skip(f"CONTRACTS names no folder with {CONTRACT} (PagerDuty/api-schema, reference/events-v2)")
    contract = json.loads((Path(folder) / CONTRACT).read_text())
    event = contract["paths"]["/enqueue"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = jsonschema_rs.validator_for({**event, "components": contract["components"]})
    await pager.page(PAGE, TEXT, KEY)
    await pager.check("checkout")
    for request in provider.requests:
        schema.validate(request.json)
    assert not schema.is_valid({"event_action": "trigger"}), "the schema says something"
