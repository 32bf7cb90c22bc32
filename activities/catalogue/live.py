"""The catalogue of this worker, asked by local activities."""

from temporalio import activity

from activities.catalogue import PLAN, RESOLVE, Question
from link import catalog as live
from model.catalogue.catalog import Catalog
from model.catalogue.plan import facts_for, plan_for
from model.detect.partition import Resolution, Resolved
from model.effects import Errand, Outcome, PlanRequest


class LiveCatalogue:
    """Answers from the catalogue that this process has loaded."""

    @activity.defn(name=RESOLVE)
    async def resolve(self, question: Question) -> Resolution:
        """Return facts and plan for each question, and the policy for new incidents."""
        catalog = _loaded()
        answers = [
            Resolved(
                facts=facts_for(catalog, service, region, metric),
                plan=plan_for(catalog, services=[service] if service else [], at=question.at),
            )
            for service, region, metric in question.asked
        ]
        return Resolution(answers=answers, policy=live.policy())

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
