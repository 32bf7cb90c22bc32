"""Matrix, when it is in trouble: said in a line, never with the token."""

import logging
from datetime import timedelta

import pytest

from activities import Failed
from activities.comms.matrix.account import Matrix
from activities.comms.matrix.rooms import MatrixRooms
from tests.activities.paging.provider import DROPS, HANGS, Provider, Says

QUICK = timedelta(seconds=2)
TOKEN = "syt_bm90IGEgdG9rZW4_secret"


LIMITED = Says(429, '{"errcode": "M_LIMIT_EXCEEDED", "error": "Too many", "retry_after_ms": 2500}')
LIMITED.headers["content-type"] = "application/json"


@pytest.mark.parametrize(
    ("answer", "words", "again", "pause"),
    [
        (LIMITED, "refused who we are: M_LIMIT_EXCEEDED", True, timedelta(seconds=2.5)),
        (Says(200, "<html>Sign in</html>"), "this is not Matrix", True, None),
        (Says(502, "<html>"), "this is not Matrix: it answered who we are with 502", True, None),
        (Says(200, "[]"), "this is not Matrix", True, None),
        (Says(404, '{"errcode": "M_UNRECOGNIZED", "error": "?"}'), "M_UNRECOGNIZED", False, None),
        (DROPS, "Matrix", True, None),
    ],
)
async def test_trouble_there_is_said_in_a_line(
    provider: Provider, answer: Says, words: str, again: bool, pause: timedelta | None
) -> None:
    provider.answer = answer
    with pytest.raises(Failed) as caught:
        await MatrixRooms(Matrix(provider.url, TOKEN, QUICK)).check()
    assert words in caught.value.reason
    assert (caught.value.again, caught.value.retry_after) == (again, pause)
    assert len(provider.requests) == 1, "who owes the line decides when it is tried again"


async def test_a_hang_ends_and_the_token_is_said_nowhere(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider.answer = HANGS
    with pytest.raises(Failed, match=r"gave no answer about who we are within 0\.3s") as caught:
        await MatrixRooms(Matrix(provider.url, TOKEN, timedelta(milliseconds=300))).check()
    assert TOKEN not in caught.value.reason + caplog.text


def test_a_token_does_not_travel_in_the_clear() -> None:
    with pytest.raises(Failed, match="https"):
        Matrix("http://matrix.example.org", TOKEN)
