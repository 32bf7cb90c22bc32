"""The customers' RCA: one draft, one approval, delivered once (R7).

It is promised within seven days of the first mitigation and speaks from the customers' side: no internal word leaves
the house. What was approved is what leaves, to each customer exactly once; a broken promise is said loudly.
What people may say of it is in `rca_rules`, what time and other processes do to it in `rca_course`.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from model.catalogue.plan import Contact
from model.close.items import Item
from model.coordinate.wording import ExternalText
from model.matter import SYSTEM, unique
from model.reflect import after
from model.reflect.after import After
from model.times import Moment

Stage = Literal["assigned", "draft", "approved", "recalled", "delivered"]
Status = Literal["assigned", "draft", "approved", "recalled", "delivered", "late"]


class Delivery(BaseModel):
    """One customer's copy; it is never sent again once it was taken.

    Attributes:
        done_at: When it was taken, or given up.
        taken: Whether the other side took it.
    """

    customer: str
    contacts: list[Contact] = []
    tries: int = 0
    retry_at: Moment | None = None
    done_at: Moment | None = None
    taken: bool = False
    reason: str = ""


class AuthorNamed(BaseModel):
    """The signal `author_named`: somebody was asked to write it."""

    author: str
    by: str = SYSTEM


class CustomersNamed(BaseModel):
    """The signal `customers_named`: who was hit, as far as it is known now; nobody is let go by it."""

    customers: list[str] = []


class Rca(After):
    """Everything the RCA knows.

    Attributes:
        services: The services it speaks about; their owners' managers approve it.
        stage: Where the text is; `status` says `late` instead once the promise is broken.
        text: The draft; empty once it is approved.
        approved: The text that leaves; whoever approved it answers for it.
        left_at: When it began to leave; from then on nobody can recall it.
        deliveries: Every customer who gets it; where the incident named none, all who used its services then.
    """

    services: list[str] = []
    author: str = ""
    mitigated_at: Moment | None = None
    due_at: Moment | None = None
    stage: Stage = "assigned"
    status: Status = "assigned"
    text: str = ""
    digest: str = ""
    drafted_at: Moment | None = None
    drafted_by: str = ""
    approved: ExternalText | None = None
    approved_at: Moment | None = None
    approved_by: str = ""
    late_at: Moment | None = None
    left_at: Moment | None = None
    published_at: Moment | None = None
    deliveries: list[Delivery] = []

    @property
    def holder(self) -> str:
        """Its author."""
        return self.author

    @property
    def name(self) -> str:
        """What people call it."""
        return "RCA"

    @property
    def about(self) -> list[str]:
        """The services it speaks about."""
        return self.services

    @property
    def teams(self) -> list[str]:
        """The owners of its services."""
        owners = [self.plan.services[s].team for s in self.services if s in self.plan.services]
        return unique([self.team, *owners])

    @property
    def leaves_at(self) -> datetime | None:
        """Until when an approved one can be recalled."""
        return (
            self.approved_at + self.policy.rca_recall_within if self.stage == "approved" and self.approved_at else None
        )

    @property
    def deadline(self) -> datetime | None:
        """The promise to the customers, until it is kept."""
        return None if self.ended else self.due_at

    @property
    def writers(self) -> list[str]:
        """Who is asked for the draft: the author, else the owning team's first level."""
        return [self.author] if self.author else after.first_level(self, self.team)

    @property
    def awaited(self) -> list[str]:
        """Its writers until there is a draft, then the manager until it is approved."""
        if self.stage == "assigned":
            return self.writers
        return after.manager(self) if self.stage in ("draft", "recalled") else []

    @property
    def asked_for(self) -> datetime | None:
        """Since when a draft waits for approval."""
        return self.drafted_at if self.stage == "draft" else None

    def as_item(self) -> Item:
        """Return how the incident knows it."""
        return Item(
            id=self.id,
            kind="rca",
            status=self.status,
            team=self.team,
            title=self.title,
            author=self.author,
            due_at=self.due_at,
            published_at=self.published_at,
            settled=self.stage == "delivered",
            revision=self.revision,
        )


def stand(rca: Rca, stage: Stage) -> None:
    """Say how far it is; one that is late stays so, however far it comes."""
    rca.stage = stage
    rca.status = "late" if rca.late_at else stage
