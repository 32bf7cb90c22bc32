"""Matrix: a room per incident that shows where it stands, and what hears what people say there.

A message's transaction id is its key, so the homeserver itself sees to it that nothing is posted twice. What the room
is for, and which message is its notice, stands in the room's own state: nothing of it is kept here.

Rooms are not encrypted end to end: a worker that dies would take the keys with it.
"""

import asyncio
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import nio  # type: ignore[import-untyped]

from activities import Failed
from activities.comms import rooms
from activities.mirror import Gone, Mirror, Place, Subject
from activities.posting import LONGEST_PAUSE, WITHIN, web_host
from model.coordinate.spoken import room_name
from model.matter import Entry
from model.text import Refused, clean, cut, one_line
from model.times import short

CHANNEL: Final = "matrix"
"""How contacts name it; their address is a user id (`@ana:example.org`)."""
MARK: Final = "app.allclear.incident"
"""The state event that says whose room it is, which message is the notice, and who was invited."""
TOPIC_LONGEST: Final = 500
NAME_LONGEST: Final = 200
NAMES: Final = 9
"""Aliases tried for a room: its own, then with a number behind it."""
POLL: Final = timedelta(seconds=30)
"""How long the homeserver holds a question about news."""
AT_ONCE: Final = 100
"""Events of a room that one answer about news brings; what came before them is fetched."""
PAGES: Final = 50
"""Pages of older events fetched after a long absence."""
FIRST_PAUSE, LONGEST_WAIT, INCIDENT_WAIT = 1.0, 60.0, 5.0
"""Seconds before a homeserver that does not answer is asked again: from the first, doubled, to the longest; at most the
last where only an incident does not answer, because the others' people speak meanwhile."""
PATIENCE: Final = 600.0
"""Seconds for which a message is taken up again that an incident does not answer; then its writer is told."""
READ_ONLY: Final = 50
"""Power that writing takes in the room of an incident that is over: a moderator's."""

Hear = Callable[["Heard"], Awaitable[bool]]
"""Gets what was said; returns whether it was for us. Raises `Refused` with a sentence for who said it, and `Failed`
where it must be told again."""
Say = Callable[[str], None]

_LATER: Final = frozenset({"M_LIMIT_EXCEEDED", "M_RESOURCE_LIMIT_EXCEEDED"})
_LOST_TRACK: Final = frozenset({"M_UNKNOWN", "M_INVALID_PARAM"})
_FALLBACK: Final = re.compile(r"\A(?:> ?[^\n]*\n)+\n?")
_FILTER: Final = {
    "presence": {"types": []},
    "account_data": {"types": []},
    "room": {
        "timeline": {"limit": AT_ONCE, "types": ["m.room.message", "m.room.encrypted"]},
        "state": {"types": [MARK]},
        "ephemeral": {"types": []},
        "account_data": {"types": []},
    },
}

logger = logging.getLogger(__name__)
# It would log what people say, and repeats every answer that it did not expect.
logging.getLogger("nio").setLevel(logging.ERROR)


class _Said(Failed):
    """The homeserver said no; `code` is its word for why."""

    def __init__(self, what: str, code: str, words: str = "", **how: Any) -> None:
        super().__init__(f"Matrix refused {what}: {one_line(code)}{f' ({one_line(words)})' if words else ''}", **how)
        self.code = code


class _Unheard(Failed):
    """An incident did not answer; the homeserver did."""


class Matrix:
    """One account of a homeserver: each call within a limit, none twice."""

    def __init__(self, url: str, token: str, within: timedelta = WITHIN) -> None:
        """Use an account.

        Args:
            url: The homeserver's own address, as clients reach it.
            token: The account's access token.
            within: How long one answer may take.

        Raises:
            Failed: `url` is no web address, or the token would travel in the clear.
        """
        web_host(url)
        self._url = url.rstrip("/")
        self._token = token
        self._within = within
        self._user = ""

    @property
    def key(self) -> str:
        """What tells this account from others, in the name of a file."""
        return hashlib.sha256(f"{self._url}\n{self._user}".encode()).hexdigest()[:16]

    async def user(self) -> str:
        """Return the account's id.

        Raises:
            Failed: The homeserver does not say.
        """
        if not self._user:
            async with self.talking(known=False) as it:
                self._user = str((await self.ask("who we are", it.whoami())).user_id)
        return self._user

    @asynccontextmanager
    async def talking(self, *, known: bool = True) -> AsyncIterator[Any]:
        """Yield nio's client, without its own patience."""
        user = await self.user() if known else ""
        config = nio.AsyncClientConfig(
            max_limit_exceeded=0, max_timeouts=0, request_timeout=self._within.total_seconds()
        )
        client = nio.AsyncClient(self._url, user, config=config)
        client.access_token = self._token
        client.user_id = user
        try:
            yield client
        finally:
            await client.close()

    async def ask(self, what: str, asked: Awaitable[Any], within: timedelta | None = None) -> Any:
        """Return what the homeserver answered.

        Raises:
            Failed: There was no answer; as `_Said`, where it said no.
        """
        patience = within or self._within
        try:
            async with asyncio.timeout(patience.total_seconds()):
                answer = await asked
        except TimeoutError:
            raise Failed(f"Matrix gave no answer about {what} within {short(patience)}") from None
        except (aiohttp.ClientError, OSError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise Failed(f"Matrix cannot be reached: {one_line(str(why))}") from None
        except (AttributeError, KeyError, TypeError, ValueError):  # what nio makes of an answer that is none
            raise Failed(f"this is not Matrix: its answer about {what} cannot be read") from None
        if isinstance(answer, nio.ErrorResponse):
            raise self._refused(what, answer)
        return answer

    def _refused(self, what: str, answer: Any) -> Failed:
        status = getattr(answer.transport_response, "status", 0)
        code = str(answer.status_code or "")
        if status == 429 or code in _LATER:
            pause = timedelta(milliseconds=answer.retry_after_ms) if answer.retry_after_ms else None
            return _Said(what, code or "too many requests", retry_after=min(pause, LONGEST_PAUSE) if pause else None)
        if not code:
            return Failed(f"this is not Matrix: it answered {what} with {status} and no reason")
        words = cut(clean(str(answer.message)).replace(self._token, "***"), 120)
        return _Said(what, code, words, again=status >= 500)


@dataclass
class _Mark:
    """What the room's own state says about it.

    Attributes:
        notice: The pinned message.
        digest: Of what it says.
        edits: How often it was written: the key of the next edit.
        asked: Accounts that were invited once: who left stays away.
        lost: Who could not be, and why.
    """

    incident: str = ""
    notice: str = ""
    digest: str = ""
    edits: int = 0
    asked: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)


class MatrixRooms(Mirror):
    """A room per incident: `#inc-20260302-7f3a:server`, for who is invited."""

    name = CHANNEL
    kinds = frozenset({"incident"})

    def __init__(self, matrix: Matrix, *, archive: bool = False) -> None:
        """Make rooms by `matrix`; with `archive` only moderators write there once the incident is over."""
        self._matrix = matrix
        self._archive = archive

    async def open(self, subject: Subject) -> Place:
        """Return the room of an incident: made, or found by its alias.

        Where the alias leads to a room that we are not in (any more), the room has a number behind its name.

        Raises:
            Failed: It could not be looked for, or made.
        """
        server = (await self._matrix.user()).partition(":")[2]
        async with self._matrix.talking() as it:
            ours = set((await self._matrix.ask("our rooms", it.joined_rooms())).rooms)
            base = room_name(subject.id)
            for name in [base, *(f"{base}-{number}" for number in range(2, NAMES + 1))]:
                room = await self._resolve(it, f"#{name}:{server}")
                if not room:
                    try:
                        room = await self._make(it, name, subject)
                        ours.add(room)
                    except _Said as said:
                        if said.code != "M_ROOM_IN_USE":
                            raise
                        room = await self._resolve(it, f"#{name}:{server}")
                        ours = set((await self._matrix.ask("our rooms", it.joined_rooms())).rooms)
                if room in ours:
                    return Place(id=room, url=f"https://matrix.to/#/{quote(room)}")
        raise Failed(f"Matrix: #{base} and the names after it lead to rooms that are not ours", again=False)

    async def show(self, place: Place, subject: Subject) -> None:
        """Bring name, topic, notice and members up to date; what is so already is left alone.

        Raises:
            Failed: It was not taken; `Gone`, where we are not in the room any more.
        """
        try:
            async with self._matrix.talking() as it:
                found = await self._matrix.ask("the room", it.room_get_state(place.id))
                state = {(str(e.get("type")), str(e.get("state_key"))): e.get("content", {}) for e in found.events}
                # Who left a room still sees it as it was then.
                us = state.get(("m.room.member", await self._matrix.user()), {})
                if us.get("membership") != "join":
                    raise _Said("the room", "M_FORBIDDEN", again=False)
                mark = _read(state.get((MARK, ""), {}))
                await self._invite(it, place.id, subject, mark, state)
                await self._notify(it, place.id, subject, mark, state)
                for type, content in self._wanted(subject, state).items():
                    if state.get((type, ""), {}) != content:
                        await self._matrix.ask("a new state", it.room_put_state(place.id, type, content))
        except _Said as said:
            if (reason := await self._gone(place, said)) is None:
                raise
            if subject.open:
                raise reason from None

    async def add(self, place: Place, entry: Entry, key: str) -> None:
        """Send a line, once: `key` is its transaction id. One that was typed in this very room is there already.

        Raises:
            Failed: It was not taken; `Gone`, where we are not in the room any more.
        """
        if not rooms.told(entry, (permalink(place.id, ""), place.url or permalink(place.id, ""))):
            return
        try:
            async with self._matrix.talking() as it:
                await self._send(it, place.id, _words(rooms.line(entry)), key)
        except _Said as said:
            if (reason := await self._gone(place, said)) is None:
                raise
            if entry.what not in rooms.LAST:
                raise reason from None

    async def closed(self, place: Place) -> bool:
        """Return False: a room that people leave does not end an incident."""
        return False

    async def check(self) -> str:
        """Ask the homeserver who we are.

        Raises:
            Failed: It does not know the token.
        """
        return f"the homeserver knows the token as {await self._matrix.user()}"

    async def _resolve(self, it: Any, alias: str) -> str:
        try:
            return str((await self._matrix.ask("an alias", it.room_resolve_alias(alias))).room_id)
        except _Said as said:
            if said.code != "M_NOT_FOUND":
                raise
            return ""

    async def _make(self, it: Any, name: str, subject: Subject) -> str:
        made = it.room_create(
            alias=name,
            name=_name(subject),
            topic=rooms.topic(subject, TOPIC_LONGEST),
            preset=nio.RoomPreset.private_chat,
            initial_state=[{"type": MARK, "state_key": "", "content": {"incident": subject.id}}],
        )
        return str((await self._matrix.ask("a new room", made)).room_id)

    def _wanted(self, subject: Subject, state: Mapping[tuple[str, str], dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the state that the room should have."""
        power = dict(state.get(("m.room.power_levels", ""), {}))
        closed = self._archive and not subject.open
        wanted: dict[str, dict[str, Any]] = {
            "m.room.name": {"name": _name(subject)},
            "m.room.topic": {
                # Room version 12 and clients of it keep a second form of a topic: ours would stay there, outdated.
                **{k: v for k, v in state.get(("m.room.topic", ""), {}).items() if k not in ("topic", "m.topic")},
                "topic": rooms.topic(subject, TOPIC_LONGEST),
            },
        }
        if power and (closed or power.get("events_default") == READ_ONLY):
            wanted["m.room.power_levels"] = {**power, "events_default": READ_ONLY if closed else 0}
        return wanted

    async def _invite(
        self, it: Any, room: str, subject: Subject, mark: _Mark, state: Mapping[tuple[str, str], Any]
    ) -> None:
        """Invite everybody once; who cannot be invited is named in the notice and holds up nobody."""
        if not subject.open:
            return
        for account, who in rooms.addresses(subject.guests, CHANNEL).items():
            if account in mark.asked:
                continue
            if ("m.room.member", account) not in state:
                try:
                    await self._matrix.ask("an invitation", it.room_invite(room, account))
                except _Said as said:
                    if said.again:
                        raise
                    mark.lost[who] = said.code
            mark.asked = [*mark.asked, account][-rooms.REMEMBERED :]

    async def _notify(
        self, it: Any, room: str, subject: Subject, mark: _Mark, state: Mapping[tuple[str, str], Any]
    ) -> None:
        """Edit the notice where it says something else now; it is sent and pinned only once."""
        links = [f"{name}: {url}" for name, url in rooms.links(subject)]
        text = "\n".join([rooms.notice(subject, mark.lost), *links])
        digest = hashlib.sha256(json.dumps([text, mark.asked]).encode()).hexdigest()[:16]
        pinned = list(state.get(("m.room.pinned_events", ""), {}).get("pinned", []))
        if mark.notice and mark.notice in pinned and mark.digest == digest:
            return
        if not mark.notice:
            mark.notice = await self._send(it, room, _words(text), f"{subject.id}/notice")
        elif mark.digest != digest:
            edit = {"rel_type": "m.replace", "event_id": mark.notice}
            content = {**_words(f"* {text}"), "m.new_content": _words(text), "m.relates_to": edit}
            await self._send(it, room, content, f"{subject.id}/notice/{mark.edits + 1}")
        mark.digest, mark.edits, mark.incident = digest, mark.edits + 1, subject.id
        if mark.notice not in pinned:
            pins = {"pinned": [*pinned, mark.notice]}
            await self._matrix.ask("a pin", it.room_put_state(room, "m.room.pinned_events", pins))
        await self._matrix.ask("the notice's mark", it.room_put_state(room, MARK, vars(mark)))

    async def _send(self, it: Any, room: str, content: dict[str, Any], key: str) -> str:
        sent = it.room_send(room, "m.room.message", content, tx_id=key)
        return str((await self._matrix.ask("a message", sent)).event_id)

    async def _gone(self, place: Place, said: _Said) -> Gone | None:
        """Return that the place is no more, if that is why the homeserver said no."""
        if said.again or said.code not in ("M_FORBIDDEN", "M_NOT_FOUND", "M_UNKNOWN"):
            return None
        async with self._matrix.talking() as it:
            ours = (await self._matrix.ask("our rooms", it.joined_rooms())).rooms
        return None if place.id in ours else Gone(f"Matrix: we are not in the room any more ({said.code})")


@dataclass(frozen=True)
class Heard:
    """What somebody said in a room of ours.

    Attributes:
        incident: Whose room it is.
        event: The message.
        account: Who said it.
        text: What they typed; empty where it could not be read.
        at: When, as the homeserver says.
        reply: Whether it answers a message of ours.
        link: Where it stands.
    """

    incident: str
    event: str
    account: str
    text: str
    at: datetime
    reply: bool
    link: str


class MatrixEars:
    """Hears what is said in the rooms of incidents, each message once, also what came while nobody listened."""

    def __init__(self, matrix: Matrix, folder: Path, say: Say = logger.warning) -> None:
        """Listen by `matrix`; how far it has heard is kept in `folder`, and `say` hears what an operator should."""
        self._matrix = matrix
        self._folder = folder
        self._say = say
        self._incidents: dict[str, str] = {}
        self._unreadable: set[str] = set()
        self._done: set[str] = set()
        self._waiting: dict[str, float] = {}

    async def listen(self, hear: Hear) -> None:
        """Let `hear` have every message, until cancelled; a homeserver that is away is waited for."""
        pause, silent = FIRST_PAUSE, False
        while True:
            try:
                async with self._matrix.talking() as it:
                    since = await self._begin(it)
                    while True:
                        since = await self._step(it, since, hear)
                        if silent:
                            self._say("Matrix: rooms are heard again")
                        pause, silent = FIRST_PAUSE, False
            except Exception as error:
                # Whatever it is, a full disk too: nobody else would begin to listen again.
                failed = error if isinstance(error, Failed) else Failed(f"{type(error).__name__}: {error}")
                waits = isinstance(failed, _Unheard)
                if not silent:
                    self._say(f"Matrix: {'words wait in a room' if waits else 'rooms are not heard'}: {failed.reason}")
                silent = True
                rest = failed.retry_after.total_seconds() if failed.retry_after else 0
                await asyncio.sleep(max(pause, rest))
                pause = min(2 * pause, INCIDENT_WAIT if waits else LONGEST_WAIT)

    async def _begin(self, it: Any) -> str:
        """Return up to where everything was heard; the first time, that is now."""
        path = self._path()
        with suppress(FileNotFoundError):
            if kept := path.read_text(encoding="utf-8").strip():
                return kept
        nothing = {**_FILTER, "room": {"timeline": {"limit": 0}, "state": {"types": []}}}
        found = await self._matrix.ask("news", it.sync(timeout=0, sync_filter=nothing), within=2 * POLL)
        self._keep(found.next_batch)
        return str(found.next_batch)

    async def _step(self, it: Any, since: str, hear: Hear) -> str:
        poll = it.sync(timeout=int(POLL.total_seconds() * 1000), sync_filter=_FILTER, since=since)
        try:
            news = await self._matrix.ask("news", poll, within=2 * POLL)
        except _Said as said:
            if said.code in _LOST_TRACK and not said.again:
                self._forget()
            raise
        # One incident that does not answer must not keep us from hearing what is said to the others.
        taking = [self._room(it, room, info.timeline, since, hear) for room, info in news.rooms.join.items()]
        for outcome in await asyncio.gather(*taking, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        if news.next_batch != since:
            self._keep(news.next_batch)
        self._done.clear()
        self._waiting.clear()
        return str(news.next_batch)

    async def _room(self, it: Any, room: str, timeline: Any, since: str, hear: Hear) -> None:
        """Take in what is new in a room, in its order; after a failure, only what was not done before."""
        events = [event.source for event in timeline.events]
        if timeline.limited and timeline.prev_batch:
            events = [*await self._missed(it, room, timeline.prev_batch, since), *events]
        for event in events:
            id = str(event.get("event_id", ""))
            if id in self._done:
                continue
            try:
                await self._take(it, room, event, hear)
            except Failed:
                raise
            except Exception as error:
                # An event is what its sender made it: none may stop us from hearing the others.
                logger.exception("%s of %s", id, room)
                self._say(f"Matrix: message {id} of {room} could not be taken ({type(error).__name__})")
            self._done.add(id)

    async def _missed(self, it: Any, room: str, start: str, since: str) -> list[dict[str, Any]]:
        """Return what was said before the last events, back to where we were."""
        found: list[dict[str, Any]] = []
        for _ in range(PAGES):
            page = await self._matrix.ask("older messages", it.room_messages(room, start, end=since, limit=AT_ONCE))
            found += [event.source for event in page.chunk]
            if not page.chunk or not page.end:
                return found[::-1]
            start = page.end
        self._say(f"Matrix: only the last {len(found)} messages of {room} were heard")
        return found[::-1]

    async def _take(self, it: Any, room: str, event: Mapping[str, Any], hear: Hear) -> None:
        """Bring one message, and answer it: a sign that it was taken, or a sentence."""
        us, content = await self._matrix.user(), event.get("content", {})
        relation = content.get("m.relates_to") or {}
        if event.get("sender") == us or relation.get("rel_type") == "m.replace":
            return
        encrypted = event.get("type") == "m.room.encrypted"
        if not encrypted and content.get("msgtype") != "m.text":  # a notice is a machine's
            return
        incident = await self._incident(it, room)
        if not incident or (encrypted and room in self._unreadable):
            return
        id = str(event.get("event_id", ""))
        if encrypted:
            self._unreadable.add(room)
            words = "this room is encrypted, and AllClear cannot read it: use the link in your page"
            await self._answer(it, room, event, words)
            return
        heard = Heard(
            incident=incident,
            event=id,
            account=str(event.get("sender", "")),
            text=_FALLBACK.sub("", str(content.get("body", ""))) if relation else str(content.get("body", "")),
            at=datetime.fromtimestamp(int(event.get("origin_server_ts", 0)) / 1000, UTC),
            reply=await self._answers_us(it, room, relation, us),
            link=permalink(room, id),
        )
        try:
            taken = await hear(heard)
        except Refused as refused:
            await self._answer(it, room, event, str(refused))
        except Failed as failed:
            if time.monotonic() - self._waiting.setdefault(id, time.monotonic()) < PATIENCE:
                raise _Unheard(failed.reason) from None
            words = f"{incident} has not answered for {PATIENCE / 60:g} min, so this was not taken: say it again"
            await self._answer(it, room, event, words)
        else:
            if taken:
                await self._answer(it, room, event, "")

    async def _answer(self, it: Any, room: str, event: Mapping[str, Any], words: str) -> None:
        """Answer a message: in words, or without any by a sign."""
        id, account = str(event.get("event_id", "")), str(event.get("sender", ""))
        if words:
            type, key = "m.room.message", f"refused/{id}"
            content = {**_words(words), "m.mentions": {"user_ids": [account]}}
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": id}}
        else:
            type, key = "m.reaction", f"taken/{id}"
            content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": id, "key": "✅"}}
        try:
            await self._matrix.ask("an answer", it.room_send(room, type, content, tx_id=key))
        except Failed as failed:
            if failed.again:
                raise
            self._say(f"Matrix: {account} was not answered: {failed.reason}")

    async def _incident(self, it: Any, room: str) -> str:
        if room not in self._incidents:
            try:
                found = await self._matrix.ask("the room", it.room_get_state_event(room, MARK))
            except _Said as said:
                if said.again:
                    raise
                return ""
            self._incidents[room] = str(found.content.get("incident", ""))
        return self._incidents[room]

    async def _answers_us(self, it: Any, room: str, relation: Mapping[str, Any], us: str) -> bool:
        """Whether a message replies to one of ours, or stands in a thread of one."""
        thread = relation.get("event_id") if relation.get("rel_type") == "m.thread" else None
        for id in filter(None, [thread, (relation.get("m.in_reply_to") or {}).get("event_id")]):
            try:
                found = await self._matrix.ask("a message", it.room_get_event(room, id))
            except _Said as said:
                if said.again:
                    raise
                continue
            if found.event.sender == us:
                return True
        return False

    def _path(self) -> Path:
        return self._folder / f"matrix-{self._matrix.key}"

    def _keep(self, since: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._path().with_suffix(f".{os.getpid()}")
        draft.write_text(since, encoding="utf-8")
        draft.replace(self._path())

    def _forget(self) -> None:
        """Begin anew: the homeserver does not know any more up to where we heard."""
        with suppress(FileNotFoundError):
            self._path().unlink()
            self._say("Matrix: the homeserver forgot how far we heard; what was said since then is lost")


def permalink(room: str, event: str) -> str:
    """Return where a message of a room is shown; without a message, what all such links of the room begin with."""
    return f"https://matrix.to/#/{quote(room)}/{quote(event)}"


def _words(text: str) -> dict[str, Any]:
    """Return a message that is text only: no mark-up, and nobody is mentioned, whatever it says."""
    return {"msgtype": "m.notice", "body": text, "m.mentions": {}}


def _name(subject: Subject) -> str:
    test = "TEST " if subject.test else ""
    return cut(one_line(f"{test}{subject.id} {subject.title}"), NAME_LONGEST)


def _read(content: Mapping[str, Any]) -> _Mark:
    known = {name: content[name] for name in _Mark.__dataclass_fields__ if name in content}
    return _Mark(**known)
