"""What is said to Jira and to GitHub is as the published descriptions of their interfaces have it."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema_rs
import pytest

from tests.activities.paging.provider import Provider, Request, Says, serving
from tests.activities.tickets.github_stub import GitHub, GitHubDesk
from tests.activities.tickets.jira_stub import Jira, JiraDesk
from tests.activities.tickets.subjects import Desk, action, incident, key_of, line

JIRA, GITHUB = "jira-platform-v3.openapi.json", "api.github.com.json"
WHENCE = {JIRA: "Jira's REST v3", GITHUB: "npm's @octokit/openapi, in generated/"}
NEWER = {"/rest/api/3/search/jql": "/rest/api/3/search"}
"""What came after the description, and what it took the place of: it is asked alike, and answers a little more."""


class Contract:
    """Judges what is asked and, where a stub answers all that is promised, what is answered."""

    def __init__(self, name: str, answers: bool) -> None:
        path = Path(os.environ.get("CONTRACTS", "")) / name
        if not path.is_file():
            pytest.skip(f"CONTRACTS names no folder with {name} ({WHENCE[name]})")
        self._spec = json.loads(path.read_text())
        self._answers = answers
        self.used: set[tuple[str, str]] = set()
        self.wrong: list[str] = []

    def between(self, answer: Callable[[Request], Says]) -> Callable[[Request], Says]:
        def answering(request: Request) -> Says:
            says = answer(request)
            try:
                self._check(request, says)
            except (AssertionError, KeyError, jsonschema_rs.ValidationError) as error:
                self.wrong.append(f"{request.method} {request.path}: {error}")
            return says

        return answering

    def _check(self, request: Request, says: Says) -> None:
        parts = urlsplit(request.path)
        operation = self._operation(request.method, NEWER.get(parts.path, parts.path))
        parameters = [self._found(parameter) for parameter in operation.get("parameters", [])]
        known = {parameter["name"]: parameter["schema"] for parameter in parameters if parameter["in"] == "query"}
        for name, [value] in parse_qs(parts.query).items():
            assert name in known, f"no parameter {name}"
            assert value in known[name].get("enum", [value]), f"{name} is never {value}"
        if request.body:
            self._validate(operation["requestBody"], request.json)
        answer = operation["responses"][str(says.code)]
        if self._answers and says.body and parts.path not in NEWER:
            self._validate(answer, json.loads(says.body))

    def _operation(self, method: str, path: str) -> dict[str, Any]:
        known = [name for name in self._spec["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", name), path)]
        assert known, "no such path"
        name = path if path in known else known[0]
        assert method.lower() in self._spec["paths"][name], f"{name} does not take {method}"
        self.used.add((method, name.rpartition("/")[2]))
        return dict(self._spec["paths"][name][method.lower()])

    def _found(self, described: dict[str, Any]) -> dict[str, Any]:
        """Return a description, also one that stands elsewhere: `#/components/parameters/labels`."""
        found: Any = self._spec if "$ref" in described else described
        for part in described.get("$ref", "#").split("/")[1:]:
            found = found[part]
        return dict(found)

    def _validate(self, described: dict[str, Any], body: Any) -> None:
        schema = described["content"]["application/json"].get("schema", {})
        jsonschema_rs.validator_for({**schema, "components": self._spec["components"]}).validate(body)


async def everything(desk: Desk) -> None:
    """Do all that a mirror does."""
    subject, entry = incident(), line(link="https://deploy.test/7")
    await desk.mirror.check()
    place = await desk.mirror.open(subject)
    item = action(subject, place)
    made = await desk.mirror.open(item)
    for open in (False, True):
        await desk.mirror.show(made, item.model_copy(update={"open": open, "severity": 1, "title": "Another"}))
    await desk.mirror.add(place, entry, key_of(subject, entry))
    await desk.mirror.closed(made)


async def test_everything_said_to_jira_is_in_its_description() -> None:
    contract, there = Contract(JIRA, answers=True), Jira()
    async with serving(Provider(contract.between(there))) as provider:
        await everything(JiraDesk(provider, there))
    assert contract.wrong == []
    assert contract.used >= {
        ("POST", "issue"), ("GET", "search"), ("PUT", "{issueIdOrKey}"), ("POST", "comment"), ("POST", "transitions"),
        ("POST", "issueLink"), ("GET", "mypermissions"),
    }  # fmt: skip


async def test_everything_said_to_github_is_in_its_description() -> None:
    contract, there = Contract(GITHUB, answers=False), GitHub()
    async with serving(Provider(contract.between(there))) as provider:
        await everything(GitHubDesk(provider, there))
    assert contract.wrong == []
    assert contract.used >= {
        ("GET", "{repo}"), ("GET", "issues"), ("POST", "issues"), ("PATCH", "{issue_number}"), ("GET", "comments"),
        ("POST", "comments"),
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"path": "/rest/api/3/isue"}, {"method": "PATCH"}, {"body": b'{"fields": 7}'}])
def test_the_description_says_something(change: dict[str, Any]) -> None:
    contract = Contract(JIRA, answers=True)
    asked = {"method": "POST", "path": "/rest/api/3/issue", "headers": {}, "body": b'{"fields": {}}', **change}
    contract.between(lambda request: Says(201))(Request(**asked))
    assert len(contract.wrong) == 1
