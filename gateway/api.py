"""What programs read: incidents from the record, health, metrics."""

import asyncio
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from temporalio.client import Client
from temporalio.service import RPCError

from gateway.door import Door
from gateway.gauges import Gauges
from gateway.openapi import PROBLEMS, QUESTIONS
from gateway.problems import RETRY_AFTER, Problem
from store import Store, Summary

HEALTHY_WITHIN = timedelta(seconds=2)
"""In which Temporal has to answer."""
MOST = 1000
"""Incidents in one list."""
NOT_TOLD = {"timeline", "plan", "policy", "owed", "answers"}
"""Of an incident's state: how people are reached, what only its workflow needs, and lines that have their own place."""


class Incidents(BaseModel):
    """A list of incidents, the latest first."""

    incidents: list[Summary]


def api_routes(door: Door, store: Store, gauges: Gauges) -> APIRouter:
    """Return the routes that read the record, and the metrics: for whoever passes the door."""
    routes = APIRouter(dependencies=[Depends(door)], responses=QUESTIONS)

    @routes.get("/api/incidents", tags=["incidents"])
    async def incidents(
        open: Annotated[bool, Query(description="Only those that are not over.")] = False,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    ) -> Incidents:
        """List incidents as the record has them, the latest first."""
        return Incidents(incidents=await store.incidents(open_only=open, limit=limit))

    @routes.get("/api/incidents/{name}", tags=["incidents"])
    async def incident(name: str) -> dict[str, Any]:
        """Return an incident and its timeline; four or more of the last characters of its id are enough."""
        incident_id = await _the_one(store, name)
        found = await store.incident(incident_id)
        if found is None:
            raise Problem(404, f"the record has no incident {incident_id}")
        lines = await store.timeline(incident_id)
        return {
            **found.model_dump(mode="json", exclude=NOT_TOLD),
            "timeline": [line.model_dump(mode="json") for line in lines],
        }

    @routes.get("/metrics", tags=["operation"])
    async def metrics() -> Response:
        """Return the gateway's metrics for Prometheus."""
        return Response(gauges.text(), media_type=CONTENT_TYPE_LATEST)

    return routes


def health_routes(client: Client) -> APIRouter:
    """Return the route by which anybody may ask whether alarms would be taken."""
    routes = APIRouter(tags=["operation"])

    @routes.head("/healthz", include_in_schema=False)
    @routes.get("/healthz", responses={503: PROBLEMS[503]})
    async def healthz() -> dict[str, str]:
        """Say whether Temporal answers, so that alarms would be accepted."""
        try:
            async with asyncio.timeout(HEALTHY_WITHIN.total_seconds()):
                serving = await client.service_client.check_health(timeout=HEALTHY_WITHIN)
        except (RPCError, RuntimeError, TimeoutError):
            serving = False
        if not serving:
            raise Problem(503, "Temporal does not answer: alarms cannot be accepted", headers=RETRY_AFTER)
        return {"status": "ok", "temporal": "ok"}

    return routes


async def _the_one(store: Store, name: str) -> str:
    """Return the id that a name means.

    Raises:
        Problem: None, or several.
    """
    found = [summary.id for summary in await store.find(name)]
    if name.strip().upper() in found:
        return name.strip().upper()
    if not found:
        hint = "give its id, or four or more of its last characters"
        raise Problem(404, f"the record has no incident '{name}': {hint}")
    if len(found) > 1:
        raise Problem(409, f"'{name}' may be any of {', '.join(found[:10])}: give more of its last characters")
    return found[0]
