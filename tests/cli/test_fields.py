"""What was typed becomes a message, or a sentence that names the option."""

import inspect
from datetime import UTC, datetime

import pytest
from pydantic import Field

from cli import fields
from cli.say import Stop
from model import messages
from model.message import Message

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Confirm(Message):
    """Something that may be denied, as later messages may be."""

    example = {"recovered": False, "readers": ["ana", "ben"]}
    recovered: bool
    readers: list[str] = Field(default=[])


def read(message, **typed):
    return fields.read(message, typed, lambda: NOW)


def test_moments_may_be_said_from_now_on():
    assert read(messages.Silence, service="x", until="2h", reason="y")["until"] == "2026-03-02T11:00:00+00:00"
    assert read(messages.StateImpact, impacted="yes", again_at="1h30m")["again_at"] == "2026-03-02T10:30:00+00:00"
    assert read(messages.Observe, text="x", at="5m")["at"] == "2026-03-02T08:55:00+00:00", "a fact lies in the past"
    assert read(messages.Observe, text="x", at="2026-03-02T08:00:00Z")["at"] == "2026-03-02T08:00:00Z"


def test_what_was_not_said_is_not_sent():
    assert read(messages.Acknowledge, team=None, at=None) == {}
    assert read(messages.Declare, title="x", services=[], customers_impacted=False) == {"title": "x"}


@pytest.mark.parametrize(
    ("message", "typed", "said"),
    [
        (messages.StateImpact, {}, "--impacted is needed"),
        (messages.StateImpact, {"impacted": "maybe"}, "--impacted: Input should be 'yes', 'no' or 'unknown'"),
        (messages.Observe, {"text": ""}, "the text is needed"),
        (messages.Engage, {}, "--team is needed; the reason is needed"),
        (messages.SetSeverity, {"severity": "high", "reason": "x"}, "--severity: Input should be a valid integer"),
        (messages.StateImpact, {"impacted": "yes", "again_at": "soon"}, "--again-at: 'soon' is not a moment"),
        (messages.Close, {"reason": "bored"}, "the reason: Input should be 'false_alarm'"),
        (Confirm, {}, "--recovered is needed"),
    ],
)
def test_what_is_wrong_is_said_of_the_option(message, typed, said):
    with pytest.raises(Stop) as stop:
        read(message, **typed)
    assert said in str(stop.value)
    assert stop.value.code == 2
    assert "{" not in str(stop.value), "no JSON for somebody who types options"


def test_a_needed_yes_or_no_has_two_options():
    command = fields.command(Confirm, lambda typed: 0, {}, {})
    assert inspect.signature(command).parameters["recovered"].default is None
    assert read(Confirm, recovered=False) == {"recovered": False}
    assert fields.example("allclear x", Confirm) == "allclear x --no-recovered --reader ana --reader ben"


def test_the_text_may_be_said_with_and_without_its_option_but_once():
    taken = []

    def take(typed):
        taken.append(typed["text"])
        return 0

    command = fields.command(messages.Observe, take, fields.words(messages.Observe), {})
    command(words="it burns", text=None)
    command(words=None, text="it burns")
    assert taken == ["it burns", "it burns"]
    with pytest.raises(Stop, match="twice"):
        command(words="it burns", text="still")
