"""The catalogue: whom services and teams mean, at this moment."""

from datetime import datetime

from pydantic import BaseModel

RESOLVE = "resolve"
"""Activity: `Questions` → `Resolution`."""
PLAN = "plan"
"""Activity: `Errand[PlanRequest]` → `Outcome` with a plan."""


class Questions(BaseModel):
    """Services with region and metric that `Detection` must know more about."""

    asked: list[tuple[str, str, str]]
    at: datetime
