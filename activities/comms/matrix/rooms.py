"""A Matrix room per incident, which shows where it stands.

A message's transaction id is its key, so the homeserver itself sees to it that nothing is posted twice. What the room
is for, and which message is its notice, stands in the room's own state: nothing of it is kept here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import nio  # type: ignore[import-untyped]

from activities import Failed
from activities.comms import rooms
from activities.comms.matrix.account import Matrix, Said
from activities.comms.matrix.events import CHANNEL, MARK, permalink, text_message
from activities.mirror import Gone, Mirror, Place, Subject
from model.coordinate.spoken import room_name
from model.matter import Entry
from model.text import cut, one_line

TOPIC_LONGEST: Final = 500
NAME_LONGEST: Final = 200
READ_ONLY: Final = 50
"""Power that writing takes in the room of an incident that is over: a moderator's."""


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
            for name in rooms.names(subject.id):
                room = await self._resolve(it, f"#{name}:{server}")
                if not room:
                    try:
                        room = await self._make(it, name, subject)
                        ours.add(room)
                    except Said as said:
                        if said.code != "M_ROOM_IN_USE":
                            raise
                        room = await self._resolve(it, f"#{name}:{server}")
                        ours = set((await self._matrix.ask("our rooms", it.joined_rooms())).rooms)
                if room in ours:
                    return Place(id=room, url=f"https://matrix.to/#/{quote(room)}")
        raise Failed(
            f"Matrix: #{room_name(subject.id)} and the names after it lead to rooms that are not ours", again=False
        )

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
                    raise Said("the room", "M_FORBIDDEN", again=False)
                mark = _read(state.get((MARK, ""), {}))
                await self._invite(it, place.id, subject, mark, state)
                await self._notify(it, place.id, subject, mark, state)
                for type, content in self._wanted(subject, state).items():
                    if state.get((type, ""), {}) != content:
                        await self._matrix.ask("a new state", it.room_put_state(place.id, type, content))
        except Said as said:
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
                await self._send(it, place.id, text_message(rooms.line(entry)), key)
        except Said as said:
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
        except Said as said:
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
                except Said as said:
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
        digest = rooms.digest(text, mark.asked)
        pinned = list(state.get(("m.room.pinned_events", ""), {}).get("pinned", []))
        if mark.notice and mark.notice in pinned and mark.digest == digest:
            return
        if not mark.notice:
            mark.notice = await self._send(it, room, text_message(text), f"{subject.id}/notice")
        elif mark.digest != digest:
            edit = {"rel_type": "m.replace", "event_id": mark.notice}
            content = {**text_message(f"* {text}"), "m.new_content": text_message(text), "m.relates_to": edit}
            await self._send(it, room, content, f"{subject.id}/notice/{mark.edits + 1}")
        mark.digest, mark.edits, mark.incident = digest, mark.edits + 1, subject.id
        if mark.notice not in pinned:
            pins = {"pinned": [*pinned, mark.notice]}
            await self._matrix.ask("a pin", it.room_put_state(room, "m.room.pinned_events", pins))
        await self._matrix.ask("the notice's mark", it.room_put_state(room, MARK, vars(mark)))

    async def _send(self, it: Any, room: str, content: dict[str, Any], key: str) -> str:
        sent = it.room_send(room, "m.room.message", content, tx_id=key)
        return str((await self._matrix.ask("a message", sent)).event_id)

    async def _gone(self, place: Place, said: Said) -> Gone | None:
        """Return that the place is no more, if that is why the homeserver said no."""
        if said.again or said.code not in ("M_FORBIDDEN", "M_NOT_FOUND", "M_UNKNOWN"):
            return None
        async with self._matrix.talking() as it:
            ours = (await self._matrix.ask("our rooms", it.joined_rooms())).rooms
        return None if place.id in ours else Gone(f"Matrix: we are not in the room any more ({said.code})")


def _name(subject: Subject) -> str:
    test = "TEST " if subject.test else ""
    return cut(one_line(f"{test}{subject.id} {subject.title}"), NAME_LONGEST)


def _read(content: Mapping[str, Any]) -> _Mark:
    known = {name: content[name] for name in _Mark.__dataclass_fields__ if name in content}
    return _Mark(**known)
