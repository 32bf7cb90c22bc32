"""A stub of Jira Cloud: keeps issues, and answers as REST v3 is documented to; proves nothing about Jira itself."""

import json
import re
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

from activities.mirror import Mirror
from activities.tickets.jira import JiraTickets
from tests.activities.paging.provider import Provider, Request, Says
from tests.activities.tickets.subjects import QUICK, Losing, Shown

USER, TOKEN, PROJECT = "allclear@example.test", "ATATT3xFf-the-secret", "OPS"
PROOF = "Basic " + b64encode(f"{USER}:{TOKEN}".encode()).decode()
STATUSES = {"To Do": "new", "In Progress": "indeterminate", "Won't do": "done", "Done": "done"}
MAY = ["BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "ADD_COMMENTS", "TRANSITION_ISSUES", "LINK_ISSUES"]


class Jira:
    def __init__(self) -> None:
        self.issues: dict[str, dict[str, Any]] = {}
        self.may = list(MAY)
        self.steps = list(STATUSES)
        self.made = 0

    def __call__(self, request: Request) -> Says:
        if request.headers.get("authorization") != PROOF:
            return Says(401, "Client must be authenticated to access this resource.")
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match request.method, parts.path.removeprefix("/rest/api/3").strip("/").split("/"):
            case "GET", ["search", "jql"]:
                return self._search(query)
            case "POST", ["issue"]:
                return self._create(request.json["fields"])
            case "POST", ["issueLink"]:
                return self._link(request.json)
            case method, ["issue", key, *rest]:
                issue = self.issues.get(key)
                if issue is None:
                    return errors(404, "Issue does not exist or you do not have permission to see it.")
                return self._about(method, rest, issue, request, query)
            case "GET", ["myself"]:
                return says(200, {"accountId": "1", "displayName": "AllClear bot"})
            case "GET", ["mypermissions"]:
                wanted = query["permissions"].split(",")
                return says(200, {"permissions": {name: {"havePermission": name in self.may} for name in wanted}})
            case "GET", ["project", key] if key == PROJECT:
                return says(200, {"name": "Operations", "issueTypes": [{"name": "Task"}, {"name": "Incident"}]})
            case "GET", ["issueLinkType"]:
                return says(200, {"issueLinkTypes": [{"name": "Relates"}, {"name": "Blocks"}]})
        return errors(404, "No such thing")

    def _search(self, query: dict[str, str]) -> Says:
        asked = re.fullmatch(r'project = "(\w+)" AND labels = "([^"\s]+)" ORDER BY created ASC', query["jql"])
        if not asked:
            return errors(400, "Error in the JQL Query")
        found = [{"id": key, "key": key} for key, it in self.issues.items() if asked[2] in it["fields"]["labels"]]
        return says(200, {"issues": found[: int(query["maxResults"])], "isLast": True})

    def _create(self, fields: dict[str, Any]) -> Says:
        wrong = dict(_wrong(fields))
        if wrong:
            return says(400, {"errorMessages": [], "errors": wrong})
        self.made += 1
        key = f"{PROJECT}-{self.made}"
        self.issues[key] = {"fields": {**fields, "status": "To Do"}, "comments": [], "links": []}
        return says(201, {"id": key, "key": key})

    def _link(self, link: dict[str, Any]) -> Says:
        ends = (link["inwardIssue"]["key"], link["outwardIssue"]["key"])
        if not all(end in self.issues for end in ends):
            return errors(404, "The issue no longer exists.")
        for mine, other in (ends, ends[::-1]):
            self.issues[mine]["links"].append(other)
        return Says(201)

    def _about(
        self, method: str, rest: list[str], issue: dict[str, Any], request: Request, query: dict[str, str]
    ) -> Says:
        fields = issue["fields"]
        match method, rest:
            case "GET", []:
                status = fields["status"]
                shown = {**fields, "status": {"name": status, "statusCategory": {"key": STATUSES[status]}}}
                links = [{"type": {"name": "Relates"}, "inwardIssue": {"key": end}} for end in issue["links"]]
                return says(200, {"key": "x", "fields": {**shown, "issuelinks": links}})
            case "PUT", []:
                change = request.json
                wrong = dict(_wrong(change["fields"]))
                if wrong:
                    return says(400, {"errorMessages": [], "errors": wrong})
                fields |= change["fields"]
                for step in change.get("update", {}).get("labels", []):
                    fields["labels"] = [label for label in fields["labels"] if label not in step.values()]
                    fields["labels"] += [step["add"]] if "add" in step else []
                return Says(204)
            case "GET", ["comment"]:
                newest = issue["comments"][::-1][: int(query["maxResults"])]
                assert query["orderBy"] == "-created"
                return says(200, {"comments": newest, "total": len(issue["comments"])})
            case "POST", ["comment"]:
                if not _is_document(request.json["body"]):
                    return errors(400, "INVALID_INPUT")
                issue["comments"].append(request.json)
                return says(201, {"id": str(len(issue["comments"]))})
            case "GET", ["transitions"]:
                steps = [
                    {"id": str(n), "name": name, "to": {"name": name, "statusCategory": {"key": STATUSES[name]}}}
                    for n, name in enumerate(self.steps)
                ]
                return says(200, {"transitions": steps})
            case "POST", ["transitions"]:
                fields["status"] = self.steps[int(request.json["transition"]["id"])]
                return Says(204)
        return Says(405)


def says(code: int, body: Any) -> Says:
    return Says(code, json.dumps(body), {"content-type": "application/json;charset=UTF-8"})


def errors(code: int, *words: str) -> Says:
    return says(code, {"errorMessages": words, "errors": {}})


def _wrong(fields: dict[str, Any]) -> Any:
    if "summary" in fields and not 0 < len(fields["summary"]) <= 255:
        yield "summary", "Summary must be less than 255 characters."
    if "\n" in fields.get("summary", ""):
        yield "summary", "The summary is invalid because it contains newline characters."
    if any(" " in label for label in fields.get("labels", [])):
        yield "labels", "The label contains spaces which is invalid."
    if "description" in fields and not _is_document(fields["description"]):
        yield "description", "Operation value must be an Atlassian Document"
    if "issuetype" in fields and fields["issuetype"]["name"] not in ("Task", "Incident"):
        yield "issuetype", "Specify a valid issue type"


def _is_document(node: Any) -> bool:
    return node.get("type") == "doc" and node.get("version") == 1 and all(map(_is_node, node["content"]))


def _is_node(node: dict[str, Any]) -> bool:
    if node["type"] == "text":
        return bool(node["text"])  # Jira refuses empty texts
    return node["type"] in ("paragraph", "codeBlock") and bool(node["content"]) and all(map(_is_node, node["content"]))


def read(node: dict[str, Any]) -> str:
    """Return a document as people read it."""
    if node["type"] == "text":
        return str(node["text"])
    return ("\n" if node["type"] == "doc" else "").join(map(read, node["content"]))


class JiraDesk:
    """The stub, as tests of every system see it."""

    def __init__(self, provider: Provider, there: Jira) -> None:
        self.losing = Losing(QUICK.within)
        self.mirror: Mirror = JiraTickets(provider.url, USER, TOKEN, PROJECT, poster=self.losing)
        self.there = there

    async def tickets(self, id: str) -> list[str]:
        return [key for key, issue in self.there.issues.items() if id in issue["fields"]["labels"]]

    async def shown(self, ticket: str) -> Shown:
        fields = self.there.issues[ticket]["fields"]
        return Shown(
            fields["summary"], read(fields["description"]), STATUSES[fields["status"]] != "done", fields["labels"]
        )

    async def comments(self, ticket: str) -> list[str]:
        return [read(comment["body"]) for comment in self.there.issues[ticket]["comments"]]

    async def comment(self, ticket: str, text: str) -> None:
        body = {
            "type": "doc",
            "version": 1,
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
        }
        self.there.issues[ticket]["comments"].append({"body": body})

    async def close(self, ticket: str) -> None:
        self.there.issues[ticket]["fields"]["status"] = "Done"

    async def delete(self, ticket: str) -> None:
        del self.there.issues[ticket]

    async def linked(self, ticket: str) -> list[str]:
        return list(self.there.issues[ticket]["links"])

    def loses_the_next_answer(self) -> None:
        self.losing.losses.append(True)
