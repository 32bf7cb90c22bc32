"""The world a drill's connectors see: they record or reach outside, and fail when the drill says so."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from activities import Failed
from activities.comms import Messenger
from activities.customers import Carrier
from activities.mirror import Guest, Mirror, Place, Subject
from activities.paging import Pager
from activities.record import Recorder
from activities.telemetry import Deployments
from activities.tickets import Ticketing
from model.catalogue.entries import Contact
from model.drill import Drill
from model.effects import Deliver, Deployment, Lookup, Page, Recipient, Tell
from model.matter import Entry
from model.recording import Record

Clock = Callable[[], Awaitable[datetime]]


class Weather:
    """Which port fails now."""

    def __init__(self, drill: Drill, clock: Clock) -> None:
        """Read the faults of a drill; `clock` tells the story's time."""
        self._drill = drill
        self._clock = clock

    async def must_hold(self, port: str, channel: str = "") -> None:
        """Pass, unless the drill lets this port fail now.

        Raises:
            Failed: It does.
        """
        faults = [f for f in self._drill.world.faults if f.port == port and f.channel in ("", channel)]
        if not faults:
            return
        since = await self._clock() - self._drill.start
        if any(f.start <= since < f.end for f in faults):
            raise Failed(f"{port}{' by ' + channel if channel else ''} is down")


class DrillPager:
    """Records pages, one per key; or hands them to a provider."""

    def __init__(self, weather: Weather, inner: Pager, instead: str = "") -> None:
        """Page through `inner`: everybody at the address `instead`, where there is one."""
        self._weather = weather
        self._inner = inner
        self._instead = instead

    async def page(self, order: Page, text: str, key: str) -> None:
        """Take a page."""
        await self._weather.must_hold("paging", order.contact.channel)
        if self._instead:
            contact = Contact(channel=order.contact.channel, address=self._instead)
            order = order.model_copy(update={"contact": contact})
        await self._inner.page(order, text, key)


class DrillMessenger:
    """Records quiet messages."""

    def __init__(self, weather: Weather, inner: Messenger) -> None:
        """Record through `inner`."""
        self._weather = weather
        self._inner = inner

    async def tell(self, order: Tell, recipient: Recipient, key: str) -> None:
        """Take a message."""
        await self._weather.must_hold("comms", recipient.contact.channel)
        await self._inner.tell(order, recipient, key)


class DrillCarrier:
    """Records what customers get."""

    def __init__(self, weather: Weather, inner: Carrier) -> None:
        """Record through `inner`."""
        self._weather = weather
        self._inner = inner

    async def deliver(self, order: Deliver, contact: Contact, key: str) -> None:
        """Take a text for a customer."""
        await self._weather.must_hold("comms", contact.channel)
        await self._inner.deliver(order, contact, key)


class DrillRecorder:
    """The real record, down when the drill says so."""

    def __init__(self, weather: Weather, inner: Recorder) -> None:
        """Write through `inner`."""
        self._weather = weather
        self._inner = inner

    async def record(self, record: Record) -> None:
        """Write a batch."""
        await self._weather.must_hold("record")
        await self._inner.record(record)


class DrillTickets:
    """The real tickets, down when the drill says so."""

    def __init__(self, weather: Weather, inner: Ticketing) -> None:
        """Write through `inner`."""
        self._weather = weather
        self._inner = inner

    async def refresh(self, incident: str) -> None:
        """Refresh a ticket."""
        await self._weather.must_hold("tickets")
        await self._inner.refresh(incident)


class DrillMirror:
    """A ticket system or a chat outside, down when the drill says so: what it shows has a name of its own.

    An incident of a drill must never be taken for a real one of that day, by people or by what looks for places.
    """

    def __init__(self, weather: Weather, inner: Mirror, guests: Callable[[Guest], Guest]) -> None:
        """Show through `inner`, with everybody's contacts as `guests` leaves them."""
        self._weather = weather
        self._inner = inner
        self._guests = guests
        self._port = "tickets" if "action_item" in inner.kinds else "comms"
        self.name = inner.name
        self.kinds = inner.kinds

    async def open(self, subject: Subject) -> Place:
        """Find or make a place."""
        await self._holds()
        return await self._inner.open(self._named(subject))

    async def show(self, place: Place, subject: Subject) -> None:
        """Bring a place up to date."""
        await self._holds()
        await self._inner.show(place, self._named(subject))

    async def add(self, place: Place, entry: Entry, key: str) -> None:
        """Add a line."""
        await self._holds()
        await self._inner.add(place, entry, drill_name(key))

    async def closed(self, place: Place) -> bool:
        """Ask whether people have closed a place."""
        await self._holds()
        return await self._inner.closed(place)

    async def check(self) -> str:
        """Try it, whatever the weather."""
        return await self._inner.check()

    async def _holds(self) -> None:
        await self._weather.must_hold(self._port, self.name)

    def _named(self, subject: Subject) -> Subject:
        parent = drill_name(subject.parent) if subject.parent else ""
        guests = [self._guests(guest) for guest in subject.guests]
        changed = {"id": drill_name(subject.id), "parent": parent, "guests": guests, "drill": True}
        return subject.model_copy(update=changed)


def drill_name(id: str) -> str:
    """Return what a drill's matter is called outside."""
    return f"DRILL-{id}"


class DrillDeployments:
    """The deployments a drill's world has."""

    def __init__(self, weather: Weather, known: list[Deployment]) -> None:
        """Answer from `known`."""
        self._weather = weather
        self._known = known

    async def around(self, order: Lookup) -> list[Deployment]:
        """Return what ran or started between two moments."""
        await self._weather.must_hold("telemetry")
        return [d for d in self._known if d.started <= order.until and (d.finished or order.until) >= order.since]


_: tuple[
    type[Pager], type[Messenger], type[Carrier], type[Recorder], type[Ticketing], type[Mirror], type[Deployments]
] = (
    DrillPager,
    DrillMessenger,
    DrillCarrier,
    DrillRecorder,
    DrillTickets,
    DrillMirror,
    DrillDeployments,
)
