"""Every call of an incident has a place of its own, by template or from a list (C1, C5, C6)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.catalogue.entries import Bridges
from model.coordinate.waiting import calls_for
from model.effects import Page
from model.engage.pagetext import LONGEST, page_text
from model.incident import Incident
from tests.activities.paging.orders import LINK, order
from tests.model.simulation import CATALOG, Simulation

MEET = "https://meet.jit.si/{incident}-{call}"


def with_calls(**bridges: Any) -> Simulation:
    """Return a big incident in which ana has left the bridge twice and sam looks after customers."""
    day = Simulation(CATALOG.model_copy(update={"bridges": Bridges(**bridges)}))
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    day.wait(minutes=6)
    day.say("join", by="ana")
    day.say("join", by="ben")
    return day


def forked(day: Simulation, topic: str = "the disk") -> str:
    return day.say("fork", by="ana", team="checkout", topic=topic, stays="ben")


def links(incident: Incident, person: str) -> list[str]:
    return [call.link for call in calls_for(incident, person)]


def test_one_template_makes_the_call_of_everybody():
    day = with_calls(tech=MEET)
    forked(day)
    forked(day, "the kernel")
    room = f"https://meet.jit.si/{day.incident.id}"
    assert links(day.incident, "ana") == [f"{room}-fork-1", f"{room}-fork-2", f"{room}-tech"]
    assert links(day.incident, "sam") == [f"{room}-support", f"{room}-tech"]


def test_links_of_forks_are_dealt_out_and_used_again_once_a_fork_has_ended():
    day = with_calls(tech="https://call.test/all", forks=["https://call.test/a", "https://call.test/b"])
    assert "https://call.test/a;" in forked(day)
    assert "https://call.test/b;" in forked(day, "the kernel")
    assert "https" not in forked(day, "the fan"), "no two forks meet in one call"
    day.say("rejoin", by="ana", fork="1")
    assert "https://call.test/a;" in forked(day, "the lamp")


def test_a_static_bridge_is_no_call_for_those_who_leave_it():
    day = with_calls(tech="https://call.test/all")
    assert forked(day).endswith("fork-1 is open; ben stays")
    assert links(day.incident, "ana") == ["https://call.test/all"]


def test_a_secret_is_written_down_nowhere():
    day = with_calls(tech=MEET + "-{secret}")
    assert "its call is on your page" in forked(day)
    assert [line.link for line in day.incident.timeline if line.what == "forked"] == [""]
    assert all("meet.jit.si" not in text for person in ("ana", "ben", "sam") for text in day.told(person))
    assert all(link.endswith("-{secret}") for link in links(day.incident, "ana")), "the page fills it in"
    assert len(links(day.incident, "ana")) == 2


places = st.permutations(["{incident}", "{call}", "{secret}", "x"]).flatmap(
    lambda parts: st.integers(0, 4).map(lambda count: "https://call.test/" + "-".join(parts[:count]))
)


@given(
    tech=places, support=st.one_of(st.just(""), places), forks=st.lists(places, max_size=3), opened=st.integers(0, 4)
)
def test_no_two_open_forks_share_a_call_and_none_is_on_the_bridge(
    tech: str, support: str, forks: list[str], opened: int
) -> None:
    day = with_calls(tech=tech, support=support, forks=[link for link in forks if link != tech])
    for n in range(opened):
        forked(day, f"topic {n}")
    places = [call.place for call in calls_for(day.incident, "ana")]
    assert len(places) == len(set(places))
    own = [(fork.link, f"fork-{fork.n}" if "{secret}" in fork.link else "") for fork in day.incident.desk.open_forks]
    given = [it for it in own if it[0]]
    assert len(given) == len(set(given))
    filled = "{incident}" in tech or "{call}" in tech or "{secret}" in tech
    assert not filled or forks or len(given) == opened


def a_page(tech_call: str) -> Page:
    page = order("sms", "+15550001").model_copy(update={"tech_call": tech_call, "service": "dns"})
    return page.model_copy(update={"what": "", "region": ""})


@pytest.mark.parametrize("call", [MEET, "https://call.test/all", MEET + "-{secret}"])
def test_a_page_leads_to_the_call_through_the_signed_page_which_counts_who_joins(call: str):
    short = "https://a.test/i/INC?t=ana"
    text = page_text(a_page(call), short)
    assert f"Ack: {short} · call: {short}&call=1" in text
    assert "meet.jit.si" not in text
    assert "call.test" not in text


def test_the_call_goes_first_where_a_text_message_is_too_short():
    text = page_text(a_page(MEET), LINK + "x" * 40)
    assert len(text) <= LONGEST
    assert text.endswith(f"Ack: {LINK}{'x' * 40}")


def test_without_a_public_page_the_call_is_named_unless_it_is_secret():
    assert "call: https://meet.jit.si/INC-20260302-7F3A-tech" in page_text(a_page(MEET), "")
    assert "call:" not in page_text(a_page(MEET + "-{secret}"), "")
