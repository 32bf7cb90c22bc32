"""What a room shows, whatever the chat: short enough for each, and never at the cost of what counts."""

import pytest

from activities.comms import rooms
from activities.comms.matrix.rooms import TOPIC_LONGEST as MATRIX
from activities.comms.slack.channels import TOPIC_LONGEST as SLACK
from model.matter import What
from tests.activities.comms.subjects import entry, guest, subject

CALL = "https://call.example.test/INC-20260302-7F3A"


@pytest.mark.parametrize("longest", [SLACK, MATRIX])
def test_a_topic_fits_and_its_link_is_whole(longest: int) -> None:
    many = subject(services=[f"service-{n}-é" for n in range(200)])
    said = rooms.topic(many, longest)
    assert len(said.encode()) <= longest
    assert said.endswith(f"… · call {CALL}")
    said = rooms.topic(subject(calls={"tech": "https://call.example.test/" + "x" * 600}), longest)
    assert said == "SEV2 · coordinate · checkout-api"


def test_a_topic_of_a_test_or_of_an_end_says_so() -> None:
    assert rooms.topic(subject(test=True, calls={}), 250) == "TEST · SEV2 · coordinate · checkout-api"
    assert rooms.topic(subject(open=False, phase="all clear"), 250) == "ALL CLEAR · INC-20260302-7F3A Payments fail"


def test_a_notice_stays_small_and_always_says_how_to_speak() -> None:
    it = subject(title="x" * 4000, body="\n".join("y" * 100 for _ in range(400)))
    said = rooms.notice(it, {f"person {n}": "user_not_found" for n in range(40)})
    assert len(said.encode()) < 3000, "a text of Slack's has 3000 characters"
    assert said.endswith(rooms.HOW)
    assert "and 30 more" in said


def test_only_links_that_open_something_are_offered() -> None:
    it = subject(calls={"tech": CALL, "support": "javascript:alert(1)", "dns": "tel:+1555"})
    assert rooms.links(it) == [("tech call", CALL)]
    assert rooms.links(it.model_copy(update={"open": False})) == []


def test_a_line_is_one_line_and_not_too_long() -> None:
    said = rooms.line(entry("observed", "a\nb " + "é" * 4000, by="ana", link="https://a.test/x"))
    assert "\n" not in said
    assert said.startswith("09:01 ana observed: a b é")
    assert said.endswith("… https://a.test/x")
    assert len(said.encode()) <= rooms.LINE_LONGEST + len("09:01 ")
    assert len(rooms.line(entry("observed", "x", link="https://a.test/" + "x" * 4000))) < 100


def test_an_account_is_whose_it_is() -> None:
    people = [guest("ana", "slack", "U1"), guest("ben", "matrix", "@ben:x")]
    assert rooms.addresses(people, "slack") == {"U1": "Ana"}


@pytest.mark.parametrize("what", ["engaged", "acknowledged", "statement", "decided", "closed", "exhausted"])
def test_what_people_decide_by_is_told(what: What) -> None:
    assert rooms.told(entry(what, "x"), ("https://chat.test/",))
    own = entry(what, "x", link="https://chat.test/1")
    assert rooms.told(own, ("https://chat.test/",)) is (what != "statement")
