"""Which common dependency explains the services that are impacted (D3, E2).

What several impacted services stand on is asked first. Every service they depend on, over any number of steps, is a
candidate, and so is each of them: a dependency in alarm itself explains those above it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nlargest, nsmallest


@dataclass(frozen=True)
class Explanation:
    """One dependency, and how well it explains what is impacted.

    Attributes:
        dependency: A service id.
        explained: The impacted services that depend on it, and itself where it is impacted.
        impacted: How many are impacted in all.
        spared: How many depend on it and are not impacted: they speak against it.
        direct: How many of the explained depend on it without a step between.
        itself: Whether it is impacted itself.
    """

    dependency: str
    explained: tuple[str, ...]
    impacted: int
    spared: int
    direct: int
    itself: bool

    @property
    def words(self) -> str:
        """Why, in words for the incident."""
        above = len(self.explained) - self.itself
        others = self.impacted - self.itself
        said = (
            f"{self.dependency}: {above} of {others}{' other' * self.itself} impacted services {_depend(above)} on it"
        )
        if self.itself:
            said += ", it is impacted itself"
        return said + (f", {self.spared} not impacted {_does(self.spared)} too" if self.spared else "")


class Graph:
    """Who depends on whom, over any number of steps; made once per catalogue.

    Sets of services are the bits of one integer: a storm of hundreds of impacted services is ranked as quickly as two.
    """

    def __init__(self, depends_on: Mapping[str, Iterable[str]]) -> None:
        """Take each service's own dependencies. A circle does no harm: the catalogue check names it."""
        direct = {service: frozenset(needs) - {service} for service, needs in depends_on.items()}
        self._names = sorted({*direct, *(name for needs in direct.values() for name in needs)})
        self._bit = {name: 1 << place for place, name in enumerate(self._names)}
        self._direct = dict.fromkeys(self._names, 0)
        self._above = dict.fromkeys(self._names, 0)
        for service, needs in direct.items():
            for name in needs:
                self._direct[name] |= self._bit[service]
            for name in _reached(service, direct):
                self._above[name] |= self._bit[service]
        self._shared = [(name, above | self._bit[name]) for name, above in self._above.items() if above]

    def above(self, service: str) -> tuple[str, ...]:
        """List the services that depend on one, over any number of steps."""
        return self._named(self._above.get(service, 0))

    def common(self, impacted: Iterable[str], most: int = 5) -> list[Explanation]:
        """Rank the dependencies that at least two impacted services share, best first.

        Better is what explains more of the impacted, then what spares fewer of those that stand on it, then what is
        impacted itself, then what is nearer. The order in which services come, and how often, does not matter.

        Args:
            impacted: Service ids; one that the graph does not know is counted and explained by nothing.
            most: How many to return.
        """
        services = frozenset(impacted)
        hit = sum(self._bit.get(service, 0) for service in services)
        counted = [(count, name) for name, mask in self._shared if (count := (mask & hit).bit_count()) > 1]
        least = min(nlargest(most, (count for count, _ in counted)), default=0)
        best = nsmallest(most, (self._rank(name, count, hit) for count, name in counted if count >= least))
        return [self._explanation(name, hit, len(services)) for *_, name in best]

    def _rank(self, name: str, explained: int, hit: int) -> tuple[int, float, bool, int, str]:
        spared = (self._above[name] & ~hit).bit_count()
        itself = bool(self._bit[name] & hit)
        near = (self._direct[name] & hit).bit_count()
        return (-explained, spared / (spared + explained), not itself, -near, name)

    def _explanation(self, name: str, hit: int, impacted: int) -> Explanation:
        above = self._above[name]
        itself = self._bit[name] & hit
        return Explanation(
            dependency=name,
            explained=self._named(above & hit | itself),
            impacted=impacted,
            spared=(above & ~hit).bit_count(),
            direct=(self._direct[name] & hit).bit_count(),
            itself=bool(itself),
        )

    def _named(self, bits: int) -> tuple[str, ...]:
        marks = f"{bits:b}"[::-1]
        return tuple(self._names[place] for place, mark in enumerate(marks) if mark == "1")


def _reached(service: str, direct: Mapping[str, frozenset[str]]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [service]
    while waiting:
        for name in direct.get(waiting.pop(), ()):
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return frozenset(seen - {service})


def _depend(count: int) -> str:
    return "depends" if count == 1 else "depend"


def _does(count: int) -> str:
    return "does" if count == 1 else "do"
