"""A drill that reaches outside: over what an installation's settings configure, and to nobody who was not named.

Everything it sends says that it is a drill. What is public, or a customer's, it never reaches by itself: the status
page stays in the drill's folder, and customers' texts in its outbox unless an address stands in for theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Self

from activities import Failed
from activities.mirror import Guest, Mirror, Place, Readable
from activities.smtp import Letter, Mailer
from model.catalogue.entries import Contact
from model.drill import ConnectedRow
from model.text import Refused
from store import Store, StoreError, is_incident
from store.facts import kind_of
from worker import chats, run
from worker.compose import Connectors
from worker.drill.world import DrillCarrier, DrillMessenger, DrillMirror, DrillPager, Weather, drill_name
from worker.settings import Settings

MARK: Final = "[drill] "
"""What the subject of a mail and the text of a page begin with."""
CATALOGUE: Final = "catalogue"
"""The word for: whom the drill's catalogue names."""
EMAIL: Final = "email"
HOW: Final = (
    "say with --to whom it may reach: --to email=you@example.com sends every mail there, --to matrix=@you:example.com "
    "invites nobody else, --to catalogue reaches the people that its catalogue names"
)


@dataclass(frozen=True)
class Reach:
    """Whom a connected drill may reach outside.

    Attributes:
        catalogue: The people that the drill's catalogue names, at their own addresses; never its customers.
        instead: Channel → the one address that stands in for everybody's.
    """

    catalogue: bool = False
    instead: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, words: Sequence[str]) -> Self:
        """Read what was given with `--to`.

        Raises:
            Refused: Nothing was, or it is neither `catalogue` nor channel=address.
        """
        instead: dict[str, str] = {}
        for word in words:
            channel, equals, address = (part.strip() for part in word.partition("="))
            if word != CATALOGUE and not (channel and equals and address):
                raise Refused(
                    f"--to: {word!r} is neither `{CATALOGUE}` nor channel=address, as in email=you@example.com"
                )
            if instead.setdefault(channel, address) != address:
                raise Refused(f"--to: {channel} has two addresses")
        if not instead:
            raise Refused(f"a drill reaches nobody unasked: {HOW}")
        return cls(CATALOGUE in words, {channel: to for channel, to in instead.items() if channel != CATALOGUE})

    def reaches(self, channel: str) -> bool:
        """Whether people may be reached over a channel."""
        return self.catalogue or channel in self.instead

    def guest(self, guest: Guest) -> Guest:
        """Return somebody with the contacts at which they may be reached."""
        contacts = [
            Contact(channel=it.channel, address=self.instead.get(it.channel, it.address))
            for it in guest.contacts
            if self.reaches(it.channel)
        ]
        return guest.model_copy(update={"contacts": contacts})


@dataclass
class Post:
    """What a mail server took in a drill."""

    sent: int = 0
    to: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class DrillMailer(Mailer):
    """A mail server that is told, and tells, that it is a drill; now, and not when the story plays.

    Attributes:
        title: Of the drill.
        instead: Who gets every letter; empty: whom it is for.
        post: Counts what was taken.
    """

    title: str = ""
    instead: str = ""
    post: Post = field(default_factory=Post)

    async def send(self, letter: Letter) -> None:
        """Hand over one letter.

        Raises:
            Failed: The server did not take it, or is not there.
        """
        to = self.instead or letter.to
        subject = letter.subject if letter.subject.startswith(MARK) else MARK + letter.subject
        meant = f" It was meant for {letter.to}." if to != letter.to else ""
        head = f"THIS IS A DRILL, played by AllClear: {self.title}. Nothing is broken, nobody waits for you.{meant}"
        await super().send(
            replace(
                letter,
                to=to,
                subject=subject,
                text=f"{head}\nIn its story it is {letter.at:%Y-%m-%d %H:%M} UTC.\n\n{letter.text}",
                at=datetime.now(UTC),
                key=drill_name(letter.key),
                thread=drill_name(letter.thread),
            )
        )
        self.post.sent += 1
        self.post.to.add(to)


class Outside:
    """What one drill reaches, and what is there when it is over."""

    def __init__(self, settings: Settings, reach: Reach, title: str) -> None:
        """Reach what `settings` configure.

        Raises:
            Refused: They cannot work, or have nothing that a drill could reach.
        """
        if settings.mode == "shadow":
            raise Refused("ALLCLEAR_MODE=shadow: what is in the shadow sends nothing, and neither do its drills")
        self._settings = settings
        self._reach = reach
        self._mail = self._mailer(title)
        self._mirrors: list[Mirror] = []
        self._store: Store | None = None

    @property
    def gateway(self) -> str:
        """Return the address that the links of pages begin with."""
        return self._settings.gateway_url

    def _mailer(self, title: str) -> DrillMailer | None:
        if not self._settings.smtp_host:
            return None
        to = self._reach.instead.get(EMAIL, "")
        return DrillMailer(**vars(run.mailer(self._settings)), title=title, instead=to)

    def connect(self, inside: Connectors, weather: Weather, store: Store) -> Connectors:
        """Return a drill's connectors with what is outside beside them.

        Raises:
            Refused: The settings cannot work, or have nothing that a drill could reach.
        """
        found = run.outside(inside, self._settings, self._mail)
        self._store, self._mirrors = store, list(found.mirrors)
        self._check_channels({*found.pagers, *(mirror.name for mirror in found.mirrors)} - {"*"})
        to = self._reach.instead
        reached = [channel for channel in found.pagers if channel != "*" and self._reach.reaches(channel)]
        # Letters find their way by the mailer, which says whom they were meant for.
        elsewhere = {channel: address for channel, address in to.items() if channel != EMAIL}
        pagers = {c: DrillPager(weather, found.pagers[c], elsewhere.get(c, "")) for c in reached}
        messengers = {c: DrillMessenger(weather, found.messengers[c]) for c in reached if c in found.messengers}
        # Customers are told that something is broken: only whoever stands in for them hears it from a drill.
        carriers = {c: DrillCarrier(weather, it) for c, it in found.carriers.items() if c in to}
        return replace(
            inside,
            pagers={**inside.pagers, **pagers},
            messengers={**inside.messengers, **messengers},
            carriers={**inside.carriers, **carriers},
            mirrors=[DrillMirror(weather, mirror, self._reach.guest) for mirror in self._mirrors],
            store=store,
            mark=MARK,
        )

    def _check_channels(self, there: set[str]) -> None:
        if not there:
            raise Refused(
                "nothing outside is configured (ALLCLEAR_SMTP_HOST, …_RT_URL, …_MATRIX_URL: `allclear doctor`)"
            )
        if unknown := sorted(set(self._reach.instead) - there):
            raise Refused(f"--to: nothing is configured for {', '.join(unknown)}; there is {', '.join(sorted(there))}")

    async def check(self) -> None:
        """Try everything that is configured, before the story begins.

        Raises:
            Refused: Something does not work; the text says what to mend.
        """
        for trial in (self._mail, *self._mirrors):
            try:
                if trial is not None:
                    await trial.check()
            except Failed as failed:
                raise Refused(failed.reason) from None

    async def rows(self, matters: Iterable[str]) -> list[ConnectedRow]:
        """Return what every system holds of these matters, read back where it can be."""
        found = [
            await self._row(mirror, matter) for mirror in self._mirrors for matter in matters if _of(mirror, matter)
        ]
        return [*([self._posted()] if self._mail else []), *filter(None, found)]

    def _posted(self) -> ConnectedRow:
        assert self._mail is not None
        post = self._mail.post
        return ConnectedRow(system="mail", place=", ".join(sorted(post.to)), count=post.sent)

    async def _row(self, mirror: Mirror, matter: str) -> ConnectedRow | None:
        assert self._store is not None
        row = ConnectedRow(system=mirror.name, matter=matter)
        try:
            entries = await self._store.timeline(matter)
            shown = next((it for it in await self._store.shown(matter) if it.system == mirror.name), None)
        except StoreError as error:
            return row.model_copy(update={"error": str(error)})
        if not entries:
            return None
        behind = entries[-1].seq - (shown.upto if shown else 0)
        if shown is None:
            return row.model_copy(update={"behind": behind, "error": "it was never shown there"})
        place = Place(id=shown.place, url=shown.url)
        row = row.model_copy(update={"place": shown.place, "url": shown.url, "behind": behind})
        try:
            reader = mirror if isinstance(mirror, Readable) else chats.readers_of(self._settings).get(mirror.name)
            held = await reader.held(place) if reader else None
            closed = await mirror.closed(place)
        except Failed as failed:
            return row.model_copy(update={"error": failed.reason})
        known = {"place": held.name, "count": held.lines} if held else {}
        return row.model_copy(update={**known, "closed": closed})


def _of(mirror: Mirror, matter: str) -> bool:
    kind = "incident" if is_incident(matter) else kind_of(matter)
    return {"action": "action_item"}.get(kind, kind) in mirror.kinds
