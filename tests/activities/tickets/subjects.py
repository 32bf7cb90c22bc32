"""Matters to be shown over there, lines to be added, and what a ticket system looks like from a test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Protocol
from uuid import uuid4

from activities import Failed
from activities.mirror import Guest, Mirror, Place, Subject
from activities.posting import Answer, Poster
from activities.tickets.rest import LARGEST
from model.matter import Entry

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
QUICK = Poster(within=timedelta(seconds=2))
NASTY = "@everyone #1 GH-1 {code} [~admin] *bold* _it_ `tick` ``two`` <b>html</b> <!-- x --> :tada: &lt; [a](b) h1. x"
"""Text of which every system would make something else than text."""
_seq = count(1)


def incident(**changed: Any) -> Subject:
    id = f"INC-20260302-{uuid4().hex[:8].upper()}"
    subject = Subject(
        id=id,
        kind="incident",
        title="checkout-api: error-rate 4%>1%",
        body="Customers cannot pay.",
        severity=2,
        phase="mitigate",
        services=["checkout-api"],
        regions=["eu-west"],
        calls={"tech": "https://meet.test/tech"},
        guests=[Guest(person="ana", name="Ana Ng")],
    )
    return subject.model_copy(update=changed)


def action(parent: Subject, place: Place | None = None, n: int = 1) -> Subject:
    return incident(
        id=f"{parent.id}/action/{n}",
        kind="action_item",
        title="Health checks take bad hosts out",
        body="Goal: no customer sees a bad host.",
        parent=parent.id,
        parent_place=place.id if place else "",
        calls={},
    )


def line(text: str = "rollback of 2.3.1 started", **changed: Any) -> Entry:
    return Entry(seq=next(_seq), at=NINE, what="observed", by="ana", text=text).model_copy(update=changed)


def key_of(subject: Subject, entry: Entry) -> str:
    return f"{subject.id}/{entry.seq}"


@dataclass
class Shown:
    """What people see of a ticket."""

    title: str
    text: str
    open: bool
    labels: Sequence[str] = ()


class Desk(Protocol):
    """A ticket system: our connector to it, and what people see and do there."""

    mirror: Mirror

    async def tickets(self, id: str) -> list[str]:
        """Return the tickets that say they are of a matter, the oldest first."""
        ...

    async def shown(self, ticket: str) -> Shown: ...

    async def comments(self, ticket: str) -> list[str]:
        """Return the comments as people read them, the oldest first."""
        ...

    async def comment(self, ticket: str, text: str) -> None:
        """Write a comment as somebody else."""
        ...

    async def close(self, ticket: str) -> None:
        """Close a ticket as somebody of theirs does."""
        ...

    async def delete(self, ticket: str) -> None: ...

    async def linked(self, ticket: str) -> list[str]:
        """Return the tickets that people can go to from one."""
        ...

    def loses_the_next_answer(self) -> None:
        """The next request that changes something is obeyed, and its answer never comes."""
        ...


@dataclass(frozen=True)
class Losing(Poster):
    """Loses an answer as often as it is told to: what a dying worker or a cut line leaves behind."""

    largest: int = LARGEST
    losses: list[bool] = field(default_factory=list)

    async def send(self, *given: Any, **named: Any) -> Answer:
        answer = await super().send(*given, **named)
        method = named.get("method", given[4] if len(given) > 4 else "POST")
        if self.losses and method != "GET":
            self.losses.pop()
            raise Failed("the answer was lost")
        return answer
