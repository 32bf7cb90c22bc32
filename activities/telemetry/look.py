"""The activity that asks which deployments ran around the start (M2)."""

from datetime import timedelta

from temporalio import activity

from activities.outcomes import attempt
from activities.telemetry import DEPLOYMENTS, Deployments
from model.effects import Deployment, Errand, Lookup, Outcome

WITHIN = timedelta(seconds=15)
"""How long the source may take; the page does not wait for it."""


class Telemetry:
    """Asks the configured source, if there is one."""

    def __init__(self, source: Deployments | None) -> None:
        """Take the source of deployments."""
        self._source = source

    @activity.defn(name=DEPLOYMENTS)
    async def deployments(self, errand: Errand[Lookup]) -> Outcome:
        """Return the deployments, or that nobody knows."""
        found: list[Deployment] | None = None

        async def ask() -> None:
            nonlocal found
            found = await self._source.around(errand.order) if self._source else None

        outcome = await attempt(ask(), WITHIN)
        outcome.deployments = found
        return outcome
