"""The activity that brings a ticket or a room outside up to the record, line by line."""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import activity

from activities import Failed
from activities.mirror import MIRROR, Gone, Mirror, Place, Subject
from activities.mirror.subject import of_action_item, of_incident
from activities.outcomes import attempt
from activities.rush import Rush
from model.effects import Errand, Follow, Outcome
from model.matter import Entry
from model.mirroring import closed_by_people
from store import Shown, Store, StoreError, is_incident
from store.facts import kind_of

WITHIN = timedelta(seconds=80)
"""How long one system may take for all lines of one call."""
AT_ONCE = 40
"""Lines brought in one call; providers take about one a second."""
ENDS = ("all_clear", "absorbed")
"""From these lines on it may be we who closed a place."""


class Following:
    """Brings what is configured up to the record. The same line again is the connector's to notice."""

    def __init__(
        self,
        mirrors: Sequence[Mirror],
        store: Store | None,
        rush: Rush | None = None,
    ) -> None:
        """Take the systems and the record they follow."""
        self._mirrors = {mirror.name: mirror for mirror in mirrors}
        self._store = store
        self._rush = rush

    def systems(self, matter_id: str) -> list[str]:
        """Return the systems that follow a matter."""
        kind = _subject_kind(matter_id)
        return [name for name, mirror in self._mirrors.items() if kind in mirror.kinds]

    @activity.defn(name=MIRROR)
    async def follow(self, errand: Errand[Follow]) -> Outcome:
        """Bring one system up to the record; one that is no longer configured follows no more."""
        if self._rush:
            await self._rush.over()
        order = errand.order
        mirror = self._mirrors.get(order.system)
        if mirror is None or self._store is None:
            return Outcome(upto=order.upto)
        run = _Run(mirror, self._store, order)
        outcome = await attempt(run.go(), WITHIN)
        return outcome.model_copy(update={"upto": run.upto, "link": run.new, "closed": run.closed})


class _Run:
    """One call: what it opened and how far it came stays known when it fails."""

    def __init__(self, mirror: Mirror, store: Store, order: Follow) -> None:
        self._mirror = mirror
        self._store = store
        self._matter = order.matter
        self.upto = 0
        self.new = ""
        self.closed = ""

    async def go(self) -> None:
        try:
            await self._follow()
        except StoreError as error:
            raise Failed(str(error)) from error
        except Gone as gone:
            await self._forget()
            raise Failed(f"{gone.reason}; another one is made", again=True) from gone

    async def _follow(self) -> None:
        entries = await self._store.timeline(self._matter)
        subject = await self._subject()
        if subject is None:
            raise Failed(f"the record does not have {self._matter} yet")
        shown = await self._shown(subject)
        place = Place(id=shown.place, url=shown.url)
        if await self._closed_by_people(place, subject, entries):
            self.closed = place.url or place.id
        await self._mirror.show(place, subject)
        for entry in [entry for entry in entries if entry.seq > shown.upto][:AT_ONCE]:
            await self._mirror.add(place, entry, f"{self._matter}/{entry.seq}")
            shown = shown.model_copy(update={"upto": entry.seq})
            await self._store.put_shown(shown)
            self.upto = entry.seq

    async def _closed_by_people(self, place: Place, subject: Subject, entries: Sequence[Entry]) -> bool:
        """Whether people have closed a place whose matter is open, and the timeline does not say so yet."""
        said = ("linked", closed_by_people(self._mirror.name))
        if not subject.open or self.new or any(it.what in ENDS or (it.what, it.text) == said for it in entries):
            return False
        return await self._mirror.closed(place)

    async def _shown(self, subject: Subject) -> Shown:
        known = {it.system: it for it in await self._store.shown(self._matter)}
        shown = known.get(self._mirror.name)
        if shown is None:
            place = await self._mirror.open(subject)
            shown = Shown(matter_id=self._matter, system=self._mirror.name, place=place.id, url=place.url)
            await self._store.put_shown(shown)
            self.new = place.url
        self.upto = shown.upto
        return shown

    async def _subject(self) -> Subject | None:
        if is_incident(self._matter):
            facts = await self._store.incident(self._matter)
            return of_incident(facts) if facts else None
        state = await self._store.matter(self._matter)
        if state is None:
            return None
        subject = of_action_item(state)
        places = {it.system: it.place for it in await self._store.shown(subject.parent)}
        return subject.model_copy(update={"parent_place": places.get(self._mirror.name, "")})

    async def _forget(self) -> None:
        try:
            await self._store.forget_shown(self._matter, self._mirror.name)
        except StoreError as error:
            raise Failed(str(error)) from error


def _subject_kind(matter_id: str) -> str:
    kind = "incident" if is_incident(matter_id) else kind_of(matter_id)
    return "action_item" if kind == "action" else kind
