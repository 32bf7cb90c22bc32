"""Only changes of an alarm's state travel to Temporal; nothing is absorbed that Temporal does not have."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from gateway import delivery
from gateway.absorbing import KEPT, Memory, key_of, state_of
from gateway.delivery import Delivery
from model.catalogue.catalog import Catalog
from model.messages import Alarm
from tests.gateway.house import ALARM, House
from tests.gateway.test_operation import numbers

OK = {**ALARM, "state": "OK"}


class Temporal:
    """Temporal as a gateway sees it: it takes a message, refuses it, or keeps the sender waiting."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.refuses = False
        self.go = asyncio.Event()
        self.go.set()

    async def take(self, client: Client, partition: str, name: str, payload: dict[str, Any]) -> None:
        await self.go.wait()
        if self.refuses:
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
        self.taken.append((payload["alarm"], payload["state"]))


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Temporal:
    found = Temporal()
    monkeypatch.setattr(delivery, "signal_detection", found.take)
    return found


def gateway(house: House, *, alone: bool = True) -> Delivery:
    return Delivery(house.client, lambda: house.catalog, Memory(alone=alone))


def said(**fields: Any) -> Alarm:
    return Alarm.model_validate({**ALARM, **fields})


async def post(http: httpx.AsyncClient, *alarms: Any) -> dict[str, Any]:
    answer = await http.post("/alarms/allclear", json=list(alarms))
    assert answer.status_code == 202
    told: dict[str, Any] = answer.json()
    return told


async def test_the_same_alarm_a_hundred_times_travels_once(house: House) -> None:
    async with house.gateway(alone=True) as http:
        answers = [await post(http, ALARM) for _ in range(20)]
        answers.append(await post(http, *[ALARM] * 80))
        counted = numbers((await http.get("/metrics")).text)
    assert all(answer["accepted"] == 1 for answer in answers[:20])
    assert (answers[-1]["accepted"], answers[-1]["absorbed"]) == (80, 80)
    assert await house.alarms() == [ALARM]
    assert counted["allclear_alarms_received_total", "allclear"] == 100
    assert counted["allclear_alarms_accepted_total", "allclear"] == 1
    assert counted["allclear_alarms_absorbed_total", "allclear"] == 99


async def test_every_change_travels(house: House) -> None:
    story = [ALARM, OK, OK, ALARM, ALARM, OK]
    async with house.gateway(alone=True) as http:
        for alarm in story:
            await post(http, alarm)
        await post(http, ALARM, ALARM, OK, ALARM)
    assert [a["state"] for a in await house.alarms()] == ["ALARM", "OK", "ALARM", "OK", "ALARM", "OK", "ALARM"]


async def test_a_worse_severity_travels_and_so_does_a_test(house: House) -> None:
    async with house.gateway(alone=True) as http:
        for alarm in (ALARM, {**ALARM, "severity": 1}, {**ALARM, "severity": 1, "test": True}, {**ALARM, "value": 9}):
            await post(http, alarm)
    assert [(a.get("severity"), a.get("test")) for a in await house.alarms()] == [
        (None, None), (1, None), (1, True), (None, None),
    ]  # fmt: skip


async def test_an_alarm_whose_service_moved_to_another_partition_travels_there(house: House) -> None:
    unknown = {**ALARM, "service": f"new-{house.partition}"}
    async with house.gateway(alone=True) as http:
        assert (await post(http, unknown))["unmapped"] == [unknown["service"]]
        entry = house.catalog.services["checkout-api"].model_copy(update={"id": unknown["service"]})
        services = {**house.catalog.services, entry.id: entry}
        house.catalog = house.catalog.model_copy(update={"services": services})
        assert "absorbed" not in await post(http, unknown)
        assert (await post(http, unknown))["absorbed"] == 1
    assert await house.alarms() == [unknown]


async def test_after_a_restart_the_same_is_sent_again(house: House) -> None:
    for _ in range(2):
        async with house.gateway(alone=True) as http:
            await post(http, ALARM)
    assert await house.alarms() == [ALARM, ALARM]


async def test_several_gateways_lose_no_change_that_went_through_another_one(house: House) -> None:
    async with house.gateway() as one, house.gateway() as two:
        for _ in range(3):
            await post(one, ALARM)
            await post(two, OK)
    assert [a["state"] for a in await house.alarms()] == ["ALARM", "OK"] * 3


@pytest.mark.parametrize("mark", [{"at": "2026-03-02T09:00:00Z"}, {"key": "delivery-17"}])
async def test_several_gateways_absorb_what_is_told_as_the_same_occurrence(house: House, mark: dict[str, str]) -> None:
    async with house.gateway() as one, house.gateway() as two:
        for http in (one, two, one, two):
            await post(http, {**ALARM, **mark})
        await post(two, OK)
        # Late news of what is over: to send it again would raise the alarm once more.
        assert (await post(one, {**ALARM, **mark}))["absorbed"] == 1
    assert [a["state"] for a in await house.alarms()] == ["ALARM", "ALARM", "OK"]


async def test_an_alarm_that_temporal_did_not_take_is_sent_again(house: House, stub: Temporal) -> None:
    it = gateway(house)
    assert (await it.deliver([said()])).failure == ""
    stub.refuses = True
    assert "away" in (await it.deliver([said(state="OK")])).failure
    stub.refuses = False
    # Temporal may have taken the OK and failed to say so: neither state is known now.
    done = await it.deliver([said()])
    assert (done.accepted, done.absorbed) == (1, 0)
    assert stub.taken == [("errors", "ALARM")] * 2


async def test_a_repeat_waits_for_the_flight_before_it(house: House, stub: Temporal) -> None:
    it = gateway(house)
    stub.go.clear()
    first, second = asyncio.create_task(it.deliver([said()])), asyncio.create_task(it.deliver([said()]))
    await asyncio.sleep(0.05)
    assert not first.done()
    assert not second.done(), "nobody knows yet whether Temporal takes it"
    stub.go.set()
    done = await asyncio.gather(first, second)
    assert sorted((d.accepted, d.absorbed) for d in done) == [(1, 0), (1, 1)]
    assert len(stub.taken) == 1


async def test_a_repeat_of_a_flight_that_fails_is_sent_itself(house: House, stub: Temporal) -> None:
    it = gateway(house)
    stub.go.clear()
    stub.refuses = True
    first = asyncio.create_task(it.deliver([said()]))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(it.deliver([said()]))
    await asyncio.sleep(0.01)
    stub.go.set()
    assert "away" in (await first).failure
    assert "away" in (await second).failure
    stub.refuses = False
    assert (await it.deliver([said()])).absorbed == 0


async def test_two_requests_about_one_alarm_reach_temporal_one_after_the_other(house: House, stub: Temporal) -> None:
    it = gateway(house)
    stub.go.clear()
    tasks = [asyncio.create_task(it.deliver([said(state=state)])) for state in ("ALARM", "OK", "ALARM", "OK")]
    await asyncio.sleep(0.01)
    stub.go.set()
    await asyncio.gather(*tasks)
    assert [state for _, state in stub.taken] == ["ALARM", "OK"] * 2


async def test_a_hundred_who_wait_for_a_flight_travel_as_one_after_it(house: House, stub: Temporal) -> None:
    """Of several gateways: what came in during a flight may be news, but all of it is the same news."""
    it = gateway(house, alone=False)
    stub.go.clear()
    tasks = []
    for state in ["ALARM"] * 100 + ["OK"] * 50 + ["ALARM"] * 50:
        tasks.append(asyncio.create_task(it.deliver([said(state=state)])))
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    stub.go.set()
    done = await asyncio.gather(*tasks)
    assert [state for _, state in stub.taken] == ["ALARM", "ALARM", "OK", "ALARM"]
    assert sum(d.accepted for d in done) == 200
    assert sum(d.absorbed for d in done) == 196


async def test_who_waits_for_a_flight_that_fails_is_not_told_that_it_arrived(house: House, stub: Temporal) -> None:
    it = gateway(house, alone=False)
    stub.go.clear()
    tasks = []
    for _ in range(20):
        tasks.append(asyncio.create_task(it.deliver([said()])))
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    stub.refuses = True
    stub.go.set()
    assert all("away" in done.failure for done in await asyncio.gather(*tasks))


async def test_who_is_interrupted_leaves_nothing_absorbed(house: House, stub: Temporal) -> None:
    it = gateway(house)
    stub.go.clear()
    flight = asyncio.create_task(it.deliver([said()]))
    await asyncio.sleep(0.01)
    flight.cancel()
    await asyncio.gather(flight, return_exceptions=True)
    stub.go.set()
    assert (await it.deliver([said()])).absorbed == 0


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("mark", [{}, {"at": "2026-03-02T09:00:00Z"}])
def test_after_a_minute_the_same_state_travels_again_however_often_it_was_repeated(mark: dict[str, Any]) -> None:
    clock = Clock()
    memory = Memory(alone=True, now=clock)
    alarm = said(**mark)
    memory.accepted(key_of(alarm), state_of(alarm, "p"))
    for clock.seconds in (1.0, 20.0, KEPT - 1):
        assert memory.knows(key_of(alarm), state_of(alarm, "p"))
    clock.seconds = KEPT + 1
    assert not memory.knows(key_of(alarm), state_of(alarm, "p"))


def test_what_is_remembered_has_a_bound() -> None:
    memory = Memory(alone=True, most=10)
    alarms = [said(alarm=f"a{n}") for n in range(25)]
    for alarm in alarms:
        memory.accepted(key_of(alarm), state_of(alarm, "p"))
    known = [memory.knows(key_of(alarm), state_of(alarm, "p")) for alarm in alarms]
    assert known == [False] * 15 + [True] * 10


@dataclass(frozen=True)
class Step:
    """One word of a sender about an alarm: a new state, or the last one again; and how it goes with Temporal."""

    name: str
    state: str
    again: bool
    dated: bool
    gateway: int
    ends: str


STEPS = st.builds(
    Step,
    name=st.sampled_from("aab"),
    state=st.sampled_from(["ALARM", "OK"]),
    again=st.sampled_from([False, False, True]),
    dated=st.sampled_from([False, False, True]),
    gateway=st.integers(0, 1),
    ends=st.sampled_from([*["well"] * 5, "not taken", "taken, and the answer is lost", "restarted"]),
)


@settings(max_examples=200)
@given(steps=st.lists(STEPS, min_size=5, max_size=40), alone=st.booleans())
async def test_who_hears_that_an_alarm_is_accepted_can_rely_on_its_state(steps: list[Step], alone: bool) -> None:
    """Whichever gateway is asked, whatever fails at any point: 202 is said only when Temporal has that state."""
    last: dict[str, str] = {}
    words: dict[str, Alarm] = {}
    now: list[str] = [""]

    async def take(client: Any, partition: str, name: str, payload: dict[str, Any]) -> None:
        if now[0] != "not taken":
            last[payload["alarm"]] = payload["state"]
        if now[0] in ("not taken", "taken, and the answer is lost"):
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")

    def begun() -> Delivery:
        return Delivery(None, Catalog, Memory(alone=alone))  # type: ignore[arg-type]

    gateways = [begun(), begun()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "signal_detection", take)
        for number, step in enumerate(steps):
            which = 0 if alone else step.gateway
            now[0] = step.ends
            if step.ends == "restarted":
                gateways[which] = begun()
            if not step.again or step.name not in words:
                at = {"at": f"2026-03-02T09:00:{number:02}Z"} if step.dated else {}
                words[step.name] = said(alarm=step.name, state=step.state, **at)
            done = await gateways[which].deliver([words[step.name]])
            if not done.failure:
                assert last[step.name] == words[step.name].state
