"""The alarms that stand, found by their place: no decision looks through all of them one by one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from model.detect.correlation import Active

if TYPE_CHECKING:
    from model.detect.partition import Watched

Place = tuple[bool, str, str]
"""Whether it is a test, the service, the region."""


class Standing(dict[str, "Watched"]):
    """Alarms by their key, as a state keeps them; beside them, never handed on, which have a place in common.

    What tells places apart (service, region, kind of source, test) never changes of an alarm that stands. They come by
    `[]` and leave by `del`.
    """

    def __init__(self, alarms: Iterable[tuple[str, "Watched"]] = ()) -> None:
        """Begin with some alarms."""
        super().__init__()
        self._actives: dict[bool, dict[str, Active]] = {False: {}, True: {}}
        self._places: dict[Place, dict[str, Active]] = {}
        self._mixed: dict[Place, None] = {}
        for key, watched in alarms:
            self[key] = watched

    def __setitem__(self, key: str, watched: "Watched") -> None:
        """Let an alarm stand."""
        super().__setitem__(key, watched)
        fact = watched.fact
        one = Active(key, fact.service, watched.team, fact.region, fact.source, fact.since)
        self._actives[watched.test][key] = one
        place = _place(watched)
        self._places.setdefault(place, {})[key] = one
        self._sort(place)

    def __delitem__(self, key: str) -> None:
        """Take an alarm away."""
        watched = self[key]
        super().__delitem__(key)
        del self._actives[watched.test][key]
        place = _place(watched)
        del self._places[place][key]
        self._sort(place)

    def _sort(self, place: Place) -> None:
        alarms = self._places[place]
        if not alarms:
            del self._places[place]
        if len(alarms) > 1 and len({one.source for one in alarms.values()}) > 1:
            self._mixed[place] = None
        else:
            self._mixed.pop(place, None)

    def count(self, service: str, region: str, test: bool) -> int:
        """Count the alarms of a service in a region."""
        return len(self._places.get((test, service, region), ()))

    def active(self, test: bool) -> list[Active]:
        """List the alarms that count for correlation: those that nobody expects."""
        return self._loud(self._actives[test])

    def mixed(self, test: bool) -> list[Active]:
        """List those of services in regions where more than one kind of source is in alarm."""
        return [one for place in self._mixed if place[0] == test for one in self._loud(self._places[place])]

    def _loud(self, alarms: dict[str, Active]) -> list[Active]:
        return [one for key, one in alarms.items() if not self[key].silenced]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read and write it as the dictionary that it is."""
        from model.detect.partition import Watched

        plain = handler.generate_schema(dict[str, Watched])
        return core_schema.no_info_after_validator_function(lambda alarms: cls(alarms.items()), plain)


def _place(watched: "Watched") -> Place:
    return watched.test, watched.fact.service, watched.fact.region
