"""The activity that puts an entry on the public status page."""

from datetime import timedelta

from temporalio import activity

from activities import Failed
from activities.outcomes import attempt
from activities.statuspage import PUBLISH, StatusPage
from model.effects import Errand, Outcome, Publication

WITHIN = timedelta(seconds=20)
"""How long a page may take to show an entry."""


class Publishing:
    """Publishes; a test leaves the house nowhere, so it is taken and shown to nobody."""

    def __init__(self, page: StatusPage | None) -> None:
        """Take the page, where one is configured."""
        self._page = page

    @activity.defn(name=PUBLISH)
    async def publish(self, errand: Errand[Publication]) -> Outcome:
        """Publish one entry."""
        return await attempt(self._publish(errand.order, errand.key), WITHIN)

    async def _publish(self, order: Publication, key: str) -> None:
        if order.test:
            return
        if self._page is None:
            raise Failed("no public status page is configured", again=False)
        await self._page.publish(order, key)
