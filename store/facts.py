"""What goes into the store and comes out of it, apart from the incident and its entries themselves."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Summary(BaseModel):
    """An incident in a list: the facts that have a column of their own.

    Written from an incident's JSON and read from its row, so that both always have the same fields.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    kind: str = ""
    severity: int = 3
    phase: str = ""
    title: str = ""
    test: bool = False
    detection: str = ""
    detected_by: str = ""
    opened_at: datetime
    mitigated_at: datetime | None = None
    closed_at: datetime | None = None
    close_reason: str = ""
    all_clear_at: datetime | None = None
    absorbed_into: str = ""
    linked_to: str = ""
    services: list[str] = []
    regions: list[str] = []


class OutboxItem(BaseModel):
    """A page or a message kept here, because nothing is configured that would bring it further.

    Attributes:
        key: The effect's deterministic key (design §6.2); the same key again is the same item.
        audience: Who may read it: `internal` or `external`.
        to: The teams, or customers, it is for; `person` is the one recipient.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    incident_id: str
    lane: Literal["page", "message"]
    at: datetime
    person: str = ""
    channel: str = ""
    address: str = ""
    audience: str = "internal"
    to: list[str] = []
    text: str
    test: bool = False


class LightCloses(BaseModel):
    """How often incidents of one alarm were left the light way (X0), for the weekly review.

    Attributes:
        closes: Incidents, not messages.
        reasons: How many of them for which reason.
    """

    alarm: str
    service: str
    closes: int = 0
    reasons: dict[str, int] = {}
