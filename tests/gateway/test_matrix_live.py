"""What is typed in a room of a real homeserver, with a real worker behind it, is an act of a proven person."""

from pathlib import Path

import pytest

from activities.comms.matrix.account import Matrix
from activities.comms.matrix.rooms import MatrixRooms
from link import catalog as live
from model.catalogue.entries import Contact
from tests.activities.comms.subjects import guest, subject
from tests.activities.comms.synapse import Homeserver
from tests.gateway.house import House, until
from tests.gateway.test_phone_live import begun, lines, state
from worker.chats import hearing
from worker.settings import Settings


@pytest.mark.heavy
async def test_ack_typed_in_a_room_acknowledges_in_the_persons_own_proven_name(
    staffed: House,
    homeserver: Homeserver,
    tmp_path: Path,
) -> None:
    bot, ana = await homeserver.account("allclear"), await homeserver.account("ana")
    person = staffed.catalog.people["ana"]
    has = person.model_copy(update={"contact": [*person.contact, Contact(channel="matrix", address=ana.id)]})
    known = staffed.catalog.model_copy(update={"people": {**staffed.catalog.people, "ana": has}})
    it, mirror = await begun(staffed), MatrixRooms(Matrix(bot.url, bot.token))
    shown = subject(it.id, guests=[guest("ana", "matrix", ana.id)])
    place = await mirror.open(shown)
    await mirror.show(place, shown)
    await ana.join(place.id)
    told: list[str] = []
    settings = Settings(data=tmp_path, matrix_url=bot.url, matrix_token=bot.token)  # type: ignore[arg-type]
    live.use(known, known.policy)
    try:
        async with hearing(staffed.client, settings, told.append):

            async def begins() -> bool:
                return any(tmp_path.glob("chat/matrix-*"))

            await until(begins)
            await ana.say(place.id, "ack")

            async def acknowledged() -> str:
                return (await state(staffed, it.id)).engagements["checkout"].acknowledged_by

            assert await until(acknowledged) == "ana"
    finally:
        live.use(staffed.catalog, staffed.catalog.policy)
    assert [(e.by, e.claimed) for e in lines(await state(staffed, it.id), "acknowledged")] == [("ana", False)]
    assert told == []
