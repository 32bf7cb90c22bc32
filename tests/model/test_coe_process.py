"""A COE's way in the user's words: written, returned, reviewed level by level (R1, L1)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.policy import Policy
from model.reflect.after_details import details
from model.reflect.coe import Coe
from model.reflect.coe_rules import review_due
from model.text import Refused
from tests.model.after import INCIDENT, Life, days, plan
from tests.model.simulation import START

GOOD = f"""---
incident: {INCIDENT}
team: checkout
subject: One bad host takes 3 % of calls
author: ana
customers_hit: yes
---

## Impact

Between 09:00 and 09:31 UTC customers could not pay: 3 % of their payments were refused. Nobody lost money.

It began at 09:00 when one host's disk failed. The alarm rang at 09:02, ana acknowledged at 09:05, and at 09:20 the host
was isolated. At 09:31 customers confirmed that it was mitigated; the event was over.

The tree below asks why one host could do this.

## Whys

- ? What triggered 3 % of refused payments over 31 minutes, when 1 of 100 hosts failed?
  - ! Clients tried the bad host three times as often, because it failed quickly
    - → L1
- ? What should have caught it before customers did, within 2 minutes?
  - ! The health check did not write
    - → L2
- ? Why did it take 31 minutes, with 18 of them after the page?
  - ! Nobody could isolate a host without a second person
    - = two persons are what we want here
- ? Why were 3 % hit and not less?
  - ! Retries were not bounded
    - → L1

## Detection

- fast-enough: yes, 2 minutes
- response-time: yes, 3 minutes
- metrics-true: yes, 3 % as customers saw
- similar-patterns: no, the check does not write → A2

## Dependencies

- none

## Lessons

- L1: Unbounded retries make a small failure large
- L2: A health check that does not do the work does not see that it fails

## Actions

- A1 (L1, short, ana, 2026-03-03T12:00Z): Bound retries — a failing host gets no more than its share — break one disk
- A2 (L2, mid, ben, 2026-04-01, promised): Check the writes — a host that cannot write leaves — break one disk in the
  test fleet
"""
MORE = (
    "- A3 (L2, long/incremental, ana, 2026-09-01): Probe everywhere — every service checks its writes — break a disk\n"
)


def coe(**fields: Any) -> Life:
    given_: dict[str, Any] = {
        "id": f"{INCIDENT}/coe/checkout",
        "incident": INCIDENT,
        "title": "COE of checkout: payments are refused",
        "team": "checkout",
        "author": "ana",
        "plan": plan(),
        "assigned_at": START,
        "due_at": START + days(5),
        "important": True,
        "customers_hit": "3 % of payments fail",
    }
    return Life(Coe(**{**given_, **fields}))


def submitted(**fields: Any) -> Life:
    it = coe(**fields)
    it.say("submit", by="ana", text=GOOD)
    return it


def begun(it: Life) -> list[str]:
    return [
        action["title"]
        for signal in it.signals
        if signal.name == "actions_accepted"
        for action in signal.payload["actions"]
    ]


def test_written_reviewed_by_the_team_the_organisation_and_the_weekly_meeting():
    it = coe()
    assert it.heard("ana", "you write the COE of checkout, due 2026-03-07")
    it.wait(days=3)
    assert "waits for its team review" in it.say("submit", by="ana", text=GOOD)
    assert it.heard("dee", "Send `review`.") == [days(3)]
    it.say("review", by="dee", level="team", verdict="accept", comments="the second branch is the strong one")
    assert begun(it) == ["Bound retries", "Check the writes"]
    it.say("review", by="dee", level="organisation", verdict="accept")
    assert it.status == "submitted"
    it.say("review", by="lou", level="operations", verdict="accept")
    assert [i["status"] for i in it.items()] == ["assigned", "submitted", "submitted", "submitted", "reviewed"]
    assert it.items()[-1]["settled"] is True
    assert len(begun(it)) == 2
    assert it.over


def test_what_is_not_important_spares_the_weekly_meeting():
    it = submitted(important=False)
    it.say("review", by="dee")
    assert "is reviewed" in it.say("review", by="dee")
    assert it.over


def test_its_actions_begin_as_the_file_has_them():
    it = submitted()
    it.say("review", by="dee")
    (signal,) = [s for s in it.signals if s.name == "actions_accepted"]
    short, mid = signal.payload["actions"]
    assert (short["horizon"], short["owner"], short["due"]) == ("short", "ana", "2026-03-03T12:00:00Z")
    assert (mid["promised"], mid["owner"], mid["lesson"]) == (True, "ben", "L2")
    assert mid["validation"].startswith("break one disk")


def test_a_text_with_errors_is_accepted_as_returned_with_them():
    it = coe()
    answer = it.say("submit", by="ana", text="# What happened\n\nIt broke.")
    assert answer.startswith("returned with")
    assert it.status == "returned"
    assert any("no-whys" in finding for finding in it.items()[-1]["findings"])
    assert it.matter.awaited == ["ana"]
    with pytest.raises(Refused, match="ana is to `submit` it first"):
        it.say("review", by="dee")
    it.say("submit", by="ana", text=GOOD)
    assert it.status == "submitted"


def test_the_levels_come_in_their_order():
    it = submitted()
    with pytest.raises(Refused, match="the team review comes first; operations is after it"):
        it.say("review", by="dee", level="operations")
    it.say("review", by="dee", level="team")
    with pytest.raises(Refused, match="the organisation review comes first; team is done"):
        it.say("review", by="dee", level="team")


def test_only_a_manager_or_a_call_leader_reviews():
    it = submitted()
    for person in ("ana", "kim", "sam"):
        with pytest.raises(Refused, match="may not review"):
            it.say("review", by=person)


def test_returned_with_comments_it_is_due_again_and_goes_on_where_it_was():
    it = submitted()
    it.say("review", by="dee")
    with pytest.raises(Refused, match="say in `comments` what is to change"):
        it.say("review", by="lou", verdict="return")
    it.say("review", by="lou", verdict="return", comments="what about the other services?")
    assert it.status == "returned"
    assert it.heard("ana", "what about the other services?")
    it.wait(days=3, hours=1)
    assert "the returned text is due again" in it.lines("overdue")[0]
    it.say("submit", by="ana", text=GOOD + MORE)
    it.say("review", by="lou")
    assert begun(it) == ["Bound retries", "Check the writes", "Probe everywhere"], "each begins once"


def test_its_author_is_reminded_then_the_manager_too():
    it = coe()
    it.wait(days=6, hours=1)
    assert it.heard("ana", "the text is due by") == [days(4)]
    assert it.heard("ana", "the text is due since") == [days(5), days(6)]
    assert it.heard("dee", "the text is due since") == [days(6)]


def test_a_review_that_waits_is_the_managers_then_the_call_leaders():
    it = submitted()
    it.wait(days=4, hours=1)
    assert it.heard("dee", "the team review of draft") == [days(2), days(3), days(4)]
    assert it.heard("lou", "the team review of draft") == [days(4)]
    assert not it.heard("ana", "review of draft")


def test_the_weekly_meeting_reviews_by_the_end_of_the_next_wednesday():
    monday, wednesday = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 4, 9, tzinfo=UTC)
    assert review_due(Policy(), "operations", monday) == datetime(2026, 3, 5, tzinfo=UTC)
    assert review_due(Policy(), "operations", wednesday) == datetime(2026, 3, 12, tzinfo=UTC)
    on_thursdays = Policy().overridden({"operations_weekday": 3})
    assert review_due(on_thursdays, "operations", wednesday) == datetime(2026, 3, 6, tzinfo=UTC)


def test_an_organisation_may_ask_for_what_is_overdue_in_its_own_rhythm():
    policy = Policy().overridden({"overdue_every": "2d", "overdue_manager_after": "4d", "coe_due": "3d"})
    it = coe(policy=policy, due_at=None)
    it.wait(days=8)
    assert it.heard("ana", "overdue") == [days(3), days(5), days(7)]
    assert it.heard("dee", "overdue") == [days(7)]


def test_without_customers_hit_it_is_due_in_ten_working_days():
    assert coe(due_at=None, customers_hit="").matter.due_at == START + days(14)
    assert coe(due_at=None).matter.due_at == START + days(5)


def test_a_review_names_the_text_that_was_read():
    it = submitted()
    read = it.matter.digest
    it.say("submit", by="ana", text=GOOD + MORE)
    with pytest.raises(Refused, match="the text has changed since you read it"):
        it.say("review", by="dee", draft=read)


def test_an_owner_nobody_knows_is_named_in_the_findings():
    it = coe()
    it.say("submit", by="ana", text=GOOD.replace("(L2, mid, ben", "(L2, mid, zed"))
    assert any("'zed' is nobody of this incident" in finding for finding in it.items()[-1]["findings"])


def test_actions_that_cannot_begin_because_the_incident_is_over_are_said():
    it = submitted()
    it.incident_open = False
    it.say("review", by="dee")
    assert it.heard("ana", "its actions could not begin")


def test_its_page_says_what_was_found_and_what_to_send():
    it = coe()
    it.say("submit", by="ana", text="# nothing")
    page = details(it.matter, it.now)
    assert "## Found in it" in page
    assert "Send the update `submit`" in page
    it.say("submit", by="ana", text=GOOD)
    assert '"level": "team", "verdict": "accept"' in details(it.matter, it.now)


@settings(max_examples=60)
@given(st.text(max_size=400))
def test_no_text_wedges_it(text: str):
    it = coe()
    try:
        it.say("submit", by="ana", text=text)
    except (Refused, ValueError):
        return
    assert it.status in ("returned", "submitted")
    assert Coe.model_validate_json(it.matter.model_dump_json()) == it.matter
    assert details(it.matter, it.now)


def test_the_largest_text_stays_small_enough_to_go_on():
    it = coe()
    it.say("submit", by="ana", text=GOOD + ("- ? what of 3 %\n" * 15_000))
    assert len(it.matter.model_dump_json()) < 1_500_000
    assert len(str(it.items()[-1])) < 40_000


def test_a_draft_is_kept_and_checked_and_nobody_is_asked_to_review_it():
    it = coe()
    answer = it.say("submit", by="ana", text="Not much so far.", draft=True)
    assert "is kept" in answer
    assert "errors" in answer
    assert it.status == "draft"
    assert not it.heard("dee", "waits for its")
    assert it.matter.deadline == START + days(5)
    it.say("submit", by="ana", text=GOOD)
    assert it.status == "submitted"
    with pytest.raises(Refused, match="a draft comes before it is handed in"):
        it.say("submit", by="ana", text=GOOD, draft=True)


def test_an_action_that_replaces_another_of_the_file_says_which():
    text = GOOD.replace("- A2 (L2,", "- A2 (L2, replaces A1,")
    assert text != GOOD
    it = coe()
    it.say("submit", by="ana", text=text)
    it.say("review", by="dee")
    (begun_,) = [signal.payload["actions"] for signal in it.signals if signal.name == "actions_accepted"]
    assert begun_[1]["replaces_title"] == begun_[0]["title"]
    assert begun_[0]["replaces_title"] == ""
