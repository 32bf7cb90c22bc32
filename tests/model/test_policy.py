import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from model.policy import BySeverity, Policy, did_you_mean

NAMES = [
    "next_channel_within",
    "next_level_within",
    "beyond_team_within",
    "call_leader_within",
    "join_within",
    "aggregate_services",
    "aggregate_teams",
    "aggregate_overlap",
    "reports_customers",
    "reports_count",
    "reports_within",
    "impact_within",
    "external_hold",
    "external_every",
    "external_calm_after",
    "external_calm_every",
    "external_unattended",
    "internal_every",
    "deployment_window",
    "proposal_expires",
    "verification_window",
    "clear_within",
    "reopen_within",
    "coe_due",
    "coe_due_without_rca",
    "rca_due",
    "slip_days",
    "slip_share",
    "slip_cap",
    "validate_within",
]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def refusals(overrides: dict) -> list[str]:
    with pytest.raises(ValidationError) as refusal:
        Policy().overridden(overrides)
    return [error["msg"] for error in refusal.value.errors()]


def test_every_name_of_the_contract_is_there() -> None:
    assert [name for name in NAMES if name not in Policy.model_fields] == []


def test_every_number_says_why_it_is_so() -> None:
    for name, _value, reason in Policy().described():
        assert re.match(r"([A-Z][0-9]+°?|Design §[0-9.]+)[,:]", reason), name
        assert len(reason) > 30, name


def test_the_defaults_wake_people_as_designed() -> None:
    policy = Policy()
    waits = [
        policy.next_channel_within,
        policy.next_level_within,
        policy.beyond_team_within,
        policy.call_leader_within,
    ]
    assert [wait.at(2) for wait in waits] == [minutes(2), minutes(5), minutes(10), minutes(15)]
    assert [wait.at(3) for wait in waits] == [minutes(5), minutes(10), None, None]


@pytest.mark.parametrize("severity", [4, 5])
def test_severity_four_and_five_never_wake_anybody(severity: int) -> None:
    assert Policy().next_channel_within.at(severity) is None
    assert "4 and 5 never" in refusals({"next_channel_within": {severity: "1m"}})[0]


def test_one_duration_is_meant_for_every_severity_that_has_one() -> None:
    policy = Policy().overridden({"next_level_within": "1m", "beyond_team_within": "2m"})
    assert [policy.next_level_within.at(s) for s in (1, 2, 3)] == [minutes(1)] * 3
    assert [policy.beyond_team_within.at(s) for s in (1, 2, 3)] == [minutes(2), minutes(2), None]


def test_one_severity_can_be_changed_alone() -> None:
    policy = Policy().overridden({"next_level_within": {3: "20m"}, "call_leader_within": {"2": None, "3": "1h"}})
    assert [policy.next_level_within.at(s) for s in (1, 2, 3)] == [minutes(5), minutes(5), minutes(20)]
    assert [policy.call_leader_within.at(s) for s in (1, 2, 3)] == [minutes(15), None, minutes(60)]


def test_overrides_add_up() -> None:
    organisation = Policy().overridden({"external_hold": "3m", "next_level_within": {1: "3m"}})
    drill = organisation.overridden({"verification_window": "10m", "next_level_within": {2: "4m"}})
    assert drill.external_hold == minutes(3)
    assert [drill.next_level_within.at(s) for s in (1, 2, 3)] == [minutes(3), minutes(4), minutes(10)]


def test_numbers_are_written_as_people_write_them() -> None:
    policy = Policy().overridden({"coe_due_without_rca": "5d", "slip_share": "30%", "reports_count": 5, "coe_due": 60})
    assert policy.coe_due_without_rca == 5
    assert policy.slip_share == pytest.approx(0.3)
    assert policy.reports_count == 5
    assert policy.coe_due == minutes(1)


def test_a_misspelt_name_is_refused_with_what_it_may_have_meant() -> None:
    assert refusals({"next_levle_within": "1m"})[0].startswith(
        "there is no policy number 'next_levle_within'; did you mean 'next_level_within'"
    )
    with pytest.raises(ValidationError, match="did you mean 'external_hold'"):
        Policy.model_validate({"external_holds": "1m"})


def test_every_wrong_value_is_named_at_once() -> None:
    assert len(refusals({"external_hold": "soon", "slip_share": 7, "reports_count": "many", "rca_due": None})) == 4


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"external_every": 0}, "a repeated round takes at least 0.1s"),
        ({"reports_count": 2.5}, "2.5 is not a whole number"),
        ({"reports_count": True}, "True is not a whole number"),
        ({"next_level_within": None}, "nothing is not a duration for each severity"),
        ({"next_level_within": [1, 2]}, "not a duration"),
        ({"coe_due_without_rca": "a week"}, "not a number of working days"),
        ({"aggregate_services": 1}, "aggregate_teams (2) is more than aggregate_services (1)"),
        ({"working_morning_hour": 24}, "less than or equal to 23"),
        ({7: 1}, "there is no policy number 7"),
    ],
)
def test_what_cannot_be_meant_is_refused(overrides: dict, said: str) -> None:
    assert said in refusals(overrides)[0]


def test_a_drill_may_run_in_seconds() -> None:
    everything = {
        name: "0.2s" for name, field in Policy.model_fields.items() if isinstance(field.default, timedelta | BySeverity)
    }
    assert Policy().overridden(everything).external_every == timedelta(seconds=0.2)


class State(BaseModel):
    policy: Policy = Policy()


waits = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=400))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "external_every": waits,
            "coe_due": waits,
            "next_level_within": waits | st.dictionaries(st.sampled_from([1, 2, 3]), st.none() | waits),
            "call_leader_within": st.dictionaries(st.sampled_from([1, 2, 3]), st.none() | waits),
            "slip_share": st.floats(0, 1),
            "reports_count": st.integers(1, 1000),
        },
    )
)
def test_any_policy_survives_the_json_of_an_incident_s_state(overrides: dict) -> None:
    state = State(policy=Policy().overridden(overrides))
    assert State.model_validate_json(state.model_dump_json()) == state
    assert State.model_validate(state.model_dump()) == state
    assert state.policy.overridden({}) == state.policy


def test_a_running_incident_ignores_a_number_that_a_newer_version_wrote() -> None:
    state = State.model_validate_json('{"policy": {"external_hold": 60, "from_the_future": {"1": 2}}}')
    assert state.policy == Policy().overridden({"external_hold": "1m"})


def test_nobody_changes_a_policy_in_force() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Policy().external_hold = minutes(1)  # type: ignore[misc]


def test_a_near_miss_is_named_and_a_short_list_otherwise() -> None:
    assert did_you_mean("KPI", ["kpis", "team"]) == "; did you mean 'kpis'?"
    assert did_you_mean("zzz", ["kpis", "team"]) == "; known are kpis, team"
    assert did_you_mean("zzz", []) == ""


def test_model_reads_no_clock() -> None:
    for path in (Path(__file__).parents[2] / "model").rglob("*.py"):
        found = re.search(
            r"\.(now|today|utcnow)\(|\bimport (random|time|os)\b|(?<![.\w])(?<!def )open\(", path.read_text()
        )
        assert not found, path


def test_every_number_is_read_somewhere() -> None:
    root = Path(__file__).parents[2]
    rooms = ("model", "activities", "workflows", "link", "worker", "gateway")
    files = [
        path for room in rooms for path in (root / room).rglob("*.py") if root / "model/policy" not in path.parents
    ]
    code = "\n".join(path.read_text() for path in files)
    assert [name for name in Policy.model_fields if not re.search(rf"\.{name}\b", code)] == []
