"""What people type in an incident's room, and what it means."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import messages
from model.catalogue.catalog import Catalog
from model.catalogue.entries import Contact, Person
from model.coordinate.spoken import ACCEPTED, Spoken, incident_of, is_incident, meant, order, room_name, speaker, spoken
from model.message import Message
from model.text import Refused

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MESSAGES: dict[str, type[Message]] = {
    it.update_name(): it
    for it in (
        messages.Acknowledge,
        messages.HandOff,
        messages.Join,
        messages.StateImpact,
        messages.Note,
        messages.Observe,
    )
}


@pytest.mark.parametrize(
    ("typed", "update", "fields"),
    [
        ("ack", "acknowledge", {}),
        ("Ack!", "acknowledge", {}),
        ("acknowledged.", "acknowledge", {}),
        ("in", "join", {}),
        ("I’m in", "join", {}),
        ("join", "join", {}),
        ("not us, all resolvers answer", "state_impact", {"impacted": "no", "text": "all resolvers answer"}),
        ("Not us: 1.2.3 is old", "state_impact", {"impacted": "no", "text": "1.2.3 is old"}),
        ("impacted no – dashboards are flat", "state_impact", {"impacted": "no", "text": "dashboards are flat"}),
        (
            "impacted eu-west 3% of checkouts since 09:00",
            "state_impact",
            {"impacted": "yes", "customers": "eu-west 3% of checkouts", "text": "since 09:00"},
        ),
        (
            "impacted yes: 3 % of payments fail, since 09:00, not growing",
            "state_impact",
            {"impacted": "yes", "customers": "3 % of payments fail", "text": "since 09:00, not growing"},
        ),
        ("IMPACTED all logins", "state_impact", {"impacted": "yes", "customers": "all logins"}),
        (
            "impacted unknown, again at 09:40",
            "state_impact",
            {"impacted": "unknown", "again_at": "2026-03-02T09:40:00+00:00"},
        ),
        (
            "not known yet, looking at the cache, again at 9:10",
            "state_impact",
            {"impacted": "unknown", "text": "looking at the cache", "again_at": "2026-03-03T09:10:00+00:00"},
        ),
        ("I stay", "hand_off", {"stays": True}),
        ("I’ll stay on.", "hand_off", {"stays": True}),
        (
            "hand off to ben: the roll back runs until 09:40",
            "hand_off",
            {"person": "ben", "text": "the roll back runs until 09:40"},
        ),
        ("Hand over to ben@example.test", "hand_off", {"person": "ben@example.test", "text": ""}),
        ("note: the runbook names a host that is gone", "note", {"text": "the runbook names a host that is gone"}),
        ("error: who is host 17?", "observe", {"kind": "error", "text": "who is host 17?"}),
        ("observe 503 from host 17", "observe", {"kind": "note", "text": "503 from host 17"}),
        (
            "change: rollback began https://ci.test/41.",
            "observe",
            {"kind": "change", "text": "rollback began https://ci.test/41.", "link": "https://ci.test/41"},
        ),
    ],
)
def test_words_become_the_update_they_mean(typed: str, update: str, fields: dict[str, Any]) -> None:
    said = spoken(typed, NOW)
    assert said is not None
    assert (said.update, said.fields) == (update, fields)
    MESSAGES[update].model_validate(said.payload("ana", "k", NOW, "https://chat.test/1"))


@pytest.mark.parametrize(
    "typed",
    ["hello", "in eu-west all is fine", "impacted?", "are we impacted?", "noted", "acknowledge that first", "", "ackn",
     "impactedness", "the change: none", "I stay with the plan", "hand off went well"],
)  # fmt: skip
def test_talk_between_people_is_theirs(typed: str) -> None:
    assert spoken(typed, NOW) is None
    assert meant(typed, NOW) is None


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("not us", "say why too"),
        ("Not us.", "say why too"),
        ("impacted", "say what customers see"),
        ("note", "write a few words too"),
        ("error:", "write a few words too"),
    ],
)
def test_who_says_too_little_is_asked_for_the_rest(typed: str, asked: str) -> None:
    with pytest.raises(Refused, match=asked):
        spoken(typed, NOW)


def test_what_is_meant_for_us_and_not_understood_is_answered_with_what_would_be() -> None:
    for typed in ("allclear: dance", "@allclear dance", "/allclear dance", "AllClear", "allclear:example.org: dance"):
        with pytest.raises(Refused) as caught:
            meant(typed, NOW)
        assert str(caught.value) == ACCEPTED
    with pytest.raises(Refused):
        order("", NOW)
    assert meant("allclear: ack", NOW) == meant("ack", NOW) == Spoken("acknowledge", {})


def test_a_reply_is_an_observation_unless_it_is_something_else() -> None:
    said = meant("41 went out at 08:55", NOW, reply=True)
    assert said is not None
    assert (said.update, said.fields) == ("observe", {"kind": "note", "text": "41 went out at 08:55"})
    assert meant("ack", NOW, reply=True) == Spoken("acknowledge", {})


def test_a_message_says_where_it_was_typed_if_it_can() -> None:
    observed, joined = order("error: see https://a.test/log", NOW), order("in", NOW)
    assert observed.payload("ana", "k", NOW)["link"] == "https://a.test/log"
    assert observed.payload("ana", "k", NOW, "https://chat.test/1")["link"] == "https://chat.test/1"
    assert "link" not in joined.payload("ana", "k", NOW, "https://chat.test/1")


@given(st.text(max_size=200), st.booleans())
def test_whatever_is_typed_is_understood_left_alone_or_refused_in_words(typed: str, reply: bool) -> None:
    try:
        said = meant(typed, NOW, reply=reply)
    except Refused:
        said = None
    if said:
        MESSAGES[said.update].model_validate(said.payload("ana", "k", NOW))


def test_a_room_is_found_by_its_name() -> None:
    assert room_name("INC-20260302-7F3A") == "inc-20260302-7f3a"
    for name in ("inc-20260302-7f3a", "inc-20260302-7f3a-2", "#inc-20260302-7f3a:example.org", "INC-20260302-7F3A"):
        assert incident_of(name) == "INC-20260302-7F3A"
    for name in ("general", "", "inc-20260302", "about-inc-20260302-7f3a"):
        assert incident_of(name) == ""
    assert is_incident("inc-20260302-7f3a")
    assert not is_incident("ack")


def people(**contacts: str) -> Catalog:
    return Catalog(
        people={id: Person(id=id, contact=[Contact(channel="slack", address=it)]) for id, it in contacts.items()}
    )


def test_a_person_is_whose_account_speaks() -> None:
    catalog = people(ana="U1", ben="U2")
    assert speaker(catalog, "slack", "U2").id == "ben"
    for channel, address in (("matrix", "U1"), ("slack", "u1"), ("slack", ""), ("slack", "ana")):
        with pytest.raises(Refused, match="nobody in the catalogue has the contact"):
            speaker(catalog, channel, address)
    with pytest.raises(Refused, match="for ana and ben; it takes one person's only"):
        speaker(people(ana="U1", ben="U1"), "slack", "U1")
