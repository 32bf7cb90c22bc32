"""Messages of coordination and of the support desk: forks, contacts, questions, feelings, and what is told (C5-C10)."""

from typing import Literal

from pydantic import ConfigDict, Field, field_validator

from model.message import Message
from model.text import Name, Words


class Fork(Message):
    """A team leaves the bridge for a call of its own; somebody of it stays (C5)."""

    model_config = ConfigDict(populate_by_name=True)

    description = "Leave the bridge for a call of your team's own; say who of the team stays on the bridge."
    example = {"by": "ana", "topic": "why chk-17 refuses writes", "stays": "ben"}
    main = "topic"

    team: Name = ""
    topic: Words = Field(min_length=1)
    stays: Name = Field(default="", description="Who of your team stays on the bridge.")
    # `from` is a word of Python's own.
    from_: Name = Field(default="", alias="from", description="The fork you leave from, if not the bridge.")


class Rejoin(Message):
    """A fork ends: its people are back on the bridge (C5)."""

    description = "End a fork: you are back on the bridge."
    example = {"by": "ana"}
    main = "fork"

    fork: Name = Field(default="", description="Its number or name; your team's own where it is the only one.")


class Relate(Message):
    """A customer's case belongs to this event (C7)."""

    description = "Relate a customer's case to this event; contacts are counted per customer."
    example = {"by": "sam", "case": "4711", "customer": "acme"}
    main = "case"

    case: Name = Field(min_length=1)
    customer: Name = Field(min_length=1)
    service: Name = Field(default="", description="What the case is about, where it says so.")
    text: Words = ""


class Inquire(Message):
    """A customer asks something; asked again it counts, answered once it is an FAQ (C10)."""

    description = "Note what a customer asks; the same question again counts, `answer` answers it for everybody."
    example = {"by": "sam", "customer": "acme", "text": "Are refunds affected too?"}

    customer: Name = ""
    text: Words = Field(min_length=1)
    answer: Words = Field(default="", description="What customers are answered; it names nothing internal.")


class Sentiment(Message):
    """How customers say it goes (C7)."""

    description = "Note how customers say it goes."
    example = {"by": "sam", "tendency": "better", "text": "three say payments go through again", "source": "phone"}

    tendency: Literal["worse", "same", "better"] = Field(description="How it goes, as customers say")
    text: Words = Field(min_length=1)
    source: Name = Field(default="", description="Where they say so.")


class Notify(Message):
    """Tell an audience something, or decide about a waiting draft (C8, C9)."""

    decides = True
    description = (
        "Tell customers (audience external: it names nothing internal) or account teams (internal); "
        "or send or hold the draft that waits."
    )
    example = {
        "by": "sam",
        "audience": "external",
        "text": "One payment in thirty fails and succeeds when it is tried again. We are removing the cause.",
        "workaround": "Try the payment again.",
        "takes": "about ten minutes",
    }

    audience: Literal["internal", "external"] | None = Field(default=None, description="Who reads it")
    text: Words = ""
    draft: int | None = Field(default=None, ge=1, description="The number of a waiting draft.")
    verdict: Literal["send", "hold"] | None = Field(default=None, description="What becomes of the waiting draft")
    customers: list[Name] = Field(
        default=[], max_length=1000, description="Only these; everybody else told so far hears that it is not them."
    )
    public: bool = Field(default=False, description="Put it on the public page too.")
    correction: bool = Field(default=False, description="It corrects what customers were told before.")
    seeing: Words = Field(default="", description="What customers see.")
    workaround: Words = Field(default="", description="What they can do meanwhile.")
    takes: Words = Field(default="", description="How long the next steps take.")
    actions: list[int] = Field(
        default=[], max_length=50, description="Promised action items whose new date it tells customers (R10)."
    )

    @field_validator("customers", "actions", mode="before")
    @classmethod
    def _only_one(cls, value: object) -> object:
        return [value] if isinstance(value, str | int) else value
