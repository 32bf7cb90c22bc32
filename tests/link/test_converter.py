"""What a payload becomes: a message, a refusal that says what would be accepted, or, for a signal, its text."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError

from link.converter import DATA_CONVERTER, REFUSED, refusal
from model.messages import Acknowledge, Answer, Observe

CONVERTER = DATA_CONVERTER.payload_converter
HINT: Any = Observe | None


def plain(data: bytes, encoding: bytes = b"json/plain") -> Payload:
    return Payload(metadata={"encoding": encoding}, data=data)


def read(data: bytes, hint: Any) -> Any:
    [value] = CONVERTER.from_payloads([plain(data)], [hint])
    return value


def refused(payload: Payload, hint: Any = HINT) -> str:
    with pytest.raises(ApplicationError) as error:
        CONVERTER.from_payloads([payload], [hint])
    assert error.value.type == REFUSED
    assert error.value.non_retryable
    return error.value.message


def test_a_message_is_read_as_people_write_it() -> None:
    wanted = Observe(by="ana", text="seen")
    assert read(b'{"by": "ana", "text": "seen"}', HINT) == wanted
    assert read('"{“by”: “ana”, “text”: “seen”}"'.encode(), HINT) == wanted
    assert read(b'"seen"', HINT) == Observe(text="seen")
    assert read(b"null", HINT) is None
    assert read(b'""', Acknowledge | None) == Acknowledge()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{}", "text: is needed"),
        (b'{"text": "a", "txet": "b"}', "txet: no such field (fields are at, by, key, kind, link, team, test, text)"),
        (b'{"text": "a", "at": "soon"}', "at: "),
        (b'["a"]', "a list was sent; send one object"),
        (b'"{half"', "this is not JSON (Expecting property name enclosed in double quotes at character 1)"),
        (b'{"by": ', "Invalid JSON: EOF while parsing a value at line 1 column 7"),
        (b"seen by me", "Invalid JSON: expected value at line 1 column 1"),
        (b"\xff\xfe", "Invalid JSON: "),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence_and_an_example(data: bytes, says: str) -> None:
    sentence = refused(plain(data))
    assert says in sentence
    assert Observe.example_json() in sentence
    assert "\n" not in sentence


def test_an_unknown_encoding_is_refused_with_the_one_we_read() -> None:
    assert "json/plain" in refused(plain(b"x", b"binary/encrypted"))


def test_what_an_untyped_signal_carries_always_arrives() -> None:
    """Were it dropped, nobody would ever see it."""
    assert read(b'{"a": [1]}', Any) == {"a": [1]}
    for data in (b"it is broken", b'{"a": ', b"\xff", b""):
        assert read(data, Any) == data.decode(errors="replace")
    assert CONVERTER.from_payloads([plain(b"x", b"binary/encrypted")], None) == ["x"]


def test_more_payloads_than_a_handler_takes_do_not_fail_to_be_read() -> None:
    """The guard refuses them, in words."""
    payloads = [plain(b"1"), plain(b"2")]
    assert CONVERTER.from_payloads(payloads, None) == [1, 2]


def test_a_state_that_cannot_be_read_is_an_error_and_no_guess() -> None:
    class State(BaseModel):
        since: datetime

    for data in (b"{}", b"half"):
        with pytest.raises(Exception, match=r"since|JSON") as error:
            read(data, State)
        assert not isinstance(error.value, ApplicationError)


def test_models_and_moments_go_and_come_unchanged() -> None:
    sent = [Answer(at=datetime(2026, 3, 2, 9, tzinfo=UTC), text="–"), timedelta(minutes=5), b"\x00", None]
    payloads = CONVERTER.to_payloads(sent)
    assert CONVERTER.from_payloads(payloads, [Answer, timedelta, bytes, type(None)]) == sent
    assert json.loads(payloads[0].data)["text"] == "–"


def test_a_refusal_is_never_tried_again() -> None:
    error = refusal("send `by`")
    assert (error.message, error.type, error.non_retryable) == ("send `by`", REFUSED, True)
