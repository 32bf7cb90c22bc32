"""What people and machines say to a campaign (L3, design §3)."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from model.message import Message
from model.text import Name, Words
from model.times import Moment

Rung = Literal["education", "distributed", "centralized"]
"""How a lesson is scaled, in order of effect: people know it, everybody acts, nobody has to (L3)."""


def _percent(value: object) -> object:
    """Read `34 %` as 0.34; what is no number is left for pydantic to refuse."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip().removesuffix("%")) / 100
        except ValueError:
            return value
    return value


Part = Annotated[float, BeforeValidator(_percent), Field(ge=0, le=1, allow_inf_nan=False)]
"""A part of a whole, 0 to 1; people may write `34 %`."""


class Measure(Message):
    """How much of a campaign is still to go."""

    description = "Say how much is still to go, from 0 (nothing) to 1; at the target the campaign is done."
    example = {"value": 0.34, "source": "metrics:cross-region-calls"}
    main = "value"

    value: Part = Field(description="How much is still to go: 0 to 1, or for example 34%.")
    source: Name = Field(default="", description="What, or who, measured it.")


class StartRung(Message):
    """A campaign moves up: to more effect, never down."""

    description = (
        "Move the campaign up a rung: education, distributed (everybody acts by a date), centralized (a new default, "
        "nobody has to act); without `rung` the next one, without `target` the one it has."
    )
    example = {"by": "kim", "rung": "distributed", "target": 0.01, "due": "2027-03-01T12:00:00Z"}
    main = "rung"
    decides = True

    rung: Rung | None = Field(default=None, description="Where to: distributed or centralized; else the next one.")
    target: Part | None = Field(default=None, description="What may be left to go: 0 to 1, or 1%; else as before.")
    due: Moment | None = Field(default=None, description="By when: a moment, or 60d from now; else as before.")


class Finish(Message):
    """A campaign ends although its target was not measured."""

    description = "End the campaign with a reason; measured at its target it ends by itself."
    example = {"by": "kim", "reason": "the old endpoint is switched off, nobody is left to move"}
    main = "reason"
    decides = True

    reason: Words = Field(min_length=1)
