"""A fixed limit, crossed by N of the last M samples (D1): for what has a limit that everybody knows."""

from datetime import datetime
from typing import Final

from activities.watch import Missing
from activities.watch.ticks import measured
from model.detect.canaries import Votes
from model.text import Refused

NOTHING_CAME: Final = "no sample came"


class Static:
    """Judges one series against a limit; no history is needed."""

    def __init__(
        self,
        *,
        above: float | None = None,
        below: float | None = None,
        fails: int = 3,
        of: int = 3,
        missing: Missing = "missing",
    ) -> None:
        """Set the limit.

        Args:
            above: In alarm above this …
            below: … or below this.
            fails: Alarm when at least this many …
            of: … of the last this many samples are beyond it.
            missing: What an absent sample means.

        Raises:
            Refused: No limit is named, or so many can never fail.
        """
        if above is None and below is None:
            raise Refused("a static rule needs a limit: above, below, or both")
        if not 1 <= fails <= of:
            raise Refused(f"{fails} of {of} samples can never fail; fails is between 1 and of")
        self._above, self._below = measured(above), measured(below)
        self._fails, self._of = fails, of
        self._missing = missing
        self.votes = Votes()
        self.why = ""

    def take(self, at: datetime, value: float | None) -> Votes:
        """Judge a sample; None is an absent one. `why` says what was wrong with the last that failed.

        Raises:
            Refused: The value is no number.
        """
        del at
        beyond = self._beyond(measured(value))
        if beyond is not None:
            self.votes = self.votes.after(beyond, self._fails, self._of)
        return self.votes

    def _beyond(self, value: float | None) -> bool | None:
        """Say whether a sample counts as a failure; None when it counts as nothing."""
        if value is None:
            if self._missing in ("ignore", "missing"):
                return None
            self.why = NOTHING_CAME if self._missing == "breaching" else self.why
            return self._missing == "breaching"
        if self._above is not None and value > self._above:
            self.why = f"{value:.4g} is above {self._above:.4g}"
            return True
        if self._below is not None and value < self._below:
            self.why = f"{value:.4g} is below {self._below:.4g}"
            return True
        return False
