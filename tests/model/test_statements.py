"""Everybody is asked at once, on one screen; what is missing is chased, and verification stops it (C2, C3)."""

from datetime import timedelta

from tests.model.simulation import Simulation


def big() -> Simulation:
    day = Simulation()
    for service in ("checkout-api", "payments", "search-api"):
        day.alarm(service, severity=2)
    return day


def screens(day: Simulation, person: str) -> list[str]:
    return [text for text in day.told(person) if "you are in" in text]


def asked(day: Simulation, person: str) -> list[str]:
    return [text for text in day.told(person) if "state_impact: yes, no" in text]


def test_who_joins_gets_one_screen_with_what_is_known_and_how_to_behave():
    day = big()
    day.say("lead", by="kim")
    day.say("observe", by="eva", kind="error", text="503 from the ledger")
    day.say("propose", by="ida", kind="roll_back", target="search-api@1.0.9", why="started with it")
    day.say("join", by="ana")
    [screen] = screens(day, "ana")
    assert "Lead: kim" in screen
    assert "in alarm: payments in eu-west" in screen
    assert "503 from the ledger" in screen
    assert "roll_back search-api@1.0.9" in screen
    assert "Say on the call" in screen
    assert "Only write" in screen
    assert "within 10 min (state_impact)" in screen
    assert "https://call.example.test/INC-" in screen
    day.say("observe", by="ana", text="looking")
    assert len(screens(day, "ana")) == 1


def test_the_screen_is_one_line_in_the_timeline():
    day = big()
    day.say("join", by="ana")
    [line] = [text for text in day.said("told") if "you are in" in text]
    assert "\n" not in line


def test_who_is_called_back_and_joins_again_gets_a_new_screen():
    day = big()
    day.say("join", by="noa")
    day.say("release", by="noa", team="dns", reason="all resolvers answer")
    day.wait(minutes=5)
    day.alarm("dns", severity=2)
    day.say("join", by="noa")
    assert len(screens(day, "noa")) == 2


def test_a_missing_statement_is_asked_of_the_person_once_and_then_by_incident_response():
    day = big()
    day.say("join", by="eva")
    day.wait(minutes=9)
    assert not asked(day, "eva")
    day.wait(minutes=1)
    assert len(asked(day, "eva")) == 1
    assert not day.said("statement_missing")
    day.wait(minutes=10)
    assert len(day.said("statement_missing")) == 1
    assert (
        "payments owes an impact statement since 09:10; eva was reminded at 09:10" in day.said("statement_missing")[0]
    )
    assert any("payments owes an impact statement" in text for text in day.told("kim"))
    day.wait(hours=1)
    assert len(asked(day, "eva")) == 1
    assert len(day.said("statement_missing")) == 1


def test_unknown_with_a_time_moves_the_due_time_to_it():
    day = big()
    day.say("state_impact", by="eva", impacted="unknown", text="looking", again_at=day.start + timedelta(minutes=25))
    day.wait(minutes=24)
    assert not asked(day, "eva")
    day.wait(minutes=1)
    assert len(asked(day, "eva")) == 1


def test_unknown_without_a_time_is_due_again_after_the_same_while():
    day = big()
    day.say("state_impact", by="eva", impacted="unknown")
    day.wait(minutes=10)
    assert len(asked(day, "eva")) == 1
    day.say("state_impact", by="eva", impacted="unknown")
    day.wait(minutes=10)
    assert len(asked(day, "eva")) == 2, "a later due time is a new question"


def test_a_statement_stops_the_chase_and_statements_are_revised_not_overwritten():
    day = big()
    day.say("state_impact", by="eva", impacted="unknown")
    day.say("state_impact", by="eva", impacted="yes", customers="3 % of payments fail")
    day.wait(hours=1)
    assert not asked(day, "eva")
    assert [s.impacted for s in day.incident.statements] == ["unknown", "yes"]


def test_released_teams_and_those_who_run_it_are_not_chased():
    day = big()
    day.say("join", by="noa")
    day.say("join", by="kim")
    day.say("join", by="sam")
    day.say("release", by="noa", team="dns", reason="all resolvers answer")
    day.wait(hours=1)
    assert not any(asked(day, person) for person in ("noa", "kim", "sam"))


def test_verification_stops_the_chase():
    day = big()
    day.say("join", by="eva")
    day.wait(minutes=5)
    for service in ("checkout-api", "payments", "search-api"):
        day.ok(service)
    day.wait(minutes=9)
    assert day.incident.phase == "verify"
    assert not asked(day, "eva")


def test_a_team_that_has_not_joined_is_paged_not_asked():
    day = big()
    day.say("acknowledge", by="eva")
    day.wait(minutes=30)
    assert not asked(day, "eva")


def test_a_statement_of_an_earlier_call_does_not_count_for_the_new_one():
    day = big()
    day.say("state_impact", by="abe", impacted="no", text="no loss anywhere")
    day.wait(minutes=20)
    day.alarm("network", severity=2)
    day.say("join", by="abe")
    day.wait(minutes=10)
    assert len(asked(day, "abe")) == 1


def test_who_works_on_a_ticket_by_day_is_reminded_and_incident_response_is_not_called_into_it():
    day = Simulation()
    day.alarm("checkout-api", severity=4)
    day.say("acknowledge", by="ana")
    day.say("join", by="ana")
    day.wait(hours=2)
    assert len(asked(day, "ana")) == 1
    assert not day.said("statement_missing")
    assert not day.told("kim")


def test_who_came_without_being_called_gets_the_screen_under_the_name_of_their_own_team():
    day = Simulation()
    day.alarm("checkout-api", severity=3)
    day.say("lead", by="kim")
    [line] = [text for text in day.said("told") if "you are in" in text]
    assert line.startswith("incident-response: INC-")
