"""What only GitHub has: Markdown, limits of its own kind, repositories that everybody reads, apps."""

import json
import logging
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from github.Auth import AppAuth, AppInstallationAuth
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from activities import Failed
from activities.mirror import Place
from activities.tickets.github import ISSUES_READ, GitHubTickets, _code
from model.text import clean
from tests.activities.paging.provider import Provider, Request, Says
from tests.activities.tickets.github_stub import REPOSITORY, GitHub, GitHubDesk, says
from tests.activities.tickets.subjects import NASTY, QUICK, action, incident, key_of, line

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DATE = {"date": format_datetime(NOW, usegmt=True)}
LEFT, UNTIL = "x-ratelimit-remaining", "x-ratelimit-reset"
MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})
CODE, LOOSE = ("code_inline", "fence"), ("text", "html_inline", "html_block")


@pytest.fixture
def there() -> GitHub:
    return GitHub()


@pytest.fixture
def desk(provider: Provider, there: GitHub) -> GitHubDesk:
    return GitHubDesk(provider, there)


def tokens(markdown: str) -> list[Token]:
    """Return what Markdown is made of, without the tokens that only hold others."""
    return [inner for token in MARKDOWN.parse(markdown) for inner in (token.children or [token])]


async def test_an_issue_has_labels_and_an_address(desk: GitHubDesk, there: GitHub) -> None:
    place = await desk.mirror.open(incident())
    assert place == Place(id="1", url=f"https://github.test/{REPOSITORY}/issues/1")
    assert [label["name"] for label in there.issues[1]["labels"]] == ["allclear", "sev2"]


@given(st.text(alphabet="`@#<>!-[]()*_ \n\\&;:aA1") | st.text())
def test_whatever_others_wrote_is_shown_as_it_is(text: str) -> None:
    wanted = clean(text)
    shown = tokens(f"- **Stands**: {_code(text)}" if "\n" not in wanted else _code(text))
    assert [token.content.removesuffix("\n") for token in shown if token.type in CODE] == [wanted] * bool(wanted)
    assert {token.content.strip() for token in shown if token.type in LOOSE} <= {"", "Stands", ":"}


async def test_nothing_of_others_is_outside_of_code(desk: GitHubDesk, there: GitHub) -> None:
    subject = incident(body=f"{NASTY}\n@admins", phase=NASTY, calls={NASTY: f"https://meet.test/>@a {NASTY}"})
    place = await desk.mirror.open(subject)
    entry = line(NASTY, by=NASTY, link=f"mailto:{NASTY}")
    await desk.mirror.add(place, entry, key_of(subject, entry))
    for markdown in (there.issues[1]["body"], there.issues[1]["comments_list"][0]["body"]):
        linked, loose = False, ""
        for token in tokens(markdown):
            linked = token.type == "link_open" or (linked and token.type != "link_close")
            loose += token.content if token.type in LOOSE and not linked else ""
        assert not re.search("[@#{~&`]|:tada|<b>", loose), loose


async def test_a_mark_within_a_text_is_not_the_tickets(desk: GitHubDesk) -> None:
    subject = incident()
    await desk.mirror.open(incident(body=f"an alarm says <!-- allclear: {subject.id} -->"))
    assert (await desk.mirror.open(subject)).id == "2"


async def test_what_people_append_does_not_hide_the_ticket(desk: GitHubDesk, there: GitHub) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    there.issues[1]["body"] += "\n\nSee also the wiki."
    assert await desk.mirror.open(subject) == place


async def test_an_older_issue_is_found_on_a_later_page_and_the_list_is_not_read_for_ever(
    desk: GitHubDesk, provider: Provider, there: GitHub
) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    for number in range(2, ISSUES_READ + 1):
        there.issues[number] = there.issue(number, "another", None, [])
    assert await desk.mirror.open(subject) == place
    for number in range(ISSUES_READ + 1, 1000):
        there.issues[number] = there.issue(number, "another", None, [])
    provider.requests.clear()
    assert (await desk.mirror.open(subject)).id != place.id
    assert len([request for request in provider.requests if request.method == "GET"]) <= 1 + ISSUES_READ // 100


async def test_a_pull_request_is_no_ticket(desk: GitHubDesk, there: GitHub) -> None:
    subject = incident()
    pull = there.issue(1, "A fix", f"<!-- allclear: {subject.id} -->", [])
    there.issues[1] = {**pull, "pull_request": {"url": "x"}}
    assert (await desk.mirror.open(subject)).id == "2"


async def test_a_key_among_hundreds_of_comments_is_seen(desk: GitHubDesk, there: GitHub) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    for n in range(150):
        there.comment(there.issues[1], f"comment {n}")
    entry = line()
    for _ in range(2):
        await desk.mirror.add(place, entry, key_of(subject, entry))
    assert len(there.issues[1]["comments_list"]) == 151


async def test_peoples_labels_stay(desk: GitHubDesk, there: GitHub) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    there.issues[1]["labels"] += [{"name": name} for name in ("sev3", "customer-visible", "sev2-review")]
    await desk.mirror.show(place, subject.model_copy(update={"severity": 1}))
    assert [label["name"] for label in there.issues[1]["labels"]] == [
        "allclear", "customer-visible", "sev2-review", "sev1",
    ]  # fmt: skip


async def test_what_is_up_to_date_is_not_written_again(desk: GitHubDesk, provider: Provider, there: GitHub) -> None:
    subject = incident()
    place = await desk.mirror.open(subject)
    there.issues[1]["body"] = there.issues[1]["body"].replace("\n", "\r\n")
    provider.requests.clear()
    await desk.mirror.show(place, subject)
    assert [request.method for request in provider.requests] == ["GET"]


async def test_a_public_repository_is_told_nothing(desk: GitHubDesk, provider: Provider, there: GitHub) -> None:
    there.repository["private"] = False
    with pytest.raises(Failed, match="example/incidents is public, so everybody would read the ticket") as caught:
        await desk.mirror.open(incident())
    assert not caught.value.again
    with pytest.raises(Failed, match="take a private one"):
        await desk.mirror.check()
    assert {request.method for request in provider.requests} == {"GET"}


@pytest.mark.parametrize("changed", [{"archived": True}, {"has_issues": False}])
async def test_the_doctor_finds_a_repository_that_takes_no_issues(
    desk: GitHubDesk, there: GitHub, changed: dict[str, bool]
) -> None:
    assert "is private, takes issues" in await desk.mirror.check()
    there.repository |= changed
    with pytest.raises(Failed, match="takes no issues"):
        await desk.mirror.check()


@pytest.mark.parametrize(
    ("code", "message", "headers", "rest"),
    [
        (403, "API rate limit exceeded for user ID 1.", {LEFT: "0", UNTIL: "+1800"}, 1800),
        (429, "API rate limit exceeded", {LEFT: "0", UNTIL: "+90"}, 90),
        (403, "You have exceeded a secondary rate limit.", {"retry-after": "17"}, 17),
        (403, "You have exceeded a secondary rate limit.", {}, 60),
        (403, "You have triggered an abuse detection mechanism.", {LEFT: "4000"}, 60),
        (403, "API rate limit exceeded", {LEFT: "0"}, 60),
        (429, "", {}, 60),
        (403, "Resource not accessible by personal access token", {LEFT: "4000"}, None),
        (403, "Must have admin rights to Repository.", {}, None),
    ],
)  # fmt: skip
async def test_a_limit_is_told_from_a_refusal(
    desk: GitHubDesk, provider: Provider, code: int, message: str, headers: dict[str, str], rest: int | None
) -> None:
    headers = {
        name: str(int(NOW.timestamp()) + int(value)) if value.startswith("+") else value
        for name, value in headers.items()
    }
    provider.answer = says(code, {"message": message}, {**headers, **DATE})
    with pytest.raises(Failed) as caught:
        await desk.mirror.closed(Place(id="1"))
    assert caught.value.again is (rest is not None)
    assert caught.value.retry_after == (timedelta(seconds=rest) if rest else None)
    assert message in caught.value.reason
    assert len(provider.requests) == 1, "who owes the line decides when it is tried again"


async def test_an_issue_moved_within_the_same_host_is_followed(
    desk: GitHubDesk, provider: Provider, there: GitHub
) -> None:
    await desk.mirror.open(incident())
    provider.first = [Says(301, "{}", {"location": f"{provider.url}/repos/{REPOSITORY}/issues/1"})]
    assert not await desk.mirror.closed(Place(id="9"))


async def test_an_app_gets_its_own_token_and_renews_it_by_itself(
    there: GitHub, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pem = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    tokens = ["ghs_first-secret", "ghs_second-secret"]
    lasts = [timedelta(seconds=10), timedelta(hours=1)]  # the library renews what ends within twenty seconds
    there.url = provider.url

    def answer(request: Request) -> Says:
        if request.path != "/app/installations/77/access_tokens":
            return there(request)
        assert request.headers["authorization"].startswith("Bearer ey"), "proven by the app's key"
        there.token = tokens.pop(0)
        ends = (datetime.now(UTC) + lasts.pop(0)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Says(201, json.dumps({"token": there.token, "expires_at": ends}), {"content-type": "application/json"})

    provider.answer = answer
    auth = AppInstallationAuth(AppAuth("Iv1.client", pem.decode()), 77)
    mirror = GitHubTickets(REPOSITORY, auth, url=provider.url, within=QUICK.within)
    subject = incident()
    place = await mirror.open(subject)
    for _ in range(2):
        assert not await mirror.closed(place)
    assert tokens == [], "and the second one lasted"
    assert "-secret" not in caplog.text


async def test_an_action_item_names_its_incidents_issue(desk: GitHubDesk, there: GitHub) -> None:
    subject = incident()
    parent = await desk.mirror.open(subject)
    await desk.mirror.open(action(subject, parent))
    assert "- **Part of** #1\n" in there.issues[2]["body"]
