"""More customer reports than at this time of the week (D5), in files of the past: the rule is `model.detect.uptick`."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from activities.watch import Standing, Verdict
from activities.watch.detector import Detector
from activities.watch.held import Held
from activities.watch.saved import Saved
from model.detect.uptick import History, Judged, Rule
from model.text import Refused
from model.times import short

CALM: Final = 0.7
"""An uptick ends when its score has been below this for a while."""


class Uptick(Detector):
    """Judges the report counts of a service and region; 5 to 30 minutes suit cases and calls."""

    kind = "uptick"
    learns_on = True  # bursts grow with a name: limits of last month are wrong for this one
    numbers: ClassVar = ("_first",)

    def __init__(self, interval: timedelta, *, zone: str = "UTC") -> None:
        """Begin with no history.

        Args:
            interval: What one count covers, from 10 s to 6 h.
            zone: An IANA name: where "the same time of day" is the same.

        Raises:
            Refused: The interval is out of range, or there is no such zone.
        """
        self._counted = _Counted(Rule(interval, zone))
        super().__init__(interval, self._counted)
        self._high = Held()
        self._first = 0

    def _readable(self, value: float | None) -> float | None:
        value = super()._readable(value)
        if value is not None and value < 0:
            raise Refused(f"{value:g} reports cannot come: send a count from 0 on")
        return value

    def _judge(self, at: datetime, value: float | None) -> Verdict:
        rule, history = self._counted.rule, self._counted.history
        if self._clock.last == 0:
            self._first = rule.tick_of(at)
        tick = self._first + self._clock.last
        rule.reach(history, tick)
        rule.add(history, tick, value or 0.0)  # that nobody reported anything is a count too
        expected = rule.due(history, tick)
        if expected is None:
            return Verdict(at, value, None, 0.0, "learning", why="the first day only teaches what is usual")
        found = next(iter(rule.judge([history])), None)
        score = found.score if found else 0.0
        begins = self._high.take(score, CALM, tick, self._block)
        if not self._high.on:
            return Verdict(at, value, expected, score, "ok")
        standing: Standing = "high"
        return Verdict(at, value, expected, score, standing, "high" if begins else None, _words(found))

    def _half_day(self) -> None:
        pass

    def _forget_recent(self) -> None:
        pass

    def _save(self) -> dict[str, Any]:
        return {"high": self._high.save()}

    def _load(self, numbers: dict[str, Any]) -> None:
        self._high = Held(*numbers["high"])


def _words(found: Judged | None) -> str:
    if found is None:
        return "reports are usual again, for less than three samples"
    return f"{found.came:.4g} reports in {short(found.window)}, about {found.due:.2g} are usual at this time"


class _Counted:
    """What came so far, as the memory of a detector."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.history = History()
        self.count = 0  # half days are the rule's own affair

    @property
    def memory(self) -> int:
        return self.rule.memory

    def skip(self, samples: int) -> None:
        """Do nothing: the rule itself forgets what is longer ago than it remembers."""

    def save(self) -> Saved:
        return Saved({"history": self.history.model_dump(mode="json")})

    def load(self, saved: Saved) -> None:
        self.history = History.model_validate(saved.numbers["history"])
