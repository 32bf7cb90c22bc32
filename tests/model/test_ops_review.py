"""The weekly review: gathered once, told to who runs it and every manager, open for a day (L1)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from model.catalogue.plan import Plan, plan_for
from model.close.closing_messages import AddAction
from model.close.items import Item, ItemChanged
from model.effects import Outcome, Start, Tell
from model.learn.ops_review import (
    LIVES,
    WEEK,
    Gathered,
    OpsReview,
    add_action,
    advance,
    gathered,
    item_changed,
    new,
    wanted,
)
from model.learn.ops_review_page import review_details
from model.matter import Act
from model.message import parse
from model.reflect import after
from model.text import Refused
from worker.files import load_catalog

CATALOG = load_catalog(Path(__file__).parents[2] / "scenarios" / "catalog.yaml")
START = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
FOUND = Gathered(counts={"incidents": 2, "action items overdue": 1, "campaigns stalled": 0}, files=["/data/it.html"])
ACTION: dict[str, Any] = {**AddAction.example, "by": "noa", "owner": "eva@example.test", "due": "2026-05-01T12:00:00Z"}


def review() -> OpsReview:
    made = new(plan_for(CATALOG, teams=list(CATALOG.teams), at=START), START, timedelta())
    advance(made, START)
    return made


def said(it: OpsReview, what: str) -> list[str]:
    return [entry.text for entry in it.timeline if entry.what == what]


def told(it: OpsReview) -> list[tuple[set[str], str]]:
    orders = [owed.order for owed in it.owed.values() if isinstance(owed.order, Tell)]
    return [({recipient.person for recipient in order.recipients}, order.text) for order in orders]


def say(it: OpsReview, now: datetime = START, **fields: Any) -> str:
    message = parse(AddAction, {**ACTION, **fields})
    message.prove()
    add_action(Act(it, message, now))
    return add_action(Act(it, message, now))().text


def test_it_is_the_review_of_its_day_and_looks_back_a_week():
    it = review()
    assert it.id == "ops-review/2026-03-04"
    week = wanted(it, START)
    assert week is not None
    assert (week.date, week.until - week.since) == ("2026-03-04", WEEK)


def test_incident_response_and_every_manager_hear_what_there_is_and_where_it_lies():
    it = review()
    gathered(it, FOUND, START)
    ((people, text),) = told(it)
    assert people >= {"kim", "lou", "dee", "hal", "max"}
    assert "ana" not in people, "everybody is invited, nobody is told who does not manage"
    assert "incidents: 2, action items overdue: 1. It lies in /data/it.html" in text
    assert "stalled" not in text
    assert wanted(it, START) is None, "once is enough"


def test_what_cannot_be_gathered_is_tried_again_and_said_once():
    it = review()
    for tries in range(1, 4):
        gathered(it, Gathered(outcome=Outcome(ok=False, reason="the store is locked")), START)
        assert it.gather_tries == tries
        assert wanted(it, START) is None
    assert said(it, "fallback") == ["gathering waits: the store is locked"]
    due = advance(it, START)
    assert due is not None
    assert wanted(it, due)
    gathered(it, FOUND, due)
    assert it.status == "ready"


def test_it_ends_after_a_day_and_says_so_when_there_was_nothing_to_read():
    it = review()
    assert advance(it, START + timedelta(hours=1)) == START + LIVES
    assert not it.ended
    assert advance(it, START + LIVES) is None
    assert (it.ended, it.status) == (True, "done")
    assert "could not be gathered" in told(it)[-1][1]


def test_everybody_may_add_an_action_numbered_by_the_review():
    it = review()
    assert say(it) == "ops-review/2026-03-04/action/1, due 2026-05-01"
    assert say(it, title="Second").startswith("ops-review/2026-03-04/action/2")
    first, _ = [owed.order for owed in it.owed.values() if isinstance(owed.order, Start)]
    assert (first.workflow, first.workflow_id) == ("ActionItem", "ops-review/2026-03-04/action/1")
    payload = first.payload
    assert (payload["owner"], payload["team"], payload["n"]) == ("eva", "payments", 1)
    assert payload["incident"] == it.id
    assert payload["due_at"] == "2026-05-01T12:00:00+00:00"
    plan = Plan.model_validate(payload["plan"])
    assert set(plan.teams) == {"incident-response", "support", "payments", "dns"}
    assert "mia" not in plan.people, "an item needs no plan of the whole organisation"
    assert plan.people["eva"].contacts


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"owner": "nobody"}, "'nobody' is nobody of the catalogue"),
        ({"due": "2026-03-01T00:00:00Z"}, "`due` is past"),
        ({"horizon": "long"}, "`incremental` or a `replacement`"),
        ({"replaces": 1}, "none of this review"),
        ({"by": "stranger"}, "'stranger' is not on call"),
    ],
)
def test_what_is_wrong_is_refused_with_what_would_be_right(fields, words):
    it = review()
    with pytest.raises(Refused, match=words):
        say(it, **fields)
    assert not it.items


def test_after_its_day_actions_go_to_the_next_one():
    it = review()
    advance(it, START + LIVES)
    with pytest.raises(Refused, match="the next review"):
        say(it, START + LIVES)


def test_it_hears_how_its_items_stand():
    it = review()
    say(it)
    change = Item(id="ops-review/2026-03-04/action/1", kind="action", status="started", n=1, title="x")
    item_changed(it, ItemChanged(item=change, what="action", line="action 1: started"), START)
    assert it.items[change.id].status == "started"
    assert said(it, "action")[-1] == "action 1: started"


def test_the_page_says_where_it_is_and_ends_with_what_to_send():
    it = review()
    assert "being gathered" in review_details(it, START)
    gathered(it, FOUND, START)
    say(it, title="Mind the gap")
    page = review_details(it, START)
    assert "/data/it.html" in page.replace("\\", "")
    assert "Mind the gap" in page
    assert page.rstrip().endswith("```")
    assert "add_action" in page
    advance(it, START + LIVES)
    assert "Nothing waits" in review_details(it, START + LIVES)


def test_what_could_not_be_read_is_on_the_page():
    it = review()
    assert "Could not be read" not in review_details(it, START)
    for n in range(7):
        it.say("unreadable", f"item_changed: item: Field required {n}", now=START)
    page = review_details(it, START)
    assert "## Could not be read" in page
    assert [f"required {n}" in page for n in range(7)] == [False, False, True, True, True, True, True]


def test_what_it_owes_is_done_once():
    it = review()
    gathered(it, FOUND, START)
    for key in list(it.owed):
        after.effect_ended(it, key, Outcome(), START)
    assert not it.owed
    assert len(said(it, "told")) == 1
