"""A process that has grown begins a new run, and nothing is lost on the way (design §2)."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from link import attributes
from link.converter import DATA_CONVERTER
from model import course
from model.catalogue.plan import facts_for, plan_for
from model.detect import detection, routing
from model.detect.partition import Detection, Resolved
from model.effects import Outcome
from model.incident import AlarmFact, Incident
from model.matter import ALWAYS_FITS, Act
from model.message import Message, parse
from model.text import Refused
from tests.model.doors import DOORS
from tests.model.simulation import CATALOG, START
from tests.workflows.house import House, house, until
from workflows.process import LARGEST_STATE

EAGER = {"aggregate_services": 100, "owed_retry_first": "0.2s", "owed_retry_most": "0.5s"}
"""No event of several services: every service has its incident; and what failed is tried again soon."""
SERVICES = ("checkout-api", "payments", "search-api")


@pytest.fixture
async def home(client: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A house whose runs end after a few turns, and hardly wait for what is under way."""
    monkeypatch.setattr("workflows.process.CONTINUE_AFTER", 8)
    monkeypatch.setattr("workflows.process.LONGEST_REST", timedelta(milliseconds=100))
    async with house(client, policy=EAGER) as it:
        yield it


@pytest.fixture
async def incident(home: House) -> str:
    """An incident that waits for nobody."""
    incident = await home.begin(home.an_incident())
    await home.say(incident, "acknowledge", by="ana")
    return incident


async def many(doing: list[Coroutine[Any, Any, Any]], at_once: int = 8) -> None:
    """Do a lot, some of it at the same time (the server lets ten updates of a process be under way)."""
    for n in range(0, len(doing), at_once):
        await asyncio.gather(*doing[n : n + at_once])


async def recorded(home: House, incident: str) -> None:
    """Return once the record has every line of an incident, without a gap."""

    async def complete() -> bool:
        last = (await home.incident(incident)).next_seq - 1
        return sorted(home.outside.lines.get(incident, {})) == list(range(1, last + 1))

    await until(complete, f"the whole record of {incident}")


async def said(home: House, incident: str, what: str) -> bool:
    return any(entry.what == what for entry in (await home.incident(incident)).timeline)


async def test_every_one_of_many_alarms_is_in_its_incident(home: House) -> None:
    await home.open()
    sent = [(f"a{n}", SERVICES[n % len(SERVICES)]) for n in range(24)]
    await many([home.alarm(alarm, service=service) for alarm, service in sent], at_once=8)
    await many([home.alarm(alarm, service=service, state="OK") for alarm, service in sent[::2]], at_once=8)
    seen: dict[tuple[str, str], str] = {}

    async def arrived() -> bool:
        known = (await home.watching()).incidents
        for incident in known:
            if incident in home.ids:
                seen.update({(f.alarm, f.service): f.state for f in (await home.incident(incident)).alarms.values()})
        return len(known) == len(SERVICES) and seen == {
            pair: "OK" if n % 2 == 0 else "ALARM" for n, pair in enumerate(sent)
        }

    async def renewed() -> bool:
        # What comes together is one turn: how many turns the alarms took is chance.
        await home.alarm("nobody-knows-it", service=SERVICES[0], state="OK")
        return await home.runs(home.detection) > 1

    await until(arrived, "every alarm in its incident")
    await until(renewed, "a new run")
    await until(arrived, "every alarm in its incident still")
    state = await home.watching()
    assert len(state.alarms) == 12
    assert (state.inbox, state.owed) == ([], {})
    for incident in state.incidents:
        await recorded(home, incident)


async def test_an_incident_keeps_every_word_said_in_it(home: House, incident: str) -> None:
    words = [f"word {n}" for n in range(40)]
    await many([home.say(incident, "observe", by="ana", text=text, key=text) for text in words])
    await recorded(home, incident)
    observed = [entry.text for entry in home.outside.lines[incident].values() if entry.what == "observed"]
    assert sorted(text for text in observed if text.startswith("note")) == sorted(f"note: {text}" for text in words)
    assert await home.runs(incident) > 1
    for text in words[::15]:
        assert (await home.say(incident, "observe", by="ana", text=text, key=text)).text == "in the ticket"
    await recorded(home, incident)
    assert sum(entry.text == "note: word 0" for entry in home.outside.lines[incident].values()) == 1


async def test_a_new_run_shows_where_the_incident_is_and_the_old_one_where_it_went(home: House, incident: str) -> None:
    first = (await home.client.get_workflow_handle(incident).describe()).run_id
    await home.say(incident, "set_severity", by="ana", severity=4, reason="one host")

    async def renewed() -> bool:
        await home.say(incident, "observe", by="ana", text="one more")
        return await home.runs(incident) > 1

    await until(renewed, "a second run")
    assert "SEV4" in await home.shows(incident)
    assert "/workflows/{workflowId}" in await home.shows(incident, first)
    assert "open it here" in await home.shows(incident, first)
    found = (await home.client.get_workflow_handle(incident).describe()).typed_search_attributes
    assert found[attributes.PHASE] == "coordinate"
    assert found[attributes.SEVERITY] == "4"
    assert list(found[attributes.SERVICES]) == ["checkout-api"]
    assert list(found[attributes.REGIONS]) == ["eu-west"]


async def test_a_run_goes_on_while_it_waits_for_somebody_to_acknowledge(home: House) -> None:
    """A dialog of the Web UI is bound to the run it was opened in."""
    incident = await home.begin(home.an_incident())
    for n in range(10):
        await home.say(incident, "observe", by="sam", text=f"customer {n}")
    assert await home.runs(incident) == 1


async def test_a_page_under_way_is_sent_by_the_next_run_under_the_same_key(home: House) -> None:
    provider = home.outside.hanging["paging"] = asyncio.Event()
    incident = await home.begin(home.an_incident())
    await until(lambda: bool(home.outside.tries("paging")), "a page on its way")
    [key] = home.outside.tries("paging")

    async def renewed() -> bool:  # it waits for somebody, so only at four times as many turns
        await home.say(incident, "observe", by="sam", text="customers call")
        return await home.runs(incident) > 1

    await until(renewed, "a second run")
    await until(lambda: home.outside.tries("paging").count(key) == 2, "the next run's attempt")
    provider.set()
    await until(lambda: said(home, incident, "paged"), "a word of it in the timeline")
    assert home.outside.tries("paging").count(key) == 2, "once by either run, for the provider to know them as one"
    assert set(home.outside.pages) == {key}
    assert not [owed for owed in (await home.incident(incident)).owed if owed.startswith(key)]


async def test_a_message_that_nobody_takes_stays_owed_from_run_to_run(home: House, incident: str) -> None:
    home.outside.down.add("comms")
    await home.say(incident, "lead", by="lou", person="kim", handover="all yours")
    await until(lambda: bool(home.outside.tries("comms")), "a message on its way")
    key = home.outside.tries("comms")[0]

    async def renewed() -> bool:
        await home.say(incident, "observe", by="ana", text="still working")
        return await home.runs(incident) > 2

    await until(renewed, "a third run")
    owed = (await home.incident(incident)).owed
    assert [name for name in owed if key.startswith(name)], f"{key} is not owed any more: {list(owed)}"
    home.outside.down.clear()
    await until(lambda: key in home.outside.told, f"the message {key}")
    await until(lambda: said(home, incident, "told"), "a word of it in the timeline")


async def test_a_record_that_was_away_is_complete_in_the_end(home: House, incident: str) -> None:
    await recorded(home, incident)
    home.outside.down.add("record")
    before = dict(home.outside.lines[incident])
    await many([home.say(incident, "observe", by="ana", text=f"word {n}") for n in range(30)])
    assert await home.runs(incident) > 1
    assert home.outside.lines[incident] == before
    assert "lines behind: record is down" in await home.shows(incident)
    home.outside.down.clear()
    await recorded(home, incident)


# --- A state stays small, whatever is thrown ------------------------------------------------------

LONG = '"' * 4096
"""As many bytes as a person's words may have, and twice as many in JSON."""


def as_long_as_may_be(message: type[Message]) -> dict[str, Any]:
    """A message with every field as long as it is taken."""
    said = {name: "2026-09-01T00:00:00Z" if name in ("due", "until") else it for name, it in message.example.items()}
    for field in message.model_fields:
        try:
            parse(message, {**said, field: LONG})
        except ValueError:
            continue
        said[field] = LONG
    return said


def handed_on(state: Any) -> int:
    """How many bytes the next run's input would have."""
    return len(DATA_CONVERTER.payload_converter.to_payload(state).data)


def an_incident() -> Incident:
    fact = AlarmFact(alarm="err", service="checkout-api", region="eu-west", since=START)
    incident = Incident(
        id="INC-20260302-7F3A",
        opened_at=START,
        alarms={fact.key: fact},
        services=["checkout-api"],
        regions=["eu-west"],
        plan=plan_for(CATALOG, services=["checkout-api"], teams=list(CATALOG.teams), at=START),
    )
    course.advance(incident, START)
    return incident


def flooded(incident: Incident, rounds: int) -> list[str]:
    """Let two people send everything there is, as long as may be, while the record is down; return the refusals."""
    messages = {name: as_long_as_may_be(message) for name, (message, _) in DOORS.items()}
    refusals, now = [], START
    for number in range(rounds):
        for name in messages.keys() - {"close", "stand_down"}:
            for by in ("lou", "ana"):
                message, rule = DOORS[name]
                now += timedelta(seconds=1)
                said = {**messages[name], "by": by, "key": f"{number}/{name}/{by}"}
                try:
                    rule(Act(incident, parse(message, said), now))()
                except Refused as error:
                    refusals.append(str(error))
        course.advance(incident, now)
        for key in list(incident.owed):
            course.effect_ended(incident, key, Outcome(), now)
    course.advance(incident, now)
    return refusals


def test_an_incident_that_is_full_of_words_takes_short_ones_and_can_always_be_handed_on() -> None:
    incident = an_incident()
    refusals = flooded(incident, 6)
    assert any("nearly full of words" in refusal and "send a link" in refusal for refusal in refusals)
    assert handed_on(incident) < LARGEST_STATE
    word, short = DOORS["observe"]
    said = parse(word, {"by": "ana", "text": "x" * (ALWAYS_FITS - 200)})
    assert short(Act(incident, said, START))().text == "in the ticket"
    assert handed_on(incident) < LARGEST_STATE


def test_what_the_record_has_leaves_an_incident_before_it_is_full() -> None:
    incident = an_incident()
    message, rule = DOORS["observe"]
    for number in range(400):
        rule(Act(incident, parse(message, {"by": "ana", "text": LONG, "key": str(number)}), START))()
        incident.recorded = incident.next_seq - 1
        incident.trim()
    assert handed_on(incident) < LARGEST_STATE / 2
    assert len(incident.timeline) > 20


def test_a_thousand_reports_of_many_words_can_be_handed_on() -> None:
    state = Detection(partition="public", policy=CATALOG.policy.overridden({"reports_kept": 1000}))
    report = {"service": "checkout-api", "region": "eu-west", "source": "case", "text": LONG}
    for number in range(1200):
        detection.receive(state, "report", {**report, "case": str(number)}, START)
    resolved = Resolved(
        facts=facts_for(CATALOG, "checkout-api", "eu-west", ""),
        plan=plan_for(CATALOG, services=["checkout-api"], at=START),
    )
    for arrived in state.inbox:
        routing.decide(state, arrived, {"checkout-api": resolved}, START)
        for key in list(state.owed):
            detection.effect_ended(state, key, Outcome(), START)
    state.inbox.clear()
    assert len(state.reports) > 900
    assert handed_on(state) < LARGEST_STATE


async def test_a_state_too_large_to_be_handed_on_stays_in_its_run(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new run that the server refuses would wedge the process for good."""
    monkeypatch.setattr("workflows.process.LARGEST_STATE", 0)
    incident = await home.begin(home.an_incident())
    await home.say(incident, "acknowledge", by="ana")
    for number in range(20):
        await home.say(incident, "observe", by="ana", text=f"word {number}")
    assert await home.runs(incident) == 1
    assert (await home.say(incident, "observe", by="ana", text="one more")).text == "in the ticket"
