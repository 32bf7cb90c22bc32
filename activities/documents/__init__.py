"""Documents: what was learnt, as pages that people read, print and send."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel

from model.learn.ops_review import Gathered, Week
from model.matter import Entry

OPS_REVIEW = "ops_review"
"""Activity: `Week` → `Gathered`."""
OPS_PLAN = "ops_review_plan"
"""Local activity: a moment → the `Plan` of the whole organisation, since everybody is invited (L1)."""


class Published(BaseModel):
    """A document that was made.

    Attributes:
        address: Where people find it.
        sha256: Of the text it was made from: a COE or RCA is kept by its hash (design §2).
    """

    address: str
    sha256: str


class Documents(Protocol):
    """Something that turns a COE's text into a document, and keeps both."""

    async def coe(self, id: str, text: str, entries: Sequence[Entry]) -> Published:
        """Make a COE's document anew; the same text makes the same one.

        Args:
            id: The COE's workflow id.
            text: The COE file as its author wrote it.
            entries: The incident's timeline.

        Raises:
            Failed: It could not be kept.
        """
        ...


class Reviews(Protocol):
    """Something that gathers what a weekly review talks about, and makes its documents."""

    async def gather(self, week: Week) -> Gathered:
        """Gather a week; the same week again makes the same documents anew.

        Raises:
            Failed: It could not be gathered, or not be kept.
        """
        ...
