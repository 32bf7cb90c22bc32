"""On-call calendars in a catalogue: which there are, and the catalogue with what was read of them."""

from collections.abc import Mapping, Sequence

from model.catalogue.catalog import Catalog
from model.catalogue.entries import Team
from model.catalogue.rotation import Booking, Calendar, Level
from model.times import shown


def calendars_of(catalog: Catalog) -> list[Calendar]:
    """List the calendars that levels are kept in, each once."""
    levels = [level for team in catalog.teams.values() for level in team.on_call if isinstance(level, Calendar)]
    return list({key_of(level): level for level in levels}.values())


def key_of(calendar: Calendar) -> str:
    """Name a calendar, and how it is read."""
    return f"{calendar.ical} {calendar.names} {calendar.zone}"


def with_bookings(catalog: Catalog, read: Mapping[str, Sequence[Booking]]) -> tuple[Catalog, list[str]]:
    """Put into a catalogue what was read of its calendars.

    Args:
        catalog: With or without what was read before.
        read: By `key_of`, bookings whose people are as the calendar names them: an id, a name or an e-mail address, or
            several with commas.
            A calendar that is not among them keeps what was read before.

    Returns:
        The catalogue, and a sentence for every name that nobody of it has; such a name wakes nobody.
    """
    said: dict[str, None] = {}
    by_name = {person.name.casefold(): person.id for person in catalog.people.values() if person.name}

    def found(name: str) -> str | None:
        person = catalog.person_by(name)
        return person.id if person else by_name.get(name.strip().casefold())

    def split(whole: str) -> list[str]:
        """Take `Ana, Ben` for two, unless somebody is called so."""
        return [whole] if found(whole) else [part.strip() for part in whole.split(",") if part.strip()] or [whole]

    def filled(team: Team, number: int, level: Level) -> Level:
        if not isinstance(level, Calendar) or key_of(level) not in read:
            return level
        booked = []
        for it in read[key_of(level)]:
            people = {name: found(name) for whole in it.people for name in split(whole)}
            for name in (name for name, person in people.items() if not person):
                said[f"{team.id}, level {number}: the calendar {level.name} books {shown(name)}, whom nobody knows"] = (
                    None
                )
            known = [person for person in people.values() if person]
            booked.append(Booking(since=it.since, until=it.until, people=known))
        return level.model_copy(update={"booked": booked})

    teams = {
        name: team.model_copy(update={"on_call": [filled(team, n, level) for n, level in enumerate(team.on_call, 1)]})
        for name, team in catalog.teams.items()
    }
    return catalog.model_copy(update={"teams": teams}), list(said)
