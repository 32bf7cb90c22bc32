"""What a room holds is read back from a real homeserver."""

import uuid

import pytest

from activities import Failed
from activities.comms.matrix import reader
from activities.comms.matrix.account import Matrix
from activities.comms.matrix.reader import MatrixReader
from activities.comms.matrix.rooms import MatrixRooms
from activities.mirror import Place
from tests.activities.comms.subjects import entry, guest, subject
from tests.activities.comms.synapse import Homeserver

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(60)]


async def test_our_lines_are_counted_over_every_page_and_nobody_elses(
    homeserver: Homeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "PAGE", 3)
    bot, ana = await homeserver.account("allclear"), await homeserver.account("ana")
    matrix = Matrix(bot.url, bot.token)
    rooms, it = MatrixRooms(matrix), subject(f"INC-20260302-{uuid.uuid4().hex[:6].upper()}")
    place = await rooms.open(it)
    for phase in ("coordinate", "mitigate"):
        await rooms.show(place, it.model_copy(update={"phase": phase, "guests": [guest("ana", "matrix", ana.id)]}))
    for number in range(4):
        await rooms.add(place, entry("observed", f"word {number}"), f"{it.id}/{number}")
    await ana.join(place.id)
    await ana.say(place.id, "hello")
    held = await MatrixReader(matrix).held(place)
    assert (held.name, held.lines) == (f"#{it.id.lower()}:localhost", 5), "the notice, once, and four lines"


async def test_a_room_that_is_not_ours_says_why(homeserver: Homeserver) -> None:
    bot = await homeserver.account("allclear")
    with pytest.raises(Failed, match="M_FORBIDDEN"):
        await MatrixReader(Matrix(bot.url, bot.token)).held(Place(id="!nowhere:localhost"))
