"""What a canary may be, and when it is in alarm (D2)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from model.detect.canaries import Canary, Dns, Http, Run, StepTaken, Tcp, Tls, Votes, address_of, change

WRITTEN = """
service: checkout-api
region: eu-west
every: 30s
fails: 2
of: 3
steps:
  - dns: shop.example.com
  - tls: shop.example.com:443
    left: 30d
  - tcp: "[::1]:5432"
  - http: https://shop.example.com/cart
    contains: "Your cart"
    status: 201
    keep: {cart: 'cart/([0-9]+)'}
  - http: https://shop.example.com/cart/{cart}
    within: 2s
"""


def refusal(**changes: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Canary.model_validate({"service": "s", "steps": [{"tcp": "a:1"}], **changes})
    return str(refused.value)


def test_people_write_one_line_per_step():
    canary = Canary.model_validate(yaml.safe_load(WRITTEN))
    assert [type(step) for step in canary.steps] == [Dns, Tls, Tcp, Http, Http]
    assert canary.every == timedelta(seconds=30)
    assert [step.within for step in canary.steps] == [timedelta(seconds=s) for s in (5, 5, 5, 5, 2)]
    cart = canary.steps[3]
    assert isinstance(cart, Http)
    assert cart.status == [201]
    assert Canary.model_validate_json(canary.model_dump_json()) == canary


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"htpp": "https://x"}, "step 1 says none of http, dns, tcp, tls; did you mean 'http'"),
        ({"tcp": "a:1", "dns": "a"}, "step 1 says dns and tcp; each is a step of its own"),
        ("http://x", "step 1 says none of"),
        ({"http": "shop.example.com"}, "'shop.example.com' is not a link"),
        ({"tcp": "shop.example.com"}, "is not host:port; write for example shop.example.com:443"),
        ({"tls": "shop.example.com:99999"}, "is not host:port"),
        ({"dns": "a", "server": "1.1.1.1"}, "is not host:port"),
        ({"dns": "a", "type": "PTR"}, "Input should be"),
        ({"http": "http://x", "matches": "("}, "is not a regular expression"),
        ({"http": "http://x", "keep": {"id": "[0-9]+"}}, "needs exactly one group"),
        ({"http": "http://x", "keep": {"An Id": "(.)"}}, "cannot be kept"),
        ({"http": "http://x/{cart}"}, "step 1 needs {cart}, which no earlier step keeps"),
        ({"http": "http://x", "contians": "y"}, "Extra inputs are not permitted"),
    ],
)
def test_a_step_that_cannot_be_taken_is_refused_in_words(step: Any, why: str):
    assert why in refusal(steps=[step])


def test_a_canary_that_can_never_fail_is_refused():
    assert "4 of 3 runs can never fail" in refusal(fails=4, of=3)
    assert "steps" in refusal(steps=[])
    assert "is not a list of steps" in refusal(steps="https://x")


def test_an_address_is_taken_apart():
    assert address_of("[::1]:5432") == ("::1", 5432)
    assert address_of("shop.example.com:443") == ("shop.example.com", 443)


def test_a_run_says_which_step_failed_how_and_after_how_long():
    good = StepTaken(did="dns A shop", ok=True, seconds=0.02, said="192.0.2.7")
    bad = StepTaken(did="http GET https://shop", ok=False, seconds=1.5, said="answered 503, 200 expected: sorry")
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert Run(canary="c", at=at, steps=[good, bad]).summary == (
        "step 2, http GET https://shop: answered 503, 200 expected: sorry (after 1.50 s)"
    )
    assert Run(canary="c", at=at, steps=[good]).summary == "1 step in 0.02 s"


def test_two_of_three_failures_are_an_alarm_and_only_changes_are_told():
    votes, said = Votes(), []
    for failed in (True, False, True, True, True, False, False, False):
        after = votes.after(failed, 2, 3)
        said.append(change(votes, after))
        votes = after
    assert said == [None, None, "ALARM", None, None, None, "OK", None]


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5), st.integers(0, 5))
def test_n_of_m_is_what_it_says(failures: list[bool], fails: int, more: int):
    of = fails + more
    votes = Votes()
    for number, failed in enumerate(failures):
        votes = votes.after(failed, fails, of)
        last = failures[max(0, number + 1 - of) : number + 1]
        if sum(last) >= fails:
            assert votes.alarmed
        elif not failed:
            assert not votes.alarmed
    assert len(votes.failed) <= of
