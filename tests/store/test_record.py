"""What is written into the record is there for ever, once, and as new as it was told."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from model.incident import Incident, Phase
from model.matter import Entry
from store import Store, StoreError
from tests.store.samples import ID, NINE, incident, later, next_batch, put, with_alarm


async def test_an_incident_comes_back_as_it_was_recorded(store: Store) -> None:
    it = with_alarm(incident(severity=2, leader="kim", mitigated_at=later(31)), "err")
    it.say("opened", "SEV2 checkout-api", now=NINE)
    await put(store, it)
    kept = await store.incident(ID)
    assert kept is not None
    assert (kept.severity, kept.leader, kept.mitigated_at) == (2, "kim", later(31))
    assert kept.alarms == it.alarms
    assert await store.timeline(ID) == it.timeline


async def test_nobody_knows_an_incident_that_was_never_recorded(store: Store) -> None:
    assert await store.incident("INC-20260302-XXXX") is None
    assert await store.timeline("INC-20260302-XXXX") == []


async def test_the_same_batch_again_changes_nothing(store: Store) -> None:
    it = incident()
    it.say("opened", "SEV3", now=NINE)
    await put(store, it)
    before = await store.incidents(), await store.incident(ID), await store.timeline(ID)
    await put(store, it)
    assert before == (await store.incidents(), await store.incident(ID), await store.timeline(ID))


async def test_a_batch_that_arrives_late_does_not_bring_old_facts_back(store: Store) -> None:
    it = incident(severity=3)
    it.say("opened", "SEV3", now=NINE)
    first = next_batch(it)
    it.severity = 1
    it.say("severity", "SEV3 → SEV1", now=later(4))
    second = next_batch(it)
    await store.record(second.incident, second.entries)
    await store.record(first.incident, first.entries)
    assert [kept.severity for kept in await store.incidents()] == [1]
    assert [entry.text for entry in await store.timeline(ID)] == ["SEV3", "SEV3 → SEV1"]


async def test_the_later_batch_of_one_long_timeline_has_the_newer_facts(store: Store) -> None:
    it = incident()
    for number in range(150):
        it.say("observed", f"line {number}", now=later(number))
    first = next_batch(it)
    it.leader = "kim"
    second = next_batch(it)
    assert first.incident["next_seq"] == second.incident["next_seq"]
    await store.record(second.incident, second.entries)
    await store.record(first.incident, first.entries)
    kept = await store.incident(ID)
    assert kept is not None
    assert kept.leader == "kim"
    assert len(await store.timeline(ID)) == 150


async def test_a_line_once_written_stays_as_it_is(store: Store) -> None:
    it = incident()
    it.say("opened", "as it was", now=NINE)
    await put(store, it)
    it.timeline[0] = it.timeline[0].model_copy(update={"text": "rewritten"})
    await put(store, it)
    assert [entry.text for entry in await store.timeline(ID)] == ["as it was"]


async def test_batches_written_at_once_lose_no_line(store: Store) -> None:
    it = incident()
    batches = []
    for number in range(12):
        it.say("observed", f"line {number}", now=later(number))
        batches.append(next_batch(it))
    await asyncio.gather(*(store.record(batch.incident, batch.entries) for batch in reversed(batches)))
    assert await store.timeline(ID) == it.timeline
    kept = await store.incident(ID)
    assert kept is not None
    assert kept.next_seq == it.next_seq


async def test_every_moment_comes_back_in_utc(store: Store) -> None:
    paris = datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    it = incident(opened_at=paris)
    it.say("opened", "SEV3", now=paris)
    await put(store, it)
    [listed] = await store.incidents()
    [line] = await store.timeline(ID)
    for moment in (listed.opened_at, line.at):
        assert moment == paris
        assert moment.tzinfo is UTC


async def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    it = incident()
    line = Entry(seq=1, at=datetime(2026, 3, 2, 9, 0), what="opened", by="ana", text="when?")  # noqa: DTZ001
    with pytest.raises(StoreError, match="has no time zone"):
        await store.record(it.model_dump(mode="json"), [line])
    assert await store.incidents() == []


async def test_a_line_no_database_likes_is_kept_too(store: Store) -> None:
    it = with_alarm(incident(title="NUL \0 and \\u0000"), "err")
    it.alarms["checkout-api/eu-west/err"].value = float("nan")
    it.say("fallback", "the server said \0", now=NINE, link="https://example.test/\0")
    await put(store, it)
    await put(store, it)
    kept = await store.incident(ID)
    assert kept is not None
    assert kept.title == "NUL  and \\u0000"
    assert kept.alarms["checkout-api/eu-west/err"].value is None
    assert [entry.text for entry in await store.timeline(ID)] == ["the server said "]
    assert await store.light_closes(NINE) == []


async def test_a_word_that_has_left_the_vocabulary_can_still_be_read(store: Store) -> None:
    was: Any = "telegraphed"
    old = Entry.model_construct(seq=1, at=NINE, what=was, by="ana", text="in 1870", claimed=False, link="")
    await store.record(incident().model_dump(mode="json"), [old])
    assert [entry.what for entry in await store.timeline(ID)] == ["telegraphed"]


async def test_incidents_are_listed_latest_first(store: Store) -> None:
    await put(store, *(incident(f"INC-20260302-AAA{n}", opened_at=later(n)) for n in (2, 4, 3)))
    assert [it.id[-1] for it in await store.incidents()] == ["4", "3", "2"]
    assert [it.id[-1] for it in await store.incidents(limit=2)] == ["4", "3"]


async def test_an_incident_is_open_until_it_is_all_clear_or_part_of_another(store: Store) -> None:
    await put(store, *(incident(f"INC-20260302-{phase.name}", phase=phase) for phase in Phase))
    still_open = {it.phase for it in await store.incidents(open_only=True)}
    assert still_open == {phase.value for phase in Phase} - {"all_clear", "absorbed"}


@pytest.mark.parametrize("said", ["7f3a", "7F3A", " 7f3a ", "02-7f3a", "inc-20260302-7f3a", ID])
async def test_an_incident_is_found_by_its_last_characters(store: Store, said: str) -> None:
    await put(store, incident(), incident("INC-20260302-9KQX"))
    assert [it.id for it in await store.find(said)] == [ID]


@pytest.mark.parametrize("said", ["", "f3a", "7F3", "7F3B", "7F3A-", "%%%%", "____", "20260302", "7F3A\0"])
async def test_what_names_no_incident_finds_none(store: Store, said: str) -> None:
    await put(store, incident())
    assert await store.find(said) == []


async def test_an_ambiguous_name_finds_all_it_may_mean_latest_first(store: Store) -> None:
    await put(store, incident(), incident("INC-20260401-7F3A", opened_at=later(60 * 24 * 30)))
    assert [it.id for it in await store.find("7f3a")] == ["INC-20260401-7F3A", ID]


def closed(id: str, alarm: str, reason: str, *, minutes: float = 10, **facts: Any) -> Incident:
    return with_alarm(incident(id, closed_at=later(minutes), close_reason=reason, **facts), alarm)


async def test_light_closes_are_counted_per_alarm_most_frequent_first(store: Store) -> None:
    twice = with_alarm(closed("INC-A003", "err", "no_impact"), "err", region="us-east")
    await put(
        store,
        closed("INC-A001", "slow", "self_recovered"),
        closed("INC-A002", "err", "false_alarm"),
        twice,
        with_alarm(closed("INC-A004", "err", "false_alarm"), "err", service="payments"),
    )
    counts = await store.light_closes(NINE)
    assert [(it.alarm, it.service, it.closes) for it in counts] == [
        ("err", "checkout-api", 3),
        ("slow", "checkout-api", 1),
        ("err", "payments", 1),
    ]
    assert counts[0].reasons == {"false_alarm": 2, "no_impact": 1}


async def test_only_light_closes_since_then_count_and_no_tests(store: Store) -> None:
    await put(
        store,
        closed("INC-B001", "err", "false_alarm", minutes=-1),
        closed("INC-B002", "err", "false_alarm", test=True),
        closed("INC-B003", "err", ""),
        with_alarm(incident("INC-B004"), "err"),
    )
    assert await store.light_closes(NINE) == []
