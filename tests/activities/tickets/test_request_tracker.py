"""What only a real Request Tracker can show: rights, merges, lifecycles, refusals that answer 200."""

import pytest

from activities import Failed
from activities.tickets.request_tracker import RequestTrackerTickets
from tests.activities.tickets.rt_desk import RequestTrackerDesk
from tests.activities.tickets.rt_server import HERE, QUEUE
from tests.activities.tickets.subjects import QUICK, action, incident, key_of, line
from tests.activities.tickets.test_every_system import NO_RT

pytestmark = [pytest.mark.heavy, pytest.mark.skipif(not HERE, reason=NO_RT)]


def another(desk: RequestTrackerDesk, **changed: str) -> RequestTrackerTickets:
    given = {"token": desk.there.token, "queue": QUEUE, **changed}
    return RequestTrackerTickets(desk.there.url, given.pop("token"), given.pop("queue"), poster=QUICK, **given)


async def test_a_ticket_is_in_its_queue_below_its_incidents(rt_desk: RequestTrackerDesk) -> None:
    subject = incident()
    parent = await rt_desk.mirror.open(subject)
    assert parent.url == f"{rt_desk.there.url}/Ticket/Display.html?id={parent.id}"
    made = await rt_desk.mirror.open(action(subject, parent))
    found = (await rt_desk.there.root("GET", f"/ticket/{made.id}?fields[Queue]=Name")).json()
    assert found["Queue"]["Name"] == QUEUE
    assert await rt_desk.linked(made.id) == [parent.id]


async def test_other_parents_of_an_action_item_stay(rt_desk: RequestTrackerDesk) -> None:
    subject = incident()
    parent, other = await rt_desk.mirror.open(subject), await rt_desk.mirror.open(incident())
    item = action(subject)
    place = await rt_desk.mirror.open(item)
    await rt_desk.there.root("PUT", f"/ticket/{place.id}", {"AddMemberOf": other.id})
    await rt_desk.mirror.show(place, item.model_copy(update={"parent_place": parent.id}))
    assert set(await rt_desk.linked(place.id)) == {parent.id, other.id}


async def test_a_ticket_that_people_merged_is_left_to_them(rt_desk: RequestTrackerDesk) -> None:
    first, second = incident(), incident(title="The same again")
    kept, merged = await rt_desk.mirror.open(first), await rt_desk.mirror.open(second)
    await rt_desk.there.root("PUT", f"/ticket/{merged.id}", {"MergeInto": kept.id})
    await rt_desk.mirror.show(merged, second.model_copy(update={"open": False}))
    shown = await rt_desk.shown(kept.id)
    assert first.title in shown.title
    assert shown.open
    entry = line("said of the second")
    for _ in range(2):
        await rt_desk.mirror.add(merged, entry, key_of(second, entry))
    assert sum("said of the second" in comment for comment in await rt_desk.comments(kept.id)) == 1


async def test_a_status_that_people_chose_stays_while_it_means_the_same(rt_desk: RequestTrackerDesk) -> None:
    subject = incident()
    place = await rt_desk.mirror.open(subject)
    await rt_desk.there.root("PUT", f"/ticket/{place.id}", {"Status": "stalled"})
    await rt_desk.mirror.show(place, subject)
    found = (await rt_desk.there.root("GET", f"/ticket/{place.id}")).json()
    assert found["Status"] == "stalled"


async def test_a_status_that_the_lifecycle_lacks_is_said_although_the_answer_is_200(
    rt_desk: RequestTrackerDesk,
) -> None:
    mirror = another(rt_desk, done="finished")
    subject = incident()
    place = await mirror.open(subject)
    with pytest.raises(Failed, match=r"did not set Status: .*'finished' isn't a valid status") as caught:
        await mirror.show(place, subject.model_copy(update={"open": False}))
    assert not caught.value.again


async def test_somebody_elses_ticket_with_our_words_is_not_ours(rt_desk: RequestTrackerDesk) -> None:
    subject = incident()
    theirs = {"Queue": QUEUE, "Subject": f"[{subject.id}] is about us", "Content": "x"}
    made = (await rt_desk.there.root("POST", "/ticket", theirs)).json()
    assert (await rt_desk.mirror.open(subject)).id != made["id"]


async def test_comments_are_internal_and_nobody_is_its_requestor(rt_desk: RequestTrackerDesk) -> None:
    subject = incident()
    place = await rt_desk.mirror.open(subject)
    entry = line()
    await rt_desk.mirror.add(place, entry, key_of(subject, entry))
    history = (await rt_desk.there.root("GET", f"/ticket/{place.id}/history?fields=Type")).json()
    assert "Correspond" not in {item["Type"] for item in history["items"]}
    assert (await rt_desk.there.root("GET", f"/ticket/{place.id}")).json()["Requestor"] == []


async def test_the_doctor_says_what_is_wrong(rt_desk: RequestTrackerDesk) -> None:
    said = await rt_desk.mirror.check()
    assert said.startswith("Request Tracker 5.")
    assert said.endswith("create tickets in Incidents")
    with pytest.raises(Failed, match="may not create tickets in Readable: grant CreateTicket"):
        await another(rt_desk, queue="Readable").check()
    with pytest.raises(Failed, match="answered 403"):
        await another(rt_desk, queue="Nowhere").check()
    with pytest.raises(Failed, match="answered 401") as caught:
        await another(rt_desk, token="1-14-0123456789").check()
    assert not caught.value.again


async def test_a_queue_that_may_not_be_written_is_refused_for_good(rt_desk: RequestTrackerDesk) -> None:
    with pytest.raises(Failed, match="No permission to create tickets in the queue 'Readable'") as caught:
        await another(rt_desk, queue="Readable").open(incident())
    assert not caught.value.again


async def test_what_a_ticket_holds_is_read_back(rt_desk: RequestTrackerDesk) -> None:
    subject = incident()
    mirror = another(rt_desk)
    place = await mirror.open(subject)
    assert (await mirror.held(place)).lines == 0
    for number in range(3):
        entry = line(f"word {number}")
        await mirror.add(place, entry, f"{key_of(subject, entry)}{number}")
    await rt_desk.comment(place.id, "somebody's own")
    held = await mirror.held(place)
    assert (held.name, held.lines) == (f"ticket {place.id}", 4)
