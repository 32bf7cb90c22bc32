"""What goes into the store and comes out of it, apart from the incident and its entries themselves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from model.policy import Policy
from model.times import parse_moment

INCIDENT: Final = "INC-"
"""How an incident's id begins; what follows from it has its id, a slash and more (design §2)."""


def is_incident(matter_id: str) -> bool:
    """Whether an id is an incident's, and not that of something that follows from one."""
    return matter_id.startswith(INCIDENT) and "/" not in matter_id


def kind_of(matter_id: str) -> str:
    """Return what a matter is by its id: `coe`, `rca`, `action`, `campaign`, `ops_review`, or its first word."""
    first, *rest = matter_id.split("/")
    if first.startswith(INCIDENT) and rest:
        return rest[0]
    # A weekly review numbers action items too: ops-review/{date}/action/{n}.
    return rest[1] if len(rest) > 2 else first.replace("-", "_")


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


class MatterSummary(BaseModel):
    """Something that follows from incidents, in a list: the facts that have a column of their own.

    Attributes:
        kind: `coe`, `rca`, `action`, `campaign` or `ops_review`.
        incident_id: Where it comes from.
        owner: Whoever has it now: an item's owner, a COE's author.
        due_at: By when the next thing is owed as planned now: to be delivered, or, once implemented, to be validated.
        promised_due_at: What customers were told.
        ended: Its process is over.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    kind: str = ""
    incident_id: str = ""
    status: str = ""
    owner: str = ""
    team: str = ""
    title: str = ""
    horizon: str = ""
    promised: bool = False
    due_at: datetime | None = None
    promised_due_at: datetime | None = None
    validated_at: datetime | None = None
    test: bool = False
    ended: bool = False

    @classmethod
    def of(cls, state: Mapping[str, object]) -> "MatterSummary":
        """Return the facts in a matter's state; a COE says `author` where an item says `owner`."""
        matter_id = str(state["id"])
        made = cls.model_validate(
            {
                **{name: value for name, value in state.items() if value is not None},
                "kind": kind_of(matter_id),
                "incident_id": state.get("incident") or "",
                "owner": state.get("owner") or state.get("author") or "",
            }
        )
        built = state.get("implemented_at")
        if made.status != "implemented" or not isinstance(built, str):
            return made
        # What is owed next is that it is tried (R11). A record carries no policy, so the usual number counts.
        return made.model_copy(update={"due_at": parse_moment(built) + Policy().validate_within})


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


class Shown(BaseModel):
    """Where a matter is shown outside.

    Attributes:
        system: As the settings name it.
        place: How the system knows it.
        upto: The last line of the timeline that was brought.
    """

    model_config = ConfigDict(frozen=True)

    matter_id: str
    system: str
    place: str
    url: str = ""
    upto: int = 0


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
