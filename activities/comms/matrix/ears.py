"""Hears what people say in the Matrix rooms of incidents."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from activities import Failed
from activities.comms.matrix.account import Matrix, Said
from activities.comms.matrix.events import MARK, permalink, text_message
from model.text import Refused

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

Hear = Callable[["Heard"], Awaitable[bool]]
"""Gets what was said; returns whether it was for us. Raises `Refused` with a sentence for who said it, and `Failed`
where it must be told again."""
Say = Callable[[str], None]
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


class _Unheard(Failed):
    """An incident did not answer; the homeserver did."""


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
        except Said as said:
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
            content = {**text_message(words), "m.mentions": {"user_ids": [account]}}
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
            except Said as said:
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
            except Said as said:
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
        draft = self._path().with_suffix(f".{uuid4().hex}")
        draft.write_text(since, encoding="utf-8")
        draft.replace(self._path())

    def _forget(self) -> None:
        """Begin anew: the homeserver does not know any more up to where we heard."""
        with suppress(FileNotFoundError):
            self._path().unlink()
            self._say("Matrix: the homeserver forgot how far we heard; what was said since then is lost")
