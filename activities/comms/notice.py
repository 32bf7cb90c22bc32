"""The activity that brings a notice to customers: each by their own contacts, nobody waiting for anybody."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from temporalio import activity

from activities import Failed
from activities.comms import NOTICE
from activities.customers import Carrier
from link import catalog as live
from model.catalogue.catalog import Catalog
from model.effects import Deliver, Errand, Notice, Outcome
from model.text import one_line

WITHIN = timedelta(seconds=100)
"""How long all customers of one notice may take together; who is left then is tried again."""
AT_ONCE = 10
"""Customers told at the same time."""
REASON_LONGEST = 200


class Noticing:
    """Brings notices over the carrier of each channel; a test leaves the house nowhere."""

    def __init__(self, carriers: Mapping[str, Carrier], inside: Carrier | None) -> None:
        """Take the carriers; `*` takes every channel that has none of its own, `inside` takes tests."""
        self._carriers = carriers
        self._inside = inside

    @activity.defn(name=NOTICE)
    async def notice(self, errand: Errand[Notice]) -> Outcome:
        """Bring one notice to its customers; the outcome says whom it did not reach."""
        order, catalog = errand.order, live.live()
        if catalog is None:
            return Outcome(ok=False, reason="this worker has no catalogue")
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(customer: str) -> None:
            async with turns:
                await self._bring(order, catalog, customer, f"{errand.key}/{customer}")

        tasks = {customer: asyncio.create_task(one(customer)) for customer in order.to}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=WITHIN.total_seconds())
        return _outcome(tasks)

    async def _bring(self, order: Notice, catalog: Catalog, customer: str, key: str) -> None:
        """Bring it to one customer, over every contact they gave."""
        entry = catalog.customers.get(customer)
        if entry is None or not entry.contact:
            raise Failed(f"the catalogue has no contact of {customer}", again=False)
        copy = Deliver(
            incident=order.incident,
            customer=customer,
            contacts=list(entry.contact),
            text="\n".join([order.text.external, *yours(catalog, order, customer)]),
            at=order.at,
            test=order.test,
        )
        failures = []
        for contact in entry.contact:
            try:
                await self._carrier(contact.channel, test=order.test).deliver(copy, contact, f"{key}/{contact.address}")
            except Failed as failed:
                failures.append(failed)
        # Who got it at one address has got it: the others are not worth a second copy there.
        if len(failures) == len(entry.contact):
            raise Failed("; ".join(f.reason for f in failures), again=any(f.again for f in failures))

    def _carrier(self, channel: str, *, test: bool) -> Carrier:
        carrier = self._inside if test else self._carriers.get(channel, self._carriers.get("*"))
        if carrier is None:
            raise Failed(f"nothing is configured that reaches customers by {channel}", again=False)
        return carrier


def yours(catalog: Catalog, order: Notice, customer: str) -> list[str]:
    """Return which of several services are this customer's, in the names they know (C9: their own resources)."""
    own = [service for service in order.services if customer in catalog.customers_of(service)]
    named = [catalog.services[service].customer_name for service in own]
    if not all(named) or not 0 < len(own) < len(order.services):
        return []
    return [f"Of these you use: {', '.join(named)}."]


def _outcome(tasks: Mapping[str, "asyncio.Task[None]"]) -> Outcome:
    left: list[str] = []
    lost: list[str] = []
    reasons: list[str] = []
    for customer, task in tasks.items():
        if not task.done():
            task.cancel()
            left.append(customer)
            reasons.append(f"{customer}: no answer in time")
        elif error := task.exception():
            again = error.again if isinstance(error, Failed) else True
            (left if again else lost).append(customer)
            reasons.append(f"{customer}: {error.reason if isinstance(error, Failed) else type(error).__name__}")
    return Outcome(ok=not left, reason=one_line("; ".join(reasons))[:REASON_LONGEST], left=left, lost=lost)
