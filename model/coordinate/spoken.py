"""What people type where an incident is talked about, as the update it means (C1, C3, C4).

A room is for talking: only what begins like one of these words is taken as meant for the incident, and a reply to a
line of ours is an observation. Whoever speaks is looked up by the chat's own id of them, never by what they write.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from model.catalogue.catalog import Catalog
from model.catalogue.entries import Person
from model.text import Refused, clean, one_line

ACCEPTED: Final = (
    "say `ack`, `in`, `not us` and why, `impacted` with where, what customers see, how much and `since` when, "
    "`impacted unknown, again at 09:40`, `hand off to` whom and what is open, `I stay`, `note` and what to improve, or "
    "for the ticket `observe`, `error:`, `change:`, "
    "`metric:` or `correlation:` and what you see"
)
"""What would be accepted."""

_HAND_OFF: Final = re.compile(
    r"hand (?:off|over) to (?P<person>[\w@.+-]{0,100}\w)(?:[\s:,.;–—-]+(?P<rest>.*))?", re.DOTALL | re.I
)
_STAY: Final = re.compile(r"(?:i stay|i[’']ll stay|i am staying|i[’']m staying)(?: on)?")
_US: Final = re.compile(r"[/!@]?allclear(?::[\w.:-]+)?(?:[:,]\s*|\s+)", re.IGNORECASE)
_ALL: Final = re.DOTALL | re.IGNORECASE
_ACK: Final = re.compile(r"ack(?:nowledged?)?")
_IN: Final = re.compile(r"in|join|i[’']?m in")
_NOT_US: Final = re.compile(r"(?:not us|not impacted|impacted no)\b[\s:,.;–—-]*(?P<rest>.*)", _ALL)
_UNKNOWN: Final = re.compile(r"(?:impacted unknown|not known(?: yet)?)\b[\s:,.;–—-]*(?P<rest>.*)", _ALL)
_IMPACTED: Final = re.compile(r"impacted(?: yes)?\b[\s:,.;–—-]*(?P<rest>.*)", _ALL)
_NOTE: Final = re.compile(r"note\b[\s:]*(?P<rest>.*)", _ALL)
_OBSERVE: Final = re.compile(r"observed?\b[\s:]*(?P<rest>.*)", _ALL)
_KIND: Final = re.compile(r"(?P<kind>error|change|metric|correlation)\s*:\s*(?P<rest>.*)", _ALL)
_AGAIN: Final = re.compile(
    r"[\s,;]*\bagain at (?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?: ?(?:UTC|Z)\b)?[\s,;]*", re.IGNORECASE
)
_SINCE: Final = re.compile(r"[\s,;]*\b(?=since\b)", re.IGNORECASE)
_LINK: Final = re.compile(r"https?://[^\s<>|]+")
_ROOM: Final = re.compile(r"#?(?P<id>inc-\d{8}-[a-z0-9]{4,})(?:-\d)?(?::.*)?")
_ID: Final = re.compile(r"INC-\d{8}-[A-Z0-9]{4,}")


@dataclass(frozen=True)
class Spoken:
    """An update that somebody's words mean.

    Attributes:
        update: Its name.
        fields: Its message, without who says it.
        linked: Whether the message can say where it was said.
    """

    update: str
    fields: dict[str, Any]
    linked: bool = False

    def payload(self, by: str, key: str, at: datetime, link: str = "") -> dict[str, Any]:
        """Return the message to send.

        Args:
            by: Whose words these are, as the catalogue knows them.
            key: The same for the same words.
            at: When they were said.
            link: Where; a room that finds a link into itself in a line knows that it has the words already.
        """
        said = {**self.fields, "by": by, "key": key, "at": at.isoformat()}
        if self.linked and link:
            said["link"] = link
        return said


def spoken(text: str, now: datetime) -> Spoken | None:
    """Return what words mean; None where they are talk between people. A question states no impact.

    Args:
        text: As it was typed.
        now: When; times of the day are in UTC, as everywhere.

    Raises:
        Refused: They begin like something meant for the incident, and say too little.
    """
    words = clean(text)
    folded = one_line(words).rstrip("!. ").casefold()
    if words.endswith("?"):
        return _words(words)
    if _ACK.fullmatch(folded):
        return Spoken("acknowledge", {})
    if _IN.fullmatch(folded):
        return Spoken("join", {})
    if _STAY.fullmatch(folded):
        return Spoken("hand_off", {"stays": True})
    if found := _HAND_OFF.fullmatch(words):
        return Spoken("hand_off", {"person": found["person"], "text": (found["rest"] or "").strip()})
    return _statement(words, now) or _words(words)


def _statement(words: str, now: datetime) -> Spoken | None:
    """Return an impact statement (C3): no with its evidence, not known yet, or what customers see, and since when."""
    if found := _NOT_US.fullmatch(words):
        if not (why := found["rest"].strip()):
            raise Refused("say why too, with the evidence: `not us, all resolvers answer, no change since Monday`")
        return _impact("no", text=why)
    if found := _UNKNOWN.fullmatch(words):
        again = _AGAIN.search(found["rest"])
        text = _AGAIN.sub(" ", found["rest"], count=1).strip()
        return _impact("unknown", text=text, again_at=_next(again, now).isoformat() if again else "")
    if found := _IMPACTED.fullmatch(words):
        if not (rest := found["rest"].strip()):
            raise Refused("say what customers see: `impacted eu-west 3 % of checkouts fail since 09:00`")
        since = _SINCE.search(rest)
        if since is None:
            return _impact("yes", customers=rest)
        return _impact("yes", customers=rest[: since.start()], text=rest[since.end() :])
    return None


def _impact(impacted: str, **fields: str) -> Spoken:
    said = {name: value for name, value in fields.items() if value}
    return Spoken("state_impact", {"impacted": impacted, **_link(" ".join(said.values())), **said}, linked=True)


def _words(words: str) -> Spoken | None:
    """Return a note or an observation."""
    if found := _NOTE.fullmatch(words):
        return Spoken("note", {"text": _some(found["rest"], "note the runbook names a host that is gone")})
    if found := _OBSERVE.fullmatch(words):
        return observation(_some(found["rest"], "observe 503 from host 17 since 09:02"))
    if found := _KIND.fullmatch(words):
        return observation(_some(found["rest"], "error: 503 from host 17 since 09:02"), found["kind"].casefold())
    return None


def observation(text: str, kind: str = "note") -> Spoken:
    """Return words as an observation for the ticket (C4)."""
    return Spoken("observe", {"kind": kind, "text": text, **_link(text)}, linked=True)


def meant(text: str, now: datetime, *, reply: bool = False) -> Spoken | None:
    """Return what a message in a room means; None where it is talk between people.

    Args:
        text: As it was typed; begun with `allclear` it is meant for us.
        now: When.
        reply: Whether it answers a message of ours.

    Raises:
        Refused: It is meant for us, and not understood.
    """
    words = clean(text)
    if called := _US.match(f"{words} "):
        return order(words[called.end() :], now)
    return answer(words, now) if reply else spoken(words, now)


def order(text: str, now: datetime) -> Spoken:
    """Return what words mean that were meant for us.

    Raises:
        Refused: They mean nothing we know; the text says what would be accepted.
    """
    found = spoken(text, now)
    if found is None:
        raise Refused(ACCEPTED)
    return found


def answer(text: str, now: datetime) -> Spoken:
    """Return what a reply to a line of ours means: an observation, unless it is something else.

    Raises:
        Refused: It begins like something else, and says too little.
    """
    return spoken(text, now) or observation(_some(text, "503 from host 17 since 09:02"))


def _some(text: str, example: str) -> str:
    if not text.strip():
        raise Refused(f"write a few words too: `{example}`")
    return text.strip()


def _link(text: str) -> dict[str, str]:
    found = _LINK.search(text)
    return {"link": found[0].rstrip(".,;)")} if found else {}


def _next(said: re.Match[str], now: datetime) -> datetime:
    """Return the next moment a clock in UTC shows so."""
    at = now.replace(hour=int(said["hour"]), minute=int(said["minute"]), second=0, microsecond=0)
    return at if at > now else at + timedelta(days=1)


def room_name(incident: str) -> str:
    """Return what the room of an incident is called: `inc-20260302-7f3a`."""
    return incident.lower()


def incident_of(name: str) -> str:
    """Return whose room a name is, also one with a number behind it; nothing where it is nobody's."""
    found = _ROOM.fullmatch(name.strip().casefold())
    return found["id"].upper() if found else ""


def is_incident(word: str) -> bool:
    """Whether a word is an incident's whole id, in any case."""
    return bool(_ID.fullmatch(word.upper()))


def speaker(catalog: Catalog, channel: str, address: str) -> Person:
    """Return whose account of a chat speaks.

    Args:
        catalog: Who there is.
        channel: The chat, as contacts name it.
        address: The account's id there.

    Raises:
        Refused: Nobody's, or two people's.
    """
    found = [
        person
        for person in catalog.people.values()
        if any(contact.channel == channel and contact.address == address for contact in person.contact)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(person.id for person in found)
        raise Refused(f"the catalogue has `{channel}: {address}` for {names}; it takes one person's only")
    raise Refused(
        f"nobody in the catalogue has the contact `{channel}: {address}`; who has one may speak here: "
        "add yours to the catalogue, or use the link in your page"
    )
