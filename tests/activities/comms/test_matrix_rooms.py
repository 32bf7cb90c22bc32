"""Rooms on a real homeserver: one per incident, every line once, and nothing that calls everybody."""

import pytest

from activities import Failed
from activities.comms.matrix.account import Matrix
from activities.comms.matrix.events import MARK, permalink
from activities.comms.matrix.rooms import MatrixRooms
from activities.mirror import Gone, Subject
from tests.activities.comms.subjects import HOSTILE, entry, guest
from tests.activities.comms.synapse import Account, Homeserver
from tests.activities.comms.talk import opened

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(60)]
TOKEN = "syt_bm90IGEgdG9rZW4_secret"


async def test_an_incident_has_one_room_however_often_it_is_asked_for(
    mirror: MatrixRooms, bot: Account, it: Subject
) -> None:
    place = await mirror.open(it)
    assert await mirror.open(it) == place
    assert await MatrixRooms(Matrix(bot.url, bot.token)).open(it) == place, "another worker finds it too"
    assert (await bot.state(place.id, MARK))["incident"] == it.id
    found = await bot.call("GET", f"/directory/room/%23{it.id.lower()}%3Alocalhost")
    assert found["room_id"] == place.id


async def test_who_joins_sees_where_it_is_and_what_to_do(mirror: MatrixRooms, ana: Account, it: Subject) -> None:
    place = await opened(mirror, it, ana)
    topic = (await ana.state(place.id, "m.room.topic"))["topic"]
    assert topic == f"SEV2 · coordinate · checkout-api · call https://call.example.test/{it.id}"
    (pinned,) = (await ana.state(place.id, "m.room.pinned_events"))["pinned"]
    notice = next(e for e in await ana.events(place.id) if e["event_id"] == pinned)["content"]["body"]
    call = f"tech call: https://call.example.test/{it.id}"
    for words in (it.id, "Payments fail", "Phase: coordinate", "3 % of payments", call, "`not us`"):
        assert words in notice, words


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


async def test_a_worker_that_dies_between_sent_and_recorded_says_nothing_twice(
    mirror: MatrixRooms, bot: Account, ana: Account, it: Subject
) -> None:
    place = await opened(mirror, it, ana)
    line, key = entry("paged", "ana by pagerduty"), f"{it.id}/mirror/matrix/1"
    await mirror.add(place, line, key)
    await MatrixRooms(Matrix(bot.url, bot.token)).add(place, line, key)
    assert [body for body in await ana.bodies(place.id) if "pagerduty" in body] == ["09:01 paged: ana by pagerduty"]


async def test_only_lines_that_people_act_on_are_told(mirror: MatrixRooms, ana: Account, it: Subject) -> None:
    place = await opened(mirror, it, ana)
    before = len(await ana.bodies(place.id))
    for number, what in enumerate(("alarm", "reported", "draft_waiting", "coe", "told")):
        await mirror.add(place, entry(what, "x"), f"{it.id}/{number}")
    assert len(await ana.bodies(place.id)) == before
    await mirror.add(place, entry("phase", "mitigate", by="ana", claimed=True), f"{it.id}/6")
    assert (await ana.bodies(place.id))[-1] == "09:01 ana (claimed) phase: mitigate"


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


async def test_words_of_an_alarm_stay_words(mirror: MatrixRooms, ana: Account, it: Subject) -> None:
    place = await opened(mirror, it.model_copy(update={"title": HOSTILE, "body": HOSTILE}), ana)
    await mirror.add(place, entry("observed", HOSTILE), f"{it.id}/1")
    said = [e["content"] for e in await ana.events(place.id) if e["type"] == "m.room.message"]
    assert HOSTILE in said[-1]["body"]
    for content in said:
        assert content["m.mentions"] == {}, "so that @room calls nobody"
        assert "formatted_body" not in content


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


async def test_a_check_says_who_we_are_and_a_wrong_token_is_not_repeated(
    mirror: MatrixRooms, bot: Account, it: Subject
) -> None:
    assert await mirror.check() == f"the homeserver knows the token as {bot.id}"
    with pytest.raises(Failed, match="M_UNKNOWN_TOKEN") as caught:
        await MatrixRooms(Matrix(bot.url, TOKEN)).check()
    assert not caught.value.again
    assert TOKEN not in caught.value.reason
