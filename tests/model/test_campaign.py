"""A campaign: measured from the start, asked up a rung when it stalls, never down, done when measured so (L3)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import recording
from model.catalogue.plan import plan_for
from model.close.closing_messages import StartCampaign
from model.effects import Outcome, PlanRequest, Start, Tell
from model.learn.campaign import Campaign, percent
from model.learn.campaign_course import VALUES_KEPT, advance, measured
from model.learn.campaign_messages import Finish, Measure, StartRung
from model.learn.campaign_page import ROWS, campaign_details, chart
from model.learn.campaign_rules import finish, start_rung
from model.learn.campaign_rules import start_campaign as start_campaign_rule
from model.matter import Act
from model.message import parse
from model.policy import Policy
from model.reflect import after
from model.text import Refused
from tests.model.simulation import Simulation
from worker.files import load_catalog

CATALOG = load_catalog(Path(__file__).parents[2] / "scenarios" / "catalog.yaml")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DUE = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
RULES: dict[str, tuple[Any, Any]] = {"start_rung": (StartRung, start_rung), "finish": (Finish, finish)}
CAMPAIGN: dict[str, Any] = {
    "by": "kim",
    "slug": "regional-endpoints",
    "title": "Everybody calls the endpoint of their own region",
    "lesson": "a global endpoint makes one region everybody's dependency",
    "metric": "share of calls that leave their region",
    "target": 0.01,
    "due": "2026-12-01T12:00:00Z",
}


class Life:
    """A campaign without Temporal: time passes, what is owed is delivered."""

    def __init__(self, **facts: Any) -> None:
        plan = plan_for(CATALOG, services=["checkout-api"], at=START)
        known = {
            "slug": "regional-endpoints",
            "title": "Regional endpoints",
            "owner": "ana",
            "team": "checkout",
            "target": 0.01,
        }
        self.it = Campaign(id="campaign/regional-endpoints", due_at=DUE, plan=plan, **{**known, **facts})
        self.now = START
        self.told: list[tuple[list[str], str]] = []
        self.settle()

    def settle(self) -> datetime | None:
        for _ in range(100):
            due = advance(self.it, self.now)
            assert due is None or due > self.now, "what is due must lie ahead, or the loop would spin"
            if recording.due(self.it, self.now):
                recording.ended(self.it, recording.batch(self.it), Outcome(), self.now)
            if not self.it.owed:
                return due
            for key, owed in list(self.it.owed.items()):
                outcome = Outcome()
                if isinstance(owed.order, Tell):
                    self.told.append(([r.person for r in owed.order.recipients], owed.order.text))
                elif isinstance(owed.order, PlanRequest):
                    outcome = Outcome(plan=plan_for(CATALOG, teams=owed.order.teams, at=self.now))
                after.effect_ended(self.it, key, outcome, self.now)
        raise AssertionError("effects never end")

    def wait(self, **duration: float) -> None:
        end = self.now + timedelta(**duration)
        while (due := self.settle()) and due <= end:
            self.now = due
        self.now = end
        self.settle()

    def measure(self, value: Any, **more: Any) -> None:
        measured(self.it, {"value": value, "source": "metrics", **more} if more else value, self.now)
        self.settle()

    def say(self, name: str, **fields: Any) -> str:
        message, rule = RULES[name]
        said = parse(message, fields)
        said.prove()
        rule(Act(self.it, said, self.now))  # what the validator does must change nothing
        answer = rule(Act(self.it, said, self.now))()
        self.settle()
        return str(answer.text)

    def said(self, what: str = "campaign") -> list[str]:
        return [entry.text for entry in self.it.timeline if entry.what == what]

    def stalls(self) -> list[tuple[list[str], str]]:
        return [(people, text) for people, text in self.told if "stalls" in text]


def test_its_owner_and_their_manager_hear_that_it_begins_and_what_is_aimed_at():
    life = Life()
    assert life.told == [(["ana", "dee"], life.told[0][1])]
    assert "1 % or less by 2026-12-01" in life.told[0][1]


def test_the_first_measurement_is_a_hundred_percent_and_the_target_ends_it():
    life = Life()
    life.measure(0.4)
    life.wait(days=20)
    life.measure(0.1)
    assert "10 % still to go (25 % of the start), target 1 %" in life.said()[-1]
    life.wait(days=20)
    life.measure(0.008)
    assert (life.it.status, life.it.ended) == ("done", True)
    assert "done: measured: 0.8 % still to go" in life.said()[-1]
    assert set(life.told[-1][0]) == {"ana", "dee", "kim"}
    assert recording.finished(life.it), "it ends when everything is written and said"


@pytest.mark.parametrize(
    ("payload", "value"), [(0.5, 0.5), (1, 1.0), ("0.25", 0.25), ("25 %", 0.25), ({"value": "3%"}, 0.03)]
)
def test_a_measurement_may_be_written_as_people_and_machines_do(payload, value):
    life = Life(target=0)
    life.measure(payload)
    assert life.it.latest is not None
    assert life.it.latest.value == pytest.approx(value)


@pytest.mark.parametrize("payload", [None, "", "soon", {}, [], {"value": 34}, {"value": -1}, {"value": "nan"}, True])
def test_what_cannot_be_read_is_kept_and_said_once_a_day(payload):
    life = Life()
    for _ in range(5):
        life.measure(payload)
    assert (life.it.values, life.it.unread) == ([], 5)
    assert len(life.said("unreadable")) == 1
    life.wait(days=1)
    life.measure(payload)
    assert len(life.said("unreadable")) == 2
    assert "6 could not be read" in campaign_details(life.it, life.now)


def test_a_field_nobody_knows_loses_no_measurement():
    life = Life()
    life.measure(0.4, region="eu-west")
    assert life.it.latest is not None
    assert life.it.latest.source == "metrics"


def test_the_same_key_and_a_test_do_not_count():
    life = Life()
    life.measure(0.4, key="a")
    life.measure(0.3, key="a")
    life.measure(0.001, test=True)
    assert [it.value for it in life.it.values] == [0.4]
    assert "0.1 %: not counted" in life.said("observed")[-1]


def test_a_late_measurement_is_history_and_does_not_end_it():
    life = Life()
    life.wait(days=10)
    life.measure(0.4)
    life.measure(0, at="2026-03-03T09:00:00Z")
    assert life.it.status == "running"
    assert life.it.latest is not None
    assert life.it.latest.value == 0.4


def test_no_progress_in_four_weeks_proposes_the_next_rung_to_owner_and_manager_at_most_weekly():
    life = Life()
    life.measure(0.4)
    for _ in range(27):
        life.wait(days=1)
        life.measure(0.39)
    assert not life.stalls()
    life.wait(days=1, hours=1)
    ((people, text),) = life.stalls()
    assert people == ["ana", "dee"]
    assert "less than 5 % of the start in 28 d" in text
    assert "to distributed (everybody acts" in text
    assert life.it.status == "stalled"
    for _ in range(14):
        life.wait(days=1)
        life.measure(0.39)
    assert len(life.stalls()) == 3
    assert len([text for text in life.said() if "stalls" in text]) == 1, "a reminder is no news for the timeline"


def test_progress_ends_a_stall_and_a_campaign_that_moves_never_stalls():
    life = Life()
    life.measure(1)
    life.wait(days=20)
    life.measure(0.99)
    life.wait(days=9)
    assert life.it.status == "stalled"
    life.measure(0.9)
    assert (life.it.status, life.it.stalled_at) == ("running", None)
    for value in (0.8, 0.7, 0.6, 0.5):
        life.wait(days=27)
        life.measure(value)
    assert len(life.stalls()) == 1


def test_what_nobody_measures_is_asked_for_and_no_rung_is_proposed():
    life = Life()
    life.wait(days=29)
    assert "not measured at all so far" in life.told[-1][1]
    life.measure(0.4)
    life.wait(days=40)
    assert any("not measured since 2026-03-31" in text for _, text in life.told)
    assert life.it.status == "running"
    assert not life.stalls()


def test_it_moves_up_with_a_date_and_never_down():
    life = Life()
    life.measure(0.4)
    life.wait(days=30)
    answer = life.say("start_rung", by="dee", rung="distributed", target=0.05, due="2027-02-01T00:00:00Z")
    assert answer == "on distributed; target 5 % (was 1 %) by 2027-02-01"
    assert (life.it.rung, life.it.due_at.year, life.it.status) == ("distributed", 2027, "running")
    for rung in ("education", "distributed"):
        with pytest.raises(Refused, match="up, never down: it is on distributed, above is centralized"):
            life.say("start_rung", by="ana", rung=rung)
    life.say("start_rung", by="ana")
    assert (life.it.rung, life.it.target) == ("centralized", 0.05)
    with pytest.raises(Refused, match="the last one"):
        life.say("start_rung", by="ana")


def test_a_new_rung_gets_its_own_four_weeks():
    life = Life()
    life.measure(0.4)
    life.wait(days=27)
    life.measure(0.39)
    life.say("start_rung", by="ana", rung="centralized")
    life.wait(days=27)
    life.measure(0.38)
    assert not life.stalls()
    life.wait(days=2)
    assert "last rung" in life.stalls()[0][1]


def test_a_rung_without_a_date_to_come_or_with_a_target_that_is_reached_is_refused():
    life = Life()
    life.measure(0.4)
    with pytest.raises(Refused, match="is reached already"):
        life.say("start_rung", by="ana", target="50 %")
    with pytest.raises(Refused, match="`due` is past"):
        life.say("start_rung", by="ana", due="2026-01-01T00:00:00Z")
    life.wait(days=300)
    with pytest.raises(Refused, match="say by when"):
        life.say("start_rung", by="ana")


def test_who_runs_it_may_finish_it_with_a_reason_and_others_may_not():
    life = Life()
    life.measure(0.4)
    with pytest.raises(Refused, match="sam may not finish"):
        life.say("finish", by="sam", reason="enough")
    with pytest.raises(ValueError, match="reason: is needed"):
        life.say("finish", by="ana")
    life.say("finish", by="kim", reason="the old endpoint is switched off")
    assert (life.it.status, life.it.ended) == ("finished", True)
    assert (
        life.said()[-1]
        == "finished: the old endpoint is switched off (40 % still to go (100 % of the start), target 1 %)"
    )
    with pytest.raises(Refused, match="is over"):
        life.say("finish", by="kim", reason="again")
    life.measure(0.001)
    assert life.it.status == "finished"


def test_its_date_is_recalled_and_then_asked_for_with_the_manager():
    life = Life()
    life.measure(0.4)
    life.wait(days=272)
    told = life.told[:]
    life.wait(days=2)
    assert [text for _, text in life.told if text.startswith("campaign/regional-endpoints is due 2026-12-01")]
    assert life.said("overdue") == []
    life.wait(days=2)
    late = [(people, text) for people, text in life.told[len(told) :] if "overdue" in text]
    assert [people for people, _ in late] == [["ana"], ["ana", "dee"]]
    assert life.said("overdue")


def test_years_of_measurements_keep_the_first_the_worst_and_the_last():
    life = Life(target=0)
    life.measure(0.8)
    life.measure(0.9)
    for _ in range(3 * VALUES_KEPT):
        life.wait(hours=1)
        life.measure(0.5)
    values = [it.value for it in life.it.values]
    assert values[:2] == [0.8, 0.9]
    assert len(values) <= VALUES_KEPT + 2
    assert len(life.it.timeline) < 20, "an hourly measurement is no hourly line"
    assert len(life.it.model_dump_json(exclude={"plan", "policy"})) < 50_000


@given(st.lists(st.floats(0.02, 1), min_size=1, max_size=60))
def test_whatever_is_measured_the_state_stays_sane(values):
    life = Life()
    for value in values:
        life.wait(days=3)
        life.measure(value)
        assert life.it.started_value == values[0]
        assert life.it.latest is not None
        assert life.it.latest.value == value
        assert not life.it.ended
    again = Campaign.model_validate_json(life.it.model_dump_json())
    assert again == life.it


# What people see


def test_the_page_answers_the_three_questions_with_the_json_last():
    life = Life()
    page = campaign_details(life.it, life.now)
    assert "not measured yet" in page
    assert page.rstrip().endswith("```")
    assert '"value": 0.34' in page.split("signal `measure`")[1]
    life.measure(0.4)
    for _ in range(30):
        life.wait(days=1)
        life.measure(0.39)
    page = campaign_details(life.it, life.now)
    assert "**39 %**, that is 98 % of the start" in page
    assert "Waiting for ana" in page
    assert '"rung": "distributed"' in page.split("update `start_rung`")[1]
    life.say("finish", by="ana", reason="x")
    assert "Nothing waits for anybody" in campaign_details(life.it, life.now)


def test_the_bars_shrink_with_what_is_still_to_go():
    life = Life(target=0)
    assert chart(life.it) == []
    for value in (0.4, 0.2, 0.1):
        life.measure(value)
        life.wait(days=7)
    lines = chart(life.it)
    assert [line.count("█") for line in lines] == [30, 15, 8, 0]
    assert lines[1] == f"2026-03-09    50 %  {'█' * 15}"
    for _ in range(50):
        life.wait(days=1)
        life.measure(0.1)
    assert len(chart(life.it)) == ROWS + 1


@pytest.mark.parametrize(("part", "said"), [(1, "100 %"), (0.345, "34 %"), (0.05, "5 %"), (0.005, "0.5 %"), (0, "0 %")])
def test_parts_are_said_as_people_read_them(part, said):
    assert percent(part) == said


# How it begins


def begun() -> Simulation:
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    day.say("acknowledge", by="ana")
    return day


def start(day: Simulation, **fields: Any) -> str:
    said = parse(StartCampaign, {**CAMPAIGN, **fields})
    said.prove()
    act = Act(day.incident, said, day.now)
    start_campaign_rule(act)
    return start_campaign_rule(Act(day.incident, said, day.now))().text


def test_it_begins_from_an_incident_with_whoever_says_so_as_its_owner():
    day = begun()
    assert start(day).startswith("campaign/regional-endpoints begins")
    (order,) = [owed.order for owed in day.incident.owed.values() if isinstance(owed.order, Start)]
    assert (order.workflow, order.workflow_id) == ("Campaign", "campaign/regional-endpoints")
    made = Campaign.model_validate(order.payload)
    assert (made.owner, made.team, made.incident) == ("kim", "incident-response", day.incident.id)
    assert (made.due_at, made.target, made.rung) == (DUE, 0.01, "education")
    assert day.said("campaign") == [
        "regional-endpoints: Everybody calls the endpoint of their own region, by 2026-12-01"
    ]


def test_the_same_name_twice_from_one_incident_or_a_past_date_is_refused():
    day = begun()
    start(day)
    with pytest.raises(Refused, match="another one needs another `slug`"):
        start(day)
    with pytest.raises(Refused, match="`due` is past"):
        start(day, slug="other", due="2026-03-01T00:00:00Z")
    with pytest.raises(Refused, match="'eva' is not on call"):
        start(day, slug="other", by="eva")


def test_every_message_reads_its_own_example():
    for message in (Measure, StartRung, Finish):
        assert parse(message, message.example_json()).model_dump(exclude_unset=True).keys() == message.example.keys()


def test_an_organisation_that_plans_by_the_quarter_says_when_a_campaign_stalls():
    life = Life(policy=Policy().overridden({"stall_after": "90d"}))
    life.measure(0.4)
    life.wait(days=89)
    life.measure(0.395)
    assert not life.stalls()
    life.wait(days=2)
    assert life.stalls()
