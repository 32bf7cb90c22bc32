"""What closing asks for: the checklist, and the post-mortems that measurements suggest (X1-X3)."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from model.close.closing_messages import CheckItem

ITEMS: tuple[CheckItem, ...] = (
    "short-term-fixes",
    "data-preserved",
    "postmortems-assigned",
    "next-steps",
    "recurrence",
    "shared-components",
    "hypotheses",
)
"""Every item, in the order people go through them."""


class Checked(BaseModel):
    """One item that is done.

    Attributes:
        services: The services to dive into, where the hypotheses name some (M5).
    """

    item: CheckItem
    at: datetime
    by: str
    note: str = ""
    services: list[str] = []


class Suggestion(BaseModel):
    """A team with something to learn, by what the system measured: the system suggests, people assign.

    Attributes:
        always: It cannot be declined (detected by customers, X3).
    """

    team: str
    reasons: list[str]
    always: bool = False
    answer: Literal["", "assigned", "declined"] = ""
    by: str = ""
    declined: str = ""
