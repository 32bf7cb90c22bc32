"""A stub of GitHub's REST API: keeps issues, and answers as documented; it proves nothing about GitHub itself."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from github.Auth import Token

from activities.mirror import Mirror
from activities.tickets.github import GitHubTickets
from tests.activities.paging.provider import Provider, Request, Says
from tests.activities.tickets.subjects import QUICK, Shown

REPOSITORY, TOKEN = "example/incidents", "github_pat_the-secret"
BASE = f"/repos/{REPOSITORY}"


class GitHub:
    def __init__(self) -> None:
        self.url = ""
        self.token = TOKEN
        self.repository = {"private": True, "archived": False, "has_issues": True}
        self.issues: dict[int, dict[str, Any]] = {}
        self.deleted: set[int] = set()
        self.loses = 0

    def __call__(self, request: Request) -> Says:
        if request.headers.get("authorization") != f"token {self.token}":
            return says(401, {"message": "Bad credentials", "documentation_url": "https://docs.test"})
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not parts.path.startswith(BASE):
            return says(404, {"message": "Not Found"})
        answer = self._about(request, parts.path.removeprefix(BASE).strip("/").split("/"), query)
        if self.loses and request.method != "GET":
            self.loses -= 1
            return Says(200, "", cut=True)
        return answer

    def _about(self, request: Request, path: list[str], query: dict[str, str]) -> Says:
        match request.method, path:
            case "GET", [""]:
                about = {"full_name": REPOSITORY, "url": self.url + BASE, "id": 1, **self.repository}
                return says(200, about)
            case "GET", ["issues"]:
                assert query == {"state": "all", "sort": "created", "direction": "desc", "per_page": "100"} | (
                    {"page": query["page"]} if "page" in query else {}
                )
                return self._page([*self.issues.values()][::-1], query, "/issues")
            case "POST", ["issues"]:
                return self._create(request.json)
            case method, ["issues", number, *rest] if number.isdigit():
                if int(number) in self.deleted:
                    return says(410, {"message": "This issue was deleted"})
                issue = self.issues.get(int(number))
                return (
                    self._issue(method, rest, issue, request, query) if issue else says(404, {"message": "Not Found"})
                )
        return says(404, {"message": "Not Found"})

    def _page(self, all: list[Any], query: dict[str, str], path: str) -> Says:
        page = int(query.get("page", 1))
        shown = [{k: v for k, v in one.items() if k != "comments_list"} for one in all[(page - 1) * 100 : page * 100]]
        headers = {}
        if len(all) > page * 100:
            more = "&".join(f"{name}={value}" for name, value in {**query, "page": str(page + 1)}.items())
            headers["link"] = f'<{self.url}{BASE}{path}?{more}>; rel="next"'
        return says(200, shown, headers)

    def _create(self, given: dict[str, Any]) -> Says:
        if not 0 < len(given["title"]) <= 256:
            return says(422, {"message": "Validation Failed", "errors": [{"field": "title", "code": "invalid"}]})
        number = len(self.issues) + len(self.deleted) + 1
        self.issues[number] = self.issue(number, given["title"], given["body"], given["labels"])
        return says(201, self.issues[number])

    def issue(self, number: int, title: str, body: str | None, labels: list[str]) -> dict[str, Any]:
        return {
            "number": number,
            "id": 1000 + number,
            "url": f"{self.url}{BASE}/issues/{number}",
            "html_url": f"https://github.test/{REPOSITORY}/issues/{number}",
            "title": title,
            "body": body,
            "state": "open",
            "labels": [{"name": label} for label in labels],
            "comments_list": [],
        }

    def _issue(
        self, method: str, rest: list[str], issue: dict[str, Any], request: Request, query: dict[str, str]
    ) -> Says:
        path = f"/issues/{issue['number']}/comments"
        match method, rest:
            case "GET", []:
                return says(200, {k: v for k, v in issue.items() if k != "comments_list"})
            case "PATCH", []:
                change = request.json
                if "labels" in change:
                    change["labels"] = [{"name": label} for label in change["labels"]]
                issue |= change
                return says(200, {k: v for k, v in issue.items() if k != "comments_list"})
            case "GET", ["comments"]:
                since = datetime.fromisoformat(query["since"])
                found = [c for c in issue["comments_list"] if datetime.fromisoformat(c["updated_at"]) >= since]
                return self._page(found, query, path)
            case "POST", ["comments"]:
                return says(201, self.comment(issue, request.json["body"]))
        return says(404, {"message": "Not Found"})

    def comment(self, issue: dict[str, Any], body: str) -> dict[str, Any]:
        made = {"id": 5000 + len(issue["comments_list"]), "body": body, "updated_at": datetime.now(UTC).isoformat()}
        issue["comments_list"].append(made)
        return made


def says(code: int, body: Any, headers: dict[str, str] | None = None) -> Says:
    return Says(code, json.dumps(body), {"content-type": "application/json; charset=utf-8", **(headers or {})})


def read(markdown: str) -> str:
    """Return the literal parts of our Markdown as people read it: code, and what is around it, without the marks."""
    text = re.sub(r"<!-- allclear: \S+ -->\s*$", "", markdown).strip()
    text = re.sub(r"^(`{3,})text\n(.*?)\n\1$", r"\2", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<!`)(`+)(?!`) (.*?) \1(?!`)", r"\2", text)


class GitHubDesk:
    """The stub, as tests of every system see it."""

    def __init__(self, provider: Provider, there: GitHub) -> None:
        there.url = provider.url
        self.there = there
        self.mirror: Mirror = GitHubTickets(
            REPOSITORY, Token(TOKEN), url=provider.url, within=QUICK.within, secrets=[TOKEN]
        )

    async def tickets(self, id: str) -> list[str]:
        return [str(n) for n, issue in self.there.issues.items() if f"<!-- allclear: {id} -->" in (issue["body"] or "")]

    async def shown(self, ticket: str) -> Shown:
        issue = self.there.issues[int(ticket)]
        labels = [label["name"] for label in issue["labels"]]
        return Shown(issue["title"], read(issue["body"]), issue["state"] == "open", labels)

    async def comments(self, ticket: str) -> list[str]:
        return [read(comment["body"]) for comment in self.there.issues[int(ticket)]["comments_list"]]

    async def comment(self, ticket: str, text: str) -> None:
        self.there.comment(self.there.issues[int(ticket)], text)

    async def close(self, ticket: str) -> None:
        self.there.issues[int(ticket)]["state"] = "closed"

    async def delete(self, ticket: str) -> None:
        del self.there.issues[int(ticket)]
        self.there.deleted.add(int(ticket))

    async def linked(self, ticket: str) -> list[str]:
        return re.findall(r"(?<=\*\* #)\d+", self.there.issues[int(ticket)]["body"])

    def loses_the_next_answer(self) -> None:
        self.there.loses += 1
