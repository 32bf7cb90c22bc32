"""What people say when it ends: the checklist, post-mortems, action items, campaigns (X1-X4, R8, L3, design §3)."""

from typing import Literal

from pydantic import Field, field_validator

from model.message import Message
from model.text import Name, Words
from model.times import Moment

CheckItem = Literal[
    "short-term-fixes",
    "data-preserved",
    "postmortems-assigned",
    "next-steps",
    "recurrence",
    "shared-components",
    "hypotheses",
]
"""The closing checklist (X1, X2, X3, X4, M4, M5)."""


class Check(Message):
    """Items of the closing checklist are done."""

    description = "Tick items of the closing checklist; hypotheses name in `services` what to dive into."
    example = {"by": "kim", "done": ["data-preserved", "next-steps"], "note": "logs of host 17 are in the ticket"}
    main = "note"

    done: list[CheckItem] = Field(min_length=1)
    note: Words = ""
    services: list[Name] = Field(default=[], max_length=50, description="What to dive into over the next days (M5).")

    @field_validator("done", "services", mode="before")
    @classmethod
    def _one_item(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class AssignCoe(Message):
    """A post-mortem gets its team and author, or a suggestion is declined with a reason (X3)."""

    description = "Assign a COE to a team and its author, or decline a suggested one with a reason."
    example = {"by": "kim", "team": "checkout", "author": "ana", "subject": "health-check"}
    main = "decline"
    decides = True

    team: Name = Field(min_length=1)
    author: Name = ""
    subject: Name = ""
    decline: Words = ""
    rca: bool = Field(default=False, description="The author writes the customers' RCA too.")

    @field_validator("subject")
    @classmethod
    def _no_path(cls, value: str) -> str:
        if "/" in value:
            raise ValueError("a subject is one word or a few with hyphens, without a slash")
        return value


class AddAction(Message):
    """An action item begins (R8)."""

    description = "Add an action item; it is done only when it was tried against the failure."
    example = {
        "by": "kim",
        "title": "Health checks see the data path",
        "goal": "a host that fails its writes leaves the pool within a minute",
        "horizon": "mid",
        "owner": "ana",
        "due": "2026-04-01T12:00:00Z",
        "promised": True,
        "validation": "break one host's disk in the test fleet; no customer call may fail",
    }
    main = "title"

    title: Words = Field(min_length=1)
    goal: Words = Field(min_length=1)
    horizon: Literal["short", "mid", "long"]
    owner: Name = Field(min_length=1)
    due: Moment
    promised: bool = False
    validation: Words = Field(min_length=1)
    replaces: int | None = Field(default=None, ge=1)
    patch: int | None = Field(default=None, ge=1, description="The mitigation it is to replace, by its number.")
    kind: Literal["incremental", "replacement"] | None = None


class StartCampaign(Message):
    """A lesson is scaled over everybody it concerns (L3)."""

    description = "Start a campaign that brings a lesson to everybody it concerns, measured from the start."
    example = {
        "by": "kim",
        "slug": "regional-endpoints",
        "title": "Everybody calls the endpoint of their own region",
        "lesson": "a global endpoint makes one region everybody's dependency",
        "metric": "share of calls that leave their region",
        "target": 0.01,
        "due": "2026-12-01T12:00:00Z",
    }
    main = "title"

    slug: Name = Field(min_length=1, pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: Words = Field(min_length=1)
    lesson: Words = Field(min_length=1)
    metric: Words = Field(min_length=1)
    target: float = Field(ge=0, le=1, allow_inf_nan=False)
    due: Moment
