"""A partition's state stays far below what can be handed to its next run, when all it keeps is at its limit at once."""

import random
from datetime import datetime, timedelta
from typing import Any

from link.answers import resolve
from model import messages
from model.detect import detection, routing
from model.detect.partition import Detection, Known
from model.detect.uptick import History
from model.effects import Outcome
from model.policy import Policy
from tests.model.simulation import CATALOG, START, Simulation
from workflows.process import LARGEST_STATE

POLICY = Policy()
WORDS = "w" * messages.MACHINE_WORDS
LINK = "https://dashboards.example.test/" + "l" * 170


def name(kind: str, number: int) -> str:
    return f"{kind}-{number:05}-".ljust(40, "x")


def size(state: Detection) -> int:
    return len(state.model_dump_json().encode())


def take(state: Detection, kind: str, told: dict[str, Any], now: datetime = START) -> None:
    """Decide about a message and perform what follows from it; the catalogue knows every service."""
    detection.receive(state, kind, told, now)
    for arrived in state.inbox:
        answer = resolve(CATALOG, ("checkout-api", "eu-west", ""), now)
        routing.decide(state, arrived, {told["service"]: answer}, now)
    state.inbox.clear()
    done(state)


def done(state: Detection) -> None:
    for key in list(state.owed):
        detection.effect_ended(state, key, Outcome(), START)


def an_alarm(service: int, number: int, state: str = "ALARM", **fields: Any) -> dict[str, Any]:
    return {
        "alarm": name("alarm", number),
        "service": name("service", service),
        "region": "eu-west",
        "metric": name("metric", number),
        "state": state,
        "summary": WORDS,
        "link": LINK,
        "value": 4.25,
        "threshold": 1.5,
        **fields,
    }


def full() -> Detection:
    """Return a partition to which everything happened that can."""
    state = Detection(partition="public")
    _histories(state)
    for number in range(1200):  # changes to be remembered, keys and metrics
        for said in ("ALARM", "OK"):
            take(state, "alarm", an_alarm(number % 20, number, said, key=f"{said}-{number}"))
    for number in range(POLICY.incidents_kept + 100):
        incident = f"INC-20260302-{number:04}"
        over = START + timedelta(minutes=5)
        services, regions = [name("service", number)], [name("region", 1)]
        state.incidents[incident] = Known(
            id=incident, services=services, regions=regions, opened_at=START, closed_at=over, ended=True
        )
    detection.advance(state, START)
    for number in range(POLICY.alarms_kept + 500):
        take(state, "alarm", an_alarm(number // 3, 2000 + number))
    for number in range(POLICY.crowd_members + 100):
        take(state, "alarm", an_alarm(1, 10_000 + number, summary=""))
    for number in range(POLICY.cases_kept + 100):
        report = {"service": "checkout-api", "region": "eu-west", "source": "case", "text": WORDS, "link": LINK}
        take(state, "report", {**report, "case": name("case", number), "customer": name("customer", number)})
    for _ in range(POLICY.unreadable_kept + 10):
        detection.unreadable(state, "alarm", WORDS, WORDS, START)
    return state


def _histories(state: Detection) -> None:
    chance = random.Random(1)
    for number in range(POLICY.report_histories):
        state.histories[f"direct\teu-west\t{name('service', number)}"] = History(
            tick=10,
            hours=[float(chance.randrange(100, 999)) for _ in range(672)],
            peaks=[[round(chance.uniform(0, 6), 3) for _ in range(112)] for _ in range(3)],
        )


def test_everything_at_its_limit_at_once_can_be_handed_on_with_room_to_spare():
    state = full()
    assert len(state.alarms) >= POLICY.alarms_kept
    assert sum(map(len, state.crowds.values())) == POLICY.crowd_members
    assert len(state.flaps) == POLICY.flaps_kept
    assert len(state.metrics) == POLICY.metrics_kept
    assert len(state.reports) == POLICY.reports_kept
    assert len(state.cases) == POLICY.cases_kept
    assert len(state.keys) == detection.KEYS_KEPT
    assert len(state.unreadable) == POLICY.unreadable_kept
    assert len([k for k in state.incidents.values() if k.ended]) == POLICY.incidents_kept
    assert size(state) < 0.85 * LARGEST_STATE


def test_alarms_beyond_what_a_partition_keeps_still_reach_their_owners():
    day = Simulation(policy=CATALOG.policy.overridden({"alarms_kept": 2, "alarms_in_full": 1}))
    for number in range(5):
        day.alarm("checkout-api", alarm=f"pod-{number}", summary="out of memory", link=LINK)
    day.alarm("payments", alarm="queue", summary="it grows", link=LINK)
    assert len(day.detection.alarms) == 4, "two one by one, the crowd of their service, and the first of another"
    services = {service for incident in day.incidents.values() for service in incident.services}
    assert services == {"checkout-api", "payments"}
    assert day.paged("eva"), "who owns it is called"
    told = {fact.alarm: fact for incident in day.incidents.values() for fact in incident.alarms.values()}
    assert (told["queue"].summary, told["queue"].link) == ("it grows", LINK)
    day.ok("payments", alarm="queue")
    told = {fact.alarm: fact for incident in day.incidents.values() for fact in incident.alarms.values()}
    assert (told["queue"].state, told["queue"].summary, told["queue"].link) == ("OK", "it grows", LINK)
    for number in range(5):
        day.ok("checkout-api", alarm=f"pod-{number}")
    assert not day.detection.alarms
