"""A shift ends in a long event: who follows is told, paged, and only then does who was there go (E3, C6, C11)."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.absorption import Absorption as Absorb
from model.absorption import Handover, absorb, take_over
from model.coordinate.waiting import waiting_for
from model.details import awaited
from model.effects import Signal
from model.text import Refused
from tests.model.simulation import START, Simulation
from tests.model.test_plan import EXAMPLE, changed

FIVE = timedelta(hours=8)
"""From the start until the shift's end, five in the afternoon."""


def rota(*people: str, handover: str = "17:00", every: str = "1d") -> dict[str, Any]:
    return {"rotation": list(people), "every": every, "from": "2026-03-01", "handover": handover, "zone": "UTC"}


def team(name: str, *levels: Any) -> dict[str, Any]:
    return {name: {**EXAMPLE["teams"][name], "on_call": list(levels)}}


CHECKOUT = team("checkout", rota("ana", "ben"), ["cho"])


def long_day(*, severity: int = 2, teams: dict[str, Any] = CHECKOUT, by: str = "ana") -> Simulation:
    """An event of checkout that ana has been on since nine; ben's shift begins at five."""
    day = Simulation(catalog=changed(teams=teams))
    day.alarm("checkout-api", severity=severity)
    day.say("acknowledge", by=by)
    return day


def until(day: Simulation, after: timedelta) -> None:
    day.wait(seconds=(day.start + after - day.now).total_seconds())


def on_duty(day: Simulation, person: str) -> bool:
    responder = day.incident.people.get(person)
    return responder is not None and responder.acknowledged_at is not None and responder.off_at is None


# --- By the rota ----------------------------------------------------------------------------------


def test_half_an_hour_before_the_end_both_are_told_and_nobody_is_paged():
    day = long_day()
    until(day, timedelta(hours=7, minutes=29))
    assert not day.told("ben")
    until(day, timedelta(hours=7, minutes=31))
    assert "at 17:00 UTC you take over checkout from ana" in day.told("ben")[0]
    assert "your shift for checkout ends at 17:00 UTC, ben follows" in day.told("ana")[-1]
    assert day.said("shift") == ["checkout: ana's shift ends at 17:00 UTC, ben follows"]
    assert not day.paged("ben")


def test_who_follows_is_paged_at_the_end_and_who_was_there_goes_only_once_they_acknowledged():
    day = long_day()
    until(day, FIVE + timedelta(minutes=1))
    assert day.paged("ben") == [("480m", "email")]
    assert on_duty(day, "ana")
    assert "called to take over: ben; ana stays until somebody has" in day.said("shift")[-1]
    assert "ben" in awaited(day.incident)
    [waits] = waiting_for(day.incident, "ben", day.now)[:1]
    assert (waits.kind, waits.what) == ("page", "You take over checkout from ana")
    day.say("acknowledge", by="ben")
    assert on_duty(day, "ben")
    assert not on_duty(day, "ana")
    assert "checkout: ben takes over from ana; ana is off duty" in day.said("shift")[-1]
    assert "ben has taken over checkout from you" in day.told("ana")[-1]
    assert "in alarm: checkout-api" in day.told("ben")[-1], "what is open, in words"
    day.wait(hours=3)
    assert day.paged("ben") == [("480m", "email")]
    assert not day.paged("cho")


def test_who_follows_and_is_silent_is_called_on_then_the_next_level_then_incident_response_hears():
    day = long_day()
    until(day, FIVE + timedelta(minutes=11))
    assert day.paged("ben") == [("480m", "email"), ("482m", "sms")]
    assert day.paged("cho") == [("485m", "email"), ("487m", "sms")]
    assert "nobody has taken over from ana in 10 min (ben, cho); ana stays" in day.said("shift")[-1]
    assert all(any("Find somebody" in text for text in day.told(who)) for who in ("kim", "dee", "ana"))
    until(day, FIVE + timedelta(minutes=45))
    assert len(day.paged("ben")) == 4, "called again, and never silence"
    assert on_duty(day, "ana")
    day.say("acknowledge", by="cho")
    assert not on_duty(day, "ana")
    before = len(day.pages)
    day.wait(hours=2)
    assert len(day.pages) == before


def test_who_follows_and_has_come_before_is_not_paged():
    day = long_day()
    until(day, FIVE - timedelta(minutes=10))
    day.say("acknowledge", by="ben", team="checkout")
    until(day, FIVE + timedelta(minutes=1))
    assert not day.paged("ben")
    assert not on_duty(day, "ana")


def test_two_who_swap_after_they_were_told_are_called_as_they_swapped():
    day = long_day()
    until(day, FIVE - timedelta(minutes=10))
    day.catalog = changed(teams=team("checkout", rota("ana", "cho"), ["ben"]))
    until(day, FIVE + timedelta(minutes=1))
    assert day.paged("cho") == [("480m", "email")]
    assert not day.paged("ben")


def test_who_says_that_they_stay_is_left_in_peace_until_the_next_shift_ends():
    day = long_day()
    until(day, FIVE + timedelta(seconds=30))
    day.say("hand_off", by="ana", stays=True, text="I see the roll back through")
    until(day, FIVE + timedelta(hours=2))
    assert day.paged("ben") == [("480m", "email")]
    assert on_duty(day, "ana")
    assert "ana stays for checkout" in day.told("ben")[-1]
    day.say("observe", by="ana", text="rolled back")
    until(day, FIVE + timedelta(hours=24, minutes=1))
    assert on_duty(day, "ana"), "on call again by the rota"
    assert not day.incident.reliefs


@pytest.mark.parametrize("minutes", [-10, 1], ids=["before the end", "after it"])
def test_words_are_for_who_follows_by_the_rota(minutes):
    day = long_day()
    until(day, FIVE + timedelta(minutes=minutes))
    assert "will read it" in day.say("hand_off", by="ana", text="open: latency on host 17")
    until(day, FIVE + timedelta(minutes=3))
    assert on_duty(day, "ana")
    assert day.paged("ben")[0] == ("480m", "email"), "not before"
    day.say("acknowledge", by="ben")
    assert "you take over checkout from ana. open: latency on host 17" in day.told("ben")[-1]
    assert not day.incident.reliefs


def test_who_says_beforehand_that_they_stay_is_not_relieved():
    day = long_day(teams=team("checkout", rota("ana", "ben", "cho")))
    until(day, FIVE - timedelta(minutes=10))
    day.say("hand_off", by="ana", stays=True)
    until(day, FIVE + timedelta(hours=1))
    assert not day.paged("ben")
    until(day, FIVE + timedelta(hours=24, minutes=1))
    assert day.paged("cho") == [("1920m", "email")], "nobody stays for ever"


def test_nobody_on_call_after_the_shift_is_said_loudly_and_who_is_there_stays():
    shift = {"shifts": [{"people": ["ana"], "from": "08:00", "to": "17:00", "zone": "UTC"}]}
    day = long_day(teams=team("checkout", shift))
    until(day, FIVE + timedelta(minutes=1))
    assert "nobody is on call after it: ana stays" in day.said("nobody_on_call")[-1]
    assert "Find somebody" in day.told("kim")[-1]
    assert on_duty(day, "ana")


def test_a_shift_that_ends_before_anybody_answered_calls_the_new_one():
    day = Simulation(catalog=changed(teams=CHECKOUT), start=START + FIVE - timedelta(minutes=1))
    day.alarm("checkout-api", severity=2)
    day.wait(minutes=2)
    assert day.paged("ana") == [("0m", "email")]
    assert day.paged("ben") == [("1m", "email")]
    assert "nobody had answered; on call now: ben, cho" in day.said("shift")[-1]
    day.wait(minutes=3)
    assert len(day.paged("ana")) == 1, "off since five"


@pytest.mark.parametrize("severity", [4, 5])
def test_a_shift_that_ends_wakes_nobody_for_a_sev_4(severity):
    day = long_day(severity=severity)
    until(day, FIVE + timedelta(hours=6))
    assert not day.pages
    assert any("take over checkout from ana: acknowledge it" in text for text in day.told("ben"))
    day.say("acknowledge", by="ben", team="checkout")
    assert not on_duty(day, "ana")


def test_an_event_that_is_clear_pages_nobody_for_a_shift():
    day = Simulation(catalog=changed(teams=CHECKOUT), start=START + FIVE - timedelta(minutes=5))
    day.alarm("checkout-api", severity=2)
    day.say("acknowledge", by="ana")
    day.ok("checkout-api")
    day.wait(minutes=8)
    assert not day.paged("ben")


def test_a_team_without_a_rota_is_never_asked():
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    day.say("acknowledge", by="ana")
    day.wait(days=3)
    assert not day.said("shift")
    assert not day.incident.shifts_asked


# --- Every role -----------------------------------------------------------------------------------

EVERYBODY = {
    **CHECKOUT,
    **team("incident-response", rota("kim", "max")),
    **team("support", rota("sam", "liv")),
    **team("dns", rota("noa", "pia")),
}


def full_response() -> Simulation:
    day = long_day(teams=EVERYBODY)
    day.say("make_big", by="ana", reason="more looks wrong")
    for person in ("kim", "sam", "noa"):
        day.say("join", by=person)
    return day


def test_every_role_of_a_full_response_is_handed_over():
    day = full_response()
    day.say("lead", by="kim")
    day.say("fork", by="kim", team="dns", topic="resolvers", stays="noa")
    assert day.incident.desk.event_manager == "sam"
    until(day, FIVE + timedelta(seconds=30))
    followers = {"ana": "ben", "kim": "max", "sam": "liv", "noa": "pia"}
    for leaves, follows in followers.items():
        assert [at for at, _ in day.paged(follows)][-1] == "480m"
        assert on_duty(day, leaves)
        day.say("acknowledge", by=follows)
        assert not on_duty(day, leaves)
        assert on_duty(day, follows)
    assert day.incident.leader == "max"
    assert day.incident.desk.event_manager == "liv"
    assert day.incident.desk.forks[0].stays == "pia"
    assert any("max leads from kim: phase" in text for text in day.said("lead")), "in words"
    assert any("max takes over from kim, with the lead" in text for text in day.said("shift"))
    assert any("liv takes over from sam, with the support call" in text for text in day.said("shift"))
    day.say("lead", by="max", person="lou", handover="severe")
    assert day.incident.leader == "lou"


def test_a_team_on_standby_is_called_back_as_its_rota_is_then():
    day = full_response()
    day.say("release", by="noa", reason="resolvers answer")
    until(day, FIVE + timedelta(hours=1))
    assert not day.paged("pia")
    day.alarm("dns", severity=2)
    assert day.paged("pia")
    assert len(day.paged("noa")) == 1


def test_who_is_there_for_two_teams_stays_for_the_one_whose_shift_goes_on():
    teams = {**CHECKOUT, **team("payments", ["ana"])}
    day = long_day(teams=teams)
    day.say("engage", by="ana", team="payments", reason="the same host")
    until(day, FIVE + timedelta(seconds=30))
    day.say("acknowledge", by="ben")
    assert on_duty(day, "ana")
    assert "still here for another team" in day.told("ana")[-1]


# --- In words, by people --------------------------------------------------------------------------


def test_a_part_is_handed_over_in_words_and_is_taken_with_the_acknowledgement():
    day = long_day()
    said = day.say("hand_off", by="ana", person="ben@example.test", text="open: latency on host 17")
    assert "you are off duty once they have acknowledged" in said
    assert day.paged("ben") == [("0m", "email")]
    assert on_duty(day, "ana")
    day.wait(minutes=1)
    day.say("acknowledge", by="ben", team="checkout")
    assert not on_duty(day, "ana")
    assert "open: latency on host 17" in day.told("ben")[-1]
    assert "open: latency on host 17" in day.said("shift")[-1]


def test_a_name_that_the_team_does_not_have_is_said_and_nobody_goes():
    day = long_day()
    day.say("hand_off", by="ana", person="nobody")
    assert "nobody of that team is called so" in day.said("refused")[-1]
    assert any("you go on" in text for text in day.told("ana"))
    assert on_duty(day, "ana")
    assert not day.incident.reliefs


def test_the_support_call_is_handed_over_in_words():
    day = full_response()
    with pytest.raises(Refused, match="is neither of support nor of incident response"):
        day.say("hand_off", by="sam", role="support_call", person="ana", text="all told")
    with pytest.raises(Refused, match="say in `text` what is open"):
        day.say("hand_off", by="sam", role="support_call", person="kim")
    with pytest.raises(Refused, match="sam has the support call"):
        day.say("hand_off", by="ana", role="support_call", person="kim", text="all told")
    day.say("hand_off", by="sam", role="support_call", person="kim", text="acme waits for a call")
    assert day.incident.desk.event_manager == "kim"
    assert "kim has the support call from sam: acme waits for a call" in day.said("lead")


def test_the_lead_goes_to_whom_it_is_handed():
    day = full_response()
    day.say("lead", by="kim")
    day.say("hand_off", by="kim", role="lead", person="lou", text="leave eu-west or not")
    assert day.incident.leader == "lou"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"by": "ana"}, "say in `person` who takes it"),
        ({"by": "ana", "role": "lead", "text": "all"}, "say in `person` who takes it"),
        ({"by": "ana", "person": "ana"}, "that is you"),
        ({"by": "ana", "person": "kim"}, "kim is not of checkout; of it are cho, dee"),
        ({"by": "ana", "person": "cho", "team": "dns"}, "dns is not engaged"),
        ({"by": "kim", "person": "lou"}, "on duty for no team"),
        ({"by": "kim", "stays": True}, "on duty for no team"),
    ],
)
def test_what_cannot_be_handed_over_is_refused_with_what_could(said, words):
    with pytest.raises(Refused, match=words):
        long_day().say("hand_off", **said)


def test_who_has_no_shift_need_not_say_that_they_stay():
    day = Simulation()
    day.alarm("checkout-api", severity=2)
    day.say("acknowledge", by="ana")
    with pytest.raises(Refused, match="checkout has no rota, you stay anyway"):
        day.say("hand_off", by="ana", stays=True)


def test_an_absorbed_incident_hands_over_who_waits_to_be_relieved():
    day = long_day()
    until(day, FIVE + timedelta(seconds=30))
    old = day.incident
    other = Simulation(catalog=day.catalog)
    other.alarm("search-api", severity=2)
    absorb(old, Absorb(into=other.incident.id, reason="three services"), day.now)
    signals = [owed.order for owed in old.owed.values() if isinstance(owed.order, Signal)]
    [word] = [signal for signal in signals if signal.name == "handover"]
    take_over(other.incident, Handover.model_validate(word.payload), day.now)
    assert other.incident.reliefs["checkout/ana"].followers == ["ben"]


# --- Always ---------------------------------------------------------------------------------------

SAID: dict[str, tuple[str, dict[str, Any]]] = {
    "acknowledge": ("acknowledge", {"team": "checkout"}),
    "observe": ("observe", {"text": "503"}),
    "stays": ("hand_off", {"stays": True}),
    "to": ("hand_off", {"person": "ben", "text": "all"}),
}
rotas = st.lists(st.permutations(["ana", "ben", "cho", "eva"]), min_size=1, max_size=2)
acts = st.lists(
    st.tuples(
        st.integers(1, 700),
        st.sampled_from(["ana", "ben", "cho", "eva"]),
        st.sampled_from([*SAID, "wait"]),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(
    levels=rotas,
    hours=st.lists(st.sampled_from(["01:00", "09:00", "17:00"]), min_size=2, max_size=2),
    acts=acts,
    severity=st.sampled_from([1, 2, 3, 4]),
)
def test_a_team_somebody_has_come_to_is_never_alone_whatever_the_rota_and_whoever_answers(
    levels, hours, acts, severity
):
    on_call = [rota(*people, handover=hour) for people, hour in zip(levels, hours, strict=False)]
    day = Simulation(catalog=changed(teams=team("checkout", *on_call)))
    day.alarm("checkout-api", severity=severity)
    came = False
    for minutes, person, what in acts:
        day.wait(minutes=minutes)
        if what in SAID:
            name, said = SAID[what]
            try:
                day.say(name, by=person, **said)
            except Refused:
                continue
        there = [who for who in ("ana", "ben", "cho", "eva") if on_duty(day, who)]
        came = came or day.incident.engagements["checkout"].acknowledged_at is not None
        assert there or not came
        planned = day.incident.plan.teams["checkout"]
        assert planned.until is None or planned.until > day.now, "the plan is always that of the current shift"
        on_call_now = {p for level in planned.levels for p in level}
        relieved = {it.person for it in day.incident.reliefs.values()}
        assert all(who in on_call_now | relieved | {"dee"} for who in there), "who is there has a shift, or follows"
    assert len(day.incident.reliefs) <= 4
