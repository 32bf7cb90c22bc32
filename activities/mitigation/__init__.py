"""Mitigation: the systems that shift traffic, roll back, scale, restart (M1)."""

from typing import Protocol

from model.effects import Execute

EXECUTE = "execute"
"""Activity: `Errand[Execute]` → `Outcome`."""


class Mitigator(Protocol):
    """Something that runs a step of the ladder."""

    async def execute(self, order: Execute, key: str) -> None:
        """Run a step, or undo it; the same key again must not run it twice.

        Raises:
            Failed: It was not run.
        """
        ...
