"""Slack calls us: only what it signed, each in the name of whose account it was, and an answer within three seconds."""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import httpx2 as httpx
import pytest
from temporalio.client import Client

from activities import Failed
from gateway.slack import AGAIN, Slack, SlackSignature, permalink, plain
from model.catalogue.entries import Contact
from tests.gateway.house import House, an_incident
from tests.gateway.test_phone_live import begun, lines, state

SIGNING, OLD = "8f742231b10e8888abcd99yyyzzz85a5", "1e0fa2b4c3d5968778695a4b3c2d1e0f"
ANA = "U0ANA"
BOT = "UBOT"
_ids = itertools.count(1)


class Voice:
    """Stands for Slack: keeps what people were answered, and is silent when a test says so."""

    def __init__(self) -> None:
        self.rooms: dict[str, str] = {}
        self.whispers: list[tuple[str, str, str]] = []
        self.marks: list[tuple[str, str]] = []
        self.views: list[Mapping[str, Any]] = []
        self.down: Failed | None = None

    def _up(self) -> None:
        if self.down:
            raise self.down

    async def room(self, channel: str) -> str:
        self._up()
        return self.rooms.get(channel, "")

    async def ask(self, trigger: str, view: Mapping[str, Any]) -> None:
        self._up()
        self.views.append(view)

    async def whisper(self, channel: str, account: str, text: str, thread: str = "") -> None:
        self.whispers.append((channel, account, text))

    async def mark(self, channel: str, message: str) -> None:
        self._up()
        self.marks.append((channel, message))


def signed(body: str, secret: str = SIGNING, at: float | None = None) -> dict[str, str]:
    when = str(int(time.time() if at is None else at))
    made = hmac.new(secret.encode(), f"v0:{when}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": when, "x-slack-signature": f"v0={made}"}


class Workspace:
    """What Slack sends for what people do."""

    def __init__(self, http: httpx.AsyncClient, voice: Voice) -> None:
        self.http, self.voice = http, voice

    async def send(self, path: str, body: str, **signing: Any) -> httpx.Response:
        form = "application/json" if body.startswith("{") else "application/x-www-form-urlencoded"
        headers = {"content-type": form, **signed(body, **signing)}
        answer = await self.http.post(path, content=body, headers=headers)
        assert answer.elapsed.total_seconds() < 3
        return answer

    async def command(self, text: str, channel: str = "", user: str = ANA, **form: str) -> str:
        said = {"command": "/allclear", "text": text, "user_id": user, "channel_id": "C1", "channel_name": channel}
        answer = await self.send("/slack/commands", urlencode({**said, **form}))
        assert (answer.status_code, answer.json()["response_type"]) == (200, "ephemeral")
        return str(answer.json()["text"])

    async def press(self, act: str, value: str, user: str = ANA, **more: Any) -> httpx.Response:
        action = {"type": "button", "action_id": act, "value": value}
        payload = {"type": "block_actions", "user": {"id": user}, "channel": {"id": "C1"}, "trigger_id": "t",
                   "actions": [action], **more}  # fmt: skip
        return await self.send("/slack/interactivity", urlencode({"payload": json.dumps(payload)}))

    async def submit(self, incident: str, why: str, user: str = ANA, view: str = "V1") -> Any:
        values = {"why": {"why": {"type": "plain_text_input", "value": why}}}
        shown = {"id": view, "callback_id": "not_us", "private_metadata": incident, "state": {"values": values}}
        payload = {"type": "view_submission", "user": {"id": user}, "view": shown}
        answer = await self.send("/slack/interactivity", urlencode({"payload": json.dumps(payload)}))
        return answer.json()

    async def message(self, text: str, channel: str = "C1", user: str = ANA, **more: Any) -> tuple[str, httpx.Response]:
        ts = f"{int(time.time())}.{next(_ids):06}"
        return ts, await self.again(ts, text, channel, user, **more)

    async def again(self, ts: str, text: str, channel: str = "C1", user: str = ANA, **more: Any) -> httpx.Response:
        event = {"type": "message", "channel": channel, "user": user, "text": text, "ts": ts, **more}
        us = [{"user_id": BOT, "is_bot": True}]
        body = json.dumps({"type": "event_callback", "event": event, "authorizations": us})
        return await self.send("/slack/events", body)


def with_slack(house: House) -> House:
    """Return the house with the account of one person in its catalogue."""
    ana = house.catalog.people["ana"]
    has = ana.model_copy(update={"contact": [*ana.contact, Contact(channel="slack", address=ANA)]})
    return replace(house, catalog=house.catalog.model_copy(update={"people": {**house.catalog.people, "ana": has}}))


@asynccontextmanager
async def opened(house: House, **options: Any) -> AsyncIterator[Workspace]:
    voice = Voice()
    async with with_slack(house).gateway(slack=Slack([OLD, SIGNING], voice), **options) as http:
        yield Workspace(http, voice)


@pytest.fixture
async def slack(staffed: House) -> AsyncIterator[Workspace]:
    async with opened(staffed) as it:
        yield it


async def test_a_command_acknowledges_in_the_persons_own_proven_name(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    assert await slack.command("ack", it.id.lower()) == f"{it.id}: acknowledged for checkout"
    now = await state(staffed, it.id)
    assert now.engagements["checkout"].acknowledged_by == "ana"
    assert [(e.by, e.claimed) for e in lines(now, "acknowledged")] == [("ana", False)]


async def test_an_impact_statement_is_one_line(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    said = await slack.command("impacted eu-west 3% of checkouts &lt;all&gt; since 09:00", f"{it.id.lower()}-2")
    assert said == f"{it.id}: checkout: impacted yes"
    [statement] = (await state(staffed, it.id)).statements
    assert (statement.customers, statement.text) == ("eu-west 3% of checkouts <all>", "since 09:00")


async def test_a_command_works_anywhere_with_the_id_before_it(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    assert "no incident" in await slack.command("ack", "general")
    assert await slack.command(f"{it.id.lower()} in", "general") == f"{it.id}: you are in for checkout; lead: nobody leads yet"  # noqa: E501 # fmt: skip


async def test_a_private_channel_is_looked_up(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    slack.voice.rooms["C1"] = it.id
    assert await slack.command("ack", "privategroup") == f"{it.id}: acknowledged for checkout"


async def test_who_is_not_understood_is_told_what_would_be(staffed: House, slack: Workspace) -> None:
    it = an_incident(staffed.catalog)
    assert (await slack.command("dance", it.id.lower())).startswith("Say `ack`, `in`, `not us` and why")
    assert "Say why too" in await slack.command("not us", it.id.lower())
    assert "is not open" in await slack.command("ack", it.id.lower())


async def test_a_stranger_hears_who_may_and_nothing_else(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    said = await slack.command("ack", it.id.lower(), user="U0MALLORY")
    assert "Nobody in the catalogue has the contact `slack: U0MALLORY`" in said
    assert it.id not in said
    assert not (await state(staffed, it.id)).engagements["checkout"].acknowledged_at


async def test_a_command_that_seemed_lost_counts_once_when_it_is_said_again(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    for _ in range(2):
        assert await slack.command("error: 503 from host 17", it.id.lower()) == f"{it.id}: in the ticket"
    assert len(lines(await state(staffed, it.id), "observed")) <= 2
    assert [e.text for e in lines(await state(staffed, it.id), "observed")].count("error: 503 from host 17") == 1


async def test_when_nobody_answers_that_is_said_within_three_seconds(house: House, dead: Client) -> None:
    async with opened(house, client=dead) as slack:
        slack.voice.rooms["C1"] = "INC-20260302-7F3A"
        command, dialog, (_, event), (_, talk) = await asyncio.gather(
            slack.command("ack", "inc-20260302-7f3a"),
            slack.submit("INC-20260302-7F3A", "flat"),
            slack.message("ack"),
            slack.message("ack", channel="C-of-their-own"),
        )
    assert command == dialog["errors"]["why"] == AGAIN
    assert event.status_code == 503, "so that Slack sends it again"
    assert talk.status_code == 200
    assert slack.voice.marks == []


async def test_one_tap_acknowledges_and_one_joins(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    for act in ("acknowledge", "join"):
        assert (await slack.press(act, it.id)).status_code == 200
    now = await state(staffed, it.id)
    assert now.engagements["checkout"].acknowledged_by == "ana"
    assert now.people["ana"].joined_at
    assert [text for _, _, text in slack.voice.whispers] == [
        f"{it.id}: acknowledged for checkout",
        f"{it.id}: you are in for checkout; lead: nobody leads yet",
    ]


async def test_not_us_asks_for_the_evidence_before_it_counts(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    assert (await slack.press("not_us", it.id)).status_code == 200
    [view] = slack.voice.views
    assert (view["private_metadata"], view["type"]) == (it.id, "modal")
    assert not (await state(staffed, it.id)).statements
    assert "Say why too" in (await slack.submit(it.id, " "))["errors"]["why"]
    assert await slack.submit(it.id, "all green since 08:00") == {}
    [statement] = (await state(staffed, it.id)).statements
    assert (statement.impacted, statement.text, statement.by) == ("no", "all green since 08:00", "ana")


async def test_a_dialog_that_slack_does_not_show_is_said(staffed: House, slack: Workspace) -> None:
    slack.voice.down = Failed("Slack refused views.open: expired_trigger_id")
    assert (await slack.press("not_us", "INC-20260302-7F3A")).status_code == 200
    assert slack.voice.whispers == [("C1", ANA, "Say it with its reason: /allclear not us …")]


async def test_a_tap_by_a_stranger_or_on_a_link_does_nothing(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    for act, value, user in (("open_0", "", ANA), ("close", it.id, ANA), ("acknowledge", "x", ANA)):
        assert (await slack.press(act, value, user)).status_code == 200
    assert slack.voice.whispers == []
    await slack.press("acknowledge", it.id, "U0MALLORY")
    assert "Nobody in the catalogue" in slack.voice.whispers[0][2]
    assert not (await state(staffed, it.id)).engagements["checkout"].acknowledged_at


async def test_a_reply_to_a_line_goes_into_the_ticket_once_with_where_it_was_said(
    staffed: House, slack: Workspace
) -> None:
    it = await begun(staffed)
    slack.voice.rooms["C1"] = it.id
    in_thread = {"thread_ts": "1700000000.000100", "parent_user_id": BOT}
    ts, _ = await slack.message("41 went out, see <https://ci.test/41|ci>", **in_thread)
    await slack.again(ts, "41 went out, see <https://ci.test/41|ci>", **in_thread)
    [line] = [e for e in lines(await state(staffed, it.id), "observed") if e.by == "ana"]
    assert (line.text, line.link) == ("note: 41 went out, see https://ci.test/41", permalink("C1", ts))
    assert set(slack.voice.marks) == {("C1", ts)}


async def test_words_in_the_channel_act_and_talk_does_not(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    slack.voice.rooms["C1"] = it.id
    for text, more in (
        ("shall we roll back?", {}),
        ("yes", {"thread_ts": "1700000000.000100", "parent_user_id": "U0BEN"}),
        ("ack", {"subtype": "message_changed"}),
        ("ack", {"bot_id": "B1"}),
    ):
        _, answer = await slack.message(text, **more)
        assert answer.status_code == 200
    await slack.message("ack", user=BOT)
    assert not (await state(staffed, it.id)).engagements["checkout"].acknowledged_at
    assert (slack.voice.marks, slack.voice.whispers) == ([], [])
    ts, _ = await slack.message(f"<@{BOT}> ack")
    assert (await state(staffed, it.id)).engagements["checkout"].acknowledged_by == "ana"
    assert slack.voice.marks == [("C1", ts)]


async def test_who_is_refused_in_the_channel_hears_why_alone(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    slack.voice.rooms["C1"] = it.id
    await slack.message("ack", user="U0MALLORY")
    await slack.message(f"<@{BOT}> dance")
    await slack.message("impacted")
    stranger, odd, bare = [text for _, _, text in slack.voice.whispers]
    assert "Nobody in the catalogue" in stranger
    assert odd.startswith("Say `ack`")
    assert bare.startswith("Say what customers see")
    await slack.message("impacted", channel="C-of-their-own")
    assert len(slack.voice.whispers) == 3


async def test_a_channel_that_slack_does_not_tell_is_asked_for_again(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    slack.voice.rooms["C1"] = it.id
    slack.voice.down = Failed("Slack cannot be reached: Connection refused")
    ts, answer = await slack.message("ack")
    assert answer.status_code == 503
    slack.voice.down = None
    assert (await slack.again(ts, "ack")).status_code == 200
    assert (await state(staffed, it.id)).engagements["checkout"].acknowledged_by == "ana"


async def test_the_address_is_proven_to_slack(slack: Workspace) -> None:
    answer = await slack.send("/slack/events", json.dumps({"type": "url_verification", "challenge": "3eZbrw1a"}))
    assert answer.json() == {"challenge": "3eZbrw1a"}


@pytest.mark.parametrize("path", ["/slack/commands", "/slack/interactivity", "/slack/events"])
async def test_what_slack_did_not_sign_now_is_refused(staffed: House, slack: Workspace, path: str) -> None:
    it = await begun(staffed)
    body = urlencode({"text": "ack", "user_id": ANA, "channel_name": it.id.lower()})
    now = time.time()
    for headers in (
        {},
        signed(body, "guessed"),
        signed(body, at=now - 400),
        signed(body, at=now + 400),
        {**signed(body), "x-slack-request-timestamp": str(int(now) - 1)},
        signed(f"{body}&user_id=U0KIM"),
        {**signed(body), "x-slack-signature": ""},
        {**signed(body), "x-slack-signature": "v0=é"},
    ):
        answer = await slack.http.post(path, content=body, headers={k.encode(): v.encode() for k, v in headers.items()})
        assert answer.status_code == 401, headers
        assert "error" in answer.json()
        assert SIGNING not in answer.text
    assert not (await state(staffed, it.id)).engagements["checkout"].acknowledged_at


async def test_either_secret_signs_while_one_is_changed_for_the_next(slack: Workspace) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "x"})
    assert (await slack.send("/slack/events", body, secret=OLD)).status_code == 200


@pytest.mark.parametrize("body", ["payload=nonsense", "payload=[]", "payload=", "x", '{"type": 1}', '{"event": 7}'])
async def test_what_cannot_be_read_is_answered_in_words(slack: Workspace, body: str) -> None:
    for path in ("/slack/interactivity", "/slack/events"):
        answer = await slack.send(path, body)
        assert answer.status_code < 500, (path, answer.text)


async def test_without_slack_there_is_nothing(house: House) -> None:
    async with house.gateway() as http:
        assert (await http.post("/slack/commands", content="x")).status_code == 404


def test_an_empty_secret_proves_nothing() -> None:
    for secrets in ([], [""], [SIGNING, ""]):
        with pytest.raises(ValueError, match="empty"):
            SlackSignature(secrets)


def test_words_are_read_as_their_writer_saw_them() -> None:
    typed = "<@U1|ana> &amp; <#C1|general> see <https://a.test/x|a> <https://b.test> &lt;b&gt; <!here>"
    assert plain(typed) == "ana & general see https://a.test/x https://b.test <b> !here"


async def test_many_people_at_once_are_all_answered(staffed: House, slack: Workspace) -> None:
    it = await begun(staffed)
    said = await asyncio.gather(*(slack.command(f"error: host {n}", it.id.lower()) for n in range(8)))
    assert said == [f"{it.id}: in the ticket"] * 8
