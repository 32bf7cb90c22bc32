"""A provider that lets pages wait is left alone for a moment; one that takes them is never, nor is it flooded."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from model.catalogue.entries import Contact
from model.engage.providers import Standing, provider_of
from model.policy import Policy

POLICY = Policy().overridden({"provider_at_once": 4})
MOST, REST = POLICY.provider_unanswered, POLICY.provider_rest.total_seconds()
PATIENCE = POLICY.provider_patience.total_seconds()


class Pages(RuleBasedStateMachine):
    """Pages over one provider, in any order of beginnings and ends."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.standing = Standing()
        self.flying: list[float] = []
        self.begun: list[float] = []
        self.silence: list[float] = []
        self.taken = 0.0

    @rule(seconds=st.floats(0.01, 30))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def page(self) -> None:
        verdict = self.standing.verdict(POLICY, self.now)
        if verdict == "wait":
            most = MOST - len(self.silence) if self.silence else POLICY.provider_at_once
            assert len(self.flying) >= most
            return
        if verdict == "rest":
            assert len(self.silence) >= MOST, "only who left pages without an answer is left alone"
            assert self.now - max(self.silence[MOST - 1], *self.begun[-1:]) < REST, "and for no longer than that"
            return
        if len(self.silence) >= MOST:
            since = [at for at in self.begun if at >= self.silence[MOST - 1]]
            assert all(self.now - at >= REST for at in since), "one page at a time asks again"
        self.standing.begin(POLICY, self.now)
        self.begun.append(self.now)
        self.flying.append(self.now)

    @precondition(lambda self: self.flying)
    @rule(taken=st.sampled_from([True, False, None]), data=st.data())
    def end(self, taken: bool | None, data: Any) -> None:
        begun = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        self.standing.end(POLICY, begun, self.now, taken)
        if taken:
            self.silence, self.taken = [], self.now
        elif self.now - begun >= PATIENCE:
            self.silence += [self.now] if begun >= self.taken else []
        elif taken is False:
            self.silence = []

    @invariant()
    def counts(self) -> None:
        assert self.standing.under_way == len(self.flying)
        assert self.standing.unanswered == len(self.silence)


TestPages = Pages.TestCase


@given(st.lists(st.floats(0, 20), min_size=1, max_size=50))
def test_who_takes_every_page_however_slowly_is_never_left_alone(takes: list[float]) -> None:
    standing, now = Standing(), 0.0
    for seconds in takes:
        assert standing.verdict(POLICY, now) == "go"
        standing.begin(POLICY, now)
        now += seconds
        standing.end(POLICY, now - seconds, now, True)


def test_a_quick_no_is_an_answer() -> None:
    standing = Standing()
    for now in range(20):
        assert standing.verdict(POLICY, now) == "go"
        standing.begin(POLICY, now)
        standing.end(POLICY, now, now + 0.1, False)


@pytest.mark.parametrize(
    ("channel", "address", "provider"),
    [
        ("sms", "+15550001", "sms"),
        ("email", "ana@example.test", "email"),
        ("webhook", "https://hooks.example.test/s3cret/ana", "webhook hooks.example.test"),
        ("webhook", "https://u:pw@hooks.example.test:8443/x", "webhook hooks.example.test:8443"),
        ("webhook", "https://[broken", "webhook"),
    ],
)
def test_a_provider_is_a_channel_and_of_web_addresses_the_host_without_secrets(
    channel: str, address: str, provider: str
) -> None:
    assert provider_of(Contact(channel=channel, address=address)) == provider
