"""The ladder's facts: what was proposed, decided, run (M1). Rules over them: `model.mitigate.ladder`."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from model.mitigate.ladder_messages import Kind

PREFERENCE: dict[Kind, int] = {
    "shift_away": 1,
    "roll_back": 2,
    "scale_up": 3,
    "restart": 4,
    "change_config": 5,
    "roll_forward": 5,
}
"""The ladder, best first (M1)."""
LAST_RESORT = 5


class Proposal(BaseModel):
    """One proposed step.

    Attributes:
        n: Its number, from 1 as recorded.
        team: The owner of what it touches.
        suspicion: Proposed by the system, because a deployment ran around the start (M2).
        failed: Why it did not help, or could not be run.
        owner: Whose patch it is, once it was decided (M1).
        asked_at: When its owner was asked last what replaces it.
        replaced_by: The action item that has replaced it.
    """

    n: int
    kind: Kind
    target: str
    why: str
    team: str = ""
    set_aside: list[str] = []
    confidence: str = ""
    proposed_by: str
    proposed_at: datetime
    suspicion: bool = False
    status: Literal["waiting", "rejected", "running", "executed", "failed", "stopped", "expired"] = "waiting"
    decided_by: str = ""
    decided_at: datetime | None = None
    verdict: Literal["approve", "reject"] | None = None
    executed_at: datetime | None = None
    verified_at: datetime | None = None
    failed: str = ""
    owner: str = ""
    asked_at: datetime | None = None
    replaced_by: int | None = None
    key: str = ""

    @property
    def last_resort(self) -> bool:
        """Whether it needs extreme confidence and a second person."""
        return PREFERENCE[self.kind] >= LAST_RESORT

    @property
    def service(self) -> str:
        """The service it touches: `checkout-api@2.3.1` is `checkout-api`."""
        return self.target.partition("@")[0].partition("/")[0]
