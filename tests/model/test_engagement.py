"""Who is woken, when, over which channel; and that it never ends in silence (E1-E6)."""

from datetime import UTC, datetime, timedelta

import pytest

from model.effects import Outcome, Page
from model.text import Refused
from tests.model.simulation import Simulation


def test_nobody_answers_a_sev_2_and_everybody_is_called_in_turn():
    night = Simulation()
    night.alarm("checkout-api", severity=2)
    night.wait(minutes=19)
    assert night.paged("ana") == [("0m", "email"), ("2m", "sms")]
    assert night.paged("ben") == night.paged("cho") == [("5m", "email"), ("7m", "sms")]
    assert night.paged("dee") == [("10m", "email"), ("12m", "sms")], "the manager"
    assert night.paged("kim") == [("10m", "email"), ("12m", "sms")], "incident response"
    assert night.paged("lou") == [("15m", "email"), ("17m", "sms")], "a call leader"
    assert not night.said("exhausted")
    night.wait(minutes=1)
    assert len(night.said("exhausted")) == 1


def test_after_nobody_was_reachable_everybody_is_called_again_and_again():
    night = Simulation()
    night.alarm("checkout-api", severity=2)
    night.wait(minutes=20)
    at_twenty = {who for at, who, _ in night.pages if at.total_seconds() == 1200}
    assert at_twenty == {"ana", "ben", "cho", "dee", "kim", "lou"}
    before = len(night.pages)
    night.wait(hours=3)
    assert len(night.pages) > before


def test_an_acknowledgement_stops_the_paging():
    night = Simulation()
    night.alarm("checkout-api", severity=2)
    night.wait(minutes=3)
    night.say("acknowledge", by="ana")
    night.wait(hours=2)
    assert {who for _, who, _ in night.pages} == {"ana"}
    assert night.incident.engagements["checkout"].acknowledged_by == "ana"
    assert night.incident.phase == "coordinate"


def test_a_sev_3_is_slower_and_never_wakes_a_call_leader():
    day = Simulation()
    day.alarm("checkout-api", severity=3)
    day.wait(hours=2)
    assert day.paged("ana")[:2] == [("0m", "email"), ("5m", "sms")]
    assert day.paged("ben")[0] == ("10m", "email")
    assert day.paged("dee")[0] == ("20m", "email"), "after the last level the manager"
    assert day.paged("kim")[0] == ("30m", "email"), "then incident response"
    assert "call-leaders" not in day.incident.engagements


def test_a_sev_4_at_night_waits_for_the_next_working_morning():
    saturday = Simulation(start=datetime(2026, 3, 7, 1, 0, tzinfo=UTC))
    saturday.alarm("checkout-api", severity=4)
    saturday.wait(hours=36)
    assert not saturday.pages
    saturday.wait(days=2)
    first = saturday.start + saturday.pages[0][0]
    assert first == datetime(2026, 3, 9, 8, 0, tzinfo=UTC), "Monday 09:00 in Paris, where ana is"


def test_a_sev_4_that_becomes_a_sev_2_wakes_somebody_at_once():
    night = Simulation(start=datetime(2026, 3, 7, 1, 0, tzinfo=UTC))
    night.alarm("checkout-api", severity=4)
    night.wait(hours=5)
    night.say("set_severity", by="kim", severity=2, reason="growing")
    assert {who for _, who, _ in night.pages} == {"ana"}


def test_when_a_channel_fails_the_next_is_used_at_once_and_the_timeline_says_so():
    night = Simulation()
    night.fails = lambda page: page.contact.channel == "email"
    night.alarm("checkout-api", severity=2)
    assert night.paged("ana") == [("0m", "sms")]
    assert "next: sms" in night.said("fallback")[0]


def test_when_every_channel_of_a_level_fails_the_next_level_is_called_at_once():
    night = Simulation()
    night.fails = lambda page: page.person == "ana"
    night.alarm("checkout-api", severity=2)
    assert night.paged("ben") == [("0m", "email")]


def test_a_provider_that_wants_an_hour_of_rest_is_left_alone_and_the_other_channel_is_not():
    night, tried = Simulation(), []

    def fails(page: Page) -> Outcome | bool:
        if page.person == "ana":
            tried.append((night.now - night.start, page.contact.channel))
        busy = page.contact.channel == "email"
        return Outcome(ok=False, reason="429", retry_after=timedelta(hours=1)) if busy else True

    night.fails = fails
    night.alarm("checkout-api", severity=2)
    night.wait(minutes=59)
    assert [channel for _, channel in tried].count("email") == 1
    assert [channel for _, channel in tried].count("sms") > 3
    night.wait(minutes=11)
    assert [channel for _, channel in tried].count("email") == 2


def test_an_address_that_bounces_is_tried_once_and_the_channels_that_may_work_again():
    night, tried = Simulation(), []

    def fails(page: Page) -> Outcome:
        if page.person == "ana":
            tried.append(page.contact.channel)
        return Outcome(ok=False, reason="down", again=page.contact.channel != "email")

    night.fails = fails
    night.alarm("checkout-api", severity=2)
    night.wait(minutes=20)
    assert tried.count("email") == 1
    assert tried.count("sms") > 2


def test_pages_go_out_as_soon_as_the_provider_is_back():
    night = Simulation()
    night.fails = lambda page: True
    night.alarm("checkout-api", severity=2)
    night.wait(minutes=4)
    assert not night.pages
    night.fails = lambda page: False
    night.wait(minutes=2)
    assert {"ana", "ben", "cho"} <= {who for _, who, _ in night.pages}


def test_paging_stops_when_the_alarm_was_clear_for_two_minutes_and_nobody_came():
    night = Simulation()
    night.alarm("checkout-api", severity=2)
    night.wait(minutes=3)
    night.ok("checkout-api")
    night.wait(minutes=2, seconds=30)
    assert night.said("paging_stopped")
    before = len(night.pages)
    night.wait(minutes=5)
    assert len(night.pages) == before
    assert night.incident.phase == "verify"


def test_an_alarm_that_comes_back_wakes_them_again():
    night = Simulation()
    night.alarm("checkout-api", severity=2)
    night.wait(minutes=1)
    night.ok("checkout-api")
    night.wait(minutes=5)
    night.alarm("checkout-api", severity=2)
    assert night.paged("ana")[-1] == ("6m", "email")
    assert night.said("verification_failed")


def test_somebody_on_call_for_two_teams_is_paged_once_and_acknowledges_for_both():
    day = Simulation()
    day.alarm("dns", severity=2)
    day.say("engage", by="noa", team="auth", reason="logins fail too")
    day.wait(minutes=12)
    assert day.paged("max") == [("10m", "email"), ("12m", "sms")], "manager of both dns' and auth's team"
    day.say("acknowledge", by="max")
    assert day.incident.engagements["auth"].acknowledged_by == "max"


def test_incident_response_that_came_for_a_silent_team_spares_the_call_leader():
    night = Simulation()
    night.alarm("checkout-api", severity=2)
    night.wait(minutes=11)
    night.say("acknowledge", by="kim")
    night.wait(hours=1)
    assert not night.paged("lou")
    assert not night.said("exhausted")


def test_a_released_team_is_called_back_by_its_own_alarm():
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    day.say("release", by="noa", team="dns", reason="all resolvers answer")
    day.wait(minutes=5)
    day.alarm("dns", severity=2)
    assert day.paged("noa")[-1] == ("5m", "email")
    assert day.incident.engagements["dns"].released_at is None


def test_not_us_puts_a_suspect_on_standby():
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    day.say("state_impact", by="abe", impacted="no", text="no loss anywhere")
    assert day.incident.engagements["network"].released_at
    day.wait(minutes=30)
    assert day.paged("liv") == []


def test_who_acknowledges_a_full_response_and_does_not_come_is_paged_once_more():
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    day.say("acknowledge", by="ana")
    day.wait(minutes=5)
    assert len(day.paged("ana")) == 2
    day.wait(minutes=30)
    assert len(day.paged("ana")) == 2
    assert any("ana acknowledged" in text for text in day.said("told"))


@pytest.mark.parametrize(
    ("by", "name", "fields", "words"),
    [
        ("", "acknowledge", {}, "say who you are"),
        ("nobody", "acknowledge", {}, "not on call for"),
        ("sam", "set_severity", {"severity": 1, "reason": "x"}, "sam may not set_severity"),
        ("ana", "lead", {}, "ana may not lead"),
        ("ana", "acknowledge", {"team": "payments"}, "not engaged"),
        ("ana", "engage", {"team": "checkout", "reason": "x"}, "is engaged since"),
        ("ana", "close", {}, "in alarm: checkout-api"),
        ("ana", "close", {"reason": "false_alarm"}, "in alarm: checkout-api"),
        ("ana", "reopen", {"reason": "x"}, "is open"),
        ("kim", "stand_down", {"reason": "x"}, "once the alarms are clear"),
        ("ana", "set_severity", {"severity": 2, "reason": "x"}, "is SEV2 already"),
    ],
)
def test_every_refusal_says_what_would_be_accepted(by, name, fields, words):
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    before = day.incident.model_dump()
    with pytest.raises(Refused, match=words):
        day.say(name, by=by, **fields)
    assert day.incident.model_dump() == before, "a refusal changes nothing"


def test_people_are_known_by_e_mail_in_any_case():
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    assert day.say("acknowledge", by="ANA@Example.test") == "acknowledged for checkout"
