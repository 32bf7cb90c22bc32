"""The activity that brings quiet messages."""

from collections.abc import Mapping
from datetime import timedelta

from temporalio import activity

from activities import Failed
from activities.comms import TELL, Messenger
from activities.outcomes import attempt
from model.effects import Errand, Outcome, Recipient, Tell

WITHIN = timedelta(seconds=20)
"""How long all recipients of one message may take together."""


class Telling:
    """Tells over the messenger of each channel; a test leaves the house nowhere."""

    def __init__(self, messengers: Mapping[str, Messenger], inside: Messenger) -> None:
        """Take the messengers; `*` takes every channel that has none of its own, `inside` takes tests."""
        self._messengers = messengers
        self._inside = inside

    @activity.defn(name=TELL)
    async def tell(self, errand: Errand[Tell]) -> Outcome:
        """Bring one message to its recipients."""
        return await attempt(self._send(errand.order, errand.key), WITHIN)

    async def _send(self, order: Tell, key: str) -> None:
        failures = []
        for recipient in order.recipients:
            try:
                await self._bring(order, recipient, f"{key}/{recipient.person}")
            except Failed as failed:
                failures.append((recipient.person, failed))
        if failures:
            reason = "; ".join(f"{person}: {failed.reason}" for person, failed in failures)
            raise Failed(reason, again=any(failed.again for _, failed in failures))

    async def _bring(self, order: Tell, recipient: Recipient, key: str) -> None:
        channel = recipient.contact.channel
        messenger = self._inside if order.test else self._messengers.get(channel, self._messengers.get("*"))
        if messenger is None:
            raise Failed(f"no messenger is configured for {channel}", again=False)
        await messenger.tell(order, recipient, key)
