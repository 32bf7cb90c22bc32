"""The catalogue of this worker, asked by local activities."""

from temporalio import activity

from activities.catalogue import PLAN, RESOLVE, Question
from link import catalog as live
from model.catalog import Catalog
from model.effects import Errand, Outcome, PlanRequest
from model.partition import Resolution, Resolved
from model.plan import facts_for, plan_for


class LiveCatalogue:
    """Answers from the catalogue that this process has loaded."""

    @activity.defn(name=RESOLVE)
    async def resolve(self, question: Question) -> Resolution:
        """Return facts and plan of each service asked for, and the policy for new incidents."""
        catalog = _loaded()
        services = {}
        for service, region, metric in question.asked:
            wanted = [service] if service else []
            services[service] = Resolved(
                facts=facts_for(catalog, service, region, metric),
                plan=plan_for(catalog, services=wanted, at=question.at),
            )
        return Resolution(services=services, policy=live.policy())

    @activity.defn(name=PLAN)
    async def plan(self, errand: Errand[PlanRequest]) -> Outcome:
        """Return the plan for services and teams."""
        order = errand.order
        made = plan_for(_loaded(), services=order.services, teams=order.teams, suspects=order.suspects, at=order.at)
        return Outcome(plan=made)


def _loaded() -> Catalog:
    catalog = live.live()
    if catalog is None:
        raise RuntimeError("this worker has no catalogue; start it with one")
    return catalog
