"""A COE begins with what was measured, and says what only its author knows."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.coe.check import check
from model.coe.draft import draft, milestones
from model.coe.parser import parse
from model.incident import AlarmFact, Improvement, Incident, Paged, ReportFact, Responder, Statement
from model.matter import Entry
from tests.model.coe_samples import codes
from tests.store.samples import ID, NINE, incident, later

OWED = {"fill-in", "no-author", "action-no-owner", "action-no-date"}
"""What a draft's author still has to do."""


def alarm(minutes: float = 0) -> AlarmFact:
    return AlarmFact(
        alarm="err",
        service="checkout-api",
        region="eu-west",
        metric="error-rate",
        since=later(minutes),
        value=4,
        threshold=1,
        unit="%",
    )


def responder(team: str, paged: float, acknowledged: float | None, joined: float | None) -> Responder:
    page = Paged(at=later(paged), team=team, channel="sms", contact=0, level=1, call=1, key="k")
    return Responder(
        pages=[page],
        acknowledged_at=None if acknowledged is None else later(acknowledged),
        joined_at=None if joined is None else later(joined),
    )


def lived(**facts: Any) -> Incident:
    known: dict[str, Any] = {
        "alarms": {"a": alarm()},
        "opened_at": later(2),
        "people": {"ana": responder("checkout", 3, 15, 16), "kim": responder("incident-response", 20, 21, 22)},
        "mitigated_at": later(45),
        "closed_at": later(70),
        "customers_hit": "3 reports by case",
        "reports": [ReportFact(at=later(8), service="s", region="r", source="case", count=3, text="cannot pay")],
        **facts,
    }
    return incident(**known)


def entry(seq: int, minutes: float, what: Any, text: str, by: str = "ana") -> Entry:
    return Entry(seq=seq, at=later(minutes), what=what, by=by, text=text)


ENTRIES = [
    entry(1, 20, "proposed", "1: roll_back checkout-api@2.3.1, started with it"),
    entry(2, 21, "executed", "roll_back checkout-api@2.3.1"),
    entry(3, 55, "verified", "clear for 10 min", by="allclear"),
]


def test_a_draft_is_read_and_leaves_to_its_author_only_what_is_not_known() -> None:
    text = draft(lived(), "checkout", "One bad host", "ana", ENTRIES)
    file, unread = parse(text)
    assert unread == []
    assert (file.incident, file.team, file.subject, file.author) == (ID, "checkout", "One bad host", "ana")
    assert file.says_customers_hit is True
    assert codes(check(file, customers_hit=True, mitigated_by_hand=True), "error") <= OWED


def test_the_milestones_are_there_with_how_long_they_took() -> None:
    text = draft(lived(), "checkout", "", "ana", ENTRIES)
    for line in (
        "- 09:00:00 UTC the first alarm (error-rate 4%\\>1%)",
        "- 09:02:00 UTC detected (service) (+2 min, 2 min since it began)",
        "- 09:03:00 UTC the first page (ana) (+1 min, 3 min since it began)",
        "- 09:15:00 UTC acknowledged (ana) (+7 min, 15 min since it began)",
        "- 09:21:00 UTC the first mitigation (roll\\_back checkout-api@2.3.1) (+5 min, 21 min since it began)",
        "- 09:45:00 UTC mitigated: the alarms are clear (+24 min, 45 min since it began)",
        "- 09:55:00 UTC verified (clear for 10 min) (+10 min, 55 min since it began)",
        "- 10:10:00 UTC closed (+15 min, 1 h 10 min since it began)",
    ):
        assert line in text.split("\n")


def test_milestones_are_in_their_order() -> None:
    moments = [milestone.at for milestone in milestones(lived(), ENTRIES)]
    assert moments == sorted(moments)


def test_the_four_prompts_are_asked_with_what_was_measured() -> None:
    file, _ = parse(draft(lived(suspicion="checkout-api@2.3.1 started 08:55"), "checkout", "", "ana", ENTRIES))
    (root,) = file.whys
    asked = [why.text for why in root.children]
    assert root.text == "Why did error-rate 4%>1% hit checkout-api in eu-west for 45 min?"
    assert "checkout-api@2.3.1 started 08:55" in asked[0]
    assert "13 min from then until somebody acknowledged, 30 min from then until it was mitigated" in asked[2]
    assert "1 service, 1 region" in asked[3]
    assert "3 customer reports" in asked[3]
    assert not codes(check(file, customers_hit=True, mitigated_by_hand=True)) & {"prompt-missing", "lone-chain"}


def test_the_response_is_the_authors_team_own() -> None:
    text = draft(lived(), "incident-response", "", "kim", ENTRIES)
    assert "incident-response was paged 18 min after detection, acknowledged after 1 min" in text
    assert "checkout was paged 1 min after detection, acknowledged after 12 min" in draft(
        lived(), "checkout", "", "ana", ENTRIES
    )


def test_decisions_are_shown_with_what_was_known_then() -> None:
    text = draft(lived(), "checkout", "", "ana", ENTRIES)
    assert "- 09:20:00 ana, proposed: 1: roll\\_back checkout-api@2.3.1, started with it" in text


def test_what_the_team_noted_is_at_hand_and_what_others_noted_is_not() -> None:
    notes = [
        Improvement(at=later(9), team="checkout", by="ana", text="the runbook names a host that is gone"),
        Improvement(at=later(9), team="dns", by="zoe", text="zone files are slow"),
    ]
    text = draft(lived(notes=notes), "checkout", "", "ana", [])
    assert "the runbook names a host that is gone" in text
    assert "zone files" not in text
    assert "runbook" not in parse(text)[0].lessons[0].text


def test_a_broken_tenet_is_said() -> None:
    assert "detect-first" in draft(lived(broken_tenets=["detect-first: by reports"]), "checkout", "", "ana", [])


def test_an_event_of_which_little_is_known_has_a_draft_too() -> None:
    text = draft(incident(title=""), "checkout", "", "", [])
    assert "unknown" not in text
    assert "None" not in text
    file, unread = parse(text)
    assert unread == []
    assert codes(check(file, customers_hit=None, mitigated_by_hand=None), "error") <= OWED


HOSTILE = [
    "## Whys",
    "-->",
    "<!--",
    "```",
    "→ L1",
    "= nothing to do",
    "\n- ! x\n",
    "---",
    "[fill in: x]",
    "{} {0}",
    "\x00",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_words_from_the_event_do_not_disturb_the_form(words: str) -> None:
    said = Statement(at=later(9), team=words, by="ana", impacted="yes", customers=words, text=words)
    note = Improvement(at=later(9), team="checkout", by="ana", text=words)
    it = lived(statements=[said], notes=[note], title=words, suspicion=words, customers_hit=f"yes {words}", alarms={})
    plain, unread = parse(draft(lived(), "checkout", "s", "ana", ENTRIES))
    file, unread = parse(draft(it, "checkout", f"x {words}", "ana", [entry(1, 20, "decided", words, by=words)]))
    assert unread == []
    assert len(list(file.all_whys())) == len(list(plain.all_whys()))
    assert [len(file.detection), len(file.lessons), len(file.actions)] == [4, 1, 1]
    assert codes(check(file, customers_hit=True, mitigated_by_hand=True), "error") <= OWED


@settings(max_examples=30)
@given(
    st.text(max_size=40),
    st.text(max_size=40),
    st.datetimes(NINE.replace(tzinfo=None), NINE.replace(tzinfo=None, year=2027)),
)
def test_any_words_and_times_make_a_draft_that_is_read(words: str, team: str, moment: datetime) -> None:
    at = moment.replace(tzinfo=NINE.tzinfo)
    it = lived(title=words, mitigated_at=at, suspicion=words, regions=[words], broken_tenets=[words])
    file, unread = parse(draft(it, team, words, "ana", [entry(1, 20, "executed", words)]))
    assert codes(unread, "error") == set()
    assert codes(check(file, customers_hit=True, mitigated_by_hand=True), "error") <= {*OWED, "no-team", "no-subject"}
