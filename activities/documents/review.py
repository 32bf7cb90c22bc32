"""The activities of the weekly operational review: whom it concerns, and what it talks about (L1)."""

from datetime import datetime, timedelta

from temporalio import activity

from activities import Failed
from activities.documents import OPS_PLAN, OPS_REVIEW, Reviews
from activities.outcomes import attempt
from link import catalog as live
from model.catalogue.plan import Plan, plan_for
from model.learn.ops_review import Gathered, Week

WITHIN = timedelta(seconds=90)
"""How long gathering may take: a year's record asked once a week."""


class Reviewing:
    """Gathers weeks, where something is configured that can."""

    def __init__(self, reviews: Reviews | None) -> None:
        """Take what gathers."""
        self._reviews = reviews

    @activity.defn(name=OPS_PLAN)
    async def plan(self, at: datetime) -> Plan:
        """Return whom the whole organisation means now."""
        catalog = live.live()
        if catalog is None:
            raise RuntimeError("this worker has no catalogue; start it with one")
        return plan_for(catalog, teams=list(catalog.teams), at=at)

    @activity.defn(name=OPS_REVIEW)
    async def gather(self, week: Week) -> Gathered:
        """Gather one week."""
        found = Gathered()

        async def ask() -> None:
            nonlocal found
            if self._reviews is None:
                raise Failed("this worker gathers no reviews")
            found = await self._reviews.gather(week)

        outcome = await attempt(ask(), WITHIN)
        return found.model_copy(update={"outcome": outcome})
