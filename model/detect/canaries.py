"""Canaries: synthetic checks that act as the customer does, end to end (D2), and any rule of N of M.

A canary is a list of steps that a customer would take: the name resolves, the door opens, the certificate holds, the
page says what it should. Each step is named by what it does, so that people write it on one line::

    canaries:
      buy-a-book:
        service: checkout-api
        region: eu-west
        steps:
          - dns: shop.example.com
          - tls: shop.example.com:443
          - http: https://shop.example.com/cart
            contains: "Your cart"
            keep: {cart: 'cart/([0-9]+)'}
          - http: https://shop.example.com/cart/{cart}
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from model.catalogue.entries import Entry
from model.policy import Round, did_you_mean
from model.text import cut
from model.times import Duration, Moment, shown

KINDS: Final = ("http", "dns", "tcp", "tls")
EXCERPT: Final = 300
"""Bytes of what the other side said that are kept as evidence."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:/]+):([0-9]{1,5})")


def _refuse(text: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{text}", {"text": text})


class Step(Entry):
    """What every step has in common.

    Attributes:
        within: How long it may take; a correct answer that comes later is a failure too.
    """

    within: Duration = Field(default="5s", validate_default=True)


class Http(Step):
    """Asks a web server, as a browser would: redirects are followed, certificates checked.

    Attributes:
        http: The URL; `{name}` is filled in with what an earlier step kept.
        method: GET unless said otherwise.
        headers: Sent along.
        body: Sent along; `{name}` is filled in.
        status: One that is expected, or several.
        contains: Words the answer must have.
        matches: A regular expression the answer must have somewhere.
        keep: Name → regular expression with one group; what it finds is for later steps.
    """

    http: str
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, str] = {}
    body: str = ""
    status: list[int] = [200]
    contains: str = ""
    matches: str = ""
    keep: dict[str, str] = {}

    @field_validator("http")
    @classmethod
    def _a_link(cls, value: str) -> str:
        if not re.match(r"https?://[^\s/]", value):
            raise _refuse(f"{shown(value)} is not a link; it begins with https:// or http://")
        return value

    @field_validator("status", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, int) else value

    @field_validator("matches")
    @classmethod
    def _an_expression(cls, value: str) -> str:
        _compiled(value)
        return value

    @field_validator("keep")
    @classmethod
    def _one_group(cls, value: dict[str, str]) -> dict[str, str]:
        for name, expression in value.items():
            if not _NAME.fullmatch(name):
                raise _refuse(f"{shown(name)} cannot be kept: a name is lower case letters, digits and _")
            if _compiled(expression).groups != 1:
                raise _refuse(f"keep {name}: {shown(expression)} needs exactly one group, for example 'cart/([0-9]+)'")
        return value

    @property
    def target(self) -> str:
        """What it asks, for people."""
        return f"{self.method} {self.http}"


class Dns(Step):
    """Asks for a name.

    Attributes:
        dns: The name.
        type: The kind of record.
        answers: Each of these must be among the answers; none means that any answer will do.
        server: `address:port` of the server to ask; the system's when empty.
    """

    dns: str
    type: Literal["A", "AAAA", "CNAME", "MX", "NS", "TXT", "SRV"] = "A"
    answers: list[str] = []
    server: str = ""

    @field_validator("server")
    @classmethod
    def _an_address(cls, value: str) -> str:
        return _address(value) if value else value

    @property
    def target(self) -> str:
        """What it asks, for people."""
        return f"{self.type} {self.dns}" + (f" at {self.server}" if self.server else "")


class Tcp(Step):
    """Opens a connection to `host:port`."""

    tcp: str

    @field_validator("tcp")
    @classmethod
    def _an_address(cls, value: str) -> str:
        return _address(value)

    @property
    def target(self) -> str:
        """What it opens, for people."""
        return self.tcp


class Tls(Step):
    """Checks the certificate of `host:port`.

    Attributes:
        tls: Where.
        left: It must hold for at least this much longer: two weeks are enough to renew by hand.
    """

    tls: str
    left: Duration = Field(default="14d", validate_default=True)

    @field_validator("tls")
    @classmethod
    def _an_address(cls, value: str) -> str:
        return _address(value)

    @property
    def target(self) -> str:
        """What it checks, for people."""
        return self.tls


def _kind(data: Any) -> str | None:
    given = [kind for kind in KINDS if kind in data] if isinstance(data, Mapping) else []
    return given[0] if given else type(data).__name__.lower()


AnyStep: TypeAlias = Annotated[
    Annotated[Http, Tag("http")] | Annotated[Dns, Tag("dns")] | Annotated[Tcp, Tag("tcp")] | Annotated[Tls, Tag("tls")],
    Discriminator(_kind),
]


class Canary(Entry):
    """Acts as a customer of one service in one region, again and again.

    Attributes:
        id: Its name in alarms.
        service: A service id.
        region: Where it looks, not where it runs.
        every: Between two runs.
        fails: Alarm when at least this many …
        of: … of the last this many runs failed.
        severity: Of its alarm; customers are hit.
        steps: In order; the first that fails ends the run.
    """

    id: str = ""
    service: str
    region: str = "global"
    every: Round = Field(default="1m", validate_default=True)
    fails: int = Field(default=2, ge=1)
    of: int = Field(default=3, ge=1, le=100)
    severity: int = Field(default=2, ge=1, le=5)
    steps: list[AnyStep] = Field(min_length=1, max_length=20)

    @field_validator("steps", mode="before")
    @classmethod
    def _each_does_one_thing(cls, steps: Any) -> Any:
        if not isinstance(steps, Sequence) or isinstance(steps, str):
            raise _refuse(f"{shown(steps)} is not a list of steps; write for example - http: https://shop.example.com")
        for number, step in enumerate(steps, start=1):
            if isinstance(step, Step):
                continue
            given = [kind for kind in KINDS if isinstance(step, Mapping) and kind in step]
            if len(given) > 1:
                raise _refuse(f"step {number} says {' and '.join(given)}; each is a step of its own")
            if not given:
                near = did_you_mean(next(iter(step), ""), KINDS) if isinstance(step, Mapping) else ""
                raise _refuse(f"step {number} says none of {', '.join(KINDS)}{near}")
        return steps

    @model_validator(mode="after")
    def _can_happen(self) -> "Canary":
        if self.fails > self.of:
            raise _refuse(f"{self.fails} of {self.of} runs can never fail; fails is at most of")
        kept: set[str] = set()
        for number, step in enumerate(self.steps, start=1):
            if isinstance(step, Http):
                for name in re.findall(r"\{([a-z][a-z0-9_]*)\}", step.http):
                    if name not in kept:
                        raise _refuse(f"step {number} needs {{{name}}}, which no earlier step keeps")
                kept |= step.keep.keys()
        return self


class StepTaken(BaseModel):
    """One step of a run.

    Attributes:
        did: The kind of step and what it asked.
        ok: It found what it should.
        seconds: It took.
        said: What was wrong, or a little of what came.
    """

    model_config = ConfigDict(frozen=True)

    did: str
    ok: bool
    seconds: float
    said: str = ""


class Run(BaseModel):
    """One run of a canary: the evidence of its alarm."""

    model_config = ConfigDict(frozen=True)

    canary: str
    at: Moment
    steps: list[StepTaken]

    @property
    def ok(self) -> bool:
        """Whether every step found what it should."""
        return all(step.ok for step in self.steps)

    @property
    def summary(self) -> str:
        """What failed, in one line; or how long all of it took."""
        total = sum(step.seconds for step in self.steps)
        for number, step in enumerate(self.steps, start=1):
            if not step.ok:
                return cut(f"step {number}, {step.did}: {step.said} (after {step.seconds:.2f} s)", 2 * EXCERPT)
        return f"{len(self.steps)} {'step' if len(self.steps) == 1 else 'steps'} in {total:.2f} s"


class Votes(BaseModel):
    """N of M: whether enough of the last few failed. Used by canaries and static thresholds alike.

    Attributes:
        failed: The last ones, oldest first; True is a failure.
        alarmed: It is in alarm.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    failed: list[bool] = []
    alarmed: bool = False

    def after(self, failed: bool, fails: int, of: int) -> "Votes":
        """Return the votes with one more: in alarm from `fails` of `of` on, until fewer failed and the last did not."""
        last = [*self.failed, failed][-of:]
        enough = sum(last) >= fails
        return Votes(failed=last, alarmed=enough or (self.alarmed and failed))


def change(before: Votes, after: Votes) -> Literal["ALARM", "OK"] | None:
    """Say what is to be signalled: changes only."""
    if before.alarmed == after.alarmed:
        return None
    return "ALARM" if after.alarmed else "OK"


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of an address that was checked."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _address(value: str) -> str:
    match = _ADDRESS.fullmatch(value.strip())
    if not match or not 0 < int(match[2]) < 65536:
        raise _refuse(f"{shown(value)} is not host:port; write for example shop.example.com:443")
    return value.strip()


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as error:
        raise _refuse(f"{shown(expression)} is not a regular expression: {error}") from None
