from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from model.catalogue.catalog import Catalog
from model.catalogue.plan import Contact, Plan, PlannedService, PlannedTeam, facts_for, plan_for

EXAMPLE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "scenarios" / "catalog.yaml").read_text())
CATALOG = Catalog.load(EXAMPLE)
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def changed(**sections: Any) -> Catalog:
    """The example catalogue with some entries added or changed."""
    return Catalog.load({**EXAMPLE, **{name: {**EXAMPLE[name], **more} for name, more in sections.items()}})


def plan(**wanted: Any) -> Plan:
    return plan_for(CATALOG, at=MONDAY, **wanted)


names = st.lists(st.sampled_from([*CATALOG.services, "nope", "typo-api"]), max_size=4)
teams = st.lists(st.sampled_from([*CATALOG.teams, "nobodies"]), max_size=3)
plans = st.builds(lambda s, t, u: plan(services=s, teams=t, suspects=u), names, teams, st.booleans())


# --- What is in a plan ----------------------------------------------------------------------------


def test_the_response_team_support_and_the_call_leaders_are_always_planned() -> None:
    empty = plan()
    assert list(empty.teams) == ["incident-response", "support"]
    assert (empty.incident_response, empty.support, empty.call_leaders) == (
        "incident-response",
        "support",
        ["lou"],
    )
    assert sorted(empty.people) == ["kim", "lou", "sam"]
    assert empty.services == {}
    assert empty.suspects == ["dns", "auth", "network"]


def test_an_impacted_service_brings_its_team_with_all_levels_and_its_manager() -> None:
    made = plan(services=["checkout-api"])
    assert made.teams["checkout"] == PlannedTeam(id="checkout", levels=[["ana"], ["ben", "cho"]], manager="dee")
    assert {"ana", "ben", "cho", "dee"} <= set(made.people)
    assert made.services["checkout-api"] == PlannedService(
        id="checkout-api",
        team="checkout",
        customer_name="Checkout",
        regions=["eu-west", "us-east"],
        depends_on=["payments", "dns"],
        has_customers=True,
        internal_names=["chk-router", "openssl", "checkout-api"],
    )
    assert made.customers_of == {"checkout-api": ["acme", "globex", "umbra"]}
    ana = made.people["ana"]
    assert (ana.name, ana.timezone, ana.teams) == ("Ana Ng", "Europe/Paris", ["checkout"])
    assert ana.contacts == [
        Contact(channel="email", address="ana@example.test"),
        Contact(channel="sms", address="+15550001"),
    ]


def test_a_person_s_teams_are_all_of_them_planned_or_not() -> None:
    assert plan(services=["checkout-api"]).people["dee"].teams == ["checkout", "search"]


def test_an_unknown_service_is_the_response_team_s() -> None:
    made = plan(services=["nope"])
    assert made.services["nope"] == PlannedService(id="nope", known=False, team="incident-response")
    assert list(made.teams) == ["incident-response", "support"]


def test_an_unknown_team_is_left_out() -> None:
    assert list(plan(teams=["nobodies", "storage"]).teams) == ["incident-response", "support", "storage"]


def test_the_usual_suspects_come_when_asked_for() -> None:
    made = plan(services=["checkout-api"], suspects=True)
    assert list(made.services) == ["checkout-api", "dns", "auth", "network"]
    assert {"dns", "auth", "network"} <= set(made.teams)
    assert {"noa", "yui", "abe", "max"} <= set(made.people)


def test_the_calls_are_planned() -> None:
    made = plan()
    assert made.tech_call == "https://call.example.test/{incident}"
    assert made.call_phone == "+15550100"


@given(plans)
def test_everybody_a_plan_names_is_in_it(made: Plan) -> None:
    named = [p for team in made.teams.values() for level in team.levels for p in level]
    named += [team.manager for team in made.teams.values()] + made.call_leaders
    assert set(named) == set(made.people)
    assert {service.team for service in made.services.values()} <= set(made.teams)


@given(plans)
def test_a_plan_survives_the_json_of_an_incident_s_state(made: Plan) -> None:
    assert Plan.model_validate_json(made.model_dump_json()) == made


def test_a_plan_reads_what_other_versions_wrote() -> None:
    assert Plan.model_validate_json("{}") == Plan()
    people = '{"p": {"contacts": [{"channel": "x", "new": 1}], "new": 1}}'
    later = f'{{"teams": {{"a": {{"id": "a", "rota": 1}}}}, "people": {people}, "new": 1}}'
    read = Plan.model_validate_json(later)
    assert read.teams["a"].levels == []
    assert read.people["p"].contacts == [Contact(channel="x")]


def test_a_plan_of_a_large_event_stays_small() -> None:
    assert len(plan(services=list(CATALOG.services), suspects=True).model_dump_json()) < 16_000


# --- Adding to a plan -----------------------------------------------------------------------------


@given(plans, plans)
def test_merging_adds_and_never_takes_away(first: Plan, second: Plan) -> None:
    both = first.merged(second)
    assert set(both.services) == set(first.services) | set(second.services)
    assert set(both.teams) == set(first.teams) | set(second.teams)
    assert set(both.people) == set(first.people) | set(second.people)
    assert list(both.teams)[: len(first.teams)] == list(first.teams)
    assert both.merged(second) == both
    assert first.merged(first) == first
    assert Plan().merged(first) == first


def test_levels_are_frozen_at_the_moment_they_were_planned() -> None:
    now = plan(services=["checkout-api"])
    moved = changed(teams={"checkout": {"on_call": [["cho"]], "manager": "hal"}})
    later = plan_for(moved, services=["checkout-api", "storage"], at=MONDAY)
    both = now.merged(later)
    assert both.teams["checkout"] == now.teams["checkout"]
    assert "storage" in both.teams


def test_a_service_added_to_the_catalogue_during_the_event_becomes_known() -> None:
    service = {**EXAMPLE["services"]["storage"], "team": "storage"}
    later = plan_for(changed(services={"nope": service}), services=["nope"], at=MONDAY)
    assert plan(services=["nope"]).merged(later).services["nope"].team == "storage"
    assert later.merged(plan(services=["nope"])).services["nope"].known


def test_a_person_gains_contacts_and_teams_behind_those_they_had() -> None:
    people = {"ana": {"contact": [{"phone": "+15559999"}, {"email": "ana@example.test"}], "timezone": "Asia/Tokyo"}}
    joined = {"storage": {"on_call": [["ana"]], "manager": "hal"}}
    later = plan_for(changed(people=people, teams=joined), services=["checkout-api"], at=MONDAY)
    ana = plan(services=["checkout-api"]).merged(later).people["ana"]
    assert [contact.channel for contact in ana.contacts] == ["email", "sms", "phone"]
    assert ana.teams == ["checkout", "storage"]
    assert ana.timezone == "Europe/Paris"


@pytest.mark.parametrize("by", ["ana", "ANA", " Ana ", "ana@example.test", "Ana@Example.Test"])
def test_people_are_known_by_id_or_e_mail_in_any_case(by: str) -> None:
    person = plan(services=["checkout-api"]).person(by)
    assert person is not None
    assert person.id == "ana"


@pytest.mark.parametrize("by", ["", " ", "eve", "+15550001", "ana@elsewhere.test", "Ana Ng"])
def test_strangers_are_nobody(by: str) -> None:
    assert plan(services=["checkout-api"]).person(by) is None


# --- What the catalogue knows about an alarm ------------------------------------------------------


def test_a_key_metric_gives_the_alarm_its_severity() -> None:
    facts = facts_for(CATALOG, "checkout-api", "eu-west", "error-rate")
    assert facts.known
    assert (facts.team, facts.partition, facts.region) == ("checkout", "public", "eu-west")
    assert (facts.kpi_severity, facts.kpi_unit, facts.kpi_threshold, facts.kpi_alarm_when) == (
        2,
        "%",
        1,
        "above",
    )
    assert facts.has_customers


def test_a_metric_may_be_too_low() -> None:
    facts = facts_for(CATALOG, "checkout-api", "eu-west", "ORDERS")
    assert (facts.kpi_threshold, facts.kpi_alarm_when) == (200, "below")


def test_a_metric_that_is_no_key_metric_has_no_severity() -> None:
    facts = facts_for(CATALOG, "checkout-api", "eu-west", "cpu")
    assert facts.known
    assert (facts.kpi_severity, facts.kpi_threshold) == (None, None)


def test_an_unknown_service_still_wakes_somebody() -> None:
    facts = facts_for(CATALOG, "checkot-api", "eu-west", "error-rate")
    assert not facts.known
    assert (facts.team, facts.partition, facts.region_known) == ("incident-response", "unmapped", True)


def test_an_unknown_region_still_wakes_the_owner() -> None:
    facts = facts_for(CATALOG, "checkout-api", "mars", "error-rate")
    assert not facts.known
    assert (facts.service_known, facts.region_known) == (True, False)
    assert (facts.team, facts.partition, facts.kpi_severity) == ("checkout", "unmapped", 2)


@pytest.mark.parametrize("region", ["", "global"])
def test_no_region_means_global_for_any_known_service(region: str) -> None:
    facts = facts_for(CATALOG, "checkout-api", region, "error-rate")
    assert facts.known
    assert (facts.region, facts.partition) == ("global", "public")


def test_a_global_service_belongs_to_the_partition_that_says_so_or_else_to_the_first() -> None:
    service = {key: value for key, value in EXAMPLE["services"]["dns"].items() if key != "regions"}
    first = Catalog.load({**EXAMPLE, "services": {**EXAMPLE["services"], "dns": service}})
    said = Catalog.load({**EXAMPLE, "partitions": {**EXAMPLE["partitions"], "core": ["global"]},
                         "services": {**EXAMPLE["services"], "dns": service}})  # fmt: skip
    assert facts_for(first, "dns", "", "answered").partition == "public"
    assert facts_for(said, "dns", "", "answered").partition == "core"
    assert facts_for(first, "dns", "", "answered").regions == ["global"]


def test_missing_traffic_asks_the_owners_of_what_stands_in_front() -> None:
    assert facts_for(CATALOG, "checkout-api", "eu-west", "traffic").also_teams == ["dns"]
    assert facts_for(CATALOG, "network", "eu-west", "traffic").also_teams == ["dns", "auth"]


@given(st.text(), st.text(), st.text())
def test_facts_never_fail_whatever_a_sender_writes(service: str, region: str, metric: str) -> None:
    facts = facts_for(CATALOG, service, region, metric)
    assert facts.team in CATALOG.teams
    assert facts.partition in ("unmapped", *CATALOG.partitions)
