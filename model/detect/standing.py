"""The alarms that stand, found by their place: no decision looks through all of them one by one."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from model.detect.correlation import Active

if TYPE_CHECKING:
    from model.detect.partition import Watched

Place = tuple[bool, str, str]
"""Whether it is a test, the service, the region."""


class Standing(dict[str, "Watched"]):
    """Alarms by their key, as a state keeps them; beside them, and never handed on, which of them have a place in common.

    What tells places apart (service, region, kind of source, test) never changes of an alarm that stands. They come by
    `[]` and leave by `del`.
    """

    def __init__(self, alarms: Iterable[tuple[str, "Watched"]] = ()) -> None:
        """Begin with some alarms."""
        super().__init__()
        self._places: dict[Place, dict[str, Active]] = {}
        for key, watched in alarms:
            self[key] = watched

    def __setitem__(self, key: str, watched: "Watched") -> None:
        """Let an alarm stand."""
        super().__setitem__(key, watched)
        fact = watched.fact
        one = Active(key, fact.service, watched.team, fact.region, fact.source, fact.since)
        self._places.setdefault((watched.test, fact.service, fact.region), {})[key] = one

    def __delitem__(self, key: str) -> None:
        """Take an alarm away."""
        watched = self[key]
        super().__delitem__(key)
        place = watched.test, watched.fact.service, watched.fact.region
        del self._places[place][key]
        if not self._places[place]:
            del self._places[place]

    def count(self, service: str, region: str, test: bool) -> int:
        """Count the alarms of a service in a region."""
        return len(self._places.get((test, service, region), ()))

    def active(self, test: bool) -> list[Active]:
        """List the alarms that count for correlation: those that nobody expects."""
        return [one for place, alarms in self._places.items() if place[0] == test for one in self._loud(alarms)]

    def mixed(self, test: bool) -> list[Active]:
        """List those of services in regions where more than one kind of source is in alarm."""
        return [
            one
            for place, alarms in self._places.items()
            if len(alarms) > 1 and place[0] == test and len({one.source for one in alarms.values()}) > 1
            for one in self._loud(alarms)
        ]

    def _loud(self, alarms: dict[str, Active]) -> Iterator[Active]:
        return (one for key, one in alarms.items() if not self[key].silenced)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read and write it as the dictionary that it is."""
        from model.detect.partition import Watched

        plain = handler.generate_schema(dict[str, Watched])
        return core_schema.no_info_after_validator_function(lambda alarms: cls(alarms.items()), plain)
