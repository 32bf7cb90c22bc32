"""What follows from incidents is recorded for ever, and found by who asks for it."""

from datetime import timedelta
from typing import Any

import pytest

from model import recording
from model.catalogue.plan import Plan
from model.close.items import Item
from model.learn.campaign import Campaign
from store import MatterSummary, Store
from store.facts import is_incident, kind_of
from tests.store.samples import ID, NINE, incident, later, next_batch, put

DAY = 60 * 24


def campaign(slug: str = "endpoints", **facts: Any) -> Campaign:
    known: dict[str, Any] = {"incident": ID, "owner": "ana", "team": "checkout", "due_at": later(90 * DAY), **facts}
    return Campaign(id=f"campaign/{slug}", slug=slug, title="Own region", plan=Plan(), **known)


async def keep(store: Store, id: str, **state: Any) -> None:
    """Record a matter as its process would: its state as JSON."""
    known = {"incident": ID, "title": "Fix it", "status": "open", "owner": "ana", "team": "checkout", "next_seq": 1}
    moments = {name: value.isoformat() for name, value in state.items() if name.endswith("_at")}
    await store.record({"id": id, **known, **state, **moments}, [])


def ids(found: list[MatterSummary]) -> list[str]:
    return [it.id for it in found]


@pytest.mark.parametrize(
    ("id", "kind"),
    [
        (f"{ID}/coe/checkout", "coe"),
        (f"{ID}/coe/checkout/rca", "coe"),
        (f"{ID}/rca", "rca"),
        (f"{ID}/action/3", "action"),
        ("ops-review/2026-03-04/action/1", "action"),
        ("ops-review/2026-03-04", "ops_review"),
        ("campaign/action", "campaign"),
    ],
)
def test_an_id_says_what_it_is(id: str, kind: str) -> None:
    assert kind_of(id) == kind
    assert not is_incident(id)
    assert is_incident(ID)


async def test_a_matter_comes_back_with_its_state_and_its_lines(store: Store) -> None:
    it = campaign(status="stalled", stalled_at=later(10))
    it.say("opened", "begun", now=NINE)
    batch = next_batch(it)
    await store.record(batch.incident, batch.entries)
    state = await store.matter(it.id)
    assert state is not None
    again = Campaign.model_validate(state)
    assert (again.stalled_at, again.due_at) == (later(10), it.due_at)
    assert await store.timeline(it.id) == it.timeline
    [row] = await store.matters("campaign")
    assert (row.kind, row.incident_id, row.owner, row.status) == ("campaign", ID, "ana", "stalled")
    assert row.due_at == it.due_at


async def test_incidents_and_matters_stay_apart(store: Store) -> None:
    it = incident()
    it.say("opened", "SEV3", now=NINE)
    await put(store, it)
    await keep(store, f"{ID}/action/1")
    assert [row.id for row in await store.incidents()] == [ID]
    assert ids(await store.matters()) == [f"{ID}/action/1"]
    assert [row.id for row in await store.find("7F3A")] == [ID]
    assert await store.matter(ID) is None
    assert await store.incident(f"{ID}/action/1") is None
    assert [entry.text for entry in await store.timeline(ID)] == ["SEV3"]
    assert await store.timeline(f"{ID}/action/1") == []


async def test_a_matter_is_recorded_before_its_incident(store: Store) -> None:
    await keep(store, f"{ID}/rca", status="assigned")
    assert ids(await store.matters("rca")) == [f"{ID}/rca"]


async def test_a_batch_that_comes_twice_or_late_changes_nothing(store: Store) -> None:
    it = campaign()
    it.say("opened", "begun", now=NINE)
    first = next_batch(it)
    it.status = "done"
    it.say("campaign", "done", now=later(5))
    second = next_batch(it)
    for batch in (second, first, second):
        await store.record(batch.incident, batch.entries)
    [row] = await store.matters(open_only=False)
    assert row.status == "done"
    assert [entry.text for entry in await store.timeline(it.id)] == ["begun", "done"]


async def test_an_author_owns_a_coe(store: Store) -> None:
    await keep(store, f"{ID}/coe/checkout", owner="", author="ben", status="assigned")
    [row] = await store.matters("coe")
    assert row.owner == "ben"


async def test_what_is_overdue_is_open_past_its_date_and_not_in_place(store: Store) -> None:
    late, soon = later(-DAY), later(DAY)
    await keep(store, f"{ID}/action/1", due_at=late)
    await keep(store, f"{ID}/action/2", due_at=soon)
    await keep(store, f"{ID}/action/3", due_at=late, status="done")
    await keep(store, f"{ID}/action/4", due_at=late, status="withdrawn")
    await keep(store, f"{ID}/action/5", due_at=late, status="in_force", horizon="short")
    await keep(store, f"{ID}/action/6", due_at=later(-2 * DAY), status="started")
    await keep(store, f"{ID}/action/7", due_at=late, ended=True)
    await keep(store, f"{ID}/action/8")
    assert ids(await store.matters("action", overdue_at=NINE)) == [f"{ID}/action/6", f"{ID}/action/1"]
    listed = ids(await store.matters("action"))
    assert [name[-1] for name in listed] == ["6", "1", "5", "2", "8"], "the earliest first, without a date last"
    assert len(await store.matters("action", open_only=False)) == 8


async def test_an_implemented_item_is_due_to_be_validated(store: Store) -> None:
    await keep(
        store, f"{ID}/action/1", due_at=later(-DAY), status="implemented", implemented_at=later(-DAY), promised=True
    )
    assert await store.matters("action", overdue_at=NINE) == []
    [row] = await store.matters("action", overdue_at=NINE + timedelta(days=14))
    assert row.due_at == later(-DAY) + timedelta(days=14)


async def test_matters_are_found_by_owner_team_incident_and_horizon(store: Store) -> None:
    await keep(store, f"{ID}/action/1", horizon="short")
    await keep(store, f"{ID}/action/2", owner="eva", team="payments", horizon="mid", promised=True)
    await keep(store, "ops-review/2026-03-04/action/1", incident="ops-review/2026-03-04", horizon="mid")
    assert ids(await store.matters("action", owner="eva")) == [f"{ID}/action/2"]
    assert ids(await store.matters("action", team="checkout", incident=ID)) == [f"{ID}/action/1"]
    assert ids(await store.matters(horizon="mid", incident="ops-review/2026-03-04")) == [
        "ops-review/2026-03-04/action/1"
    ]
    assert await store.matters("action", owner="eva", horizon="short") == []


async def test_an_item_as_the_incident_begins_it_can_be_recorded(store: Store) -> None:
    """Whatever a process's state has more, or leaves empty, the record takes it."""
    item = Item(id=f"{ID}/action/1", kind="action", status="open", n=1, title="x", horizon="mid", due_at=NINE)
    await store.record({**item.model_dump(mode="json"), "kind": None, "anything": {"more": 1}}, [])
    [row] = await store.matters("action")
    assert (row.kind, row.due_at) == ("action", NINE)


async def test_the_record_of_a_matter_is_its_state_without_what_it_owes(store: Store) -> None:
    it = campaign()
    it.say("opened", "begun", now=NINE)
    batch = recording.batch(it)
    await store.record(batch.incident, batch.entries)
    state = await store.matter(it.id)
    assert state is not None
    assert not {"plan", "policy", "owed", "answers"} & set(state)


async def test_incidents_of_a_week_and_the_tenets_they_broke(store: Store) -> None:
    await put(
        store,
        incident("INC-A001", opened_at=later(-8 * DAY), broken_tenets=["one-region"]),
        incident("INC-A002", opened_at=later(-2 * DAY), broken_tenets=["one-region", "detect-first"]),
        incident("INC-A003", opened_at=later(-DAY), broken_tenets=["one-region"]),
        incident("INC-A004", opened_at=later(-DAY), broken_tenets=["one-region"], test=True),
    )
    since = later(-7 * DAY)
    assert [it.id for it in await store.incidents(opened_since=since)] == ["INC-A004", "INC-A003", "INC-A002"]
    assert await store.broken_tenets(since) == {
        "detect-first": ["INC-A002"],
        "one-region": ["INC-A002", "INC-A003"],
    }
