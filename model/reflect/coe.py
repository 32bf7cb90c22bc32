"""A COE on its way: assigned, written, checked, and reviewed level by level (R1, L1).

What people may say of it is in `coe_rules`, what time does to it in `coe_course`.
"""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel

from model.close.items import Item
from model.coe.file import Finding
from model.reflect import after
from model.reflect.after import After
from model.text import cut
from model.times import Moment

Status = Literal["assigned", "draft", "returned", "submitted", "reviewed"]
Level = Literal["team", "organisation", "operations"]
LEVELS: Final[tuple[Level, ...]] = ("team", "organisation", "operations")
FINDINGS_SHOWN: Final = 50
"""Findings the incident shows, each shortened; they live in its state."""


class Review(BaseModel):
    """What one level said."""

    at: Moment
    by: str
    level: Level
    verdict: Literal["accept", "return"]
    comments: str = ""
    draft: str = ""


class Coe(After):
    """Everything a COE's process knows.

    Attributes:
        assigned_at: When its author was asked.
        important: It goes on to the operational metrics meeting: severity 1 or 2, or customers were hit.
        customers_hit: How the incident knows that customers were hit.
        text: The text handed in last.
        findings: What the check found in it.
        level: The level that reviews it now.
        level_due_at: By when.
        rework_due_at: By when a returned one is due again.
        actions_begun: Titles of its actions that have begun.
    """

    subject: str = ""
    author: str = ""
    assigned_at: Moment | None = None
    due_at: Moment | None = None
    important: bool = False
    customers_hit: str = ""
    mitigated_by_hand: bool = False
    status: Status = "assigned"
    text: str = ""
    digest: str = ""
    submitted_at: Moment | None = None
    submitted_by: str = ""
    submissions: int = 0
    findings: list[Finding] = []
    why_reasons: list[str] = []
    level: Level | None = None
    level_due_at: Moment | None = None
    level_since: Moment | None = None
    rework_due_at: Moment | None = None
    reviews: list[Review] = []
    actions_begun: list[str] = []
    reviewed_at: Moment | None = None

    @property
    def holder(self) -> str:
        """Its author."""
        return self.author

    @property
    def name(self) -> str:
        """What people call it."""
        return f"COE of {self.team}{' ' + self.subject if self.subject else ''}"

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels it passes, in order: its team, the organisation, and when important the weekly meeting."""
        return LEVELS if self.important else LEVELS[:2]

    @property
    def deadline(self) -> datetime | None:
        """By when the next thing is owed: the text, the text again, or the review."""
        if self.status == "submitted":
            return self.level_due_at
        return None if self.status == "reviewed" else self.rework_due_at or self.due_at

    @property
    def errors(self) -> list[Finding]:
        """The findings that send it back."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def awaited(self) -> list[str]:
        """The reviewer while it is reviewed, else its author."""
        if self.status == "submitted":
            return after.manager(self)
        return [] if self.status == "reviewed" else [self.author]

    @property
    def asked_for(self) -> datetime | None:
        """Since when its review waits."""
        return self.level_since if self.status == "submitted" else None

    def as_item(self) -> Item:
        """Return how the incident knows it."""
        return Item(
            id=self.id,
            kind="coe",
            status=self.status,
            team=self.team,
            subject=self.subject,
            title=self.title,
            author=self.author,
            due_at=self.due_at,
            why_reasons=self.why_reasons,
            findings=[_briefly(finding) for finding in self.findings[:FINDINGS_SHOWN]],
            settled=self.status == "reviewed",
            revision=self.revision,
        )


def _briefly(finding: Finding) -> str:
    return f"{finding.level}: line {finding.line}: {cut(finding.text, 200)} ({finding.code})"
