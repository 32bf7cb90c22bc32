"""Every template says what its readers need, in words of their own."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from activities.comms.compose import render
from model.coordinate.wording import (
    ExternalFacts,
    ExternalKind,
    ExternalText,
    InternalFacts,
    InternalKind,
    Names,
    reviewed,
)

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def words(text: str) -> ExternalText:
    return reviewed(text, Names(), "sam")


def facts(kind: ExternalKind, **more: object) -> ExternalFacts:
    last = kind in ("resolved", "narrowed")
    return ExternalFacts.model_validate(
        {
            "kind": kind,
            "at": NINE + timedelta(minutes=40),
            "services": ["Checkout", "Payments"],
            "regions": ["eu-west"],
            "since": NINE,
            "last_at": NINE,
            "next_at": None if last else NINE + timedelta(hours=1),
            "words": words("Refunds work.") if kind == "correction" else None,
            **more,
        }
    )


@pytest.mark.parametrize("kind", get_args(ExternalKind))
def test_every_message_to_customers_ends_with_the_next_time_or_says_it_is_the_last(kind: ExternalKind) -> None:
    last = render(facts(kind)).splitlines()[-1]
    expected = {
        "resolved": "This is our last message about it, unless it comes back.",
        "narrowed": "This is our last message about it, unless it comes back.",
    }
    assert last == expected.get(kind, "Next message by 10:00 UTC.")


@pytest.mark.parametrize("kind", get_args(ExternalKind))
def test_no_message_leaves_holes(kind: ExternalKind) -> None:
    for text in (render(facts(kind)), render(facts(kind, services=[], regions=[], clear_since=NINE))):
        assert "None" not in text
        assert "  " not in text
        assert "\n\n\n" not in text
        assert text[0].isupper()


def test_the_first_is_careful_until_it_is_known() -> None:
    assert "probably" in render(facts("first"))
    assert "has had trouble" in render(facts("first", services=["Checkout"], hit=True))


def test_a_service_without_a_name_for_customers_stays_one_of_ours() -> None:
    assert render(facts("first", services=[""], hit=True)).startswith("One of our services in eu-west")


def test_depth_is_said_point_by_point() -> None:
    text = render(
        facts(
            "update",
            words=words("One payment in thirty fails."),
            seeing=words("an error page"),
            workaround=words("try again"),
            takes=words("ten minutes"),
        )
    )
    assert text.splitlines()[:4] == [
        "One payment in thirty fails.",
        "What you may see: an error page",
        "What you can do now: try again",
        "How long it takes: ten minutes",
    ]


def test_a_promise_on_another_day_names_the_day() -> None:
    text = render(facts("update", next_at=NINE + timedelta(hours=15, minutes=10)))
    assert "Next message by 00:10 UTC on 3 March 2026." in text


def test_what_a_person_writes_is_never_run_as_a_template() -> None:
    text = render(facts("update", words=words("{{ it.services }} {% raw %}")))
    assert text.startswith("{{ it.services }} {% raw %}")


@pytest.mark.parametrize("kind", get_args(InternalKind))
def test_the_house_gets_everything_in_a_few_lines(kind: InternalKind) -> None:
    text = render(
        InternalFacts(
            kind=kind,
            at=NINE,
            incident="INC-20260302-7F3A",
            title="Checkout fails",
            state="SEV2, full response, mitigate",
            services=["checkout-api"],
            regions=["eu-west"],
            since=NINE,
            lead="kim",
            event_manager="sam",
            known=["a pasted\nlog " + "x" * 900],
            trying=["1 roll_back checkout-api@2.3.1"],
            customers=["acme (sam): 2 contacts"],
            asked=["Are refunds affected? (3 ×)"],
            told=["09:00 acme: probably wrong"],
            told_next=NINE,
            state_within="10 min",
            tech_call="https://call.example.test/x",
        )
    )
    assert text.splitlines()[0].startswith("INC-20260302-7F3A")
    assert "Lead: kim. Support call: sam." in text
    assert "- a pasted log xxx" in text
    assert max(len(line) for line in text.splitlines()) < 600
