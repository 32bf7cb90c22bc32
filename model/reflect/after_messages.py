"""What people say to what follows from an incident: COEs, the RCA, action items (R7-R11, L1, design §3)."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from model.message import Message
from model.text import Name, Words, clean
from model.times import Moment

DOCUMENT_LIMIT: Final = 256 * 1024
"""Bytes of a COE or an RCA (design §2)."""


def _lines(value: object) -> object:
    return clean(value.replace("\r\n", "\n").replace("\r", "\n")) if isinstance(value, str) else value


def _sized(text: str) -> str:
    size = len(text.encode())
    if size > DOCUMENT_LIMIT:
        raise ValueError(f"the text has {size} bytes; at most {DOCUMENT_LIMIT} are kept: put data behind links")
    return text


Document = Annotated[str, BeforeValidator(_lines), AfterValidator(_sized)]
"""A whole file: cleaned, its lines kept; refused when too long, because its author can shorten it."""


class Submit(Message):
    """A COE, or a draft of the RCA, is handed in."""

    description = (
        "Hand in the text (a file is read by whoever sends it); a COE with errors comes back with them, "
        "and with `draft: true` it is only kept and checked."
    )
    example = {"by": "ana", "text": "Between 09:00 and 09:31 UTC, 3 % of payments were refused. …"}

    text: Document = ""
    file: Name = ""
    draft: bool = Field(
        default=False, description="A COE that is not ready: it is kept and checked, nobody reviews it."
    )


class Review(Message):
    """A COE is accepted, or returned, at one level (L1)."""

    description = "Accept a COE, or return it with comments; without a level the one that waits is meant."
    example = {"by": "dee", "level": "team", "verdict": "accept", "comments": "the second branch is the strong one"}
    main = "comments"
    decides = True

    level: Literal["team", "organisation", "operations"] | None = None
    verdict: Literal["accept", "return"] = "accept"
    comments: Words = ""
    draft: Name = ""


class Approve(Message):
    """The RCA may leave the house (R7)."""

    description = "Approve the RCA's draft: it leaves ten minutes later, once; `draft` says which text you have read."
    example = {"by": "dee", "draft": "3f2a9c51"}
    decides = True

    draft: Name = ""


class Recall(Message):
    """The approved RCA must not leave yet (R7)."""

    description = "Recall an approved RCA before it leaves."
    example = {"by": "dee", "reason": "the second date is wrong"}
    main = "reason"
    decides = True

    reason: Words = Field(min_length=1)


class Start(Message):
    """Work on an action item begins."""

    description = "Say that work on this item has begun."
    example = {"by": "ana"}


class Replan(Message):
    """The way, or the date, changes; the goal and the promise may not (R10)."""

    description = (
        "Change the plan, or move the date with its reason; a small slip goes without asking, "
        "a larger one waits for `agree`. The goal and the promise do not change."
    )
    example = {"by": "ana", "due": "2026-04-03T12:00:00Z", "reason": "two days more to try it at full load"}
    main = "reason"
    decides = True

    plan: Words = ""
    due: Moment | None = None
    reason: Words = Field(min_length=1)


class Agree(Message):
    """A manager's consent to a waiting replan or withdrawal (R10)."""

    description = "Agree to the replan or withdrawal that waits."
    example = {"by": "dee", "reason": "the larger fix is worth the wait"}
    main = "reason"
    decides = True

    reason: Words = ""


class Implemented(Message):
    """It is built; whether it works is still to be tried (R11)."""

    description = "Say that it is implemented, with the evidence; next it is validated."
    example = {"by": "ana", "evidence": "rolled out to both regions, change 4711"}
    main = "evidence"

    evidence: Words = Field(min_length=1)


class Validated(Message):
    """The same conditions were tried again, and did or did not lead to the same failure (R11)."""

    description = "Say how trying it against the same conditions went, how it was tried, and where that can be seen."
    example = {
        "by": "ana",
        "passed": True,
        "method": "broke one host's disk in the test fleet, at twice the usual load",
        "evidence": "no call failed: https://example.test/run/17",
    }
    main = "evidence"
    decides = True

    passed: bool
    method: Words = Field(min_length=1)
    evidence: Words = Field(min_length=1)


class HandOver(Message):
    """An action item gets another owner."""

    description = "Give this item to another owner; name their `team` where they are not known here."
    example = {"by": "ana", "owner": "ben", "team": "checkout", "reason": "ben owns the health checks now"}
    main = "owner"
    decides = True

    owner: Name = Field(min_length=1)
    team: Name = ""
    reason: Words = ""


class Withdraw(Message):
    """An action item is not wanted any more."""

    description = "Withdraw this item with a reason; one that was promised to customers waits for `agree`."
    example = {"by": "ana", "reason": "the service it protects is switched off in May"}
    main = "reason"
    decides = True

    reason: Words = Field(min_length=1)
