"""The catalogue of this worker."""

from temporalio import activity

from activities.catalogue import PLAN, RESOLVE, Questions
from link import catalog as live
from link.answers import resolve
from model.catalogue.catalog import Catalog
from model.catalogue.plan import plan_for
from model.detect.common import Graph
from model.detect.partition import Resolution
from model.effects import Errand, Outcome, PlanRequest, Suspected
from model.engage.suspects import graph_of, in_common


class LiveCatalogue:
    """Answers from the catalogue that this process has loaded."""

    def __init__(self) -> None:
        self._graph: tuple[Catalog, Graph] | None = None

    @activity.defn(name=RESOLVE)
    async def resolve(self, questions: Questions) -> Resolution:
        """Return facts and plan for each question, and the policy for new incidents."""
        catalog = _loaded()
        answers = [resolve(catalog, asked, questions.at) for asked in questions.asked]
        return Resolution(answers=answers, policy=live.policy())

    @activity.defn(name=PLAN)
    async def plan(self, errand: Errand[PlanRequest]) -> Outcome:
        """Return the plan for services and teams."""
        order, catalog = errand.order, _loaded()
        suspected = self._in_common(catalog, order.common) if order.common else []
        teams = [*order.teams, *(found.team for found in suspected)]
        made = plan_for(
            catalog, services=order.services, teams=teams, people=order.people, suspects=order.suspects, at=order.at
        )
        return Outcome(plan=made, suspected=suspected)

    def _in_common(self, catalog: Catalog, impacted: list[str]) -> list[Suspected]:
        if self._graph is None or self._graph[0] is not catalog:
            self._graph = catalog, graph_of(catalog)
        return in_common(catalog, self._graph[1], impacted, live.policy())


def _loaded() -> Catalog:
    catalog = live.live()
    if catalog is None:
        raise RuntimeError("this worker has no catalogue; start it with one")
    return catalog
