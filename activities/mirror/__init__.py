"""Mirrors: what outside follows the record of a matter: a ticket over there, a room where people talk (C1, C4)."""

from typing import Literal, Protocol, runtime_checkable

from pydantic import BaseModel

from activities import Failed
from model.catalogue.entries import Contact
from model.matter import Entry

MIRROR = "mirror"
"""Activity: `Errand[Mirror]` → `Outcome`."""


class Gone(Failed):
    """The place was removed over there, by hand: another one is made."""


class Place(BaseModel):
    """Where a matter is shown over there.

    Attributes:
        id: How the system knows it.
        url: How people open it.
    """

    id: str
    url: str = ""


class Held(BaseModel):
    """What a place holds, as the system over there says it.

    Attributes:
        name: As people there call the place: `ticket 17`, `#inc-20260302-7f3a:example.org`.
        lines: Comments or messages of ours in it.
    """

    name: str
    lines: int


class Guest(BaseModel):
    """Somebody who belongs to a matter now, with what the catalogue knows of how to reach them."""

    person: str
    name: str = ""
    contacts: list[Contact] = []


class Subject(BaseModel):
    """A matter as a mirror shows it.

    Attributes:
        id: `INC-…` or `ACT-…`: what the place is found again by.
        title: One line.
        body: What it is about, in a few lines of plain text.
        phase: Where it stands, in words.
        open: Whether anything is still to do.
        parent: Of an action item: its incident.
        parent_place: And where that is shown by the same mirror, if it is.
        calls: Links of its calls by their purpose (`tech`, `support`, a fork's name).
        guests: Who is on it now.
        drill: It is only played.
    """

    id: str
    kind: Literal["incident", "action_item"]
    title: str
    body: str = ""
    severity: int = 3
    phase: str = ""
    open: bool = True
    services: list[str] = []
    regions: list[str] = []
    parent: str = ""
    parent_place: str = ""
    calls: dict[str, str] = {}
    guests: list[Guest] = []
    test: bool = False
    drill: bool = False

    @property
    def mark(self) -> str:
        """The word that titles begin with where nothing is really wrong."""
        return "DRILL" if self.drill else "TEST" if self.test else ""


class Mirror(Protocol):
    """Something outside that follows matters. It is brought up by one caller at a time per matter.

    Attributes:
        name: As settings and timeline call it, e.g. `jira`.
        kinds: Which subjects it takes.
    """

    name: str
    kinds: frozenset[str]

    async def open(self, subject: Subject) -> Place:
        """Return the place made for a subject before, or make it: asked twice, there is still one.

        Raises:
            Failed: It could not be looked for, or made.
        """
        ...

    async def show(self, place: Place, subject: Subject) -> None:
        """Bring title, status and members of a place up to date; doing it again changes nothing.

        Raises:
            Failed: It was not taken; `Gone`, where the place is no more.
        """
        ...

    async def add(self, place: Place, entry: Entry, key: str) -> None:
        """Add a line of the timeline; the same key again must not add it twice.

        Raises:
            Failed: It was not taken; `Gone`, where the place is no more.
        """
        ...

    async def closed(self, place: Place) -> bool:
        """Return whether people over there have closed the place; a system that cannot say so answers False.

        Raises:
            Failed: It did not answer; `Gone`, where the place is no more.
        """
        ...

    async def check(self) -> str:
        """Try a harmless real call with the credentials; return in words what it proves (`allclear doctor`).

        Raises:
            Failed: With what to mend, in one line.
        """
        ...


@runtime_checkable
class Readable(Protocol):
    """Something that says what it holds: not every mirror can."""

    async def held(self, place: Place) -> Held:
        """Count what is in a place.

        Raises:
            Failed: It did not answer; `Gone`, where the place is no more.
        """
        ...
