"""What people say while they mitigate and verify (M1-M3, design §3)."""

from typing import Literal

from pydantic import Field, field_validator

from model.message import Message
from model.text import Name, Words

Kind = Literal["shift_away", "roll_back", "scale_up", "restart", "change_config", "roll_forward"]
"""The ladder's steps, in order of preference (M1)."""


class Propose(Message):
    """A step of the ladder is proposed."""

    description = "Propose a mitigation; `go: true` decides it in the same act, where one may."
    example = {"by": "ana", "kind": "roll_back", "target": "checkout-api@2.3.1", "why": "started with it", "go": True}
    main = "why"

    kind: Kind
    target: Name = Field(min_length=1)
    why: Words = Field(min_length=1)
    set_aside: list[Name] = Field(default=[], max_length=50)
    confidence: Words = ""
    go: bool = False

    @field_validator("set_aside", mode="before")
    @classmethod
    def _one_node(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class Decide(Message):
    """A waiting proposal is approved or rejected, or every rollback of one suspicion at once."""

    description = (
        "Approve or reject a proposal; without a number the only waiting one, without a verdict: approve. "
        "`all: true` decides about every suspected deployment at once."
    )
    example = {"by": "kim", "proposal": 1, "verdict": "approve"}
    main = "reason"
    decides = True

    proposal: int | None = Field(default=None, ge=1)
    all: bool = Field(default=False, description="Every rollback the system proposed and that still waits (M2).")
    verdict: Literal["approve", "reject"] = "approve"
    reason: Words = ""


class Stop(Message):
    """A mitigation does harm or no good: it is stopped, and undone where that is possible."""

    description = "Stop a mitigation that runs or has run, and undo it where that is possible."
    example = {"by": "kim", "proposal": 1, "reason": "errors grow in us-east"}
    main = "reason"
    decides = True

    proposal: int | None = Field(default=None, ge=1)
    reason: Words = Field(min_length=1)


class ConfirmRecovery(Message):
    """A customer, or something that sees with a customer's eyes, says whether it works again (M3)."""

    description = "Say whether a customer (or a canary, reports, …) sees it working again; one no goes back."
    example = {"by": "sam", "customer": "acme", "recovered": True, "text": "all payments went through"}

    customer: Name = ""
    source: Name = ""
    recovered: bool
    text: Words = ""
