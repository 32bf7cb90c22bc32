"""The activity that brings customers what was approved for them: a customer, or a group of them."""

import asyncio
from collections import deque
from collections.abc import Mapping
from datetime import timedelta

from temporalio import activity

from activities import Failed
from activities.customers import DELIVER, Carrier
from activities.customers.told import Reached, Told
from activities.outcomes import attempt
from link import catalog as live
from model.catalogue.entries import Contact
from model.effects import Deliver, Errand, Outcome

WITHIN = timedelta(seconds=25)
"""How long all contacts of one customer, or of a group's customers, may take together."""
AT_ONCE = 10
"""Customers of a group told at the same time."""


class Delivering:
    """Delivers over the carrier of each channel; a test leaves the house nowhere."""

    def __init__(self, carriers: Mapping[str, Carrier], inside: Carrier | None, told: Told | None = None) -> None:
        """Deliver.

        Args:
            carriers: By channel; `*` takes every channel that has none of its own.
            inside: Takes tests.
            told: Keeps whom of a group it has reached.
        """
        self._carriers = carriers
        self._inside = inside
        self._told = told or Told()

    @activity.defn(name=DELIVER)
    async def deliver(self, errand: Errand[Deliver]) -> Outcome:
        """Bring one customer their copy, over every contact they gave."""
        order, catalog = errand.order, live.live()
        members = catalog.members(order.customer) if catalog else [order.customer]
        if members == [order.customer]:
            return await attempt(self._alone(order, errand.key), WITHIN)
        return await attempt(self._each(order, members, errand.key), WITHIN)

    async def _alone(self, order: Deliver, key: str) -> None:
        """Bring a customer their copy, who may be in a group as well."""
        reached = await self._reached(order)
        if order.customer not in reached:
            await self._one(order, key, reached)

    async def _each(self, order: Deliver, members: list[str], key: str) -> None:
        """Bring a group's customers their copies; who is in several groups gets one."""
        if not members:
            catalog = live.live()
            unread = catalog is None or not catalog.customers_tabled
            raise Failed(f"the table of customers has nobody in {order.customer} now", again=unread)
        reached = await self._reached(order)
        waiting = deque(customer for customer in members if customer not in reached)
        failures: list[Failed] = []

        async def one_after_another() -> None:
            while waiting:
                customer = waiting.popleft()
                try:
                    await self._one(order.model_copy(update={"customer": customer}), f"{key}/{customer}", reached)
                except Failed as failed:
                    failures.append(failed)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(one_after_another())
        again = [failed for failed in failures if failed.again]
        if again or (failures and len(failures) == len(members)):
            worst = (again or failures)[0]
            reason = f"{len(failures)} of {len(members)} customers: {worst.reason}"
            raise Failed(reason, again=bool(again), retry_after=worst.retry_after)

    async def _reached(self, order: Deliver) -> Reached:
        return await asyncio.to_thread(self._told.of, f"deliver {order.incident}")

    async def _one(self, order: Deliver, key: str, reached: Reached) -> None:
        await self._send(order, key)
        if not order.test:
            reached.add(order.customer)

    async def _send(self, order: Deliver, key: str) -> None:
        contacts = order.contacts or _known(order.customer)
        if not contacts:
            raise Failed(f"no contact of {order.customer} is known", again=False)
        failures = []
        for contact in contacts:
            try:
                await self._bring(order, contact, f"{key}/{contact.address}")
            except Failed as failed:
                failures.append(failed)
        # A customer with two addresses has read it when one of them took it; a failing one that may still come
        # is tried again under its own key, which the other does not get twice.
        again = [failed for failed in failures if failed.again]
        if again or len(failures) == len(contacts):
            worst = (again or failures)[0]
            raise Failed(worst.reason, again=bool(again), retry_after=worst.retry_after)

    async def _bring(self, order: Deliver, contact: Contact, key: str) -> None:
        carrier = self._inside if order.test else self._carriers.get(contact.channel, self._carriers.get("*"))
        if carrier is None:
            raise Failed(f"nothing is configured that reaches customers by {contact.channel}", again=False)
        await carrier.deliver(order, contact, key)


def _known(customer: str) -> list[Contact]:
    """Return the contacts the catalogue has now: those of the event may be old by then."""
    catalog = live.live()
    entry = catalog.customer(customer) if catalog else None
    return list(entry.contact) if entry else []
