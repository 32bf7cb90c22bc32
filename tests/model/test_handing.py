"""What one incident hands to another always fits, and what decides is kept (D3)."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.absorption import Absorption, Handover, absorb, take_over
from model.catalogue.plan import Contact, Plan, PlannedPerson, PlannedService, PlannedTeam
from model.coordinate.desk import Contacts, Feeling, Question
from model.effects import PlanRequest, Signal
from model.handing import MOST, fewer_alarms, fitted
from model.incident import AlarmFact, Engagement, Incident, Paged, ReportFact, Responder, Statement
from tests.model.simulation import START
from workflows.process import LARGEST_STATE

SIGNAL = 2 * 1024 * 1024
"""Bytes the server takes in one signal."""
LONG = "ä" * 2048


def alarms(count: int, services: int = 40) -> list[AlarmFact]:
    return [
        AlarmFact(
            alarm=f"host-{n}",
            service=f"service-{n % services}",
            region="eu-west",
            since=START + timedelta(seconds=n),
            severity=1 + n % 3,
            state="OK" if n % 7 == 6 else "ALARM",
            summary="x" * 500,
            link=f"https://example.test/{'y' * 4000}",
        )
        for n in range(count)
    ]


def an_incident(name: str = "INC-20260302-7F3A", *, teams: int = 0, hosts: int = 0, words: int = 0) -> Incident:
    """An incident of many teams, each with somebody who has come; of many alarms; and of many long words."""
    people = {
        f"p{n}": PlannedPerson(id=f"p{n}", contacts=[Contact(channel="sms", address="+1555")]) for n in range(teams)
    }
    plan = Plan(
        services={f"service-{n}": PlannedService(id=f"service-{n}", team=f"team-{n}") for n in range(teams)},
        teams={f"team-{n}": PlannedTeam(id=f"team-{n}", levels=[[f"p{n}"]]) for n in range(teams)},
        people=people,
        customers_of={f"service-{n}": [f"customer-{m}" for m in range(50)] for n in range(teams)},
    )
    page = Paged(at=START, team="team-0", channel="sms", contact=0, level=1, call=1, key="k" * 60)
    incident = Incident(id=name, opened_at=START, plan=plan, services=[*plan.services], regions=["eu-west"])
    incident.alarms = {fact.key: fact for fact in alarms(hosts, max(teams, 1))}
    for n in range(teams):
        row = Engagement(team=f"team-{n}", reason=LONG, called_at=START, clock_from=START)
        row.acknowledged_at, row.acknowledged_by = START, f"p{n}"
        incident.engagements[row.team] = row
        incident.people[f"p{n}"] = Responder(pages=[page] * 4, acknowledged_at=START)
    incident.statements = [
        Statement(at=START, team=f"team-{n % max(teams, 1)}", by="p0", impacted="yes", text=LONG) for n in range(words)
    ]
    report = ReportFact(at=START, service="service-0", region="eu-west", source="case", count=1, text="z" * 500)
    incident.reports = [report] * min(words, 100)
    incident.desk.feelings = [Feeling(at=START, by="p0", tendency="worse", text=LONG)] * min(words, 100)
    question = Question(text=LONG, first_at=START, last_at=START)
    incident.desk.questions = [question] * min(words, 50)
    incident.desk.contacts = {f"c{n}": Contacts(count=1, cases=["case"] * 10, last_at=START) for n in range(words)}
    incident.desk.told, incident.desk.said, incident.desk.next_at = ["acme"], "wrong", START + timedelta(minutes=20)
    return incident


def handed(incident: Incident) -> Signal:
    absorb(incident, Absorption(into="INC-20260302-AAAA", reason="three services"), START)
    [word] = [it.order for it in incident.owed.values() if isinstance(it.order, Signal) and it.order.name == "handover"]
    return word


def bytes_of(incident: Incident) -> int:
    return len(incident.model_dump_json().encode())


def test_an_incident_of_two_megabytes_hands_over_who_has_come_what_is_in_alarm_and_what_was_promised():
    large = an_incident(teams=60, hosts=300, words=100)
    assert bytes_of(large) > LARGEST_STATE
    word = handed(large)
    assert len(word.model_dump_json().encode()) < MOST + 1024
    other = an_incident("INC-20260302-AAAA")
    take_over(other, Handover.model_validate(word.payload), START)
    assert {row.team for row in other.engagements.values() if row.acknowledged_at} == {f"team-{n}" for n in range(60)}
    assert {fact.service for fact in other.in_alarm} == {f"service-{n}" for n in range(60)}
    assert other.people["p59"].acknowledged_at
    assert (other.desk.told, other.desk.said) == (["acme"], "wrong")
    assert other.desk.next_at == START + timedelta(minutes=20)
    assert "too large to be taken in whole" in other.timeline[0].text


def test_a_usual_incident_hands_over_everything():
    usual = an_incident(teams=3, hosts=20, words=5)
    taken = Handover.model_validate(handed(usual).payload)
    assert not taken.left_out
    assert len(taken.alarms) == 20
    assert taken.statements[0].text == LONG


def test_who_is_full_takes_the_others_in_all_the_same_and_can_be_handed_on():
    full = an_incident("INC-20260302-AAAA", teams=10, words=150)
    full.desk.feelings *= 2
    assert bytes_of(full) > 1_500_000
    for n in range(12):
        other = an_incident(f"INC-20260302-BB{n:02}", teams=20, hosts=100, words=60)
        take_over(full, Handover.model_validate(handed(other).payload), START)
    assert bytes_of(full) < LARGEST_STATE
    assert len(full.absorbed) == 12
    assert full.engagements["team-19"].acknowledged_at


def test_what_has_no_plan_any_more_is_asked_of_the_catalogue():
    other = an_incident("INC-20260302-AAAA")
    take_over(other, Handover(source="INC-X", opened_at=START, services=["payments"], left_out=True), START)
    asked = [it.order for it in other.owed.values() if isinstance(it.order, PlanRequest)]
    assert asked[0].services == ["payments"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 400), st.integers(0, 1500), st.integers(0, 300))
def test_whatever_an_incident_has_become_its_handover_fits(teams, hosts, words):
    word = handed(an_incident(teams=teams, hosts=hosts, words=words))
    assert len(word.model_dump_json().encode()) < MOST + 1024 < SIGNAL


@pytest.mark.parametrize("most", [1_000, 20_000, MOST])
def test_of_too_many_alarms_the_worst_of_each_service_stays(most):
    kept = fewer_alarms(alarms(1500), most)
    assert sum(len(fact.model_dump_json()) for fact in kept) <= most
    if most > 1_000:
        assert {fact.service for fact in kept} == {f"service-{n}" for n in range(40)}
        assert kept[0].state == "ALARM"


def test_what_fits_is_handed_over_as_it_is():
    handover = Handover(source="INC-X", opened_at=START, alarms=alarms(2))
    assert fitted(handover) is handover
