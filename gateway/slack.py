"""`/slack/…`: what people do in Slack, each in their own name: Slack signs whose account it was (C3, C4).

Slack waits three seconds for an answer. A command that cannot be delivered in that time is answered with words to say
it again; an event is refused, so that Slack sends it again. The same words count once.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import JSONResponse, Response
from temporalio.client import Client

from activities import Failed
from gateway.bodies import parse_json, read_body
from gateway.door import one_of
from gateway.problems import RETRY_AFTER, Problem
from gateway.signatures import FRESH
from link.guard import proven
from link.send import Unreachable, send_update
from model.catalogue.catalog import Catalog
from model.coordinate.spoken import Spoken, incident_of, is_incident, meant, order, speaker
from model.text import Refused, cut

CHANNEL: Final = "slack"
"""How contacts name it; their address is a member id (`U…`)."""
WITHIN: Final = timedelta(seconds=2)
"""How long it is tried to do what somebody said."""
ROOM_WITHIN: Final = timedelta(seconds=0.7)
"""How long Slack may take before that to say whose channel it is: Slack waits three seconds, the way there included."""
SAME_FOR: Final = 600
"""Seconds within which the same words of the same person count once: a command that seemed lost is said again."""
LARGEST: Final = 256 * 1024
"""Bytes of a body."""
SIGNATURE: Final = "x-slack-signature"
TIME: Final = "x-slack-request-timestamp"
ACTS: Final = {"acknowledge": Spoken("acknowledge", {}), "join": Spoken("join", {})}
"""What one tap says."""
NOT_US: Final = "not_us"
AGAIN: Final = "Nobody answered, so this may not have arrived. Say it again: it counts once."

_MENTION: Final = re.compile(r"\A\s*<@([A-Z0-9]+)>[:,]?\s*")
_REFERENCE: Final = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")

logger = logging.getLogger(__name__)


class Voice(Protocol):
    """How people are answered in Slack. Everything raises `activities.Failed` where Slack does not take it."""

    async def room(self, channel: str) -> str:
        """Return whose channel it is; nothing where it is no incident's."""
        ...

    async def ask(self, trigger: str, view: Mapping[str, Any]) -> None:
        """Show a dialog to whoever pressed a button."""
        ...

    async def whisper(self, channel: str, account: str, text: str, thread: str = "") -> None:
        """Say something that one person sees."""
        ...

    async def mark(self, channel: str, message: str) -> None:
        """Put a sign on a message that it was taken."""
        ...


class SlackSignature:
    """HMAC-SHA256 of `v0:time:body`; several secrets, while one is changed for the next."""

    def __init__(self, secrets: Sequence[str], now: Callable[[], float] = time.time) -> None:
        """Accept any of `secrets`; `now` is the time in seconds.

        Raises:
            ValueError: There is none, so that anybody could sign.
        """
        if not all(secrets) or not secrets:
            raise ValueError("Slack's signing secret is empty: an empty one proves nothing")
        self._secrets = [secret.encode() for secret in secrets]
        self._now = now

    def check(self, headers: Mapping[str, str], body: bytes) -> datetime:
        """Return when Slack signed a body.

        Raises:
            Problem: None of our secrets made the signature, or too long ago.
        """
        said = headers.get(TIME, "").strip()
        signed = b"v0:" + said.encode("latin-1", "replace") + b":" + body
        right = [b"v0=" + hmac.new(secret, signed, hashlib.sha256).hexdigest().encode() for secret in self._secrets]
        if not one_of(headers.get(SIGNATURE, "").strip().encode("latin-1", "replace"), right):
            raise Problem(401, f"the signature in {SIGNATURE} does not hold: no ALLCLEAR_SLACK_SIGNING_SECRET made it")
        # Checked behind the signature, so that nobody else learns what our clock shows.
        if not said.isascii() or not said.isdigit() or abs(self._now() - int(said[:12])) > FRESH:
            raise Problem(401, f"{TIME} is more than {FRESH // 60} minutes from our time: it may be a repetition")
        return datetime.fromtimestamp(int(said[:12]), UTC)


@dataclass(frozen=True)
class Slack:
    """What a gateway for Slack needs.

    Attributes:
        secrets: Slack's signing secrets.
        voice: How people are answered.
    """

    secrets: Sequence[str]
    voice: Voice


class Ears:
    """Makes updates of what people do in Slack."""

    def __init__(self, client: Client, catalog: Callable[[], Catalog], voice: Voice) -> None:
        """Send by `client`, which signs, what accounts say that people of `catalog` have."""
        self._client = client
        self._catalog = catalog
        self._voice = voice
        self._rooms: dict[str, str] = {}

    async def act(self, incident: str, account: str, said: Spoken, key: str, at: datetime, link: str = "") -> str:
        """Return what the incident answers.

        Raises:
            Refused: It was not taken; the text is for who said it.
            Unreachable: Nobody answered; the same again counts once.
        """
        person = speaker(self._catalog(), CHANNEL, account)
        payload = said.payload(person.id, key, at, link)
        try:
            with proven():
                answer = await send_update(self._client, incident, said.update, payload, deadline=WITHIN)
        except RuntimeError as error:  # what a lazy client says that could not connect
            raise Unreachable(str(error)) from None
        return f"{incident}: {answer.text}"

    async def room(self, channel: str, name: str = "") -> str:
        """Return whose channel it is; nothing where it is no incident's, or not one we are in.

        Raises:
            Unreachable: Slack does not say.
        """
        if incident := incident_of(name) or self._rooms.get(channel, ""):
            return incident
        try:
            async with asyncio.timeout(ROOM_WITHIN.total_seconds()):
                incident = await self._voice.room(channel)
        except (Failed, TimeoutError) as error:
            logger.warning("Slack does not say whose channel %s is: %s", channel, str(error) or "no answer")
            if isinstance(error, Failed) and not error.again:
                return ""
            raise Unreachable("Slack does not say whose channel this is") from None
        if incident:
            self._rooms[channel] = incident
        return incident

    async def command(self, form: Mapping[str, str], at: datetime) -> str:
        """Return the answer to `/allclear …`, typed in an incident's channel or with its id before the words."""
        words = form.get("text", "").strip()
        first, _, rest = words.partition(" ")
        account = form.get("user_id", "")
        try:
            speaker(self._catalog(), CHANNEL, account)
            if is_incident(first):
                incident, words = first.upper(), rest
            else:
                incident = await self.room(form.get("channel_id", ""), form.get("channel_name", ""))
            said = order(plain(words), at)
            if not incident:
                raise Refused("this channel is no incident's: say it there, or begin with its id: `INC-… ack`")
            key = _key(account, incident, words, int(at.timestamp()) // SAME_FOR)
            return await self.act(incident, account, said, key, at)
        except Refused as refused:
            return _sentence(str(refused))
        except Unreachable:
            return AGAIN

    async def event(self, event: Mapping[str, Any], us: Sequence[str]) -> Callable[[], Awaitable[None]] | None:
        """Take in a message of a channel; words between people are theirs.

        Args:
            event: As Slack sends it.
            us: Our own accounts.

        Returns:
            How to answer, once Slack has its answer; None where there is none to give.

        Raises:
            Unreachable: Nobody answered: Slack is to send it again.
        """
        channel, ts = str(event.get("channel", "")), str(event.get("ts", ""))
        account, text = str(event.get("user", "")), str(event.get("text", ""))
        thread = str(event.get("thread_ts", ""))
        if event.get("type") != "message" or not _of_a_person(event) or account in us:
            return None
        called = _MENTION.match(text)
        if called and called[1] in us:
            text = f"allclear {text[called.end() :]}"
        at = datetime.fromtimestamp(float(ts), UTC)
        reply = bool(thread) and thread != ts and event.get("parent_user_id") in us
        incident = ""
        try:
            said = meant(plain(text), at, reply=reply)
            if said is None or not (incident := await self.room(channel)):
                return None
            await self.act(incident, account, said, f"slack-{channel}-{ts}", at, permalink(channel, ts))
        except Refused as refused:
            words = _sentence(str(refused))
            # A channel of people's own is not ours to speak in.
            if not incident and not await self.room(channel):
                return None
            return lambda: self._voice.whisper(channel, account, words, thread)
        return lambda: self._voice.mark(channel, ts)

    async def tap(self, payload: Mapping[str, Any], at: datetime) -> Callable[[], Awaitable[None]] | None:
        """Do what a button says; return how to answer."""
        action: Mapping[str, Any] = next(iter(payload.get("actions") or []), {})
        act, incident = str(action.get("action_id", "")), str(action.get("value", ""))
        account = str((payload.get("user") or {}).get("id", ""))
        channel = str((payload.get("channel") or {}).get("id", ""))
        if act == NOT_US and is_incident(incident):
            try:
                async with asyncio.timeout(WITHIN.total_seconds()):
                    await self._voice.ask(str(payload.get("trigger_id", "")), _dialog(incident))
            except (Failed, TimeoutError):
                return lambda: self._voice.whisper(channel, account, "Say it with its reason: /allclear not us …")
            return None
        if act not in ACTS or not is_incident(incident):  # a link that was opened, or a button of another version
            return None
        key = _key(account, incident, act, int(at.timestamp()) // SAME_FOR)
        try:
            words = await self.act(incident, account, ACTS[act], key, at)
        except Refused as refused:
            words = _sentence(str(refused))
        except Unreachable:
            words = AGAIN
        return lambda: self._voice.whisper(channel, account, words)

    async def submit(self, payload: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """Return what becomes of the dialog: it closes, or says what to mend."""
        view = payload.get("view") or {}
        incident = str(view.get("private_metadata", ""))
        typed = (((view.get("state") or {}).get("values") or {}).get("why") or {}).get("why") or {}
        why = str(typed.get("value") or "")
        account = str((payload.get("user") or {}).get("id", ""))
        try:
            if not is_incident(incident):
                raise Refused("this dialog is of another version: press the button again")
            said = order(f"not us, {why}", at)
            await self.act(incident, account, said, _key(account, incident, why, str(view.get("id", ""))), at)
        except Refused as refused:
            return {"response_action": "errors", "errors": {"why": cut(_sentence(str(refused)), 150)}}
        except Unreachable:
            return {"response_action": "errors", "errors": {"why": AGAIN}}
        return {}


def slack_routes(client: Client, catalog: Callable[[], Catalog], slack: Slack) -> APIRouter:
    """Return the routes that Slack calls.

    Args:
        client: Whose incidents are spoken to.
        catalog: Returns the catalogue as it is now.
        slack: How Slack proves itself, and how people are answered.
    """
    routes = APIRouter(prefix="/slack", include_in_schema=False)
    signature, ears = SlackSignature(slack.secrets), Ears(client, catalog, slack.voice)

    async def signed(request: Request) -> tuple[bytes, datetime]:
        body = await read_body(request, LARGEST)
        return body, signature.check(request.headers, body)

    @routes.post("/commands")
    async def command(request: Request) -> Response:
        body, at = await signed(request)
        return JSONResponse({"response_type": "ephemeral", "text": escaped(await ears.command(_form(body), at))})

    @routes.post("/interactivity")
    async def interact(request: Request, later: BackgroundTasks) -> Response:
        body, at = await signed(request)
        payload = _object(_form(body).get("payload", "").encode())
        if payload.get("type") == "view_submission":
            return JSONResponse(await ears.submit(payload, at))
        if payload.get("type") == "block_actions" and (answer := await ears.tap(payload, at)):
            later.add_task(_quietly, answer)
        return Response(background=later)

    @routes.post("/events")
    async def event(request: Request, later: BackgroundTasks) -> Response:
        body, _ = await signed(request)
        told = _object(body)
        if told.get("type") == "url_verification":
            return JSONResponse({"challenge": str(told.get("challenge", ""))})
        us = [str(it.get("user_id", "")) for it in told.get("authorizations") or [] if isinstance(it, dict)]
        try:
            if answer := await ears.event(told.get("event") or {}, us):
                later.add_task(_quietly, answer)
        except Unreachable as error:
            raise Problem(503, str(error), headers=RETRY_AFTER) from None
        except (AttributeError, TypeError, ValueError):
            raise Problem(400, "this event cannot be read") from None
        return Response(background=later)

    return routes


def plain(text: str) -> str:
    """Return what somebody typed, as they see it: Slack sends links and names in angle brackets, and escapes."""
    return unescape(_REFERENCE.sub(_as_seen, text))


def _as_seen(found: re.Match[str]) -> str:
    target, label = found[1], found[2]
    if target.startswith(("http://", "https://")):
        return target
    return label or target


def escaped(text: str) -> str:
    """Return text in which nothing is a mention, a link or a command to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def permalink(channel: str, ts: str) -> str:
    """Return where a message stands; the channel's own mirror knows by it that it has the words already."""
    return f"https://slack.com/archives/{channel}/p{ts.replace('.', '')}"


def _of_a_person(event: Mapping[str, Any]) -> bool:
    return not event.get("bot_id") and event.get("subtype", "") in ("", "thread_broadcast", "file_share")


def _form(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=100, keep_blank_values=True)
    except ValueError:
        raise Problem(400, "this form has too many fields") from None
    return {name: values[0] for name, values in fields.items()}


def _object(body: bytes) -> dict[str, Any]:
    found = parse_json(body)
    if not isinstance(found, dict):
        raise Problem(422, "send one JSON object")
    return found


def _dialog(incident: str) -> dict[str, Any]:
    """Return the question why it is not us: an answer without evidence is none (E4)."""
    return {
        "type": "modal",
        "callback_id": NOT_US,
        "private_metadata": incident,
        "title": {"type": "plain_text", "text": "Not us"},
        "submit": {"type": "plain_text", "text": "Not us"},
        "blocks": [
            {
                "type": "input",
                "block_id": "why",
                "label": {"type": "plain_text", "text": f"Why it is not you, with the evidence ({incident})"},
                "element": {"type": "plain_text_input", "action_id": "why", "multiline": True, "max_length": 3000},
            }
        ],
    }


async def _quietly(answering: Callable[[], Awaitable[None]]) -> None:
    """Answer somebody: it is done already, so an answer that fails is only written down."""
    try:
        await answering()
    except Failed as failed:
        logger.warning("Slack did not take an answer: %s", failed.reason)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _key(account: str, incident: str, words: str, when: int | str) -> str:
    """Return a key that the same words have again."""
    digest = hashlib.sha256(json.dumps([account, incident, words, when]).encode()).hexdigest()
    return f"slack-{digest[:32]}"
