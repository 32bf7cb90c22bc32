"""Hands messages to Temporal, and says so only when Temporal has them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.service import RPCError

from link.send import Unreachable
from link.starting import signal_detection
from model.catalogue.catalog import UNMAPPED, Catalog
from model.catalogue.plan import facts_for
from model.incident import alarm_key
from model.messages import Alarm, Report

AT_ONCE = 20
"""Messages of one body that are under way at the same time."""
PATIENCE = 8.0
"""Seconds one message may take; then Temporal counts as unreachable, and the sender hears it within ten."""


@dataclass
class Delivered:
    """How far a delivery came.

    Attributes:
        accepted: Messages that Temporal has.
        unmapped: What the catalogue does not know: services, and regions as `service/region`.
        failure: Why the rest did not arrive; empty when all did.
    """

    accepted: int
    unmapped: list[str]
    failure: str = ""


class Delivery:
    """Routes messages to the `Detection` of their partition."""

    def __init__(self, client: Client, catalog: Callable[[], Catalog]) -> None:
        """Deliver by `client`; `catalog` is asked anew for every body."""
        self._client = client
        self._catalog = catalog

    async def deliver(self, messages: Sequence[Alarm | Report]) -> Delivered:
        """Deliver messages, those about the same alarm in their order, and stop at the first failure."""
        catalog = self._catalog()
        done = Delivered(0, [])
        slots = asyncio.Semaphore(AT_ONCE)
        series: dict[str, list[tuple[str, Alarm | Report]]] = {}
        for number, message in enumerate(messages):
            partition, unmapped = _route(catalog, message)
            series.setdefault(_series(number, message), []).append((partition, message))
            if unmapped and unmapped not in done.unmapped:
                done.unmapped.append(unmapped)

        async def deliver_one_by_one(letters: Sequence[tuple[str, Alarm | Report]]) -> None:
            for partition, message in letters:
                async with slots:
                    await self._hand_over(partition, message)
                done.accepted += 1

        try:
            async with asyncio.TaskGroup() as group:
                for letters in series.values():
                    group.create_task(deliver_one_by_one(letters))
        except* Unreachable as failed:
            done.failure = str(failed.exceptions[0])
        return done

    async def _hand_over(self, partition: str, message: Alarm | Report) -> None:
        name = "alarm" if isinstance(message, Alarm) else "report"
        payload = message.model_dump(mode="json", exclude_unset=True)
        try:
            async with asyncio.timeout(PATIENCE):
                await signal_detection(self._client, partition, name, payload)
        except TimeoutError:
            raise Unreachable(f"Temporal did not answer within {PATIENCE:g} s") from None
        except RPCError as error:
            raise Unreachable(f"Temporal did not take it: {error.message}") from None
        except RuntimeError as error:  # what a lazy client says that could not connect
            raise Unreachable(f"Temporal cannot be reached: {error}") from None


def _route(catalog: Catalog, message: Alarm | Report) -> tuple[str, str]:
    """Return a message's partition, and what of it the catalogue does not know."""
    metric = message.metric if isinstance(message, Alarm) else ""
    facts = facts_for(catalog, message.service, message.region, metric)
    if facts.partition != UNMAPPED:
        return facts.partition, ""
    return UNMAPPED, f"{message.service}/{facts.region}" if facts.service_known else message.service


def _series(number: int, message: Alarm | Report) -> str:
    """Return what has to stay in order: one alarm's states. Reports have no order."""
    if isinstance(message, Alarm):
        return alarm_key(message.service, message.region, message.alarm)
    return str(number)
