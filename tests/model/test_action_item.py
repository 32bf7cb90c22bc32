"""Action items in the user's words: chased, slipped, agreed, validated, replaced (R8-R11)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.policy import Policy
from model.reflect.action_course import customers_told, replaced
from model.reflect.action_item import ActionItem, CustomersTold, Replaced
from model.reflect.after_details import details, needs
from model.text import Refused
from model.times import iso
from tests.model.after import INCIDENT, Life, days, hours, plan
from tests.model.simulation import START


def item(**fields: Any) -> Life:
    given_: dict[str, Any] = {
        "id": f"{INCIDENT}/action/1",
        "incident": INCIDENT,
        "n": 1,
        "title": "Health checks see the data path",
        "goal": "a host that fails its writes leaves the pool within a minute",
        "horizon": "mid",
        "owner": "ana",
        "validation": "break one host's disk in the test fleet",
        "plan": plan(),
        "opened_at": START,
        "due_at": START + days(28),
    }
    return Life(ActionItem(**{**given_, **fields}))


def at(moment: datetime) -> str:
    return iso(moment)


def implemented(**fields: Any) -> Life:
    it = item(**fields)
    it.say("implemented", by="ana", evidence="rolled out, change 4711")
    return it


PASSED = {"by": "ana", "passed": True, "method": "broke one host's disk", "evidence": "no call failed"}
FAILED = {**PASSED, "passed": False, "evidence": "3 % of calls failed again"}


def test_its_owner_hears_that_it_is_theirs_and_the_incident_how_it_stands():
    it = item()
    assert it.heard("ana", "is yours") == [hours(0)]
    assert it.items()[0]["status"] == "open"
    assert it.matter.team == "checkout"


def test_from_open_to_done_the_incident_hears_every_step_and_validated_before_done():
    it = item(promised=True, replaces=None)
    it.say("start", by="ana")
    it.wait(days=20)
    assert "validate it by 2026-04-05" in it.say("implemented", by="ben", evidence="rolled out")
    it.wait(days=3)
    it.say("validated", **PASSED)
    assert [i["status"] for i in it.items()] == ["open", "started", "implemented", "validated", "done"]
    assert it.items()[-1]["settled"] is True
    assert it.over


def test_done_means_validated_so_implemented_first_and_a_trial_with_method_and_evidence():
    it = item()
    with pytest.raises(Refused, match="send `implemented` with the evidence first"):
        it.say("validated", **PASSED)
    it.say("implemented", by="ana", evidence="rolled out")
    with pytest.raises(ValueError, match="method: is needed"):
        it.say("validated", by="ana", passed=True, evidence="looks fine")


def test_a_trial_that_fails_puts_it_back_to_started_and_is_said_loudly():
    it = implemented()
    assert "not done" in it.say("validated", **FAILED)
    assert it.status == "started"
    for person in ("ana", "dee", "kim"):
        assert it.heard(person, "VALIDATION FAILED (1)")
    assert any("VALIDATION FAILED" in line for line in it.lines("action"))
    it.say("implemented", by="ana", evidence="and now the writes too")
    it.say("validated", **FAILED)
    assert it.matter.failed_trials == 2
    assert [trial.passed for trial in it.matter.trials] == [False, False]


def test_validation_is_due_two_weeks_after_implementation():
    it = item()
    it.wait(days=10)
    it.say("implemented", by="ana", evidence="rolled out")
    it.wait(days=13, hours=12)
    assert it.heard("ana", "to be validated by") == [days(23)]
    assert not it.lines("overdue")
    it.wait(days=1)
    assert "not validated" in it.lines("overdue")[0]


def test_a_short_term_fix_is_asked_for_every_hour_day_and_night_until_it_is_in_place():
    it = item(horizon="short", due_at=START + hours(12))
    it.wait(hours=6, minutes=30)
    assert it.heard("ana", "is it in place?") == [hours(n) for n in range(1, 7)]
    it.say("implemented", by="ana", evidence="throttle at 80 %")
    it.wait(hours=2)
    assert len(it.heard("ana", "Send `validated` with the evidence")) == 2
    it.say("validated", **PASSED)
    it.wait(hours=6)
    assert len(it.heard("ana", "is it in place?")) == 8


def test_a_short_term_fix_stays_in_force_until_what_replaces_it_is_validated():
    it = implemented(horizon="short", due_at=START + hours(12))
    assert "stays in force" in it.say("validated", **PASSED)
    assert it.status == "in_force"
    it.wait(days=65)
    assert it.heard("ana", "where is what replaces it?") == [days(30), days(60)]
    replaced(it.matter, Replaced(by=f"{INCIDENT}/action/2"), it.now)
    it.settle()
    assert it.status == "done"
    assert it.over


def test_what_replaces_a_fix_tells_it_so_even_when_the_incident_is_over():
    it = implemented(n=2, id=f"{INCIDENT}/action/2", replaces=1)
    it.incident_open = False
    it.say("validated", **PASSED)
    said = [(s.workflow_id, s.payload["validated"]) for s in it.signals if s.name == "replaced"]
    assert said == [(f"{INCIDENT}/action/1", False), (f"{INCIDENT}/action/1", True)]
    assert it.over


def test_a_fix_whose_successor_was_quicker_is_done_when_it_is_validated():
    it = item(horizon="short", due_at=START + hours(12))
    replaced(it.matter, Replaced(by=f"{INCIDENT}/action/2"), it.now)
    it.settle()
    assert it.heard("ana", "`withdraw` it if nothing of it is needed")
    it.say("implemented", by="ana", evidence="throttle")
    it.say("validated", **PASSED)
    assert it.status == "done"


def test_a_day_or_two_slip_without_asking_and_no_more_in_total():
    it = item(due_at=START + days(5))
    assert "slipped 1 d of 2 d" in it.say("replan", by="ana", due=at(START + days(6)), reason="one more trial")
    it.say("replan", by="ana", due=at(START + days(7)), reason="and another")
    assert "waits for dee or lou to `agree`" in it.say("replan", by="ana", due=at(START + days(8)), reason="and one")
    assert it.matter.due_at == START + days(7)
    assert it.matter.awaited == ["dee"]


def test_four_weeks_may_take_a_fifth_of_it_more_and_a_year_never_more_than_two_weeks():
    month = item()
    assert month.matter.allowance == timedelta(days=5.6)
    year = item(due_at=START + days(365))
    assert "due 2027-03-16" in year.say("replan", by="ana", due=at(START + days(379)), reason="try it at scale")
    assert "to `agree`" in year.say("replan", by="ana", due=at(START + days(380)), reason="one more")


def test_a_consent_moves_the_date_and_renews_no_allowance():
    it = item(due_at=START + days(5))
    it.say("replan", by="ana", due=at(START + days(7)), reason="two days more")
    it.say("replan", by="ana", due=at(START + days(30)), reason="a larger fix", plan="rewrite the probe")
    with pytest.raises(Refused, match="ana may not agree"):
        it.say("agree", by="ana")
    it.say("agree", by="dee", reason="worth it")
    assert it.matter.due_at == START + days(30)
    assert it.matter.approach == "rewrite the probe"
    assert "to `agree`" in it.say("replan", by="ana", due=at(START + days(31)), reason="one day")
    assert it.matter.goal == "a host that fails its writes leaves the pool within a minute"


def test_a_call_leader_may_agree_and_the_manager_is_asked_until_somebody_does():
    it = item(due_at=START + days(5))
    it.say("replan", by="ana", due=at(START + days(40)), reason="a larger fix")
    it.wait(days=2, hours=1)
    assert it.heard("dee", "asks to move it") == [days(0), days(1), days(2)]
    assert it.heard("lou", "asks to move it") == [days(1), days(2)]
    it.say("agree", by="lou")
    assert it.matter.due_at == START + days(40)


def test_a_wish_nobody_agreed_to_ends_at_its_own_date():
    it = item(due_at=START + days(5))
    it.say("replan", by="ana", due=at(START + days(10)), reason="a larger fix")
    it.wait(days=10, hours=1)
    assert it.matter.pending is None
    with pytest.raises(Refused, match="waits for consent"):
        it.say("agree", by="dee")
    assert any("nobody agreed" in line for line in it.lines("action"))


def test_customers_hear_of_a_moved_promise_before_its_date():
    it = item(promised=True)
    it.say("replan", by="ana", due=at(START + days(60)), reason="the larger fix")
    assert it.items()[-1]["customer_message_due"] is None, "nothing has moved yet"
    it.say("agree", by="dee")
    assert "promise moved: customers must be told before 2026-03-30" in it.lines("action")[-1]
    assert it.items()[-1]["customer_message_due"].startswith("2026-03-30T09:00")
    assert it.items()[-1]["promised_due_at"].startswith("2026-05-01")
    assert it.heard("sam", "Tell them before that date") == [days(0)]
    it.wait(days=20)
    customers_told(it.matter, CustomersTold(due=START + days(60)), it.now)
    it.wait(days=20)
    assert it.items()[-1]["customer_message_due"] is None
    assert "customers know that it is due 2026-05-01" in it.lines("action")[-1]
    assert not it.lines("overdue")


def test_a_promise_that_has_moved_again_since_is_told_again():
    it = item(promised=True)
    it.say("replan", by="ana", due=at(START + days(60)), reason="the larger fix")
    it.say("agree", by="dee")
    it.say("replan", by="ana", due=at(START + days(61)), reason="a day to try it at full load")
    customers_told(it.matter, CustomersTold(due=START + days(60)), it.now)
    assert it.matter.customer_message_due == START + days(60), "by then they must know of the day more"


def test_customers_who_were_not_told_in_time_are_a_broken_promise_said_loudly():
    it = item(promised=True)
    it.say("replan", by="ana", due=at(START + days(60)), reason="the larger fix")
    it.say("agree", by="dee")
    it.wait(days=30)
    assert it.heard("sam", "Tell them before that date") == [days(0), days(27)]
    for person in ("sam", "dee", "lou"):
        assert it.heard(person, "was not kept, and customers were not told") == [days(28)]


def test_a_small_slip_of_a_promise_is_told_to_customers_too_and_the_promise_stays():
    it = item(promised=True)
    it.say("replan", by="ana", due=at(START + days(30)), reason="two days to try it at full load")
    assert it.items()[-1]["promised_due_at"].startswith("2026-03-30")
    assert it.items()[-1]["customer_message_due"].startswith("2026-03-30")


def test_a_promised_item_is_withdrawn_only_by_consent_another_one_by_its_owner_or_manager():
    kept = item(promised=True)
    assert "to `agree`" in kept.say("withdraw", by="ana", reason="the service goes away")
    assert kept.status == "open"
    kept.say("agree", by="dee")
    assert kept.status == "withdrawn"
    assert any("promise withdrawn: customers must be told" in line for line in kept.lines())
    kept.wait(days=5)
    assert not kept.over, "customers do not know yet"
    assert not kept.items()[-1]["settled"]
    with pytest.raises(Refused, match="withdrawn already"):
        kept.say("withdraw", by="ana", reason="again")
    customers_told(kept.matter, CustomersTold(due=None), kept.now)
    kept.settle()
    assert kept.over
    assert kept.items()[-1]["settled"]
    silent = item(promised=True)
    silent.say("withdraw", by="ana", reason="the service goes away")
    silent.say("agree", by="dee")
    silent.wait(days=29)
    assert silent.heard("lou", "was not kept, and customers were not told") == [days(28)]
    assert silent.over
    free = item()
    with pytest.raises(Refused, match="eva"):
        free.say("withdraw", by="eva", reason="mine now")
    free.say("withdraw", by="dee", reason="the service goes away")
    assert free.status == "withdrawn"


def test_only_those_it_concerns_may_speak():
    it = item()
    with pytest.raises(Refused, match="sam may not start"):
        it.say("start", by="sam")
    it.say("start", by="BEN@example.test")
    assert it.status == "started"


def test_it_is_handed_over_to_somebody_known_and_by_team_to_somebody_who_is_not():
    it = item()
    it.say("hand_over", by="ana", owner="cho", reason="cho owns health checks")
    assert (it.matter.owner, it.matter.team) == ("cho", "checkout")
    assert it.heard("cho", "is yours")
    with pytest.raises(Refused, match="name their `team` too"):
        it.say("hand_over", by="dee", owner="mia")
    it.say("hand_over", by="dee", owner="mia", team="storage")
    assert (it.matter.owner, it.matter.team) == ("mia", "storage")
    assert it.heard("mia", "is yours")
    it.say("hand_over", by="hal", owner="nobody", team="storage")
    assert it.matter.owner == "mia"
    assert it.heard("hal", "the catalogue has no 'nobody' in storage")


def test_overdue_is_asked_daily_for_a_week_then_weekly_first_the_owner_then_the_manager_too():
    it = item(due_at=START + days(10))
    it.wait(days=40)
    asked = [n - 10 for n in (at.total_seconds() / 86400 for at in it.heard("ana", "is overdue"))]
    assert asked == [0, 1, 2, 3, 4, 5, 6, 7, 14, 21, 28]
    assert it.heard("dee", "is overdue") == it.heard("ana", "is overdue")[1:]
    assert it.heard("ana", "if it will be later, say so now") == [days(9)]
    assert len(it.lines("overdue")) == 6, "daily rounds between say nothing new"


def test_a_downtime_of_three_weeks_sends_one_reminder_not_twenty():
    it = item(due_at=START + days(1))
    it.now += days(22)
    it.settle()
    assert len(it.heard("ana", "is overdue")) == 1


def test_who_is_manager_now_is_asked_not_who_was_during_the_event():
    old = plan().model_copy(deep=True)
    gone = old.teams["checkout"].model_copy(update={"manager": "max"})
    stale = old.model_copy(update={"teams": {**old.teams, "checkout": gone}})
    it = item(plan=stale, due_at=START + days(5))
    it.wait(days=6, hours=1)
    assert it.heard("dee", "is overdue")
    assert not it.heard("max")


def test_an_owner_nobody_knows_is_somebodys_problem_at_once():
    it = item(owner="zoe-who-left")
    assert it.heard("kim", "zoe-who-left, whom we cannot reach")
    assert it.matter.team == "incident-response"


def test_when_nobody_at_all_can_be_reached_the_incident_hears_that():
    bare = plan().model_copy(update={"people": {}})
    it = item(plan=bare, team="checkout")
    assert it.heard("ana", "is yours"), "the catalogue knew her, once it was asked"
    lost = item(plan=bare, team="checkout")
    lost.matter.plan = bare
    lost.now += days(29)
    lost.settle()
    assert any("nobody can be told" in line for line in lost.lines("fallback"))


def test_an_owner_written_as_a_mail_address_is_known():
    assert item(owner="Ana@Example.test").matter.owner == "ana"


def test_when_the_incident_is_over_it_goes_on_alone():
    it = item(due_at=START + days(200))
    it.incident_open = False
    it.say("start", by="ana")
    assert it.matter.alone
    it.wait(days=201)
    assert it.heard("ana", "is overdue")


def test_ten_years_asleep_stay_small():
    it = item(due_at=START + days(30), policy=Policy(validate_within=days(10)))
    it.wait(days=3650)
    assert len(it.heard("ana", "is overdue")) < 600
    assert len(it.matter.model_dump_json()) < 200_000
    assert len(it.matter.reminded) < 10
    it.say("implemented", by="ana", evidence="at last")
    it.say("validated", **PASSED)
    assert it.over


def test_its_page_says_where_it_is_for_whom_it_waits_and_what_to_send():
    it = item(promised=True, due_at=START + days(5))
    it.say("start", by="ana")
    it.wait(days=6)
    page = details(it.matter, it.now)
    assert "**overdue for 1 d**" in page
    assert "promised to customers for 2026-03-07" in page
    assert "**ana**, since 6 d: to be implemented. Send the update `implemented`" in page
    it.say("replan", by="ana", due=at(START + days(60)), reason="larger")
    assert [need.update for need in needs(it.matter)] == ["agree", "implemented"]
    assert '{"by": "dee"}' in details(it.matter, it.now)


moves = st.lists(
    st.tuples(st.sampled_from(["ana", "ben"]), st.integers(1, 60 * 24), st.booleans(), st.integers(0, 20)), max_size=12
)


@settings(max_examples=60)
@given(span=st.integers(1, 300), sequence=moves)
def test_slips_without_asking_never_exceed_the_rule_in_total(span: int, sequence: list[tuple[str, int, bool, int]]):
    it = item(due_at=START + days(span))
    allowance = min(max(days(2), days(span) * 0.2), days(14))
    assert it.matter.allowance == allowance
    agreed, carried = START + days(span), timedelta()
    for by, ahead, consents, pause in sequence:
        it.wait(hours=pause)
        before = it.matter.due_at
        due = START + timedelta(hours=ahead)
        if due <= it.now:
            continue
        it.say("replan", by=by, due=at(due), reason="later")
        if it.matter.pending and consents:
            carried += max(before - agreed, timedelta())
            it.say("agree", by="dee")
            agreed = it.matter.due_at
            assert agreed == due
        assert carried + it.matter.due_at - agreed <= allowance, "slipped further than anybody consented to"
        assert it.matter.due_at in (before, due)


@settings(max_examples=25)
@given(
    horizon=st.sampled_from(["short", "mid", "long"]),
    span=st.integers(1, 2000),
    pauses=st.lists(st.integers(0, 90), min_size=1, max_size=6),
    promised=st.booleans(),
)
def test_what_is_due_lies_ahead_and_the_state_survives_json(horizon: str, span: int, pauses: list[int], promised: bool):
    it = item(horizon=horizon, due_at=START + timedelta(hours=span), promised=promised)
    steps: list[tuple[str, dict[str, Any]]] = [
        ("start", {"by": "ana"}),
        ("implemented", {"by": "ana", "evidence": "there"}),
        ("validated", FAILED),
        ("implemented", {"by": "ana", "evidence": "there"}),
        ("validated", PASSED),
    ]
    last = START
    for pause, (message, fields) in zip(pauses, steps, strict=False):
        it.wait(hours=pause)
        it.say(message, **fields)
        due = it.settle()
        assert due is None or due > it.now
        again = ActionItem.model_validate_json(it.matter.model_dump_json())
        assert again == it.matter
        assert it.matter.opened_at <= it.now
        last = max(last, it.now)
    assert last == it.now


def test_a_fix_in_force_is_not_asked_for_a_successor_that_has_begun():
    it = implemented(horizon="short", due_at=START + hours(2))
    replaced(it.matter, Replaced(by=f"{INCIDENT}/action/2", validated=False), it.now)
    it.say("validated", **PASSED)
    it.wait(days=31)
    assert it.heard("ana", "because INC-20260302-7F3A/action/2 is not validated yet") == [days(30)]
    assert not it.heard("ana", "`add_action`")
