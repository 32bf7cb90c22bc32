"""The activity that runs a step of the ladder, through whatever is configured for it."""

from datetime import timedelta

from temporalio import activity

from activities import Failed
from activities.mitigation import EXECUTE, Mitigator
from activities.outcomes import attempt
from model.effects import Errand, Execute, Outcome

WITHIN = timedelta(seconds=25)
"""How long a system may take to accept a step; its effect is seen in the alarms."""


class Mitigating:
    """Runs steps; a test runs nothing."""

    def __init__(self, mitigator: Mitigator | None, inside: Mitigator) -> None:
        """Take the configured system, if there is one, and what takes tests."""
        self._mitigator = mitigator
        self._inside = inside

    @activity.defn(name=EXECUTE)
    async def execute(self, errand: Errand[Execute]) -> Outcome:
        """Run one step."""
        return await attempt(self._run(errand.order, errand.key), WITHIN)

    async def _run(self, order: Execute, key: str) -> None:
        mitigator = self._inside if order.test else self._mitigator
        if mitigator is None:
            raise Failed("nothing is configured that could run it", again=False)
        await mitigator.execute(order, key)
