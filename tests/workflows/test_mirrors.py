"""A ticket system follows an incident on a real server; when it is down, nobody waits for it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.client import Client

from activities import Failed
from activities.record.sql import SqlRecorder
from model.mirroring import closed_by_people
from store import Store
from tests.activities.mirrors import Board
from tests.store.samples import fresh
from tests.workflows.house import House, house, until

EAGER = {"mirror_rest": "0.1s", "owed_retry_first": "0.2s", "owed_retry_most": "0.5s"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with fresh(tmp_path) as it:
        yield it


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
async def home(client: Client, store: Store, board: Board) -> AsyncIterator[House]:
    async with house(
        client,
        policy=EAGER,
        connect=lambda them: replace(them, recorder=SqlRecorder(store), mirrors=[board], store=store),
    ) as it:
        yield it


def texts(board: Board, incident: str) -> list[str]:
    place = board.places.get(incident, "")
    return [entry.text for entry in board.lines.get(place, {}).values()]


async def test_a_ticket_has_what_was_said_and_the_timeline_names_it(home: House, board: Board) -> None:
    await home.alarm()
    incident = await home.opened()
    await home.say(incident, "observe", by="ana", text="the pool is empty")
    await until(lambda: "note: the pool is empty" in texts(board, incident), "the word in the ticket")

    async def named() -> bool:
        return any(entry.what == "linked" and entry.link for entry in (await home.incident(incident)).timeline)

    await until(named, "the ticket's address in the timeline")


async def test_a_ticket_system_that_is_down_delays_neither_page_nor_decision(home: House, board: Board) -> None:
    board.refuses = [Failed("board answered 503")] * 4
    await home.alarm()
    incident = await home.opened()
    assert (await home.say(incident, "acknowledge", by="ana")).incident == incident

    async def behind() -> bool:
        return any("board does not follow" in entry.text for entry in (await home.incident(incident)).timeline)

    await until(behind, "a word that the ticket is behind")
    last = (await home.incident(incident)).next_seq - 1
    await until(lambda: len(texts(board, incident)) >= last, "the whole timeline in the ticket")
    assert len({line.seq for line in board.lines[board.places[incident]].values()}) == len(texts(board, incident))


async def test_a_test_leaves_the_house_nowhere(home: House, board: Board, store: Store) -> None:
    await home.alarm(test=True)
    incident = await home.opened()

    async def recorded() -> bool:
        return bool(await store.timeline(incident))

    await until(recorded, "the record")
    assert board.calls == []


async def test_who_closes_the_ticket_reads_there_and_here_where_the_incident_ends(home: House, board: Board) -> None:
    await home.alarm()
    incident = await home.opened()
    await until(lambda: bool(texts(board, incident)), "the ticket")
    for word in ("one", "two", "three"):
        board.close(incident)
        await home.say(incident, "observe", by="ana", text=word)
        await until(lambda word=word: f"note: {word}" in texts(board, incident), "the word in the ticket")
        await until(lambda: board.subjects[board.places[incident]].open, "the ticket open again")
    await until(lambda: closed_by_people("board") in texts(board, incident), "a word about it")
    said = [entry.text for entry in (await home.incident(incident)).timeline]
    assert said.count(closed_by_people("board")) == 1
