"""Mitigation by hand: the step counts as begun when it is decided, and people run it.

This stands in where no system is configured: the decision, its time and who took it are on record, and the alarms say
whether it helped.
"""

from model.effects import Execute


class ByHand:
    """Takes every step; keeps the keys it has seen, so that tests can count them."""

    def __init__(self) -> None:
        """Begin with none."""
        self.steps: dict[str, Execute] = {}

    async def execute(self, order: Execute, key: str) -> None:
        """Take a step."""
        self.steps.setdefault(key, order)
