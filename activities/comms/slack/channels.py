"""A Slack channel per incident, which shows where it stands.

Slack has no key against posting twice, so every message carries its key as metadata, and is looked for before it is
posted. It retries nothing here: who owes a line decides when it is tried again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final

from activities import Failed
from activities.comms import rooms
from activities.comms.slack.blocks import LINE, NOTICE, blocks_of, escaped, plain
from activities.comms.slack.workspace import Said, Slack
from activities.mirror import Gone, Mirror, Place, Subject
from model.coordinate.spoken import room_name
from model.matter import Entry

CHANNEL: Final = "slack"
"""How contacts name it; their address is a member id (`U…`)."""
NEEDS: Final = frozenset({"chat:write", "pins:read", "pins:write", "reactions:write"})
"""Scopes of the bot token, whatever kind of channel it makes."""
NEEDS_PUBLIC: Final = frozenset({"channels:manage", "channels:read", "channels:history", "channels:join"})
NEEDS_PRIVATE: Final = frozenset({"groups:write", "groups:read", "groups:history"})
TOPIC_LONGEST: Final = 250
"""Characters of a topic; counted in bytes, so never too many."""
PAGES: Final = 50
"""Pages of a thousand channels that are looked through for one."""
LOOKED_BACK: Final = 100
"""Messages among which one is looked for before it is posted: one page, more than people write while a worker dies."""
AT_ONCE: Final = 100
"""People invited by one call."""
_GONE: Final = frozenset({"channel_not_found", "is_archived", "not_in_channel"})


@dataclass(frozen=True)
class _Us:
    user: str
    url: str
    name: str
    team: str


@dataclass
class _Notice:
    """The pinned notice as it is over there.

    Attributes:
        ts: Which message; empty where there is none.
        pinned: Whether it is: a worker may die between posting and pinning.
        digest: Of what it says.
        asked: Accounts that were invited once: who left stays away.
        lost: Who could not be, and why.
    """

    ts: str = ""
    pinned: bool = False
    digest: str = ""
    asked: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)


class SlackRooms(Mirror):
    """A channel per incident: `inc-20260302-7f3a`."""

    name = CHANNEL
    kinds = frozenset({"incident"})

    def __init__(self, slack: Slack, *, private: bool = False, archive: bool = False) -> None:
        """Make channels by `slack`.

        Args:
            slack: The workspace.
            private: Whether only who is invited finds them.
            archive: Whether they are archived once the incident is over.
        """
        self._slack = slack
        self._private = private
        self._archive = archive
        self._us: _Us | None = None

    async def open(self, subject: Subject) -> Place:
        """Return the channel of an incident: made, or found by its name.

        One that somebody archived is taken out of the archive where Slack lets us (it lets no bot, today); else, and
        where the name is somebody else's, the channel has a number behind its name.

        Raises:
            Failed: It could not be looked for, or made.
        """
        us = await self._who()
        known: dict[str, dict[str, Any]] | None = None
        base = room_name(subject.id)
        for name in rooms.names(subject.id):
            try:
                made = await self._do("conversations_create", name=name, is_private=self._private)
                return self._place(made.get("channel", {}), us)
            except Said as said:
                if said.code != "name_taken":
                    raise
            known = await self._channels(base) if known is None else known
            if name in known and await self._usable(known[name], us):
                return self._place(known[name], us)
        raise Failed(f"Slack: {base} and the names after it are taken by channels that are not ours", again=False)

    async def show(self, place: Place, subject: Subject) -> None:
        """Bring topic, notice and members up to date; what is so already is left alone.

        Raises:
            Failed: It was not taken; `Gone`, where the channel was archived or removed by hand.
        """
        try:
            info = (await self._do("conversations_info", channel=place.id)).get("channel", {})
            if info.get("is_archived"):
                if subject.open:
                    raise Gone(f"Slack: {room_name(subject.id)} is archived")
                return
            notice = await self._pinned(place.id)
            await self._invite(place.id, subject, notice)
            await self._notify(place.id, subject, notice)
            topic = rooms.topic(subject, TOPIC_LONGEST)
            if unescape(str(info.get("topic", {}).get("value", ""))) != topic:
                await self._do("conversations_setTopic", channel=place.id, topic=topic)
        except Said as said:
            if said.code in _GONE and not subject.open:
                return
            raise _gone(said) from None

    async def add(self, place: Place, entry: Entry, key: str) -> None:
        """Post a line, once; one that was typed in this very channel is there already.

        With the last one the channel is archived, where that is wanted; the record has what comes after it.

        Raises:
            Failed: It was not taken; `Gone`, where the channel was archived or removed by hand.
        """
        here = f"/archives/{place.id}"
        if not rooms.told(entry, (f"https://slack.com{here}/", place.url or here)):
            return
        try:
            if not await self._posted(place.id, LINE, key):
                await self._post(place.id, rooms.line(entry), LINE, {"key": key})
            if self._archive and entry.what == "all_clear":
                await self._do("conversations_archive", channel=place.id)
        except Said as said:
            if said.code in _GONE and (entry.what in rooms.LAST or await self._over(place.id)):
                return
            raise _gone(said) from None

    async def closed(self, place: Place) -> bool:
        """Return False: a channel is archived to tidy up, which does not end an incident."""
        return False

    async def check(self) -> str:
        """Ask Slack who we are, and with which scopes.

        Raises:
            Failed: It does not know the token, or scopes are missing.
        """
        answer = await self._slack.ask("auth.test", self._slack.web.auth_test())
        has = {scope.strip() for scope in str(answer.headers.get("x-oauth-scopes", "")).split(",") if scope.strip()}
        needed = NEEDS | (NEEDS_PRIVATE if self._private else NEEDS_PUBLIC)
        if missing := sorted(needed - has) if has else []:
            raise Failed(
                f"Slack: the token lacks {', '.join(missing)}: add them and install the app again", again=False
            )
        return f"Slack knows the token as @{answer.get('user', '?')} of {answer.get('team', '?')}"

    async def _who(self) -> _Us:
        if self._us is None:
            said = await self._do("auth_test")
            told = (str(said.get(name, "")) for name in ("user_id", "url", "user", "team"))
            self._us = _Us(*told)
        return self._us

    async def _do(self, method: str, **given: Any) -> dict[str, Any]:
        return await self._slack.call(method.replace("_", ".", 1), getattr(self._slack.web, method)(**given))

    def _place(self, channel: Mapping[str, Any], us: _Us) -> Place:
        id = str(channel.get("id", ""))
        if not id:
            raise Failed("this is not Slack: a channel without an id")
        return Place(id=id, url=f"{us.url.rstrip('/')}/archives/{id}" if us.url else "")

    async def _channels(self, base: str) -> dict[str, dict[str, Any]]:
        """Return the channels whose name begins so, archived ones too."""
        found: dict[str, dict[str, Any]] = {}
        types, cursor = "private_channel" if self._private else "public_channel", ""
        for _ in range(PAGES):
            page = await self._do("conversations_list", types=types, exclude_archived=False, limit=1000, cursor=cursor)
            channels = page.get("channels", [])
            found |= {str(it.get("name", "")): it for it in channels if str(it.get("name", "")).startswith(base)}
            cursor = str(page.get("response_metadata", {}).get("next_cursor", ""))
            if not cursor:
                break
        return found

    async def _usable(self, channel: Mapping[str, Any], us: _Us) -> bool:
        """Make sure that a channel is ours and can be written to."""
        if channel.get("creator") != us.user:
            return False
        wanted = []
        if channel.get("is_archived"):
            wanted.append("conversations_unarchive")
        elif not channel.get("is_member"):
            wanted.append("conversations_join")
        try:
            for method in wanted:
                await self._do(method, channel=channel["id"])
        except Said as said:
            if said.again:
                raise
            return False
        return True

    async def _over(self, channel: str) -> bool:
        """Whether we have archived a channel ourselves: its topic says so."""
        try:
            info = (await self._do("conversations_info", channel=channel)).get("channel", {})
        except Said as said:
            if said.again:
                raise
            return False
        topic = unescape(str(info.get("topic", {}).get("value", "")))
        return bool(info.get("is_archived")) and rooms.ALL_CLEAR in topic

    async def _invite(self, channel: str, subject: Subject, notice: _Notice) -> None:
        """Invite everybody once; who cannot be invited is named in the notice and holds up nobody."""
        if not subject.open:
            return
        who = rooms.addresses(subject.guests, CHANNEL)
        new = [account for account in who if account not in notice.asked]
        for start in range(0, len(new), AT_ONCE):
            several = new[start : start + AT_ONCE]
            try:
                await self._do("conversations_invite", channel=channel, users=",".join(several))
            except Said as said:
                if said.again or said.code in _GONE:
                    raise
                await self._one_by_one(channel, several, who, notice)
            notice.asked = [*notice.asked, *several][-rooms.REMEMBERED :]

    async def _one_by_one(self, channel: str, new: Sequence[str], who: Mapping[str, str], notice: _Notice) -> None:
        for account in new:
            try:
                await self._do("conversations_invite", channel=channel, users=account)
            except Said as said:
                if said.again:
                    raise
                if said.code not in ("already_in_channel", "cant_invite_self"):
                    notice.lost[who[account]] = said.users.get(account) or said.code

    async def _pinned(self, channel: str) -> _Notice:
        """Return our notice as it is over there."""
        us = await self._who()
        for item in (await self._do("pins_list", channel=channel)).get("items", []):
            pinned = item.get("message", {})
            if pinned.get("user") != us.user:
                continue
            ts = str(pinned.get("ts", ""))
            page = await self._do(
                "conversations_history",
                channel=channel,
                oldest=ts,
                latest=ts,
                inclusive=True,
                limit=1,
                include_all_metadata=True,
            )
            for message in page.get("messages", []):
                if message.get("ts") == ts and message.get("metadata", {}).get("event_type") == NOTICE:
                    return _read(message, pinned=True)
        return _read(await self._posted(channel, NOTICE, NOTICE) or {}, pinned=False)

    async def _notify(self, channel: str, subject: Subject, notice: _Notice) -> None:
        """Edit the notice where it says something else now; it is posted and pinned only once."""
        blocks = blocks_of(subject, notice.lost)
        digest = rooms.digest(blocks, notice.asked)
        payload = {"key": NOTICE, "digest": digest, "asked": notice.asked, "lost": notice.lost}
        text, ts = rooms.headline(subject), notice.ts
        if notice.digest != digest:
            ts = await self._write(channel, text, payload, blocks, ts)
        if ts != notice.ts or not notice.pinned:
            try:
                await self._do("pins_add", channel=channel, timestamp=ts)
            except Said as said:
                if said.code != "already_pinned":
                    raise

    async def _write(
        self, channel: str, text: str, payload: Mapping[str, Any], blocks: Sequence[Mapping[str, Any]], ts: str
    ) -> str:
        """Write the notice: into its message, or into a new one where that was removed."""
        if ts:
            try:
                return await self._post(channel, text, NOTICE, payload, blocks, ts=ts)
            except Said as said:
                if said.code != "message_not_found":
                    raise
        return await self._post(channel, text, NOTICE, payload, blocks)

    async def _posted(self, channel: str, kind: str, key: str) -> dict[str, Any] | None:
        """Return the message of ours that has a key, if it is among the last ones."""
        page = await self._do("conversations_history", channel=channel, limit=LOOKED_BACK, include_all_metadata=True)
        for message in page.get("messages", []):
            metadata = message.get("metadata", {})
            if metadata.get("event_type") == kind and metadata.get("event_payload", {}).get("key") == key:
                return dict(message)
        return None

    async def _post(
        self,
        channel: str,
        text: str,
        kind: str,
        payload: Mapping[str, Any],
        blocks: Sequence[Mapping[str, Any]] | None = None,
        ts: str = "",
    ) -> str:
        """Post a message, or edit the one at `ts`; its text stays text, and calls nobody."""
        said: dict[str, Any] = {
            "channel": channel,
            "text": escaped(text),
            "blocks": list(blocks) if blocks else [plain(text)],
            "metadata": {"event_type": kind, "event_payload": dict(payload)},
        }
        if ts:
            await self._do("chat_update", ts=ts, **said)
            return ts
        made = await self._do("chat_postMessage", unfurl_links=False, unfurl_media=False, mrkdwn=False, **said)
        return str(made.get("ts", ""))


def _gone(said: Said) -> Failed:
    return Gone(said.reason) if said.code in _GONE else said


def _read(message: Mapping[str, Any], *, pinned: bool) -> _Notice:
    payload = message.get("metadata", {}).get("event_payload", {})
    return _Notice(
        ts=str(message.get("ts", "")),
        pinned=pinned,
        digest=str(payload.get("digest", "")),
        asked=[str(account) for account in payload.get("asked", [])],
        lost={str(who): str(why) for who, why in payload.get("lost", {}).items()},
    )
