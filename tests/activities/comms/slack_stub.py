"""A stub of Slack: no server of Slack's can be had, so this answers as its documentation says Slack does.

What is known of Slack beyond the documentation is kept too: a bot leaves a channel that is archived, and cannot take it
out of the archive again (slack-go/slack#1066).
"""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.activities.paging.provider import Request, Says

BOT = "UBOT"
TOKEN = "xoxb-not-a-token-of-anybody"
SCOPES = (
    "chat:write,pins:read,pins:write,reactions:write,channels:manage,channels:read,channels:history,channels:join,"
    "groups:write,groups:read,groups:history"
)


class Refusal(Exception):
    pass


@dataclass
class Channel:
    id: str
    name: str
    creator: str = BOT
    private: bool = False
    archived: bool = False
    topic: str = ""
    previous: list[str] = field(default_factory=list)
    members: set[str] = field(default_factory=lambda: {BOT})
    messages: list[dict[str, Any]] = field(default_factory=list)
    pins: list[str] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id, "name": self.name, "creator": self.creator, "is_archived": self.archived,
            "is_member": BOT in self.members, "is_private": self.private, "previous_names": self.previous,
            "topic": {"value": self.topic},
        }  # fmt: skip


class Workspace:
    """Answers Slack's Web API from memory."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.users = {"U1", "U2", "U3", BOT}
        self.scopes = SCOPES
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.whispers: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self.signs: list[tuple[str, str]] = []
        self.page = 2
        self._clock = 0

    def __call__(self, request: Request) -> Says:
        address = urlsplit(request.path)
        method = address.path.rsplit("/", 1)[-1]
        given = _given(request, address.query)
        headers = {"content-type": "application/json; charset=utf-8", "x-oauth-scopes": self.scopes}
        self.calls.append((method, given))
        try:
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                raise Refusal("invalid_auth")
            said = getattr(self, method.replace(".", "_"))(**given)
        except Refusal as refusal:
            said = {"ok": False, **(refusal.args[1] if len(refusal.args) > 1 else {}), "error": refusal.args[0]}
        return Says(200, json.dumps({"ok": True, **said}), headers)

    def made(self, name: str, **facts: Any) -> Channel:
        it = Channel(f"C{len(self.channels) + 1:08}", name, **facts)
        self.channels[it.id] = it
        return it

    def names(self) -> list[str]:
        return [it.name for it in self.channels.values()]

    def the(self, name: str) -> Channel:
        return next(it for it in self.channels.values() if it.name == name)

    def count(self, method: str) -> int:
        return sum(called == method for called, _ in self.calls)

    def _in(self, channel: str, *, writing: bool = False) -> Channel:
        it = self.channels.get(channel)
        if it is None:
            raise Refusal("channel_not_found")
        if writing and it.archived:
            raise Refusal("is_archived")
        if BOT not in it.members:
            raise Refusal("not_in_channel")
        return it

    def auth_test(self) -> dict[str, Any]:
        return {"user_id": BOT, "user": "allclear", "team": "Example", "url": "https://example.slack.com/"}

    def conversations_create(self, name: str, is_private: Any = "0") -> dict[str, Any]:
        if name in self.names():
            raise Refusal("name_taken")
        return {"channel": self.made(name, private=str(is_private) in ("1", "True", "true")).shown()}

    def conversations_list(self, types: str, limit: str, cursor: str = "", **_: Any) -> dict[str, Any]:
        kind = [it for it in self.channels.values() if it.private == (types == "private_channel")]
        start = int(cursor or 0)
        following = str(start + self.page) if start + self.page < len(kind) else ""
        page = [it.shown() for it in kind[start : start + self.page]]
        return {"channels": page, "response_metadata": {"next_cursor": following}}

    def conversations_info(self, channel: str) -> dict[str, Any]:
        it = self.channels.get(channel)
        if it is None or (it.private and BOT not in it.members):
            raise Refusal("channel_not_found")
        return {"channel": it.shown()}

    def conversations_join(self, channel: str) -> dict[str, Any]:
        if self.channels[channel].archived:
            raise Refusal("is_archived")
        self.channels[channel].members.add(BOT)
        return {}

    def conversations_unarchive(self, channel: str) -> dict[str, Any]:
        raise Refusal("not_in_channel")

    def conversations_archive(self, channel: str) -> dict[str, Any]:
        it = self._in(channel)
        if it.archived:
            raise Refusal("already_archived")
        it.archived, it.members = True, set()
        return {}

    def conversations_setTopic(self, channel: str, topic: str) -> dict[str, Any]:
        assert len(topic) <= 250
        self._in(channel, writing=True).topic = topic.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {}

    def conversations_invite(self, channel: str, users: str) -> dict[str, Any]:
        it = self._in(channel, writing=True)
        errors = [
            {"user": user, "ok": False, "error": "user_not_found" if user not in self.users else "already_in_channel"}
            for user in users.split(",")
            if user not in self.users or user in it.members
        ]
        if errors:
            raise Refusal(errors[0]["error"], {"errors": errors})
        it.members |= set(users.split(","))
        return {}

    def conversations_history(
        self, channel: str, limit: str = "100", oldest: str = "", latest: str = "", **_: Any
    ) -> dict[str, Any]:
        it = self._in(channel)
        found = [
            m for m in reversed(it.messages) if (not oldest or m["ts"] >= oldest) and (not latest or m["ts"] <= latest)
        ]
        return {"messages": found[: int(limit)]}

    def chat_postMessage(self, channel: str, **said: Any) -> dict[str, Any]:
        it = self._in(channel, writing=True)
        self._clock += 1
        it.messages.append({"type": "message", "user": BOT, "ts": f"17000000{self._clock:02}.000100", **said})
        return {"ts": it.messages[-1]["ts"], "channel": channel}

    def chat_update(self, channel: str, ts: str, **said: Any) -> dict[str, Any]:
        for message in self._in(channel, writing=True).messages:
            if message["ts"] == ts:
                message.update(said)
                return {"ts": ts}
        raise Refusal("message_not_found")

    def chat_postEphemeral(self, **said: Any) -> dict[str, Any]:
        self._in(said["channel"], writing=True)
        self.whispers.append(said)
        return {}

    def pins_add(self, channel: str, timestamp: str) -> dict[str, Any]:
        it = self._in(channel, writing=True)
        if timestamp in it.pins:
            raise Refusal("already_pinned")
        it.pins.append(timestamp)
        return {}

    def pins_list(self, channel: str) -> dict[str, Any]:
        it = self._in(channel)
        known = ("type", "user", "text", "ts")  # what the documentation shows of a pinned message
        pinned = [{k: m[k] for k in known} for m in it.messages if m["ts"] in it.pins]
        return {"items": [{"type": "message", "channel": channel, "message": m} for m in pinned]}

    def reactions_add(self, channel: str, timestamp: str, name: str) -> dict[str, Any]:
        if (channel, timestamp) in self.signs:
            raise Refusal("already_reacted")
        self.signs.append((channel, timestamp))
        return {}

    def views_open(self, trigger_id: str, view: Any) -> dict[str, Any]:
        if trigger_id == "expired":
            raise Refusal("expired_trigger_id")
        self.views.append(json.loads(view) if isinstance(view, str) else view)
        return {}


def _given(request: Request, query: str) -> dict[str, Any]:
    """Return the arguments of a call: of its address, its form or its JSON."""
    given: dict[str, Any] = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if request.headers.get("content-type", "").startswith("application/json"):
        return {**given, **json.loads(request.body or b"{}")}
    form = parse_qs(request.body.decode(), keep_blank_values=True)
    return given | {name: _value(values[0]) for name, values in form.items()}


def _value(text: str) -> Any:
    return json.loads(text) if text.startswith(("[", "{")) else text
