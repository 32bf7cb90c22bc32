"""The messages to `Detection` and `Incident`: each with its fields, its meaning and an example to copy (design §3).

What belongs to one part of the process stands there: `desk_messages`, `ladder_messages`, `closing_messages` and others.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from model.message import Message
from model.text import Cut, Name, Words, clean, cut
from model.times import Moment

Source = Literal["service", "subsystem", "canary", "traffic"]
"""Kinds of alarm source (D1, D2, D4)."""
Region = Annotated[Name, AfterValidator(lambda region: region or "global")]
"""A region; what names none is global."""
MACHINE_WORDS = 500
"""Bytes of words an alarm or a report may carry; more is cut: `Detection` keeps a thousand and more of them, and a
state of 2 MiB could not be handed to its next run (facts-temporal: TMPRL1103)."""
Brief = Annotated[str, BeforeValidator(lambda v: cut(clean(v), MACHINE_WORDS) if isinstance(v, str) else v)]
"""What a machine wrote: cleaned, and cut when too long, because an alarm must not be lost for its length."""
LightReason = Literal["false_alarm", "no_impact", "duplicate", "self_recovered"]
"""Why an event may end by the light way out (X0)."""


class Alarm(Message):
    """A change of one alarm's state, from a service, a subsystem, a canary or a traffic model (D1)."""

    description = "An alarm changed its state."
    example = {
        "alarm": "checkout-errors",
        "service": "checkout-api",
        "region": "eu-west",
        "metric": "error-rate",
        "state": "ALARM",
        "severity": 2,
    }
    main = "summary"

    alarm: Name = Field(min_length=1)
    service: Name = Field(min_length=1)
    region: Region = "global"
    metric: Name = ""
    state: Literal["ALARM", "OK"]
    source: Source = "service"
    severity: int | None = Field(default=None, ge=1, le=5)
    summary: Brief = ""
    link: Cut = ""
    value: float | None = Field(default=None, allow_inf_nan=False)
    threshold: float | None = Field(default=None, allow_inf_nan=False)


class Report(Message):
    """Customers say that a service hurts them (D5)."""

    description = "Customers report trouble with a service."
    example = {
        "service": "checkout-api",
        "region": "eu-west",
        "source": "case",
        "customer": "acme",
        "text": "cannot pay",
    }

    service: Name = Field(min_length=1)
    region: Region = "global"
    source: Literal["case", "phone", "social"]
    count: int = Field(default=1, ge=1, le=1_000_000)
    text: Brief = ""
    customer: Name = ""
    case: Name = ""
    link: Cut = ""


class Declare(Message):
    """A person opens an incident (any alarm may be late)."""

    description = "Open an incident by hand."
    example = {
        "by": "ana",
        "title": "Payments are refused",
        "services": ["checkout-api"],
        "region": "eu-west",
    }
    main = "title"

    title: Words = Field(min_length=1)
    services: list[Name] = Field(default=[], max_length=100)
    region: Name = ""
    severity: int | None = Field(default=None, ge=1, le=5)
    customers_impacted: bool = False


class Silence(Message):
    """Alarms of a service are expected for a while: they are recorded and open nothing."""

    description = "Expect a service's alarms until a moment: they are recorded and open nothing."
    example = {
        "by": "ana",
        "service": "checkout-api",
        "region": "eu-west",
        "until": "2026-03-02T12:00:00Z",
        "reason": "planned move",
    }
    main = "reason"

    service: Name = Field(min_length=1)
    region: Name = ""
    until: Moment
    reason: Words = Field(min_length=1)


class Merge(Message):
    """Several events are one (D3): a person knows what no rule saw."""

    decides = True
    description = "Make one event of several; the oldest takes the others in, and nobody is paged again for it."
    example = {"by": "kim", "incidents": ["INC-20260302-7F3A", "9KLM"], "reason": "one router stands behind both"}
    main = "reason"

    incidents: list[Name] = Field(min_length=2, max_length=20)
    reason: Words = Field(min_length=1)


class Split(Message):
    """One service is no part of an event (D3): it gets an incident of its own."""

    decides = True
    description = "Take a service out of its event: it gets an incident of its own, with the people who are on it."
    example = {"by": "kim", "service": "search-api", "reason": "its index is old; the event has nothing to do with it"}
    main = "reason"

    service: Name = Field(min_length=1)
    reason: Words = Field(min_length=1)


class Engage(Message):
    """Call any team, support or incident response into the incident (E1)."""

    decides = True
    description = "Call a team into this incident."
    example = {"by": "ana", "team": "network", "reason": "packets are lost between hosts"}
    main = "reason"

    team: Name = Field(min_length=1)
    reason: Words = Field(min_length=1)


class Release(Message):
    """A team is not needed: on standby, with the evidence (E4)."""

    decides = True
    description = (
        "Put a team on standby, with the evidence why it is not them; a later alarm of theirs calls them back."
    )
    example = {"by": "kim", "team": "dns", "reason": "all resolvers answer, no change since Monday"}
    main = "reason"

    team: Name = ""
    reason: Words = Field(min_length=1)


class Acknowledge(Message):
    """The page arrived and its reader takes it (E3)."""

    description = "Take the page: paging stops for you and your teams."
    example = {"by": "ana"}

    team: Name = ""


class Join(Message):
    """The person is on the call."""

    description = "Say that you are on the call."
    example = {"by": "ana"}

    team: Name = ""


class StateImpact(Message):
    """A team says whether it is impacted, since when, and what customers see (C3)."""

    description = (
        "Say whether your team is impacted; 'no' is 'not us', with its evidence, and puts the team on standby."
    )
    example = {
        "by": "ana",
        "impacted": "yes",
        "customers": "3 % of payments fail",
        "text": "since 09:00, not growing",
    }

    team: Name = ""
    impacted: Literal["yes", "no", "unknown"]
    customers: Words = ""
    text: Words = ""
    link: Words = ""
    again_at: Moment | None = None


class Observe(Message):
    """An observation for the ticket, with its time (C4)."""

    description = "Write an observation into the ticket."
    example = {
        "by": "ana",
        "kind": "error",
        "text": "503 from host 17 since 09:02",
        "link": "https://example.test/log",
    }

    kind: Literal["error", "change", "metric", "correlation", "note"] = "note"
    team: Name = ""
    text: Words = Field(min_length=1)
    link: Words = ""


class Note(Message):
    """An opportunity to improve, for the post-mortem, not for the live page (X3)."""

    description = "Note an opportunity to improve for the post-mortem (not on the live page)."
    example = {"by": "ana", "team": "checkout", "text": "the runbook names a host that is gone"}

    team: Name = ""
    text: Words = Field(min_length=1)


class Lead(Message):
    """The lead is taken or handed over, in words (C11)."""

    decides = True
    description = "Take the lead, or hand it over in words (who, when, open decisions)."
    example = {
        "by": "kim",
        "person": "lou",
        "handover": "open: whether to leave eu-west; roll back runs until 09:40",
    }
    main = "handover"

    person: Name = ""
    handover: Words = ""


class HandOff(Message):
    """Somebody hands over what they do here, or stays on after their shift (C11)."""

    decides = True
    description = (
        "Hand your part over, at the end of your shift or before: who takes it is paged, and you are off duty once"
        " they acknowledged. With a role only that is handed over; with stays you stay on after your shift."
    )
    example = {"by": "ana", "person": "ben", "text": "open: the roll back runs until 09:40, then look at latency"}
    main = "text"

    person: Name = ""
    team: Name = ""
    role: Literal["lead", "support_call"] | None = None
    text: Words = ""
    stays: bool = False


class MakeBig(Message):
    """A single-service event becomes a full response (E1, E2)."""

    decides = True
    description = "Make this a full response: incident response, support and the usual suspects are called."
    example = {"by": "ana", "reason": "two more services look wrong"}
    main = "reason"

    reason: Words = Field(min_length=1)


class SetSeverity(Message):
    """A person corrects the severity, with a reason."""

    decides = True
    description = "Set the severity, 1 (worst) to 5, with a reason."
    example = {"by": "ana", "severity": 3, "reason": "one internal job, no customer"}
    main = "reason"

    severity: int = Field(ge=1, le=5)
    reason: Words = Field(min_length=1)


class StandDown(Message):
    """A team (or everybody) goes off duty (X4)."""

    decides = True
    description = "Send a team off duty; without a team everybody, once the alarms are clear."
    example = {"by": "kim", "team": "network", "reason": "mitigated, thank you"}
    main = "reason"

    team: Name = ""
    reason: Words = Field(min_length=1)


class Close(Message):
    """Leave the incident: by the light way with a reason (X0), or after closing."""

    decides = True
    description = "Close the incident; the light way out of a small event gives its reason."
    example = {"by": "ana", "reason": "false_alarm"}
    main = "reason"

    reason: LightReason | None = None
    text: Words = ""


class Reopen(Message):
    """It was not over."""

    decides = True
    description = "Go back to mitigating: it is not over."
    example = {"by": "ana", "reason": "errors are back on two hosts"}
    main = "reason"

    reason: Words = Field(min_length=1)


class Answer(BaseModel):
    """What a sender hears back when a message was accepted."""

    incident: str = ""
    at: datetime | None = None
    text: str
