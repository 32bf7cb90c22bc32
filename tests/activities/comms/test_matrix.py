"""Rooms in Matrix, on a real homeserver: one per incident, every line once, and words that reach the incident."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from activities import Failed
from activities.comms import matrix as module
from activities.comms.matrix import MARK, Hear, Heard, Matrix, MatrixEars, MatrixRooms, permalink
from activities.mirror import Gone, Place, Subject
from link.send import Unreachable
from model.catalogue.catalog import Catalog
from model.catalogue.entries import Contact, Person
from model.messages import Answer
from model.text import Refused
from tests.activities.comms.subjects import HOSTILE, entry, guest, subject
from tests.activities.comms.synapse import Account, Homeserver
from tests.activities.paging.provider import DROPS, HANGS, Provider, Says, serving
from worker.chats import Hearing

pytestmark = pytest.mark.timeout(60)
heavy = pytest.mark.heavy
QUICK = timedelta(seconds=2)
TOKEN = "syt_bm90IGEgdG9rZW4_secret"

T = TypeVar("T")


@pytest.fixture
async def bot(homeserver: Homeserver) -> Account:
    return await homeserver.account("allclear")


@pytest.fixture
async def ana(homeserver: Homeserver) -> Account:
    return await homeserver.account("ana")


@pytest.fixture
def mirror(bot: Account) -> MatrixRooms:
    return MatrixRooms(Matrix(bot.url, bot.token))


@pytest.fixture
def it() -> Subject:
    """An incident that no other test has."""
    return subject(f"INC-20260302-{uuid.uuid4().hex[:6].upper()}")


async def until(look: Callable[[], Awaitable[T]]) -> T:
    """Look until there is something to see."""
    async with asyncio.timeout(20):
        while not (seen := await look()):  # noqa: ASYNC110 - a room has no event to wait for
            await asyncio.sleep(0.05)
    return seen


async def opened(mirror: MatrixRooms, it: Subject, *people: Account, **facts: Any) -> Place:
    """Return the room of an incident, with people in it."""
    guests = [guest(person.id[1:].partition(":")[0], "matrix", person.id) for person in people]
    place = await mirror.open(it)
    await mirror.show(place, it.model_copy(update={"guests": guests, **facts}))
    for person in people:
        await person.join(place.id)
    return place


@heavy
async def test_an_incident_has_one_room_however_often_it_is_asked_for(
    mirror: MatrixRooms, bot: Account, it: Subject
) -> None:
    place = await mirror.open(it)
    assert await mirror.open(it) == place
    assert await MatrixRooms(Matrix(bot.url, bot.token)).open(it) == place, "another worker finds it too"
    assert (await bot.state(place.id, MARK))["incident"] == it.id
    found = await bot.call("GET", f"/directory/room/%23{it.id.lower()}%3Alocalhost")
    assert found["room_id"] == place.id


@heavy
async def test_who_joins_sees_where_it_is_and_what_to_do(mirror: MatrixRooms, ana: Account, it: Subject) -> None:
    place = await opened(mirror, it, ana)
    topic = (await ana.state(place.id, "m.room.topic"))["topic"]
    assert topic == f"SEV2 · coordinate · checkout-api · call https://call.example.test/{it.id}"
    (pinned,) = (await ana.state(place.id, "m.room.pinned_events"))["pinned"]
    notice = next(e for e in await ana.events(place.id) if e["event_id"] == pinned)["content"]["body"]
    call = f"tech call: https://call.example.test/{it.id}"
    for words in (it.id, "Payments fail", "Phase: coordinate", "3 % of payments", call, "`not us`"):
        assert words in notice, words


@heavy
async def test_the_notice_is_edited_and_nothing_is_said_twice(mirror: MatrixRooms, ana: Account, it: Subject) -> None:
    place = await opened(mirror, it, ana)
    people = [guest("ana", "matrix", ana.id)]
    before = len(await ana.events(place.id))
    for _ in range(2):
        await mirror.show(place, it.model_copy(update={"guests": people}))
    assert len(await ana.events(place.id)) == before, "what is so already is left alone"
    for phase in ("mitigate", "coordinate", "mitigate"):
        await mirror.show(place, it.model_copy(update={"phase": phase, "guests": people}))
    events = await ana.events(place.id)
    edits = [e for e in events if e["content"].get("m.relates_to", {}).get("rel_type") == "m.replace"]
    assert [e["content"]["m.new_content"]["body"].split("Phase: ")[1].split(".")[0] for e in edits] == [
        "mitigate", "coordinate", "mitigate",
    ]  # fmt: skip
    (pinned,) = (await ana.state(place.id, "m.room.pinned_events"))["pinned"]
    assert {e["content"]["m.relates_to"]["event_id"] for e in edits} == {pinned}


@heavy
async def test_a_worker_that_dies_between_sent_and_recorded_says_nothing_twice(
    mirror: MatrixRooms, bot: Account, ana: Account, it: Subject
) -> None:
    place = await opened(mirror, it, ana)
    line, key = entry("paged", "ana by pagerduty"), f"{it.id}/mirror/matrix/1"
    await mirror.add(place, line, key)
    await MatrixRooms(Matrix(bot.url, bot.token)).add(place, line, key)
    assert [body for body in await ana.bodies(place.id) if "pagerduty" in body] == ["09:01 paged: ana by pagerduty"]


@heavy
async def test_only_lines_that_people_act_on_are_told(mirror: MatrixRooms, ana: Account, it: Subject) -> None:
    place = await opened(mirror, it, ana)
    before = len(await ana.bodies(place.id))
    for number, what in enumerate(("alarm", "reported", "draft_waiting", "coe", "told")):
        await mirror.add(place, entry(what, "x"), f"{it.id}/{number}")
    assert len(await ana.bodies(place.id)) == before
    await mirror.add(place, entry("phase", "mitigate", by="ana", claimed=True), f"{it.id}/6")
    assert (await ana.bodies(place.id))[-1] == "09:01 ana (claimed) phase: mitigate"


@heavy
async def test_words_that_were_typed_in_the_room_do_not_come_back(
    mirror: MatrixRooms, ana: Account, it: Subject
) -> None:
    place = await opened(mirror, it, ana)
    event = await ana.say(place.id, "error: 503 from host 17")
    here, elsewhere = permalink(place.id, event), permalink("!other:localhost", "$x")
    before = len(await ana.bodies(place.id))
    await mirror.add(place, entry("observed", "error: 503 from host 17", by="ana", link=here), f"{it.id}/1")
    assert len(await ana.bodies(place.id)) == before
    await mirror.add(place, entry("observed", "note: slow", by="ben", link=elsewhere), f"{it.id}/2")
    assert len(await ana.bodies(place.id)) == before + 1


@heavy
async def test_words_of_an_alarm_stay_words(mirror: MatrixRooms, ana: Account, it: Subject) -> None:
    place = await opened(mirror, it.model_copy(update={"title": HOSTILE, "body": HOSTILE}), ana)
    await mirror.add(place, entry("observed", HOSTILE), f"{it.id}/1")
    said = [e["content"] for e in await ana.events(place.id) if e["type"] == "m.room.message"]
    assert HOSTILE in said[-1]["body"]
    for content in said:
        assert content["m.mentions"] == {}, "so that @room calls nobody"
        assert "formatted_body" not in content


@heavy
async def test_who_left_is_not_called_back_and_who_does_not_exist_holds_up_nobody(
    mirror: MatrixRooms, homeserver: Homeserver, ana: Account, it: Subject
) -> None:
    ben = await homeserver.account("ben")
    guests = [guest("ana", "matrix", ana.id), guest("kim", "matrix", "no user id"), guest("ben", "matrix", ben.id)]
    place = await mirror.open(it)
    await mirror.show(place, it.model_copy(update={"guests": guests}))
    await ana.join(place.id)
    await ben.join(place.id)
    assert any("Not here: Kim (M_INVALID_PARAM" in body for body in await ana.bodies(place.id))
    await ben.leave(place.id)
    await mirror.show(place, it.model_copy(update={"guests": guests, "phase": "mitigate"}))
    assert (await ana.state(place.id, "m.room.member", ben.id))["membership"] == "leave"


@heavy
async def test_when_it_is_over_the_room_says_so_and_can_be_closed_for_talk(
    bot: Account, ana: Account, it: Subject
) -> None:
    mirror = MatrixRooms(Matrix(bot.url, bot.token), archive=True)
    place = await opened(mirror, it, ana)
    await mirror.show(place, it.model_copy(update={"open": False, "phase": "all clear"}))
    topic = (await ana.state(place.id, "m.room.topic"))["topic"]
    assert topic == f"ALL CLEAR · {it.id} Payments fail"
    with pytest.raises(AssertionError, match="M_FORBIDDEN"):
        await ana.say(place.id, "hello?")
    await mirror.add(place, entry("all_clear", "after 2 h 10 min"), f"{it.id}/9")
    assert (await ana.bodies(place.id))[-1].endswith("all clear: after 2 h 10 min")
    await mirror.show(place, it)
    await ana.say(place.id, "it is back")


@heavy
async def test_a_room_we_were_put_out_of_is_gone_and_another_one_is_made(
    mirror: MatrixRooms, bot: Account, ana: Account, it: Subject
) -> None:
    place = await opened(mirror, it, ana)
    await bot.leave(place.id)
    with pytest.raises(Gone):
        await mirror.add(place, entry("phase", "mitigate"), f"{it.id}/1")
    with pytest.raises(Gone):
        await mirror.show(place, it)
    await mirror.add(place, entry("all_clear", "over"), f"{it.id}/2")
    again = await mirror.open(it)
    assert again.id != place.id
    await mirror.add(again, entry("phase", "mitigate"), f"{it.id}/1")
    assert await mirror.open(it) == again


@heavy
async def test_a_check_says_who_we_are_and_a_wrong_token_is_not_repeated(
    mirror: MatrixRooms, bot: Account, it: Subject
) -> None:
    assert await mirror.check() == f"the homeserver knows the token as {bot.id}"
    with pytest.raises(Failed, match="M_UNKNOWN_TOKEN") as caught:
        await MatrixRooms(Matrix(bot.url, TOKEN)).check()
    assert not caught.value.again
    assert TOKEN not in caught.value.reason


class Sent:
    """Stands for the incidents: keeps the updates it is sent, and answers as it is told to."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, str, dict[str, Any]]] = []
        self.down = 0
        self.wedged = ""
        self.refuses = ""

    async def __call__(self, incident: str, name: str, payload: dict[str, Any]) -> Answer:
        if self.down or incident == self.wedged:
            self.down -= bool(self.down)
            raise Unreachable("no worker runs")
        if self.refuses:
            raise Refused(self.refuses)
        self.updates.append((incident, name, payload))
        return Answer(incident=incident, text="ok")


@asynccontextmanager
async def listening(matrix: Matrix, folder: Path, hear: Hear) -> AsyncIterator[list[str]]:
    """Listen in this block, from its beginning on; yield what an operator is told."""
    told: list[str] = []
    task = asyncio.create_task(MatrixEars(matrix, folder, told.append).listen(hear))

    async def begun() -> bool:
        return any(folder.glob("matrix-*"))

    try:
        await until(begun)
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def hear(sent: Sent) -> Hear:
    ana = Person(id="ana", contact=[Contact(channel="matrix", address="@ana:localhost")])
    return Hearing(sent, lambda: Catalog(people={"ana": ana}), "matrix").hear


@pytest.fixture
def matrix(bot: Account) -> Matrix:
    return Matrix(bot.url, bot.token)


async def heard_again(told: list[str]) -> bool:
    return any("heard again" in text for text in told)


async def reactions(person: Account, room: str, event: str) -> list[str]:
    found = [e["content"].get("m.relates_to", {}) for e in await person.events(room) if e["type"] == "m.reaction"]
    return [relation["key"] for relation in found if relation.get("event_id") == event]


@heavy
async def test_ack_typed_in_the_room_reaches_the_incident(
    mirror: MatrixRooms, matrix: Matrix, ana: Account, it: Subject, sent: Sent, hear: Hear, tmp_path: Path
) -> None:
    place = await opened(mirror, it, ana)
    async with listening(matrix, tmp_path, hear):
        await ana.say(place.id, "shall we roll back?")
        event = await ana.say(place.id, "Ack!")
        assert await until(lambda: reactions(ana, place.id, event)) == ["✅"]
    [(incident, name, payload)] = sent.updates
    assert (incident, name) == (it.id, "acknowledge")
    assert (payload["by"], payload["key"]) == ("ana", event)
    assert datetime.now(UTC) - datetime.fromisoformat(payload["at"]) < timedelta(minutes=1)


@heavy
async def test_a_statement_and_a_reply_go_into_the_ticket_with_where_they_were_said(
    mirror: MatrixRooms, matrix: Matrix, ana: Account, it: Subject, sent: Sent, hear: Hear, tmp_path: Path
) -> None:
    place = await opened(mirror, it, ana)
    await mirror.add(place, entry("proposed", "1 roll_back checkout-api@41"), f"{it.id}/1")
    line = (await ana.events(place.id))[-1]["event_id"]
    async with listening(matrix, tmp_path, hear):
        said = await ana.say(place.id, "impacted eu-west 3% of checkouts since 09:00")
        reply = {"m.relates_to": {"m.in_reply_to": {"event_id": line}}}
        answer = await ana.say(place.id, "> <@allclear:localhost> 09:01\n\n41 went out at 08:55", **reply)
        among_people = {"m.relates_to": {"m.in_reply_to": {"event_id": said}}}
        await ana.say(place.id, "sure?", **among_people)
        end = await ana.say(place.id, "in")
        await until(lambda: reactions(ana, place.id, end))
    statement, observation, join = [(name, payload) for _, name, payload in sent.updates]
    assert statement[0] == "state_impact"
    assert (statement[1]["impacted"], statement[1]["customers"], statement[1]["text"]) == (
        "yes", "eu-west 3% of checkouts", "since 09:00",
    )  # fmt: skip
    assert statement[1]["link"] == permalink(place.id, said)
    assert observation[0] == "observe"
    assert (observation[1]["text"], observation[1]["link"]) == ("41 went out at 08:55", permalink(place.id, answer))
    assert join[0] == "join"


@heavy
async def test_who_is_unknown_or_not_understood_is_told_what_would_be_accepted(
    mirror: MatrixRooms,
    matrix: Matrix,
    homeserver: Homeserver,
    ana: Account,
    it: Subject,
    sent: Sent,
    hear: Hear,
    tmp_path: Path,
) -> None:
    zoe = await homeserver.account("zoe")
    place = await opened(mirror, it, ana, zoe)

    async def said_to(event: str) -> str:
        for e in await ana.events(place.id):
            if e["content"].get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id") == event:
                return str(e["content"]["body"])
        return ""

    async with listening(matrix, tmp_path, hear):
        stranger, odd = await zoe.say(place.id, "ack"), await ana.say(place.id, "allclear: dance")
        bare = await ana.say(place.id, "not us")
        assert "nobody in the catalogue has the contact `matrix: @zoe:localhost`" in await until(
            lambda: said_to(stranger)
        )
        assert (await until(lambda: said_to(odd))).startswith("say `ack`, `in`, `not us` and why")
        assert "say why too" in await until(lambda: said_to(bare))
        sent.refuses = "dns is on standby already"
        refused = await ana.say(place.id, "not us, all resolvers answer")
        assert await until(lambda: said_to(refused)) == sent.refuses
    assert sent.updates == []


@heavy
async def test_what_was_said_while_nobody_listened_is_heard_once(
    mirror: MatrixRooms,
    matrix: Matrix,
    ana: Account,
    it: Subject,
    sent: Sent,
    hear: Hear,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = {**module._FILTER, "room": {"timeline": {"limit": 2, "types": ["m.room.message"]}}}
    monkeypatch.setattr(module, "_FILTER", few)
    place = await opened(mirror, it, ana)
    await ana.say(place.id, "error: before anybody ever listened")
    async with listening(matrix, tmp_path, hear):
        event = await ana.say(place.id, "error: first")
        await until(lambda: reactions(ana, place.id, event))
    for number in range(5):
        event = await ana.say(place.id, f"error: missed {number}")
    async with listening(matrix, tmp_path, hear):
        await until(lambda: reactions(ana, place.id, event))
    async with listening(matrix, tmp_path, hear):
        event = await ana.say(place.id, "error: last")
        await until(lambda: reactions(ana, place.id, event))
    texts = [payload["text"] for _, _, payload in sent.updates]
    assert texts == ["first", *(f"missed {number}" for number in range(5)), "last"]


@heavy
async def test_words_wait_while_the_incidents_cannot_be_reached(
    mirror: MatrixRooms,
    matrix: Matrix,
    ana: Account,
    it: Subject,
    sent: Sent,
    hear: Hear,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.05)
    place = await opened(mirror, it, ana)
    sent.down = 2
    async with listening(matrix, tmp_path, hear) as told:
        event = await ana.say(place.id, "ack")
        await until(lambda: reactions(ana, place.id, event))
        await until(lambda: heard_again(told))
    assert [payload["key"] for _, _, payload in sent.updates] == [event]
    assert told == [f"Matrix: words wait in a room: {it.id}: no worker runs", "Matrix: rooms are heard again"]


@heavy
async def test_an_incident_that_does_not_answer_holds_up_no_other_and_its_people_are_told(
    mirror: MatrixRooms,
    matrix: Matrix,
    ana: Account,
    it: Subject,
    sent: Sent,
    hear: Hear,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    other = it.model_copy(update={"id": f"{it.id}B"})
    stuck, healthy = await opened(mirror, it, ana), await opened(mirror, other, ana)
    sent.wedged = it.id

    async def told() -> list[str]:
        return [body for body in await ana.bodies(stuck.id) if "say it again" in body]

    async with listening(matrix, tmp_path, hear):
        await ana.say(stuck.id, "error: lost")
        event = await ana.say(healthy.id, "ack")
        await until(lambda: reactions(ana, healthy.id, event))
        assert not await told()
        await until(told)
        sent.wedged = ""
        again = await ana.say(stuck.id, "error: said again")
        await until(lambda: reactions(ana, stuck.id, again))
    assert [(name, payload.get("text")) for _, name, payload in sent.updates] == [
        ("acknowledge", None), ("observe", "said again"),
    ]  # fmt: skip
    assert len(await told()) == 1


@heavy
async def test_a_homeserver_that_forgot_how_far_we_heard_is_listened_to_anew(
    mirror: MatrixRooms,
    matrix: Matrix,
    ana: Account,
    it: Subject,
    sent: Sent,
    hear: Hear,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.05)
    place = await opened(mirror, it, ana)
    async with listening(matrix, tmp_path, hear):
        pass
    (kept,) = tmp_path.glob("matrix-*")
    kept.write_text("nonsense")

    async def anew() -> bool:
        return kept.exists() and kept.read_text() != "nonsense"

    async with listening(matrix, tmp_path, hear) as told:
        await until(anew)
        event = await ana.say(place.id, "ack")
        await until(lambda: reactions(ana, place.id, event))
    assert any("what was said since then is lost" in text for text in told), told


@heavy
async def test_an_encrypted_message_is_answered_that_it_cannot_be_read(
    mirror: MatrixRooms, matrix: Matrix, ana: Account, it: Subject, sent: Sent, hear: Hear, tmp_path: Path
) -> None:
    place = await opened(mirror, it, ana)
    async with listening(matrix, tmp_path, hear):
        secret = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "y"}
        for number in range(2):
            path = f"/rooms/{place.id}/send/m.room.encrypted/e{number}"
            await ana.call("PUT", path, **secret, sender_key="k", device_id="d")
        event = await ana.say(place.id, "ack")
        await until(lambda: reactions(ana, place.id, event))
    assert len([body for body in await ana.bodies(place.id) if "cannot read it" in body]) == 1


@heavy
async def test_a_message_that_no_client_would_send_stops_nobody(
    mirror: MatrixRooms, matrix: Matrix, ana: Account, it: Subject, sent: Sent, hear: Hear, tmp_path: Path
) -> None:
    place = await opened(mirror, it, ana)
    async with listening(matrix, tmp_path, hear) as told:
        await ana.say(place.id, "ack", **{"m.relates_to": "nothing"})
        await ana.say(place.id, "ack", **{"m.relates_to": {"m.in_reply_to": 7}})
        event = await ana.say(place.id, "in")
        await until(lambda: reactions(ana, place.id, event))
    assert [name for _, name, _ in sent.updates] == ["join"]
    assert all("could not be taken" in text for text in told)
    assert len(told) == 2


def _heard(text: str) -> Heard:
    return Heard("INC-20260302-7F3A", "$e", "@ana:localhost", text, datetime.now(UTC), False, "")


async def test_nobody_reached_is_told_again(sent: Sent, hear: Hear) -> None:
    sent.down = 1
    with pytest.raises(Failed, match="no worker runs"):
        await hear(_heard("ack"))
    assert await hear(_heard("ack"))


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with serving(Provider()) as it:
        yield it


LIMITED = Says(429, '{"errcode": "M_LIMIT_EXCEEDED", "error": "Too many", "retry_after_ms": 2500}')
LIMITED.headers["content-type"] = "application/json"


@pytest.mark.parametrize(
    ("answer", "words", "again", "pause"),
    [
        (LIMITED, "refused who we are: M_LIMIT_EXCEEDED", True, timedelta(seconds=2.5)),
        (Says(200, "<html>Sign in</html>"), "this is not Matrix", True, None),
        (Says(502, "<html>"), "this is not Matrix: it answered who we are with 502", True, None),
        (Says(200, "[]"), "this is not Matrix", True, None),
        (Says(404, '{"errcode": "M_UNRECOGNIZED", "error": "?"}'), "M_UNRECOGNIZED", False, None),
        (DROPS, "Matrix", True, None),
    ],
)
async def test_trouble_there_is_said_in_a_line(
    provider: Provider, answer: Says, words: str, again: bool, pause: timedelta | None
) -> None:
    provider.answer = answer
    with pytest.raises(Failed) as caught:
        await MatrixRooms(Matrix(provider.url, TOKEN, QUICK)).check()
    assert words in caught.value.reason
    assert (caught.value.again, caught.value.retry_after) == (again, pause)
    assert len(provider.requests) == 1, "who owes the line decides when it is tried again"


async def test_a_hang_ends_and_the_token_is_said_nowhere(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider.answer = HANGS
    with pytest.raises(Failed, match=r"gave no answer about who we are within 0\.3s") as caught:
        await MatrixRooms(Matrix(provider.url, TOKEN, timedelta(milliseconds=300))).check()
    assert TOKEN not in caught.value.reason + caplog.text


def test_a_token_does_not_travel_in_the_clear() -> None:
    with pytest.raises(Failed, match="https"):
        Matrix("http://matrix.example.org", TOKEN)
