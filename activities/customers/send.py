"""The activity that brings customers what was approved for them."""

from collections.abc import Mapping
from datetime import timedelta

from temporalio import activity

from activities import Failed
from activities.customers import DELIVER, Carrier
from activities.outcomes import attempt
from link import catalog as live
from model.catalogue.entries import Contact
from model.effects import Deliver, Errand, Outcome

WITHIN = timedelta(seconds=25)
"""How long all contacts of one customer may take together."""


class Delivering:
    """Delivers over the carrier of each channel; a test leaves the house nowhere."""

    def __init__(self, carriers: Mapping[str, Carrier], inside: Carrier | None) -> None:
        """Take the carriers; `*` takes every channel that has none of its own, `inside` takes tests."""
        self._carriers = carriers
        self._inside = inside

    @activity.defn(name=DELIVER)
    async def deliver(self, errand: Errand[Deliver]) -> Outcome:
        """Bring one customer their copy, over every contact they gave."""
        return await attempt(self._send(errand.order, errand.key), WITHIN)

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
    entry = catalog.customers.get(customer) if catalog else None
    return list(entry.contact) if entry else []
