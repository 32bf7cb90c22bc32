"""What every detector of a series has in common: its clock, its memory, its saved state."""

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from activities.watch import Verdict
from activities.watch.saved import Saved
from activities.watch.ticks import Clock, measured
from model.detect.peaks import BLOCK
from model.text import Refused


class Memory(Protocol):
    """What a detector remembers of its series."""

    count: int

    @property
    def memory(self) -> int:
        """How many samples are remembered."""
        ...

    def skip(self, samples: int) -> None:
        """Remember that nothing is known of the next samples."""
        ...

    def save(self) -> Saved:
        """Return everything that a restart must not lose."""
        ...

    def load(self, saved: Saved) -> None:
        """Continue from what was saved."""
        ...


class Detector(ABC):
    """Judges one series, a sample per tick of the clock."""

    kind: ClassVar[str]
    learns_on: ClassVar[bool]
    """Whether a replay goes on learning limits after its training half; a watch always does."""
    numbers: ClassVar[tuple[str, ...]] = ()
    """Attributes that a restart must not lose, besides those named in `_save`."""

    def __init__(self, interval: timedelta, memory: Memory) -> None:
        self._clock = Clock(interval)
        self._memory = memory
        self._block = max(1, round(BLOCK / interval))
        self.learning = True
        """Limits go on being learned; what is usual always does."""

    @property
    def seen_until(self) -> datetime | None:
        """The moment of the last tick that was judged; None before the first."""
        return self._clock.moment(self._clock.last) if self._clock.origin else None

    def take(self, at: datetime, value: float | None) -> list[Verdict]:
        """Judge the sample of a moment, after those that the clock says are absent before it.

        Args:
            at: When it was measured; samples are taken oldest first.
            value: What was measured; None says that there is no sample at this tick.

        Raises:
            Refused: The value cannot be judged, or the moment's tick was judged already.
        """
        value = self._readable(value)
        return [*self.until(at), self._tick(at, value)]

    def until(self, at: datetime) -> list[Verdict]:
        """Judge the ticks that have passed before a moment's and brought nothing.

        After a silence longer than the memory there is nothing left to judge with: it is passed over, and the
        detector learns anew.

        Raises:
            Refused: The moment's tick was judged already.
        """
        missed = self._clock.missed(at)
        if len(missed) > self._memory.memory:
            self.nobody_looked(at)
            return []
        return [self._tick(self._clock.moment(tick), None) for tick in missed]

    def nobody_looked(self, until: datetime) -> None:
        """Pass over the ticks before a moment: what nobody measured is not missing.

        Raises:
            Refused: The moment's tick was judged already.
        """
        missed = len(self._clock.missed(until))
        self._clock.skip(missed)
        self._memory.skip(missed)
        self._forget_recent()

    def save(self) -> bytes:
        """Return everything that a restart must not lose; four weeks of five minutes take 32 KB."""
        saved = self._memory.save()
        saved.numbers |= {
            "kind": self.kind,
            "interval": self._clock.interval.total_seconds(),
            "origin": self._clock.origin.isoformat() if self._clock.origin else None,
            "last": self._clock.last,
            **{name: getattr(self, name) for name in self.numbers},
            **self._save(),
        }
        return saved.to_bytes()

    def load(self, data: bytes) -> None:
        """Continue where `save` was called.

        Raises:
            Refused: It was not saved by such a detector of this interval.
        """
        saved = Saved.from_bytes(data)
        numbers: dict[str, Any] = saved.numbers
        if (numbers.get("kind"), numbers.get("interval")) != (self.kind, self._clock.interval.total_seconds()):
            raise Refused("this state was saved by another detector; start without one, and it learns anew")
        self._memory.load(saved)
        origin = numbers["origin"]
        self._clock.origin = datetime.fromisoformat(origin) if origin else None
        self._clock.last = numbers["last"]
        for name in self.numbers:
            setattr(self, name, numbers[name])
        self._load(numbers)

    def _tick(self, at: datetime, value: float | None) -> Verdict:
        self._clock.advance(at)
        if self.learning and self._memory.count and self._memory.count % self._block == 0:
            self._half_day()
        return self._judge(at, value)

    def _readable(self, value: float | None) -> float | None:
        return measured(value)

    @abstractmethod
    def _judge(self, at: datetime, value: float | None) -> Verdict: ...

    @abstractmethod
    def _half_day(self) -> None: ...

    @abstractmethod
    def _forget_recent(self) -> None: ...

    @abstractmethod
    def _save(self) -> dict[str, Any]: ...

    @abstractmethod
    def _load(self, numbers: dict[str, Any]) -> None: ...
