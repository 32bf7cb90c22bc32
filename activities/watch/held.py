"""An alarm that holds: it begins once, and ends only after some calm."""

from dataclasses import dataclass
from typing import Final

CALM_FOR: Final = 3
"""Samples of calm that end an alarm: it does not flap on its limit."""


@dataclass
class Held:
    """Whether an alarm is on.

    Attributes:
        since: The tick at which it began; -1 while it is off.
        calm: Calm samples since it was last confirmed.
    """

    since: int = -1
    calm: int = 0

    @property
    def on(self) -> bool:
        """Whether it is on."""
        return self.since >= 0

    def take(self, score: float, calm_below: float, tick: int, again_every: int) -> bool:
        """Take in a score; from 1 on it is an alarm.

        Returns:
            Whether it begins here, or is to be counted again because it is stuck.
        """
        if score >= 1:
            self.calm = 0
            if not self.on:
                self.since = tick
            return (tick - self.since) % again_every == 0
        if self.on and score < calm_below:
            self.calm += 1
            if self.calm >= CALM_FOR:
                self.since, self.calm = -1, 0
        return False

    def save(self) -> list[int]:
        """Return everything as numbers, in the order of the fields."""
        return [self.since, self.calm]
