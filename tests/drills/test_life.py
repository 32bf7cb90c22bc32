"""What follows from an incident, in the committed scenarios: who hears what, when, and what is done by which date."""

from datetime import datetime

import pytest

from store.engine import open_store
from tests.drills.conftest import Played
from tests.drills.harness import Outcome

Told = list[tuple[str, str]]


@pytest.fixture
async def several_services(played_once: Played) -> Outcome:
    return await played_once("several-services")


@pytest.fixture
async def seven_days(played_once: Played) -> Outcome:
    return await played_once("seven-days")


@pytest.fixture
async def late_promise(played_once: Played) -> Outcome:
    return await played_once("late-promise")


def shown(at: datetime | None) -> str:
    return f"{at:%m-%d %H:%M}" if at else "never"


async def outbox(drill: Outcome, person: str, words: str = "", incident: int = 0) -> Told:
    """When somebody was told something with these words, and what: colleagues by their id, customers by theirs."""
    store = open_store(f"sqlite+aiosqlite:///{drill.folder / 'allclear.db'}")
    try:
        items = await store.outbox()
    finally:
        await store.close()
    mine = drill.result.incidents[incident].id
    found = [i for i in items if i.person == person and words in i.text and i.incident_id.startswith(mine)]
    return [(shown(i.at), i.text) for i in sorted(found, key=lambda i: i.at)]


async def when(drill: Outcome, person: str, words: str, incident: int = 0) -> list[str]:
    return [at for at, _ in await outbox(drill, person, words, incident)]


def lines(drill: Outcome, what: str, words: str, incident: int = 0) -> list[str]:
    """When the timeline got such a line."""
    timeline = drill.result.incidents[incident].timeline
    return [shown(line.at) for line in timeline if line.what == what and words in line.text]


async def test_several_services_are_mended_twice_before_it_holds(several_services):
    drill = several_services
    one = drill.incident
    assert [line.text for line in one.timeline if line.what == "phase"] == [
        "engage", "coordinate", "mitigate", "verify", "mitigate", "verify", "close", "mitigate", "verify", "close",
        "reflect", "all_clear",
    ]  # fmt: skip
    assert lines(drill, "verification_failed", "wayfare does not see it working again") == ["03-02 09:41"]
    assert lines(drill, "reopened", "nx of dns is in ALARM") == ["03-02 10:04"]
    assert shown(one.mitigated_at) == "03-02 10:10"
    assert shown(one.all_clear_at) == "03-25 10:00"
    patches = {m.target: (m.verdict, shown(m.verified_at)) for m in one.mitigations}
    assert patches["payments@4.1.0"] == ("reject", "never"), "payments decided about their own, never in alarm for it"
    assert lines(drill, "stopped", "dns/negative-cache undone") == ["03-02 10:06"]
    assert patches["dns@zone-push-7.2"] == ("approve", "03-02 10:20")


async def test_what_is_written_down_at_the_end_is_what_people_need_next(several_services):
    drill = several_services
    said = [line.text for line in drill.incident.timeline if line.what == "observed" and "recurrence" in line.text]
    assert "nothing was deployed to dns since 09:00" in said[0], "the record knew of no job; people did"
    (plan,) = [text for _, text in await outbox(drill, "noa", "the plan for the next days")]
    assert plan.splitlines()[1:] == [
        "- action 1, The zone push waits for a person (short, noa), in force",
        "- noa writes the COE of dns by 2026-03-07 10:23 UTC",
        "- noa writes the customers' RCA, promised by 2026-03-09 09:47 UTC",
        "- patch 2 (shift_away dns/resolver-set-2), noa owns it: nothing replaces it yet",
        "- patch 4 (roll_back dns@zone-push-7.2), noa owns it: nothing replaces it yet",
        "- dive into dns (dns)",
        "- dive into auth (auth)",
        "- resolver logs of 08:40 to 10:10 are in the ticket",
    ]
    assert [at for at, _ in await outbox(drill, "yui", "the plan for the next days")] == ["03-02 11:44"]
    assert await when(drill, "noa", "What replaces it?") == ["03-02 09:57", "03-02 10:20", "03-09 10:20", "03-16 10:20"]
    assert lines(drill, "stopped", "dns/resolver-set-2 undone") == ["03-20 12:00"]


async def test_customers_of_several_services_hear_that_it_is_over_that_it_is_back_and_why_it_was(several_services):
    drill = several_services
    read = await outbox(drill, "wayfare")
    begins = [text.split("\n")[0][:52] for _, text in read]
    assert [(at, text) for (at, _), text in zip(read, begins, strict=True)] == [
        ("03-02 09:10", "Something is probably wrong with Checkout, Search, P"),
        ("03-02 09:24", "One name in four is not found by our resolvers, whic"),
        ("03-02 09:44", "We are still working on the trouble with Checkout, S"),
        ("03-02 09:52", "Checkout, Search, Payments, Managed DNS and Object S"),
        ("03-02 10:02", "The trouble with Checkout, Search, Payments, Managed"),
        ("03-02 10:09", "The trouble with Checkout, Search, Payments, Managed"),
        ("03-02 10:15", "Checkout, Search, Payments, Managed DNS and Object S"),
        ("03-02 10:25", "The trouble with Checkout, Search, Payments, Managed"),
        ("03-05 13:10", "On 2 March 2026, from 08:40 to 09:47 and from 10:00 "),
    ]
    assert "is back. We were too early in thinking it was over" in read[5][1]
    assert drill.incident.rca is not None
    assert shown(drill.incident.rca.due_at) == "03-09 09:47", "seven days after the first end, not the last"
    assert (drill.incident.rca.status, shown(drill.incident.rca.published_at)) == ("delivered", "03-05 13:10")


async def test_the_fix_that_waits_for_a_person_is_replaced_by_one_that_needs_none(several_services):
    drill = several_services
    rows = [(a.n, a.horizon, a.status, shown(a.due_at)) for a in drill.incident.actions]
    assert rows == [
        (1, "short", "done", "03-02 14:00"),
        (2, "mid", "done", "03-20 23:59"),
        (3, "mid", "done", "03-27 23:59"),
        (4, "long", "open", "09-30 23:59"),
    ]
    assert lines(drill, "action", "action/2 is validated; this one is done") == ["03-20 10:00"]
    assert lines(drill, "action", "patch 4 (roll_back dns@zone-push-7.2): replaced by action 2") == ["03-20 10:00"]
    assert await when(drill, "noa", "is it in place?") == ["03-02 11:22"], "asked every hour until it was"
    (coe,) = drill.incident.coes
    assert (coe.team, coe.status, len(coe.why_reasons)) == ("dns", "reviewed", 4)


async def test_an_account_leaves_on_the_last_hour_after_it_was_recalled_once(seven_days):
    drill = seven_days
    first = drill.result.incidents[0]
    assert first.rca is not None
    assert shown(first.rca.due_at) == "03-09 09:12"
    assert (first.rca.status, shown(first.rca.published_at)) == ("delivered", "03-09 08:31")
    assert await when(drill, "eva", "there is no draft yet") == ["03-04 09:12"]
    assert not await when(drill, "hal", "there is still no draft"), "there was one by day four"
    assert await when(drill, "hal", "it is not approved yet") == ["03-07 09:12"]
    assert lines(drill, "rca", "recalled: the second date is a Sunday") == ["03-09 08:05"]
    assert [at for at, text in await outbox(drill, "globex") if "about one card in five" in text] == ["03-09 08:31"]
    assert shown(first.all_clear_at) == "03-09 08:31"


async def test_a_promise_to_customers_that_is_broken_is_said_loudly_every_day_until_it_is_kept(seven_days):
    drill = seven_days
    second = drill.result.incidents[1]
    assert second.detected_by == "reports"
    assert second.rca is not None
    assert shown(second.rca.due_at) == "03-10 09:11"
    assert (second.rca.status, shown(second.rca.published_at)) == ("late", "03-11 13:10")
    for person in ("ida", "dee", "lou", "sam"):
        assert await when(drill, person, "the promise is broken", 1) == ["03-10 09:11"], person
    assert await when(drill, "lou", "is 1 d late", 1) == ["03-11 09:11"]
    assert await when(drill, "dee", "there is still no draft", 1) == ["03-07 09:11"]
    told = [customer for customer in ("initech", "umbra") if await when(drill, customer, "two days late", 1)]
    assert told == ["initech", "umbra"]
    assert lines(drill, "fallback", "could not be delivered to wayfare", 1) == [], (
        "they use no Search, but have a contact"
    )
    assert await when(drill, "wayfare", "two days late", 1) == ["03-11 13:10"], "they had turned to us about it"
    (coe,) = second.coes
    assert (coe.author, coe.status) == ("ida", "reviewed")
    assert lines(drill, "coe", "not handed in yet", 1) == ["03-05 15:00"]


async def test_a_short_term_fix_is_asked_for_every_hour_until_it_is_in_place(late_promise):
    drill = late_promise
    assert await when(drill, "mia", "is it in place?") == ["03-02 10:24", "03-02 11:24", "03-02 12:24"]
    assert lines(drill, "overdue", "action 1 (A disk that refuses a write leaves) is overdue") == ["03-02 11:30"]
    assert await when(drill, "mia", "is still in force since 2026-03-02 12:40") == ["04-01 12:40"]
    assert shown(drill.incident.closed_at) == "03-02 12:55"


async def test_a_date_slips_within_the_rule_without_asking_and_beyond_it_only_by_consent(late_promise):
    drill = late_promise
    item = drill.incident.actions[1]
    assert (shown(item.due_at), shown(item.promised_due_at)) == ("04-13 12:00", "04-13 12:00")
    assert lines(drill, "action", "moved from 2026-03-30 12:00 UTC to 2026-03-31 12:00 UTC") == ["03-12 10:00"]
    assert lines(drill, "action", "slips 14 d in total, 5 d 14 h go without asking") == ["03-16 10:00"]
    assert await when(drill, "hal", "mia asks to move it to 2026-04-13") == ["03-16 10:00", "03-17 10:00"]
    assert await when(drill, "lou", "mia asks to move it to 2026-04-13") == ["03-17 10:00"], "a day later leaders too"
    assert lines(drill, "action", "for mia (the placement has to know the disks of both regions), agreed") == [
        "03-17 14:00"
    ]


async def test_customers_hear_of_a_moved_promise_before_its_date_and_of_one_that_is_not_kept(late_promise):
    drill = late_promise
    assert await when(drill, "sam", "Tell them before that date") == ["03-12 10:00", "03-14 12:00", "03-17 14:00"]
    read = [(at, text.split("\n")[2]) for at, text in await outbox(drill, "globex", "we promised you a change")]
    after_the = "After the trouble with Object Storage in eu-west we promised you a change by 12:00 UTC on"
    assert read == [
        ("03-13 11:00", f"{after_the} 30 March 2026. It comes later than that: by 12:00 UTC on 31 March 2026."),
        ("03-15 11:00", f"{after_the} 20 March 2026. It does not come as we promised it."),
        ("03-18 10:00", f"{after_the} 31 March 2026. It comes later than that: by 12:00 UTC on 13 April 2026."),
    ]
    assert lines(drill, "action", "customers know that it is due 2026-04-13") == ["03-18 10:00"]
    assert [(a.n, a.status) for a in drill.incident.actions] == [(1, "done"), (2, "done"), (3, "withdrawn")]


async def test_built_is_not_done_a_failed_trial_starts_it_again_and_it_is_overdue(late_promise):
    drill = late_promise
    assert lines(drill, "action", "VALIDATION FAILED (1)") == ["04-11 10:00"]
    assert lines(drill, "overdue", "action 2 (The placement knows which disks take writes)") == [
        "04-13 12:00",
        "04-14 12:00",
    ]
    assert await when(drill, "hal", "is overdue") == ["04-13 12:00", "04-14 12:00"], "promised: the manager at once"
    assert await when(drill, "sam", "they must hear when it comes") == ["04-13 12:00"]
    assert shown(drill.incident.actions[1].validated_at) == "04-16 10:00"
    assert lines(drill, "action", "patch 1 (shift_away storage/blob-node-7): replaced by action 2") == ["04-16 10:00"]
    assert shown(drill.incident.all_clear_at) == "04-16 10:00"
