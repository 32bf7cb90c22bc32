"""The activity that pages: it writes the text, finds the pager of the channel, and says how it went."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from temporalio import activity

from activities import Failed
from activities.outcomes import attempt
from activities.paging import PAGE, Pager
from activities.paging.bundle import Bundles
from activities.paging.turns import Turns
from activities.rush import Rush
from link import catalog as live
from model.effects import Errand, Outcome, Page
from model.engage.pagetext import bundle_text, page_text

WITHIN = timedelta(seconds=8)
"""How long one provider may take before the next channel is used."""


class Paging:
    """Pages over the pager of each channel; a test leaves the house nowhere."""

    def __init__(
        self,
        pagers: Mapping[str, Pager],
        inside: Pager,
        links: Callable[[str, str], str],
        rush: Rush | None = None,
        bundles: Bundles | None = None,
        mark: str = "",
    ) -> None:
        """Take the pagers.

        Args:
            pagers: Channel → pager. `*` takes every channel that has none of its own.
            inside: Takes the pages of tests.
            links: (incident, person) → the link a page carries.
            rush: Hears of every page, so that other work can wait.
            bundles: Lets a storm wake a person once; None sends every page at once, as in drills, whose minutes are
                milliseconds.
            mark: What the text of a page begins with.
        """
        self._pagers = pagers
        self._inside = inside
        self._links = links
        self._rush = rush
        self._bundles = bundles
        self._mark = mark
        self._turns = Turns(live.policy)

    @activity.defn(name=PAGE)
    async def page(self, errand: Errand[Page]) -> Outcome:
        """Hand over one page."""
        order = errand.order
        if self._rush:
            self._rush.page()
        if self._bundles:
            return await self._bundles.send(order, errand.key, self._together)
        return await self._together([order], errand.key)

    async def _together(self, orders: list[Page], key: str) -> Outcome:
        worst = min(orders, key=lambda order: order.severity)
        link = self._links(worst.incident, worst.person)
        text = page_text(worst, link, self._mark) if len(orders) == 1 else bundle_text(orders, link)
        return await attempt(self._send(worst, text, key), WITHIN)

    async def _send(self, order: Page, text: str, key: str) -> None:
        channel = order.contact.channel
        outside = None if order.test else self._pagers.get(channel)
        if outside is not None:
            return await self._turns.take(order, lambda: outside.page(order, text, key))
        pager = self._inside if order.test else self._pagers.get("*")
        if pager is None:
            raise Failed(f"no pager is configured for {channel}", again=False)
        return await pager.page(order, text, key)
