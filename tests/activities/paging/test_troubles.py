"""The same trouble at every kind of provider: an expired certificate, an hour of "too many", a wrong address."""

import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from activities.paging import Pager
from activities.paging.pagerduty import PagerDutyPager
from activities.paging.smtp import SmtpPager
from activities.paging.webhook import WebhookPager
from activities.posting import Poster
from model.effects import Outcome, Page
from tests.activities.mail_server import House
from tests.activities.mail_server import serving as mail_server
from tests.activities.paging.orders import activity_of, order, refused
from tests.activities.paging.provider import Provider, Says, serving
from tests.activities.paging.test_webhook import SECRET
from tests.model.simulation import Simulation

WITHIN = timedelta(seconds=5)
ROUTING = "e93facc04764012d7bfb002500d5d1a6"
WEB = ("webhook", "pagerduty", "push")


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that everybody here trusts, as the settings of a machine would have it."""
    it = trustme.CA()
    it.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "authority.pem"))
    return it


@pytest.fixture
def issued(authority: trustme.CA) -> Callable[[int], ssl.SSLContext]:
    """Certificates that expire so many days from now."""

    def until(days: int) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        expires = datetime.now(UTC) + timedelta(days=days)
        authority.issue_cert("localhost", not_before=expires - timedelta(days=90), not_after=expires).configure_cert(
            context
        )
        return context

    return until


@pytest.fixture
def house() -> House:
    return House()


def over(kind: str, provider: Provider) -> tuple[Pager, Page]:
    """Return a connector to a provider, and a page for it."""
    if kind == "webhook":
        return WebhookPager([SECRET], Poster(WITHIN)), order("webhook", f"{provider.url}/ana")
    if kind == "pagerduty":
        return PagerDutyPager({"checkout": ROUTING}, provider.url, Poster(WITHIN)), order("pagerduty", "checkout")
    apprise = pytest.importorskip("activities.paging.apprise", reason="the extra `apprise` is not installed")
    scheme = "jsons" if provider.scheme == "https" else "json"
    return apprise.ApprisePager("push", f"{scheme}://localhost:{provider.port}/{{address}}", WITHIN), order(
        "push", "ana"
    )


TAKEN = Says(202, '{"status": "success"}')


@pytest.mark.parametrize("kind", WEB)
async def test_an_expired_certificate_is_no_provider_until_it_is_renewed(
    kind: str, issued: Callable[[int], ssl.SSLContext]
) -> None:
    async with serving(Provider(TAKEN), issued(-1)) as expired:
        pager, page = over(kind, expired)
        failed = await refused(pager, page)
        assert expired.requests == [], "nothing of a page is shown to it"
    assert failed.again, "somebody will renew it"
    if kind != "push":  # Apprise tells its log alone
        assert "its certificate is not trusted (certificate has expired)" in failed.reason
    async with serving(Provider(TAKEN), issued(30)) as renewed:
        pager, page = over(kind, renewed)
        assert (await activity_of(pager, page)[0].page(activity_of(pager, page)[1])).ok
        assert len(renewed.requests) == 1


async def test_an_expired_certificate_of_a_mail_server(house: House, issued: Callable[[int], ssl.SSLContext]) -> None:
    page = order("email", "ana@example.test")
    with mail_server(house, tls_context=issued(-1)) as mailer:
        failed = await refused(SmtpPager(replace(mailer, host="localhost", tls="starttls")), page)
    assert failed.again
    assert "its certificate is not trusted (certificate has expired)" in failed.reason
    assert not house.envelopes
    with mail_server(house, tls_context=issued(30)) as mailer:
        await SmtpPager(replace(mailer, host="localhost", tls="starttls")).page(page, "SEV2", "k/1")
    assert len(house.envelopes) == 1


async def outcome_of(pager: Pager, page: Page) -> Outcome:
    paging, errand = activity_of(pager, page)
    return await paging.page(errand)


def night(outcome: Outcome, hours: float = 0) -> Simulation:
    """Return a night in which mail to everybody goes as it went with a real provider."""
    day = Simulation()
    day.fails = lambda page: outcome if page.contact.channel == "email" else False
    day.alarm("checkout-api", severity=2)
    day.wait(hours=hours)
    return day


@pytest.mark.parametrize("kind", WEB)
async def test_too_many_for_an_hour_takes_the_next_channel_at_once(kind: str) -> None:
    async with serving(Provider(Says(429, "slow down", {"retry-after": "3600"}))) as provider:
        outcome = await outcome_of(*over(kind, provider))
        assert len(provider.requests) == 1
    assert (outcome.ok, outcome.again) == (False, True)
    assert "answered 429" in outcome.reason
    if kind != "push":  # what Apprise was told it keeps to itself
        assert outcome.retry_after == timedelta(hours=1)
    day = night(outcome)
    assert day.paged("ana") == [("0m", "sms")]
    [line] = day.said("fallback")
    assert "answered 429" in line
    assert line.endswith("next: sms")


async def test_too_many_at_a_mail_server_takes_the_next_channel_at_once(house: House) -> None:
    house.says["RCPT"] = "450 4.7.1 rate limit exceeded, come back in an hour"
    with mail_server(house) as mailer:
        outcome = await outcome_of(SmtpPager(mailer), order("email", "ana@example.test"))
    assert (outcome.ok, outcome.again) == (False, True)
    assert "450" in outcome.reason
    assert night(outcome).paged("ana") == [("0m", "sms")]


async def test_an_address_that_bounces_is_not_tried_again_and_the_others_are(house: House) -> None:
    house.says["RCPT"] = "550 5.1.1 no such user"
    with mail_server(house) as mailer:
        outcome = await outcome_of(SmtpPager(mailer), order("email", "ana@example.test"))
    assert not outcome.again
    day = night(outcome, hours=1)
    assert "550 5.1.1 no such user" in day.said("fallback")[0]
    by_mail: list[Any] = [p for p in day.incident.people["ana"].pages if p.channel == "email" and p.level == 1]
    assert len(by_mail) == 1


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("webhook", Says(404)),
        ("webhook", Says(410)),
        ("pagerduty", Says(400, '{"status": "invalid event", "errors": ["Invalid routing key"]}')),
        ("push", Says(404)),
    ],
)
async def test_an_address_that_is_none_is_an_answer_for_good(kind: str, says: Says) -> None:
    async with serving(Provider(says)) as provider:
        outcome = await outcome_of(*over(kind, provider))
    assert (outcome.ok, outcome.again) == (False, False)
    assert night(outcome).paged("ana") == [("0m", "sms")]


@pytest.mark.parametrize(("kind", "taken"), [("pagerduty", False), ("webhook", True), ("push", True)])
@pytest.mark.parametrize("body", ['{"status": "error", "message": "quota"}', "<html>Sign in</html>"])
async def test_a_200_is_believed_only_where_its_body_means_nothing(kind: str, taken: bool, body: str) -> None:
    # A receiver of Standard Webhooks takes a message with any 2xx; PagerDuty says in the body what it did.
    async with serving(Provider(Says(200, body, {"content-type": "text/html"}))) as provider:
        assert (await outcome_of(*over(kind, provider))).ok is taken
