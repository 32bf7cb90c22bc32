"""Telemetry: what pipelines and metrics say."""

from typing import Protocol

from model.effects import Deployment, Lookup

DEPLOYMENTS = "deployments"
"""Activity: `Errand[Lookup]` → `Outcome` with deployments."""


class Deployments(Protocol):
    """Something that knows which deployments ran when, in every service."""

    async def around(self, order: Lookup) -> list[Deployment] | None:
        """Return deployments running, or started, between two moments; None where nobody can know.

        Raises:
            Failed: The source did not answer.
        """
        ...
