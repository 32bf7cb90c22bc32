"""What an incident knows of the matters that follow from it: COEs, the RCA, action items."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel

from model.matter import What
from model.times import Moment


class Item(BaseModel):
    """One matter as its incident knows it; it says so by the signal `item_changed`.

    Attributes:
        id: Its workflow id.
        n: An action item's number in the incident.
        patch: The mitigation it is to replace, by its number.
        replacement: It replaces what is in use instead of changing it step by step (R9).
        settled: Nothing of it is owed any more before all clear (a COE reviewed, the RCA delivered, a promised item
            validated or withdrawn by consent).
        customer_message_due: Customers must hear before this moment that what they were promised moves, or will not
            be kept; none where they know (R10).
        revision: Counts what the matter has said: news with a lower one is older, the same one is a repetition.
    """

    id: str
    kind: Literal["coe", "rca", "action"]
    status: str
    n: int = 0
    team: str = ""
    subject: str = ""
    title: str = ""
    author: str = ""
    owner: str = ""
    horizon: str = ""
    promised: bool = False
    replaces: int | None = None
    patch: int | None = None
    replacement: bool = False
    due_at: Moment | None = None
    promised_due_at: Moment | None = None
    validated_at: Moment | None = None
    published_at: Moment | None = None
    why_reasons: list[str] = []
    findings: list[str] = []
    settled: bool = False
    customer_message_due: Moment | None = None
    revision: int = 0


def all_settled(items: Iterable[Item]) -> bool:
    """Whether nothing is owed any more: COEs reviewed, the RCA delivered, promises validated or withdrawn."""
    return all(item.settled for item in items if item.kind != "action" or item.promised)


class ItemChanged(BaseModel):
    """The signal `item_changed`: how a matter stands, and the line it adds to the incident's timeline.

    Attributes:
        line: The line's text; empty adds none.
    """

    item: Item
    what: What = "observed"
    line: str = ""
    by: str = "allclear"


class AcceptedAction(BaseModel):
    """An action of an accepted COE; the incident numbers it and begins its item.

    Attributes:
        replaces: The number of the item it replaces.
        replaces_title: Or its title, where it is an action of the same COE, which knows no numbers.
        patch: The number of the mitigation it replaces.
    """

    title: str
    goal: str
    horizon: Literal["short", "mid", "long"]
    owner: str
    due: Moment
    promised: bool = False
    validation: str = ""
    lesson: str = ""
    replaces: int | None = None
    replaces_title: str = ""
    patch: int | None = None
    kind: Literal["incremental", "replacement"] | None = None


class ActionsAccepted(BaseModel):
    """The signal `actions_accepted`: a COE's actions are to begin."""

    coe: str
    by: str
    actions: list[AcceptedAction]
