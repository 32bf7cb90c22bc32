"""An incident's room on a real homeserver, and people in it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from activities.comms.matrix.rooms import MatrixRooms
from activities.mirror import Place, Subject
from tests.activities.comms.subjects import guest
from tests.activities.comms.synapse import Account

T = TypeVar("T")


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
