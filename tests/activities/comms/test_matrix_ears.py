"""What people say in a room of a real homeserver reaches the incident, once and in their name."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities import Failed
from activities.comms.matrix import ears
from activities.comms.matrix.account import Matrix
from activities.comms.matrix.ears import Hear, Heard, MatrixEars
from activities.comms.matrix.events import permalink
from activities.comms.matrix.rooms import MatrixRooms
from activities.mirror import Subject
from link.send import Unreachable
from model.catalogue.catalog import Catalog
from model.catalogue.entries import Contact, Person
from model.messages import Answer
from model.text import Refused
from tests.activities.comms.subjects import entry
from tests.activities.comms.synapse import Account, Homeserver
from tests.activities.comms.talk import opened, until
from worker.chats import Hearing

pytestmark = pytest.mark.timeout(60)
heavy = pytest.mark.heavy

Listen = Callable[[], AbstractAsyncContextManager[list[str]]]


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


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def hear(sent: Sent) -> Hear:
    ana = Person(id="ana", contact=[Contact(channel="matrix", address="@ana:localhost")])
    return Hearing(sent, lambda: Catalog(people={"ana": ana}), "matrix").hear


@pytest.fixture
def listen(bot: Account, hear: Hear, tmp_path: Path) -> Listen:
    """Listen in this block, from its beginning on; it yields what an operator is told."""

    @asynccontextmanager
    async def listening() -> AsyncIterator[list[str]]:
        told: list[str] = []
        task = asyncio.create_task(MatrixEars(Matrix(bot.url, bot.token), tmp_path, told.append).listen(hear))

        async def begun() -> bool:
            return any(tmp_path.glob("matrix-*"))

        try:
            await until(begun)
            yield told
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return listening


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask again sooner than in life."""
    monkeypatch.setattr(ears, "FIRST_PAUSE", 0.05)


async def heard_again(told: list[str]) -> bool:
    return any("heard again" in text for text in told)


async def reactions(person: Account, room: str, event: str) -> list[str]:
    found = [e["content"].get("m.relates_to", {}) for e in await person.events(room) if e["type"] == "m.reaction"]
    return [relation["key"] for relation in found if relation.get("event_id") == event]


@heavy
async def test_ack_typed_in_the_room_reaches_the_incident(
    mirror: MatrixRooms, ana: Account, it: Subject, sent: Sent, listen: Listen
) -> None:
    place = await opened(mirror, it, ana)
    async with listen():
        await ana.say(place.id, "shall we roll back?")
        event = await ana.say(place.id, "Ack!")
        assert await until(lambda: reactions(ana, place.id, event)) == ["✅"]
    [(incident, name, payload)] = sent.updates
    assert (incident, name) == (it.id, "acknowledge")
    assert (payload["by"], payload["key"]) == ("ana", event)
    assert datetime.now(UTC) - datetime.fromisoformat(payload["at"]) < timedelta(minutes=1)


@heavy
async def test_a_statement_and_a_reply_go_into_the_ticket_with_where_they_were_said(
    mirror: MatrixRooms, ana: Account, it: Subject, sent: Sent, listen: Listen
) -> None:
    place = await opened(mirror, it, ana)
    await mirror.add(place, entry("proposed", "1 roll_back checkout-api@41"), f"{it.id}/1")
    line = (await ana.events(place.id))[-1]["event_id"]
    async with listen():
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
    mirror: MatrixRooms, homeserver: Homeserver, ana: Account, it: Subject, sent: Sent, listen: Listen
) -> None:
    zoe = await homeserver.account("zoe")
    place = await opened(mirror, it, ana, zoe)

    async def said_to(event: str) -> str:
        for e in await ana.events(place.id):
            if e["content"].get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id") == event:
                return str(e["content"]["body"])
        return ""

    async with listen():
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
    ana: Account,
    it: Subject,
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    listen: Listen,
    tmp_path: Path,
) -> None:
    def heard_up_to() -> str:
        [kept] = [path for path in tmp_path.glob("matrix-*") if not path.suffix]
        return kept.read_text(encoding="utf-8")

    few = {**ears._FILTER, "room": {"timeline": {"limit": 2, "types": ["m.room.message"]}}}
    monkeypatch.setattr(ears, "_FILTER", few)
    place = await opened(mirror, it, ana)
    await ana.say(place.id, "error: before anybody ever listened")
    async with listen():
        event = await ana.say(place.id, "error: first")
        await until(lambda: reactions(ana, place.id, event))
    for number in range(5):
        event = await ana.say(place.id, f"error: missed {number}")
    before = heard_up_to()

    async def kept() -> bool:
        return heard_up_to() != before

    async with listen():
        await until(lambda: reactions(ana, place.id, event))
        await until(kept)  # who dies before that hears it again, under the same keys
    async with listen():
        event = await ana.say(place.id, "error: last")
        await until(lambda: reactions(ana, place.id, event))
    texts = [payload["text"] for _, _, payload in sent.updates]
    assert texts == ["first", *(f"missed {number}" for number in range(5)), "last"]


@heavy
@pytest.mark.usefixtures("_impatient")
async def test_words_wait_while_the_incidents_cannot_be_reached(
    mirror: MatrixRooms, ana: Account, it: Subject, sent: Sent, listen: Listen
) -> None:
    place = await opened(mirror, it, ana)
    sent.down = 2
    async with listen() as told:
        event = await ana.say(place.id, "ack")
        await until(lambda: reactions(ana, place.id, event))
        await until(lambda: heard_again(told))
    assert [payload["key"] for _, _, payload in sent.updates] == [event]
    assert told == [f"Matrix: words wait in a room: {it.id}: no worker runs", "Matrix: rooms are heard again"]


@heavy
@pytest.mark.usefixtures("_impatient")
async def test_an_incident_that_does_not_answer_holds_up_no_other_and_its_people_are_told(
    mirror: MatrixRooms, ana: Account, it: Subject, sent: Sent, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ears, "PATIENCE", 1.0)
    other = it.model_copy(update={"id": f"{it.id}B"})
    stuck, healthy = await opened(mirror, it, ana), await opened(mirror, other, ana)
    sent.wedged = it.id

    async def told() -> list[str]:
        return [body for body in await ana.bodies(stuck.id) if "say it again" in body]

    async with listen():
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
@pytest.mark.usefixtures("_impatient")
async def test_a_homeserver_that_forgot_how_far_we_heard_is_listened_to_anew(
    mirror: MatrixRooms, ana: Account, it: Subject, sent: Sent, listen: Listen, tmp_path: Path
) -> None:
    place = await opened(mirror, it, ana)
    async with listen():
        pass
    (kept,) = tmp_path.glob("matrix-*")
    kept.write_text("nonsense")

    async def anew() -> bool:
        return kept.exists() and kept.read_text() != "nonsense"

    async with listen() as told:
        await until(anew)
        event = await ana.say(place.id, "ack")
        await until(lambda: reactions(ana, place.id, event))
    assert any("what was said since then is lost" in text for text in told), told


@heavy
async def test_an_encrypted_message_is_answered_that_it_cannot_be_read(
    mirror: MatrixRooms, ana: Account, it: Subject, sent: Sent, listen: Listen
) -> None:
    place = await opened(mirror, it, ana)
    async with listen():
        secret = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "y"}
        for number in range(2):
            path = f"/rooms/{place.id}/send/m.room.encrypted/e{number}"
            await ana.call("PUT", path, **secret, sender_key="k", device_id="d")
        event = await ana.say(place.id, "ack")
        await until(lambda: reactions(ana, place.id, event))
    assert len([body for body in await ana.bodies(place.id) if "cannot read it" in body]) == 1


@heavy
async def test_a_message_that_no_client_would_send_stops_nobody(
    mirror: MatrixRooms, ana: Account, it: Subject, sent: Sent, listen: Listen
) -> None:
    place = await opened(mirror, it, ana)
    async with listen() as told:
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
