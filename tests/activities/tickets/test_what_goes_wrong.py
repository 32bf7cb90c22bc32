"""What every connector makes of a ticket system in trouble: each answer becomes a reason, and no secret is in it."""

import logging
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from github.Auth import Token

from activities import Failed
from activities.mirror import Gone, Mirror, Place
from activities.posting import Poster
from activities.tickets.github import GitHubTickets
from activities.tickets.jira import JiraTickets
from activities.tickets.request_tracker import RequestTrackerTickets
from tests.activities.paging.provider import DROPS, HANGS, Provider, Says, serving
from tests.activities.tickets.subjects import QUICK, action, incident, key_of, line

SECRET = "glpat-very-secret-0123456789"
PLACE = Place(id="7")
SUBJECT = incident()
LINE = line()
Connect = Callable[[str, timedelta, ssl.SSLContext | None, str | bool], Mirror]


def jira(url: str, within: timedelta, trust: ssl.SSLContext | None, file: str | bool) -> Mirror:
    return JiraTickets(url, "bot@example.test", SECRET, "OPS", poster=poster(within, trust))


def rt(url: str, within: timedelta, trust: ssl.SSLContext | None, file: str | bool) -> Mirror:
    return RequestTrackerTickets(url, SECRET, "Incidents", poster=poster(within, trust))


def github(url: str, within: timedelta, trust: ssl.SSLContext | None, file: str | bool) -> Mirror:
    return GitHubTickets("example/incidents", Token(SECRET), url=url, within=within, trust=file, secrets=[SECRET])


def poster(within: timedelta, trust: ssl.SSLContext | None) -> Poster:
    return Poster(within, trust) if trust else Poster(within)


SYSTEMS = pytest.mark.parametrize(
    ("connect", "who"), [(jira, "Jira"), (rt, "Request Tracker"), (github, "GitHub")], ids=["jira", "rt", "github"]
)


def connected(connect: Connect, url: str) -> Mirror:
    return connect(url, QUICK.within, None, True)


async def refusals(mirror: Mirror) -> list[Failed]:
    """Return what each thing that a mirror does raises."""
    acts = [
        lambda: mirror.open(SUBJECT),
        lambda: mirror.show(PLACE, SUBJECT),
        lambda: mirror.add(PLACE, LINE, key_of(SUBJECT, LINE)),
        lambda: mirror.closed(PLACE),
        lambda: mirror.check(),
    ]
    found = []
    for act in acts:
        with pytest.raises(Failed) as caught:
            await act()
        found.append(caught.value)
    return found


@SYSTEMS
@pytest.mark.parametrize("code", [400, 401, 403, 422])
async def test_a_refusal_is_for_good(connect: Connect, who: str, provider: Provider, code: int) -> None:
    provider.answer = Says(code, '{"message": "You shall not pass"}')
    for failed in await refusals(connected(connect, provider.url)):
        assert not failed.again
        assert f"{who} answered {code}" in failed.reason
        assert "You shall not pass" in failed.reason


@SYSTEMS
@pytest.mark.parametrize("answer", [Says(500), Says(502, "<html>Bad gateway</html>"), Says(503), DROPS, Says(408)])
async def test_trouble_there_is_no_refusal(connect: Connect, who: str, provider: Provider, answer: Says) -> None:
    provider.answer = answer
    for failed in await refusals(connected(connect, provider.url)):
        assert failed.again
        assert who in failed.reason
        assert not isinstance(failed, Gone)


@SYSTEMS
async def test_too_much_asks_for_rest_and_is_asked_once(connect: Connect, who: str, provider: Provider) -> None:
    provider.answer = Says(429, "slow down", {"retry-after": "35"})
    for failed in await refusals(connected(connect, provider.url)):
        assert failed.again
        assert failed.retry_after == timedelta(seconds=35)
        assert f"{who} answered 429, and wants 35s of rest" in failed.reason
    assert len(provider.requests) == 5, "who owes the line decides when it is tried again"


@SYSTEMS
@pytest.mark.parametrize(
    "body",
    [
        "<html>Sign in</html>",
        "",
        "[]",
        "null",
        '"ok"',
        "{}",
        '{"error": "no"}',
        '{"message": "maintenance',
        b"\xff\xfe",
    ],
)
async def test_only_an_answer_of_theirs_is_one(
    connect: Connect, who: str, provider: Provider, body: str | bytes
) -> None:
    provider.answer = Says(200, body, {"content-type": "text/html"})
    mirror = connected(connect, provider.url)
    with pytest.raises(Failed, match=f"this is not {who}") as caught:
        await mirror.add(PLACE, LINE, key_of(SUBJECT, LINE))
    assert caught.value.again
    with pytest.raises(Failed):
        await mirror.show(PLACE, SUBJECT)
    with pytest.raises(Failed):
        await mirror.closed(PLACE)
    if body != "[]":  # no issues yet, if it is GitHub that says so
        with pytest.raises(Failed):
            await mirror.open(SUBJECT)
        with pytest.raises(Failed):
            await mirror.check()


@SYSTEMS
@pytest.mark.parametrize("code", [404, 410])
async def test_what_is_not_there_any_more_is_gone(connect: Connect, who: str, provider: Provider, code: int) -> None:
    provider.answer = Says(code, '{"message": "Not Found"}')
    opened, shown, added, closed, checked = await refusals(connected(connect, provider.url))
    assert all(isinstance(failed, Gone) for failed in (shown, added, closed))
    assert all(PLACE.id in failed.reason for failed in (shown, added, closed))
    for failed in (opened, checked):  # the project, repository or queue is missing: a second one would not help
        assert not isinstance(failed, Gone)
        assert not failed.again


@SYSTEMS
async def test_elsewhere_is_not_followed(connect: Connect, who: str, provider: Provider) -> None:
    async with serving(Provider()) as other:
        provider.answer = Says(302, "", {"location": f"{other.url}/x"})
        for failed in await refusals(connected(connect, provider.url)):
            assert who in failed.reason
        assert other.requests == []


@SYSTEMS
async def test_a_hang_ends_with_a_reason(connect: Connect, who: str, provider: Provider) -> None:
    provider.answer = HANGS
    with pytest.raises(Failed) as caught:
        await connect(provider.url, timedelta(seconds=1), None, True).closed(PLACE)
    assert caught.value.reason == f"{who} gave no answer within 1s"
    assert caught.value.again


@SYSTEMS
async def test_nobody_there(connect: Connect, who: str) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        with pytest.raises(Failed) as caught:
            await connected(connect, f"http://127.0.0.1:{dead.getsockname()[1]}").closed(PLACE)
    assert caught.value.reason == f"{who} cannot be reached: Connection refused"
    assert caught.value.again


@SYSTEMS
async def test_somebody_else_with_a_certificate_gets_no_token(connect: Connect, who: str, tmp_path: Path) -> None:
    server, trusting, other = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
        trustme.CA(),
    )
    trustme.CA().issue_cert("localhost").configure_cert(server)
    other.configure_trust(trusting)
    other.cert_pem.write_to_path(str(tmp_path / "trusted.pem"))
    async with serving(Provider(), server) as provider:
        mirror = connect(provider.url, QUICK.within, trusting, str(tmp_path / "trusted.pem"))
        for failed in await refusals(mirror):
            assert f"{who} cannot be reached: its certificate is not trusted" in failed.reason
        assert provider.requests == []


@SYSTEMS
@pytest.mark.parametrize("code", [200, 400, 401, 403, 500])
async def test_no_secret_is_in_a_reason_or_a_log(
    connect: Connect, who: str, provider: Provider, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.answer = lambda request: Says(code, f'{{"message": "you sent {request.headers["authorization"]}"}}')
    failed = await refusals(connected(connect, provider.url))
    assert len(provider.requests) == 5
    said = "".join(one.reason for one in failed) + caplog.text + repr([one.__cause__ for one in failed])
    assert SECRET not in said
    for request in provider.requests:
        assert request.headers["authorization"].split()[-1] not in said


@SYSTEMS
async def test_an_action_item_with_trouble_is_no_other(connect: Connect, who: str, provider: Provider) -> None:
    provider.answer = Says(503, "", {"retry-after": "60"})
    with pytest.raises(Failed) as caught:
        await connected(connect, provider.url).open(action(SUBJECT, PLACE))
    assert caught.value.retry_after == timedelta(seconds=60)
