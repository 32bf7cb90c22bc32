"""GitHub Issues follow the record: an issue per matter, a comment per line, in a private repository."""

import asyncio
import itertools
import json
import re
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import github
import httpx2
import requests
from github.Auth import Auth
from github.Issue import Issue
from github.Repository import Repository

from activities import Failed
from activities.mirror import Gone, Mirror, Place, Subject
from activities.posting import LONGEST_PAUSE, WITHIN, Answer, cause, refused
from activities.tickets.rest import NO_MORE, in_words
from activities.tickets.telling import KINDS, facts, heading, title, told, web_link
from model.matter import Entry
from model.text import clean, one_line
from model.times import short

T = TypeVar("T")

API: Final = "https://api.github.com"
TITLE_LONGEST: Final = 256
"""Characters of a title; ours are bytes, so never more."""
ISSUES_READ: Final = 300
"""Newest issues among which a matter's is looked for: the list shows them at once, the search only later."""
CLOCKS_APART: Final = timedelta(minutes=10)
"""How far GitHub's clock may be ahead of ours: a line's comment is looked for since so much before the line."""
SECONDARY_REST: Final = timedelta(minutes=1)
"""What GitHub asks for after a secondary limit when it names no time."""
SEVERITY: Final = re.compile(r"sev[1-5]")
SAYS_LIMIT: Final = re.compile(r"rate limit|abuse detection", re.IGNORECASE)
_MARK: Final = "<!-- allclear: "


@dataclass(frozen=True)
class _Wanted:
    """An issue as it should be."""

    title: str
    body: str
    severity: str


class GitHubTickets(Mirror):
    """Keeps an issue per incident and action item in one repository, which must not be public.

    Texts of others travel as code: GitHub reads no Markdown, HTML, mention, issue number or emoji into it.
    """

    name = "github"
    kinds = KINDS

    def __init__(
        self,
        repository: str,
        auth: Auth,
        *,
        url: str = API,
        within: timedelta = WITHIN,
        trust: str | bool = True,
        secrets: Iterable[str] = (),
    ) -> None:
        """Work in a repository.

        Args:
            repository: As `owner/name`.
            auth: A token, or the installation of an app.
            url: Of the API; of GitHub Enterprise: `https://HOST/api/v3`.
            within: How long GitHub may be silent; whole seconds.
            trust: File with the authorities to believe about names; default: the usual ones.
            secrets: What no error may repeat.
        """
        self._repository = repository
        self._auth = auth
        self._url = url.rstrip("/")
        self._within = within
        self._trust = trust
        self._secrets = tuple(secrets)

    async def open(self, subject: Subject) -> Place:
        """Return the issue with the subject's mark, or make one; an action item's names its incident's.

        Raises:
            Failed: It could not be looked for or made, or everybody could read it.
        """
        wanted = _wanted(subject)
        return await self._do(lambda repository: self._open(repository, subject.id, wanted))

    def _open(self, repository: Repository, id: str, wanted: _Wanted) -> Place:
        if not repository.private:
            raise Failed(f"{self._repository} is public, so everybody would read the ticket", again=False)
        newest = repository.get_issues(state="all", sort="created", direction="desc")
        marked = [issue for issue in itertools.islice(newest, ISSUES_READ) if _mark_of(issue.body) == id]
        # Asked of few: the library fetches an issue once more to know that it is no pull request.
        marked = [issue for issue in marked if issue.pull_request is None]
        issue = marked[-1] if marked else _create(repository, wanted)
        return Place(id=str(issue.number), url=issue.html_url)

    async def show(self, place: Place, subject: Subject) -> None:
        """Bring title, text, severity label and state up to date; other labels are people's.

        Raises:
            Failed: It was not taken; `Gone`, where the issue is no more.
        """
        wanted = _wanted(subject)
        await self._do(lambda repository: _show(_issue(repository, place), wanted, subject.open), place)

    async def add(self, place: Place, entry: Entry, key: str) -> None:
        """Add a comment with the key as its mark, unless there is one since the line was said.

        Raises:
            Failed: It was not taken; `Gone`, where the issue is no more.
        """
        if not told(entry):
            return
        parts = [f"**{_code(heading(entry))}**", _code(entry.text), _link(entry.link), _mark(key)]
        text, since = "\n\n".join(part for part in parts if part), entry.at - CLOCKS_APART
        await self._do(lambda repository: _add(_issue(repository, place), text, key, since), place)

    async def closed(self, place: Place) -> bool:
        """Return whether the issue is closed.

        Raises:
            Failed: GitHub did not answer; `Gone`, where the issue is no more.
        """
        return await self._do(lambda repository: _issue(repository, place).state == "closed", place)

    async def check(self) -> str:
        """Ask for the repository: the token sees it, it is private, and it takes issues.

        Raises:
            Failed: With what to mend.
        """
        return await self._do(self._check)

    def _check(self, repository: Repository) -> str:
        name = repository.full_name
        if not repository.private:
            raise Failed(f"{name} is public, so everybody would read the tickets: take a private one", again=False)
        if repository.archived or not repository.has_issues:
            raise Failed(f"{name} takes no issues: switch them on, or take another repository", again=False)
        return f"{name} is private, takes issues, and is shown to the token; that it may write, the first issue proves"

    async def _do(self, act: Callable[[Repository], T], place: Place | None = None) -> T:
        """Return what `act` does with the repository, in a thread.

        Raises:
            Failed: In our words, whatever the library says; `Gone` for a `place` that is no more.
        """
        try:
            return await asyncio.to_thread(self._act, act)
        except Failed:
            raise
        except github.GithubException as error:
            raise self._refused(error, place) from None
        except requests.Timeout:
            raise Failed(f"GitHub gave no answer within {short(self._within)}") from None
        except requests.RequestException as error:
            raise Failed(f"GitHub cannot be reached: {cause(error) or type(error).__name__}") from None
        except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            # What the library runs into when somebody else answers, for example a proxy's sign-in page with 200.
            raise Failed(f"this is not GitHub: its answer cannot be read ({type(error).__name__})") from None

    def _act(self, act: Callable[[Repository], T]) -> T:
        # One client per act: the library's is not made for several threads. The pauses and repetitions that it would
        # make are switched off, because whoever owes the line decides when it is tried again.
        client = github.Github(
            auth=self._auth,
            base_url=self._url,
            timeout=max(1, round(self._within.total_seconds())),
            user_agent="AllClear",
            per_page=100,
            verify=self._trust,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        )
        with closing(client):
            return act(client.get_repo(self._repository))

    def _refused(self, error: github.GithubException, place: Place | None) -> Failed:
        if place and error.status in NO_MORE:
            return Gone(f"GitHub has no issue {place.id} in {self._repository} any more, or does not show it")
        headers = httpx2.Headers({name: str(value) for name, value in (error.headers or {}).items()})
        answer = in_words(Answer(error.status, headers, json.dumps(error.data)))
        if answer.code not in (403, 429) or not (pause := _rest(answer)):
            return refused("GitHub", answer, self._secrets)
        said = answer.excerpt(self._secrets)
        return Failed(f"GitHub answered {answer.code}, and wants {short(pause)} of rest: {said}", retry_after=pause)


def _create(repository: Repository, wanted: _Wanted) -> Issue:
    issue = repository.create_issue(wanted.title, body=wanted.body, labels=["allclear", wanted.severity])
    if not isinstance(issue.number, int):
        raise TypeError
    return issue


def _issue(repository: Repository, place: Place) -> Issue:
    issue = repository.get_issue(int(place.id))
    if issue.state not in ("open", "closed"):
        raise TypeError
    return issue


def _show(issue: Issue, wanted: _Wanted, open: bool) -> None:
    change: dict[str, Any] = {}
    if issue.title != wanted.title:
        change["title"] = wanted.title
    if (issue.body or "").replace("\r\n", "\n") != wanted.body:
        change["body"] = wanted.body
    if (issue.state == "open") is not open:
        change |= {"state": "open"} if open else {"state": "closed", "state_reason": "completed"}
    labels = [label.name for label in issue.labels]
    kept = [label for label in labels if label == wanted.severity or not SEVERITY.fullmatch(label)]
    if wanted.severity not in kept or kept != labels:
        change["labels"] = list(dict.fromkeys([*kept, wanted.severity]))
    if change:
        issue.edit(**change)


def _add(issue: Issue, text: str, key: str, since: datetime) -> None:
    if any(_mark_of(comment.body) == key for comment in issue.get_comments(since=since)):
        return
    if not isinstance(issue.create_comment(text).id, int):
        raise TypeError


def _wanted(subject: Subject) -> _Wanted:
    lines = [f"- **{fact.name}**: {_code(fact.text)} {_link(fact.link)}".rstrip() for fact in facts(subject)]
    if subject.parent_place:
        lines.append(f"- **Part of** #{int(subject.parent_place)}")
    parts = [_code(subject.body), "\n".join(lines), _mark(subject.id)]
    body = "\n\n".join(part for part in parts if part)
    return _Wanted(title(subject, TITLE_LONGEST), body, f"sev{subject.severity}")


def _code(text: str) -> str:
    """Return text as code, within more backticks than it has itself: a block if it has lines of its own."""
    text = clean(text)
    if not text:
        return ""
    most = max(map(len, re.findall("`+", text)), default=0)
    if "\n" in text:
        fence = "`" * max(3, most + 1)
        return f"{fence}text\n{text}\n{fence}"
    ticks = "`" * (most + 1)
    return f"{ticks} {text} {ticks}"


def _link(address: str) -> str:
    """Return a link that shows where it leads; what leads elsewhere than to the web is shown, and cannot be clicked."""
    # Angle brackets are encoded in a web address, so none of it ends the link.
    return f"<{link}>" if (link := web_link(address)) else _code(one_line(address))


def _mark(id: str) -> str:
    """Return what an issue or comment is found again by; GitHub does not show it."""
    return f"{_MARK}{id} -->"


def _mark_of(body: str | None) -> str:
    """Return the id in the last mark of a text: ours comes behind all that others said."""
    _, found, rest = (body or "").rpartition(_MARK)
    id, ends, _ = rest.partition(" -->")
    return id if found and ends else ""


def _rest(answer: Answer) -> timedelta | None:
    """Return how long GitHub wants to be left alone after 403 or 429; None where it refuses for good."""
    if answer.retry_after is not None:
        return answer.retry_after
    if answer.headers.get("x-ratelimit-remaining") == "0":
        try:
            now = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
            until = timedelta(seconds=int(answer.headers.get("x-ratelimit-reset", "")) - now)
        except (TypeError, ValueError, OverflowError):
            return SECONDARY_REST
        return min(max(until, timedelta(seconds=1)), LONGEST_PAUSE)
    return SECONDARY_REST if answer.code == 429 or SAYS_LIMIT.search(answer.text) else None
