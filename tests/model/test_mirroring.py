"""Tickets and rooms follow the record: when they are owed, and what is said when they do not."""

from datetime import timedelta

from model import mirroring, recording
from model.effects import Follow, Outcome
from model.incident import Incident
from tests.store.samples import ID, NINE, incident, later

KEY = f"{ID}/mirror/jira"


def recorded(it: Incident, mirrors: tuple[str, ...] = ("jira",)) -> Incident:
    """Let the record take everything there is."""
    it.say("observed", "a word", now=NINE)
    recording.ended(it, recording.batch(it), Outcome(mirrors=list(mirrors)), NINE)
    return it


def upto(it: Incident) -> int:
    order = it.owed[KEY].order
    assert isinstance(order, Follow)
    return order.upto


def said(it: Incident) -> list[str]:
    return [entry.text for entry in it.timeline if entry.what in ("fallback", "linked")]


def test_each_system_is_owed_what_the_record_has_after_a_rest() -> None:
    it = recorded(incident(), ("jira", "slack"))
    assert sorted(it.owed) == [KEY, f"{ID}/mirror/slack"]
    assert it.owed[KEY].retry_at == NINE + it.policy.mirror_rest
    assert upto(recorded(it)) == 2


def test_a_matter_with_nothing_outside_owes_nothing() -> None:
    assert recorded(incident(), ()).owed == {}


def test_what_came_meanwhile_is_brought_next() -> None:
    it = recorded(incident())
    recorded(it)
    mirroring.ended(it, KEY, Outcome(upto=1), later(1))
    assert it.owed[KEY].retry_at == later(1) + it.policy.mirror_rest
    mirroring.ended(it, KEY, Outcome(upto=2), later(2))
    assert KEY not in it.owed


def test_a_new_place_is_named_once() -> None:
    it = recorded(incident())
    mirroring.ended(it, KEY, Outcome(upto=1, link="https://jira.example.com/OPS-7"), later(1))
    assert [(entry.text, entry.link) for entry in it.timeline if entry.what == "linked"] == [
        ("followed in jira", "https://jira.example.com/OPS-7")
    ]


def test_a_system_that_is_down_for_a_night_is_named_once_and_tried_for_ever() -> None:
    it = recorded(incident())
    for n in range(40):
        mirroring.ended(it, KEY, Outcome(ok=False, reason="jira answered 503"), later(n))
    assert said(it) == ["jira does not follow: jira answered 503"]
    assert it.owed[KEY].retry_at == later(39) + it.policy.owed_retry_most
    mirroring.ended(it, KEY, Outcome(upto=9), later(41))
    assert KEY not in it.owed


def test_what_a_person_must_mend_is_named_at_once_and_still_tried() -> None:
    it = recorded(incident())
    mirroring.ended(it, KEY, Outcome(ok=False, again=False, reason="no such project"), later(1))
    assert said(it) == ["jira does not follow: no such project"]
    assert KEY in it.owed


def test_a_provider_that_wants_an_hour_of_rest_gets_it() -> None:
    it = recorded(incident())
    mirroring.ended(it, KEY, Outcome(ok=False, reason="429", retry_after=timedelta(hours=1)), NINE)
    assert it.owed[KEY].retry_at == later(60)


def test_an_incident_is_over_only_when_its_ticket_has_everything() -> None:
    it = recorded(incident())
    it.ended = True
    assert not recording.finished(it)
    mirroring.ended(it, KEY, Outcome(upto=1), later(1))
    assert recording.finished(it)


def test_people_who_close_a_ticket_are_told_once_where_it_ends() -> None:
    it = recorded(incident())
    url = "https://jira.example.com/OPS-7"
    for n in range(3):
        mirroring.ended(it, KEY, Outcome(ok=n > 0, reason="503", upto=1, closed=url), later(n))
        recorded(it)
    (line,) = [entry for entry in it.timeline if entry.what == "linked"]
    assert line.text.startswith("people closed it in jira, but here it is still open")
    assert line.link == url
