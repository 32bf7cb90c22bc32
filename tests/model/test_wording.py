"""The wall between internal and external words (C8, design §6.6)."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.catalogue.plan import Plan, PlannedService
from model.coordinate.wording import ExternalText, InternalText, Names, clock, from_template, heading, listed, reviewed
from model.text import Refused

NAMES = Names(
    internal=("chk-router", "openssl", "storage", "pay ledger", "search", "C++"), public=("Object Storage", "Search")
)
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "text",
    [
        "the chk-router is down",
        "CHK-ROUTER",
        "chk‑router (with a non-breaking hyphen)",
        "chk\u200b-router, with something invisible in it",
        "ｏｐｅｎｓｓｌ in wide letters",
        "old_chk-router",
        "openssl.",
        "pay\n  ledger",
        "our storage is full",
        "half of it is written in C++, they say",
    ],
)
def test_internal_names_are_found_however_they_are_written(text):
    with pytest.raises(Refused, match="customers must not read"):
        reviewed(text, NAMES, "sam")


@pytest.mark.parametrize(
    "text",
    ["Object Storage is slow", "SEARCH answers late", "an opensslish word", "chk-routers", "restorage", "payledger"],
)
def test_customer_names_and_longer_words_are_no_internal_names(text):
    assert reviewed(text, NAMES, "sam").external == text


def test_a_customer_name_excuses_only_itself():
    names = Names(internal=("object storage node",), public=("Object Storage",))
    assert names.found("Object Storage node 5 died") == ["object storage node"]


def test_the_refusal_says_which_words():
    with pytest.raises(Refused, match="customers must not read chk-router, openssl: say it in words they know"):
        reviewed("chk-router uses openssl", NAMES, "sam")


def test_a_plan_keeps_the_technical_names_of_services_it_does_not_know():
    unknown = PlannedService(id="mystery-svc", known=False)
    names = Names.of_plan(Plan(services={"mystery-svc": unknown}))
    assert names.found("mystery-svc is down") == ["mystery-svc"]


def test_a_template_cannot_get_past_the_check_either():
    with pytest.raises(Refused):
        from_template("Storage is down", Names(internal=("storage",)), "first")
    assert heading(["Storage"], Names(internal=("storage",))).external == "one of our services"


def test_internal_and_external_are_two_types():
    assert not issubclass(InternalText, ExternalText)
    assert not issubclass(ExternalText, InternalText)
    with pytest.raises(ValueError, match="external"):
        ExternalText.model_validate(InternalText(internal="x").model_dump())


def test_nothing_but_wording_builds_a_text_for_customers():
    """Every other file gets one from `reviewed` or `from_template`, or reads back one that was made there."""
    builders = []
    for room in ("model", "activities", "workflows", "worker", "gateway", "cli", "link", "store"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                called = node.func if isinstance(node, ast.Call) else None
                owner = called.value if isinstance(called, ast.Attribute) else called
                if isinstance(owner, ast.Name) and owner.id == "ExternalText":
                    builders.append(path.relative_to(ROOT).as_posix())
    assert set(builders) == {"model/coordinate/wording.py"}


def test_templates_for_customers_see_external_facts_only():
    folder = ROOT / "activities" / "comms" / "templates" / "external"
    for path in folder.glob("*.j2"):
        assert "internal/" not in path.read_text()


def test_moments_are_said_as_customers_read_them():
    nine = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert clock(nine, nine) == "09:00 UTC"
    assert clock(nine + timedelta(hours=16), nine) == "01:00 UTC on 3 March 2026"


def test_names_are_listed_as_people_do():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefg")) == "a, b, c, d, e and 2 more"


@given(st.text(min_size=1, max_size=12), st.text(max_size=40), st.text(max_size=40))
def test_a_name_between_blanks_is_always_found(name, before, after):
    names = Names(internal=(name,))
    if names.found(name):  # not a name of blanks or invisible characters alone
        assert names.found(f"{before} {name} {after}") == [name]
