"""The catalogue: whom services and teams mean, at this moment. Its activities are local ones."""

from datetime import datetime

from pydantic import BaseModel

RESOLVE = "resolve"
"""Local activity: `Question` → `Resolution`."""
PLAN = "plan"
"""Local activity: `Errand[PlanRequest]` → `Outcome` with a plan."""


class Question(BaseModel):
    """Services with region and metric that `Detection` must know more about."""

    asked: list[tuple[str, str, str]]
    at: datetime
