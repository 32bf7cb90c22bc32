"""The activity that brings a notice to customers: each by their own contacts, nobody waiting for anybody.

Whom a notice names may be a group: who is in it is looked up now, and whom it has reached is kept.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta

from temporalio import activity

from activities import Failed
from activities.comms import NOTICE
from activities.customers import Carrier
from activities.customers.told import Reached, Told
from link import catalog as live
from model.catalogue.catalog import Catalog
from model.catalogue.customers import ANYWHERE
from model.effects import Deliver, Errand, Notice, Outcome
from model.text import one_line

WITHIN = timedelta(seconds=100)
"""How long all customers of one notice may take together; who is left then is tried again."""
AT_ONCE = 10
"""Customers told at the same time."""
REASON_LONGEST = 200
NAMED = 20
"""Failures whose reason is told."""
LOST = 200
"""Lost customers who are told one by one: as many as a plan names, and few enough for the state."""
RESOURCES = 20
"""Of a customer's own resources, how many are named in a region; the rest is counted."""


class Noticing:
    """Brings notices over the carrier of each channel; a test leaves the house nowhere."""

    def __init__(self, carriers: Mapping[str, Carrier], inside: Carrier | None, told: Told | None = None) -> None:
        """Bring notices.

        Args:
            carriers: By channel; `*` takes every channel that has none of its own.
            inside: Takes tests.
            told: Keeps whom a notice has reached.
        """
        self._carriers = carriers
        self._inside = inside
        self._told = told or Told()

    @activity.defn(name=NOTICE)
    async def notice(self, errand: Errand[Notice]) -> Outcome:
        """Bring one notice to its customers; the outcome says whom it did not reach."""
        order, catalog = errand.order, live.live()
        if catalog is None:
            return Outcome(ok=False, reason="this worker has no catalogue")
        try:
            reached = await asyncio.to_thread(self._told.of, errand.key)
        except OSError as error:
            return Outcome(ok=False, reason=f"whom it has reached cannot be read: {error.strerror}")
        members = {target: catalog.members(target) for target in order.to}
        everybody = dict.fromkeys(customer for group in members.values() for customer in group)
        waiting = deque(customer for customer in everybody if customer not in reached)
        failures: dict[str, Exception] = {}

        async def one_after_another() -> None:
            while waiting:
                customer = waiting.popleft()
                failures[customer] = _UNFINISHED
                try:
                    await self._bring(order, catalog, customer, f"{errand.key}/{customer}", reached)
                    del failures[customer]
                except Exception as error:
                    failures[customer] = error

        at_work = [asyncio.create_task(one_after_another()) for _ in range(AT_ONCE)]
        try:
            await asyncio.wait(at_work, timeout=WITHIN.total_seconds())
        finally:
            for task in at_work:
                task.cancel()
            await asyncio.gather(*at_work, return_exceptions=True)
        failures |= dict.fromkeys(waiting, _UNFINISHED)
        # A table that could not be read yet has nobody, either.
        nobody = Failed("the table of customers has nobody in it now", again=not catalog.customers_tabled)
        failures |= {target: nobody for target, group in members.items() if not group}
        return _outcome(members, failures)

    async def _bring(self, order: Notice, catalog: Catalog, customer: str, key: str, reached: Reached) -> None:
        """Bring it to one customer, over every contact they gave."""
        entry = catalog.customer(customer)
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
        if not order.test:
            reached.add(customer)

    def _carrier(self, channel: str, *, test: bool) -> Carrier:
        carrier = self._inside if test else self._carriers.get(channel, self._carriers.get("*"))
        if carrier is None:
            raise Failed(f"nothing is configured that reaches customers by {channel}", again=False)
        return carrier


def yours(catalog: Catalog, order: Notice, customer: str) -> list[str]:
    """Return what of it is this customer's: services in the names they know, and their own resources (C9)."""
    own = [service for service in order.services if catalog.is_used_by(service, customer)]
    named = [catalog.services[service].customer_name for service in own if service in catalog.services]
    parts = catalog.resources(customer, order.services)
    return [
        *([f"Of these you use: {', '.join(named)}."] if all(named) and 0 < len(named) < len(order.services) else []),
        *(f"Yours {_where(region)}: {_listed(names)}." for region, names in sorted(parts.items())),
    ]


def _where(region: str) -> str:
    return "of these" if region == ANYWHERE else f"in {region}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - RESOURCES} more" if len(names) > RESOURCES else ""
    return ", ".join(names[:RESOURCES]) + more


_UNFINISHED = Failed("no answer in time")


def _outcome(members: Mapping[str, Sequence[str]], failures: Mapping[str, Exception]) -> Outcome:
    """Return whom it did not reach: a group as a whole while anybody in it may be reached yet, the lost one by one."""
    again = {customer for customer, error in failures.items() if not isinstance(error, Failed) or error.again}
    reasons = [
        f"{customer}: {error.reason if isinstance(error, Failed) else type(error).__name__}"
        for customer, error in failures.items()
    ]
    left = [target for target, group in members.items() if again.intersection(group or [target])]
    lost = sorted((customer for customer in failures if customer not in again), key=lambda name: name not in members)
    if len(lost) > LOST:
        reasons.insert(0, f"{len(lost)} customers")
    lost = lost[:LOST]
    return Outcome(ok=not left, reason=one_line("; ".join(reasons[:NAMED]))[:REASON_LONGEST], left=left, lost=lost)
