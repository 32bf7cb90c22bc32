"""A system that follows matters, in memory: what a connector promises, without a network."""

from collections.abc import Iterable

from activities import Failed
from activities.mirror import Gone, Place, Subject
from model.matter import Entry


class Board:
    """Something like a ticket system; `refuses` is raised by the next calls."""

    def __init__(self, name: str = "board", kinds: Iterable[str] = ("incident", "action_item")) -> None:
        self.name = name
        self.kinds = frozenset(kinds)
        self.places: dict[str, str] = {}
        self.subjects: dict[str, Subject] = {}
        self.lines: dict[str, dict[str, Entry]] = {}
        self.refuses: list[Failed] = []
        self.calls: list[str] = []

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if self.refuses:
            raise self.refuses.pop(0)

    def remove(self, subject: str) -> None:
        """What a person over there can do at any time."""
        self.subjects.pop(self.places.pop(subject))

    def close(self, subject: str) -> None:
        """And this, too."""
        place = self.places[subject]
        self.subjects[place] = self.subjects[place].model_copy(update={"open": False})

    async def open(self, subject: Subject) -> Place:
        self._call("open")
        id = self.places.setdefault(subject.id, f"{len(self.subjects) + 1}")
        self.subjects[id] = subject
        self.lines.setdefault(id, {})
        return Place(id=id, url=f"https://board.example.com/{id}")

    async def show(self, place: Place, subject: Subject) -> None:
        self._call("show")
        if place.id not in self.subjects:
            raise Gone(f"{place.id} is no more")
        self.subjects[place.id] = subject

    async def add(self, place: Place, entry: Entry, key: str) -> None:
        self._call(f"add {entry.seq}")
        self.lines[place.id].setdefault(key, entry)

    async def closed(self, place: Place) -> bool:
        self._call("closed")
        if place.id not in self.subjects:
            raise Gone(f"{place.id} is no more")
        return not self.subjects[place.id].open

    async def check(self) -> str:
        return "is in memory"
