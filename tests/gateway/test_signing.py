"""A link proves one person, in one incident, for a week."""

from datetime import UTC, datetime, timedelta

import pytest

from link.signing import LIFETIME, page_link, sign, unsign
from model.text import Refused
from tests.gateway.house import SECRET

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ID = "INC-20260302-7F3A"


@pytest.mark.parametrize("person", ["ana", "Ana.Ng@example.test", "王小明"])
def test_a_link_proves_its_person(person: str) -> None:
    assert unsign(SECRET, sign(SECRET, ID, person), ID) == person


def test_a_link_is_good_for_a_week_and_no_longer() -> None:
    token = sign(SECRET, ID, "ana", NOW)
    assert unsign(SECRET, token, ID, now=NOW + LIFETIME) == "ana"
    with pytest.raises(Refused, match="expired: links are good for 7 days"):
        unsign(SECRET, token, ID, now=NOW + LIFETIME + timedelta(seconds=1))
    with pytest.raises(Refused, match="expired"):
        unsign(SECRET, token, ID, timedelta(hours=1), now=NOW + timedelta(hours=2))


def test_a_link_opens_no_other_incident() -> None:
    with pytest.raises(Refused, match="not made for this incident"):
        unsign(SECRET, sign(SECRET, ID, "ana"), "INC-20260302-7F3B")


def test_a_link_cannot_be_made_somebody_elses() -> None:
    ana, ben = sign(SECRET, ID, "ana", NOW), sign(SECRET, ID, "ben", NOW)
    forged = ".".join([ben.split(".")[0], *ana.split(".")[1:]])
    with pytest.raises(Refused):
        unsign(SECRET, forged, ID, now=NOW)


def test_a_link_cannot_be_made_younger() -> None:
    old, new = sign(SECRET, ID, "ana", NOW), sign(SECRET, ID, "ana", NOW + timedelta(days=30))
    name, _, signature = old.split(".")
    with pytest.raises(Refused):
        unsign(SECRET, f"{name}.{new.split('.')[1]}.{signature}", ID, now=NOW + timedelta(days=30))


def test_another_installations_link_opens_nothing() -> None:
    with pytest.raises(Refused):
        unsign("another secret", sign(SECRET, ID, "ana"), ID)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "\x00", "é" * 50, "A" * 10_000, "\ud800"])
def test_garbage_proves_nobody(token: str) -> None:
    with pytest.raises(Refused):
        unsign(SECRET, token, ID)


def test_every_changed_character_spoils_a_link() -> None:
    token = sign(SECRET, ID, "ana", NOW)
    for place in range(len(token) - 1):  # the last character's lowest bits are padding
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(Refused):
            unsign(SECRET, changed, ID, now=NOW)


def test_a_clock_that_is_a_little_ahead_spoils_no_link() -> None:
    token = sign(SECRET, ID, "ana", NOW + timedelta(minutes=1))
    assert unsign(SECRET, token, ID, now=NOW) == "ana"
    with pytest.raises(Refused, match="clock"):
        unsign(SECRET, sign(SECRET, ID, "ana", NOW + timedelta(days=1)), ID, now=NOW)


def test_an_empty_secret_signs_nothing() -> None:
    with pytest.raises(ValueError, match="secret"):
        sign("", ID, "ana")


def test_a_link_leaves_room_in_a_text_message() -> None:
    link = page_link("https://allclear.example.com/", SECRET, ID, "ana")
    assert link.startswith(f"https://allclear.example.com/i/{ID}?t=")
    assert len(link) <= 100
    assert page_link("", SECRET, ID, "ana") == ""
