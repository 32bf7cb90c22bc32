"""Jira Cloud follows the record: an issue per matter, a comment per line (REST v3)."""

import json
import re
from base64 import b64encode
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel

from activities import Failed
from activities.mirror import Mirror, Place, Subject
from activities.posting import Poster
from activities.tickets.rest import Rest, unsure
from activities.tickets.telling import KINDS, facts, heading, title, told, web_link
from model.matter import Entry
from model.text import clean, one_line

TITLE_LONGEST: Final = 255
"""Characters of a summary; ours are bytes, so never more."""
COMMENTS_READ: Final = 100
"""Newest comments among which a line is looked for: more than people write between a death and the restart."""
INDEX_LAG: Final = timedelta(seconds=30)
"""How long a new issue may be missing from Jira's search: seconds, says Atlassian, without a promise."""
SEVERITY: Final = re.compile(r"sev[1-5]")
NEEDED: Final = ("BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "ADD_COMMENTS", "TRANSITION_ISSUES", "LINK_ISSUES")
INTERNAL: Final = {"key": "sd.public.comment", "value": {"internal": True}}
"""In a service project a comment is shown to customers unless it says this; elsewhere it means nothing."""
DONE: Final = "done"
"""The key of the category of every status in which nothing is to do, whatever its name and language."""


class _Key(BaseModel):
    key: str


class _Found(BaseModel):
    issues: list[_Key]


class _Category(BaseModel):
    key: str


class _Status(BaseModel):
    name: str
    statusCategory: _Category


class _Link(BaseModel):
    inwardIssue: _Key | None = None
    outwardIssue: _Key | None = None


class _Fields(BaseModel):
    status: _Status
    summary: str = ""
    description: Any = None
    labels: list[str] = []
    issuelinks: list[_Link] = []


class _Issue(BaseModel):
    key: str
    fields: _Fields


class _Comment(BaseModel):
    body: Any = None


class _Comments(BaseModel):
    comments: list[_Comment]


class _Transition(BaseModel):
    id: str
    to: _Status


class _Transitions(BaseModel):
    transitions: list[_Transition]


class _Made(BaseModel):
    id: str


class _Myself(BaseModel):
    displayName: str


class _Permission(BaseModel):
    havePermission: bool


class _Permissions(BaseModel):
    permissions: dict[str, _Permission]


class _Named(BaseModel):
    name: str


class _Project(BaseModel):
    name: str
    issueTypes: list[_Named]


class _LinkTypes(BaseModel):
    issueLinkTypes: list[_Named]


class JiraTickets(Mirror):
    """Keeps an issue per incident and action item in one project.

    Texts travel as Atlassian's document format, where text is text: no markup, mention or issue key is read into it.
    """

    name = "jira"
    kinds = KINDS

    def __init__(
        self,
        url: str,
        user: str,
        token: str,
        project: str,
        *,
        issue_type: str = "Task",
        action_type: str = "",
        link_type: str = "Relates",
        done: str = "Done",
        poster: Poster | None = None,
    ) -> None:
        """Work in a project, as a user with an API token.

        Args:
            url: Of the site, e.g. `https://example.atlassian.net`.
            user: E-mail of the account.
            token: Its API token.
            project: Key of the project.
            issue_type: What an incident becomes.
            action_type: What an action item becomes; default: the same.
            link_type: How an action item is linked to its incident; empty: not.
            done: The status preferred for what is done, among those of its category.
            poster: How requests are sent.
        """
        proof = b64encode(f"{user}:{token}".encode()).decode()
        self._url = url.rstrip("/")
        self._project = project
        self._types = {"incident": issue_type, "action_item": action_type or issue_type}
        self._link_type = link_type
        self._done = done
        self._rest = Rest(
            "Jira", self._url + "/rest/api/3", {"authorization": f"Basic {proof}"}, (token, proof), poster
        )

    async def open(self, subject: Subject) -> Place:
        """Return the oldest issue with the subject's label, or make one.

        Raises:
            Failed: It could not be looked for, or made.
        """
        label = _label(subject.id)
        found = await self._rest.ask(
            _Found,
            "GET",
            "/search/jql",
            jql=f"project = {json.dumps(self._project)} AND labels = {json.dumps(label)} ORDER BY created ASC",
            fields="summary",
            maxResults="1",
        )
        key = found.issues[0].key if found.issues else await self._create(subject, label)
        return Place(id=key, url=f"{self._url}/browse/{quote(key)}")

    async def _create(self, subject: Subject, label: str) -> str:
        fields = {
            "project": {"key": self._project},
            "issuetype": {"name": self._types[subject.kind]},
            "summary": title(subject, TITLE_LONGEST),
            "description": _description(subject),
            "labels": ["allclear", label, f"sev{subject.severity}"],
        }
        try:
            return (await self._rest.ask(_Key, "POST", "/issue", {"fields": fields})).key
        except Failed as failed:
            raise unsure(failed, INDEX_LAG) from None

    async def show(self, place: Place, subject: Subject) -> None:
        """Bring summary, description, severity label, status and link up to date; other labels are people's.

        Raises:
            Failed: It was not taken; `Gone`, where the issue is no more.
        """
        parent = subject.parent_place if self._link_type else ""
        now = (
            await self._issue(place.id, f"summary,description,labels,status{',issuelinks' if parent else ''}")
        ).fields
        wanted = title(subject, TITLE_LONGEST)
        description = _description(subject)
        fields: dict[str, Any] = {}
        if now.summary != wanted:
            fields["summary"] = wanted
        if _text(now.description) != _text(description):
            fields["description"] = description
        labels = _label_changes(now.labels, f"sev{subject.severity}")
        if fields or labels:
            change = {"fields": fields, **({"update": {"labels": labels}} if labels else {})}
            await self._rest.tell("PUT", _path(place.id), change, place=place.id)
        if (now.status.statusCategory.key == DONE) is subject.open:
            await self._move(place.id, now.status.name, to_done=not subject.open)
        if parent and parent not in [
            end.key for link in now.issuelinks for end in (link.inwardIssue, link.outwardIssue) if end
        ]:
            ends = {"inwardIssue": {"key": parent}, "outwardIssue": {"key": place.id}}
            await self._rest.tell("POST", "/issueLink", {"type": {"name": self._link_type}, **ends})

    async def _move(self, key: str, status: str, *, to_done: bool) -> None:
        """Take the transition to a status of the other kind.

        Raises:
            Failed: There is none for this account.
        """
        offered = await self._rest.ask(_Transitions, "GET", f"{_path(key)}/transitions", place=key)
        fitting = [step for step in offered.transitions if (step.to.statusCategory.key == DONE) is to_done]
        if not fitting:
            kind = "done" if to_done else "not done"
            raise Failed(
                f"Jira offers no step for {key} from '{one_line(status)}' to a status that counts as {kind}: allow one "
                "in its workflow, or set the status by hand",
                again=False,
            )
        step = next((step for step in fitting if step.to.name.casefold() == self._done.casefold()), fitting[0])
        await self._rest.tell("POST", f"{_path(key)}/transitions", {"transition": {"id": step.id}}, place=key)

    async def add(self, place: Place, entry: Entry, key: str) -> None:
        """Add a comment that ends with the key in small print, unless one of the newest has it.

        Raises:
            Failed: It was not taken; `Gone`, where the issue is no more.
        """
        if not told(entry):
            return
        path = f"{_path(place.id)}/comment"
        newest = await self._rest.ask(
            _Comments, "GET", path, place=place.id, orderBy="-created", maxResults=str(COMMENTS_READ)
        )
        if any(_text(comment.body).endswith(f"\n{key}") for comment in newest.comments):
            return
        await self._rest.ask(
            _Made, "POST", path, {"body": _comment(entry, key), "properties": [INTERNAL]}, place=place.id
        )

    async def closed(self, place: Place) -> bool:
        """Return whether the status of the issue is one of those in which nothing is to do.

        Raises:
            Failed: Jira did not answer; `Gone`, where the issue is no more.
        """
        return (await self._issue(place.id, "status")).fields.status.statusCategory.key == DONE

    async def check(self) -> str:
        """Ask Jira who we are, what we may do in the project, and whether its types exist.

        Raises:
            Failed: With what to mend.
        """
        myself = await self._rest.ask(_Myself, "GET", "/myself")
        held = await self._rest.ask(
            _Permissions, "GET", "/mypermissions", projectKey=self._project, permissions=",".join(NEEDED)
        )
        lacking = [name for name in NEEDED if not (held.permissions.get(name) or _NOT).havePermission]
        if lacking:
            raise Failed(f"{myself.displayName} lacks in project {self._project}: {', '.join(lacking)}", again=False)
        project = await self._rest.ask(_Project, "GET", f"/project/{quote(self._project, safe='')}")
        _must_have("issue type", set(self._types.values()), project.issueTypes)
        if self._link_type:
            known = await self._rest.ask(_LinkTypes, "GET", "/issueLinkType")
            _must_have("link type", {self._link_type}, known.issueLinkTypes)
        return f"{myself.displayName} may create, edit, comment, move and link issues in {self._project}"

    async def _issue(self, key: str, fields: str) -> _Issue:
        return await self._rest.ask(_Issue, "GET", _path(key), place=key, fields=fields)


_NOT: Final = _Permission(havePermission=False)


def _must_have(what: str, wanted: set[str], known: list[_Named]) -> None:
    names = sorted(one.name for one in known)
    for name in sorted(wanted - set(names)):
        raise Failed(f"Jira has no {what} '{name}' there; it has: {', '.join(names) or 'none'}", again=False)


def _path(key: str) -> str:
    return f"/issue/{quote(key, safe='')}"


def _label(id: str) -> str:
    """Return an id as a label, which has no blanks."""
    return re.sub(r"\s+", "_", id)


def _label_changes(now: list[str], wanted: str) -> list[dict[str, str]]:
    stale = [label for label in now if SEVERITY.fullmatch(label) and label != wanted]
    return [{"remove": label} for label in stale] + ([] if wanted in now else [{"add": wanted}])


def _description(subject: Subject) -> dict[str, Any]:
    blocks = [_block(subject.body)] if clean(subject.body) else []
    for fact in facts(subject):
        link = [_said(f" {fact.link}", link=web_link(fact.link))] if fact.link else []
        blocks.append(_paragraph(_said(f"{fact.name}: ", "strong"), _said(fact.text), *link))
    return _document(blocks)


def _comment(entry: Entry, key: str) -> dict[str, Any]:
    blocks = [_paragraph(_said(heading(entry), "strong"))]
    if clean(entry.text):
        blocks.append(_block(entry.text))
    if entry.link:
        blocks.append(_paragraph(_said(clean(entry.link) or "–", link=web_link(entry.link))))
    small = _said(key)
    small["marks"] = [{"type": "subsup", "attrs": {"type": "sub"}}]
    return _document([*blocks, _paragraph(small)])


def _document(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": blocks}


def _block(text: str) -> dict[str, Any]:
    """Return text as it is: what has lines of its own, as a pasted log has, keeps them."""
    text = clean(text)
    if "\n" in text:
        return {"type": "codeBlock", "attrs": {}, "content": [{"type": "text", "text": text}]}
    return _paragraph(_said(text))


def _paragraph(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(parts)}


def _said(text: str, *marks: str, link: str = "") -> dict[str, Any]:
    put: list[dict[str, Any]] = [{"type": mark} for mark in marks]
    if link:
        put.append({"type": "link", "attrs": {"href": link}})
    return {"type": "text", "text": text, **({"marks": put} if put else {})}


def _text(document: Any) -> str:
    """Return the text of a document, a line per block, whatever Jira added to its form."""
    if not isinstance(document, dict):
        return ""
    if document.get("type") == "text":
        return str(document.get("text", ""))
    content = document.get("content")
    parts = [_text(part) for part in content] if isinstance(content, list) else []
    return ("\n" if document.get("type") == "doc" else "").join(parts)
