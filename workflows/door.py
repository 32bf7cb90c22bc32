"""How a person's message comes in: one update per message, refused before it is accepted, done at once."""

from collections.abc import Callable
from typing import Any, Protocol

from temporalio import workflow

from link import clock
from link.converter import refusal
from model.matter import Act, Matter, echo
from model.message import Message, parse
from model.messages import Answer
from model.text import Refused

Rule = Callable[[Act[Any]], Callable[[], Answer]]
"""A rule of `model`: it refuses, or returns what to do."""
Extra = Callable[[Any, Any], None]
"""A check against the worker's live catalogue: it is not run on replay, so it may look (design §2)."""


class Hosts(Protocol):
    """A workflow that has doors."""

    state: Matter
    touched: bool


def door(message: type[Message], rule: Rule, extra: Extra | None = None) -> Any:
    """Return the update handler of a message.

    Args:
        message: The message's model; its description and example are what the Web UI shows.
        rule: The rule in `model`.
        extra: A further check before the message is accepted.
    """

    def take(self: Hosts, x: Any = None) -> Answer:
        said = _said(message, x)
        state = self.state
        if said.key and said.key in state.answers:
            return state.answers[said.key]
        act = Act(state, said, clock.now(state.clock_shift))
        try:
            answer = rule(act)()
        except Refused as error:
            raise refusal(str(error)) from None
        echo(act, answer)
        if said.key:
            state.answers[said.key] = answer
        self.touched = True
        return answer

    def check(self: Hosts, x: Any = None) -> None:
        said = _said(message, x)
        if said.key and said.key in self.state.answers:
            return
        rule(Act(self.state, said, clock.now(self.state.clock_shift)))
        if extra:
            extra(self.state, said)

    name = message.update_name()
    for fn in (take, check):
        fn.__name__ = name
        # The SDK reads these: it takes an annotated `self` for the first argument.
        fn.__annotations__["x"] = message | None
        del fn.__annotations__["self"]
    handler = workflow.update(name=name, description=message.described())(take)
    handler.validator(check)
    return handler


def _said(message: type[Message], x: Message | None) -> Message:
    """Return what was said; the Web UI's empty box is a message without fields.

    Raises:
        Refused: It needs some.
    """
    try:
        return x if x is not None else parse(message, {})
    except ValueError as error:
        raise Refused(str(error)) from None
