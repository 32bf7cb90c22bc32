"""Traffic as the catalogue names it (D4, D6): a stored series of a service in a region, and how it is judged.

traffic:
checkout-orders:
service: checkout-api
region: eu-west
query: sum(rate(orders_total{region="eu-west"}[5m]))
every: 5m
"""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from model.catalogue.entries import Entry
from model.policy import Round
from model.times import Duration

Standing = Literal["learning", "unknown", "ok", "short", "lost", "high"]
"""How a series stands. `lost` and `high` page, `short` is severity 4 until something else agrees."""


class Traffic(Entry):
    """One series that says how much of a service is used, or how well it does.

    Attributes:
        id: Its name in alarms.
        service: A service id.
        region: A region of the catalogue.
        query: PromQL that names one series.
        kpi: The key metric of the service that this is; the dashboard shows it there.
        alarms: False for what is only shown, because something else alarms on it.
        every: Between two samples.
        zone: The time zone in whose days and weeks customers live.
        missing: What an absent sample means: none of the traffic, nothing at all, or that nothing is known.
        severity: Of the alarm when all is lost; a partial shortfall is always severity 4.
        above: A fixed limit instead of what is learned …
        below: … likewise.
        fails: With a fixed limit: alarm when at least this many …
        of: … of the last this many samples are beyond it.
        learns_from: How far back it reads when it begins.
    """

    id: str = ""
    service: str
    region: str
    query: str
    kpi: str = ""
    alarms: bool = True
    every: Round = Field(default="5m", validate_default=True)
    zone: str = "UTC"
    missing: Literal["breaching", "not_breaching", "ignore", "missing"] = "breaching"
    severity: int = Field(default=2, ge=1, le=5)
    above: float | None = None
    below: float | None = None
    fails: int = Field(default=3, ge=1)
    of: int = Field(default=3, ge=1, le=100)
    learns_from: Duration = Field(default="28d", validate_default=True)

    @property
    def fixed(self) -> bool:
        """Whether a limit is given, so that nothing is learned."""
        return self.above is not None or self.below is not None

    @model_validator(mode="after")
    def _can_happen(self) -> "Traffic":
        if self.fails > self.of:
            text = f"{self.fails} of {self.of} samples can never fail; fails is at most of"
            raise PydanticCustomError("refused", "{text}", {"text": text})
        return self
