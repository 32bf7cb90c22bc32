"""What follows the record is brought up to it, whatever happens over there."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from activities import Failed
from activities.mirror import Gone
from activities.mirror.follow import AT_ONCE, Following
from model.effects import Errand, Follow, Outcome
from model.incident import Incident, Phase, Responder
from model.mirroring import closed_by_people
from store import Shown, Store
from tests.activities.mirrors import Board
from tests.store.samples import ID, NINE, fresh, incident, later, put

ACTION = f"{ID}/action/1"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with fresh(tmp_path) as it:
        yield it


@pytest.fixture
def board() -> Board:
    return Board()


async def follow(store: Store, board: Board, matter: str = ID, upto: int = 0) -> Outcome:
    errand = Errand[Follow](key=f"{matter}/mirror/board", order=Follow(matter=matter, system="board", upto=upto))
    return await Following([board], store).follow(errand)


def with_lines(count: int, it: Incident | None = None) -> Incident:
    it = it or incident()
    for n in range(count):
        it.say("observed", f"word {n}", now=later(n), by="ana")
    return it


def words(board: Board, place: str = "1") -> list[str]:
    return [entry.text for entry in board.lines[place].values()]


async def test_a_matter_gets_one_place_and_every_line_once(store: Store, board: Board) -> None:
    it = with_lines(2)
    await put(store, it)
    first = await follow(store, board)
    assert (first.upto, first.link) == (2, "https://board.example.com/1")
    await put(store, with_lines(1, it))
    second = await follow(store, board)
    assert (second.ok, second.upto, second.link) == (True, 3, "")
    assert words(board) == ["word 0", "word 1", "word 0"]
    assert await store.shown(ID) == [
        Shown(matter_id=ID, system="board", place="1", url="https://board.example.com/1", upto=3)
    ]


async def test_who_is_on_it_belongs_to_its_room(store: Store, board: Board) -> None:
    people = {"ana": Responder(joined_at=NINE), "bob": Responder(), "eva": Responder(joined_at=NINE, off_at=later(9))}
    await put(store, with_lines(1, incident(people=people, leader="kim")))
    await follow(store, board)
    assert [guest.person for guest in board.subjects["1"].guests] == ["ana", "kim"]


async def test_a_call_that_fails_in_the_middle_goes_on_where_it_was(store: Store, board: Board) -> None:
    await put(store, with_lines(3))
    board.refuses = []
    await follow(store, board)
    await put(store, with_lines(5))
    board.calls.clear()

    async def failing(place: object, entry: object, key: str, add: object = board.add) -> None:
        if key.endswith("/5"):
            raise Failed("too many requests", retry_after=timedelta(minutes=2))
        await Board.add(board, place, entry, key)  # type: ignore[arg-type]

    board.add = failing  # type: ignore[method-assign]
    outcome = await follow(store, board)
    assert (outcome.ok, outcome.upto, outcome.retry_after) == (False, 4, timedelta(minutes=2))
    assert outcome.reason == "too many requests"
    del board.add
    board.calls.clear()
    assert (await follow(store, board)).upto == 5
    assert board.calls == ["closed", "show", "add 5"]


async def test_a_place_removed_by_hand_is_made_anew_with_everything(store: Store, board: Board) -> None:
    await put(store, with_lines(2))
    await follow(store, board)
    board.remove(ID)
    gone = await follow(store, board)
    assert (gone.ok, gone.again) == (False, True)
    assert "1 is no more; another one is made" in gone.reason
    again = await follow(store, board)
    assert (again.ok, again.upto, again.link) == (True, 2, "https://board.example.com/1")
    assert words(board) == ["word 0", "word 1"]


async def test_a_long_timeline_is_brought_in_parts(store: Store, board: Board) -> None:
    await put(store, with_lines(AT_ONCE + 5))
    assert (await follow(store, board)).upto == AT_ONCE
    assert (await follow(store, board)).upto == AT_ONCE + 5


async def test_an_action_item_names_the_place_of_its_incident(store: Store, board: Board) -> None:
    await put(store, with_lines(1))
    await follow(store, board)
    state = {
        "id": ACTION,
        "incident": ID,
        "title": "Retry with jitter",
        "status": "open",
        "owner": "ana",
        "next_seq": 1,
    }
    await store.record(state, [])
    await follow(store, board, ACTION)
    shown = board.subjects[board.places[ACTION]]
    assert (shown.kind, shown.title, shown.parent, shown.parent_place) == ("action_item", "Retry with jitter", ID, "1")


async def test_what_is_no_longer_configured_follows_no_more(store: Store) -> None:
    outcome = await follow(store, Board("other"), upto=7)
    assert (outcome.ok, outcome.upto) == (True, 7)


async def test_a_matter_without_a_record_waits_for_it(store: Store, board: Board) -> None:
    outcome = await follow(store, board)
    assert (outcome.ok, outcome.again) == (False, True)
    assert "does not have" in outcome.reason
    assert board.calls == []


def test_only_what_a_system_takes_follows() -> None:
    rooms, tickets = Board("rooms", ["incident"]), Board("tickets")
    following = Following([rooms, tickets], None)
    assert following.systems(ID) == ["rooms", "tickets"]
    assert following.systems(ACTION) == ["tickets"]
    assert following.systems(f"{ID}/coe/checkout") == []


async def test_a_system_that_is_gone_for_good_says_why(store: Store, board: Board) -> None:
    await put(store, with_lines(1))
    board.refuses = [Failed("the project does not exist", again=False)]
    outcome = await follow(store, board)
    assert (outcome.ok, outcome.again, outcome.reason) == (False, False, "the project does not exist")
    assert isinstance(Gone("x"), Failed)


async def test_a_place_that_people_closed_is_named_and_opened_again(store: Store, board: Board) -> None:
    it = with_lines(1)
    await put(store, it)
    assert (await follow(store, board)).closed == ""
    board.close(ID)
    await put(store, with_lines(1, it))
    assert (await follow(store, board)).closed == "https://board.example.com/1"
    assert board.subjects["1"].open
    it.say("linked", closed_by_people("board"), now=later(9))
    await put(store, it)
    board.close(ID)
    assert (await follow(store, board)).closed == "", "it was said"


async def test_a_place_that_we_closed_was_not_closed_by_people(store: Store, board: Board) -> None:
    it = with_lines(1)
    await put(store, it)
    await follow(store, board)
    it.phase = Phase.ALL_CLEAR
    it.say("all_clear", "all promises are kept", now=later(5))
    await put(store, it)
    await follow(store, board)
    assert not board.subjects["1"].open
    it.phase = Phase.MITIGATE
    it.say("reopened", "it is back", now=later(6))
    await put(store, it)
    assert (await follow(store, board)).closed == ""
    assert board.subjects["1"].open


async def test_a_place_that_cannot_say_whether_it_is_closed_is_tried_again(store: Store, board: Board) -> None:
    await put(store, with_lines(1))
    await follow(store, board)
    board.refuses = [Failed("board answered 503")]
    outcome = await follow(store, board)
    assert (outcome.ok, outcome.reason, outcome.closed) == (False, "board answered 503", "")
