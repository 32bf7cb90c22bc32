"""Who speaks is believed only where it was proven; the same key gets the same answer (design §3)."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from link.guard import HEADER, Prover, _signed, proven
from model import messages
from model.detect import detection
from model.detect.partition import Detection
from model.matter import ANSWERS_KEPT
from model.text import Refused
from tests.workflows.house import SECRET, House, house, until


@pytest.fixture(scope="module")
async def home(client: Client) -> AsyncIterator[House]:
    async with house(client) as it:
        yield it


@pytest.fixture
async def incident(home: House) -> str:
    return await home.begin(home.an_incident())


def said(**fields: str) -> list[Payload]:
    return [Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(fields).encode())]


def proof(secret: str, workflow_id: str, update: str, update_id: str, by: str) -> dict[str, Payload]:
    token = _signed(secret, workflow_id, update, update_id, by)
    return {HEADER: Payload(metadata={"encoding": b"binary/plain"}, data=token.encode())}


async def lines(home: House, incident: str, what: str) -> list[tuple[str, bool]]:
    timeline = (await home.incident(incident)).timeline
    return [(entry.text, entry.claimed) for entry in timeline if entry.what == what]


# --- Claimed and proven ---------------------------------------------------------------------------


async def test_a_name_that_was_only_typed_is_marked_as_claimed(home: House, incident: str) -> None:
    await home.say(incident, "observe", by="ana", text="typed")
    with proven():
        await home.say(incident, "observe", by="ana", text="logged in")
    await home.say(incident, "observe", by="ana", text="typed again")
    assert [line for line in await lines(home, incident, "observed") if line[0].startswith("note")] == [
        ("note: typed", True),
        ("note: logged in", False),
        ("note: typed again", True),
    ]


async def test_what_is_decided_in_a_typed_name_is_told_to_its_owner(home: House, incident: str) -> None:
    await home.say(incident, "set_severity", by="ana", severity=4, reason="one host")
    with proven():
        await home.say(incident, "set_severity", by="ana", severity=5, reason="none at all")

    def told() -> list[str]:
        mine = [it for it in home.outside.told.values() if it.incident == incident]
        return [it.text for it in mine if "in your name" in it.text and it.recipients[0].person == "ana"]

    await until(lambda: bool(told()), "an echo to ana")
    await home.say(incident, "observe", by="ana", text="seen")
    assert len(told()) == 1
    assert "If this was not you" in told()[0]


async def test_a_proof_made_by_hand_with_the_secret_is_a_proof(home: House, incident: str) -> None:
    """So that the refusals below are for the difference they name."""
    header = proof(SECRET, incident, "observe", "u1", "ana")
    assert not await home.raw_update(incident, "observe", said(by="ana", text="x"), update_id="u1", headers=header)
    assert ("note: x", False) in await lines(home, incident, "observed")


@pytest.mark.parametrize(
    ("what", "made"),
    [
        ("another secret", ("guessed", "", "observe", "u1", "ana")),
        ("another process", (SECRET, "INC-20260302-7F3A", "observe", "u1", "ana")),
        ("another message", (SECRET, "", "acknowledge", "u1", "ana")),
        ("an earlier message", (SECRET, "", "observe", "u0", "ana")),
        ("somebody else", (SECRET, "", "observe", "u1", "kim")),
    ],
)
async def test_a_proof_made_for_something_else_is_refused(
    home: House, incident: str, what: str, made: tuple[str, str, str, str, str]
) -> None:
    secret, workflow_id, update, update_id, by = made
    header = proof(secret, workflow_id or incident, update, update_id, by)
    refusal = await home.raw_update(incident, "observe", said(by="ana", text="x"), update_id="u1", headers=header)
    assert "the proof of who sends this does not fit" in refusal, what
    assert "note: x" not in [text for text, _ in await lines(home, incident, "observed")]


async def test_a_forged_proof_is_refused(home: House, incident: str) -> None:
    for forged in (b"", b"true", b"\xff\xfe.\x00", b"." * 100, b"a" * 100_000):
        header = {HEADER: Payload(metadata={"encoding": b"binary/plain"}, data=forged)}
        refusal = await home.raw_update(incident, "observe", said(by="ana", text="x"), headers=header)
        assert "the proof of who sends this does not fit" in refusal, forged[:10]


async def test_a_gateway_with_another_secret_is_told_so(client: Client, home: House, incident: str) -> None:
    other = Client(
        client.service_client,
        namespace=client.namespace,
        data_converter=client.data_converter,
        interceptors=[Prover("another secret")],
    )
    stranger = House(other, home.catalog, home.queue)
    with proven(), pytest.raises(Refused, match="the proof of who sends this does not fit"):
        await stranger.say(incident, "observe", by="ana", text="x")
    await stranger.say(incident, "observe", by="ana", text="x")
    assert ("note: x", True) in await lines(home, incident, "observed")


async def test_a_payload_cannot_call_itself_proven(home: House, incident: str) -> None:
    for field in ("proven", "_proven"):
        refusal = await home.raw_update(incident, "observe", said(by="ana", text="x", **{field: "true"}))
        assert f"{field}: no such field" in refusal


async def test_what_an_outsider_signals_to_an_internal_handler_is_kept_and_changes_nothing(
    home: House, incident: str
) -> None:
    """Signals carry no proof: a person's words are no message of our own processes, and are shown."""
    before = await home.incident(incident)
    wrong = ("absorb", "promote", "handover", "alarms_changed", "page_ended", "item_changed")
    for name in wrong:
        assert not await home.raw_signal(incident, name, said(by="ana", text=f"please {name}"))
    after = await home.incident(incident)
    assert (after.phase, after.alarms, after.absorbed_into) == (before.phase, before.alarms, "")
    shown = [text for text, _ in await lines(home, incident, "unreadable")]
    assert [text.split(":")[0] for text in shown] == list(wrong)
    assert all(f"please {name}" in text for name, text in zip(wrong, shown, strict=True))


# --- The same key, the same answer ----------------------------------------------------------------


async def test_a_message_sent_again_under_its_key_gets_the_first_answer(home: House, incident: str) -> None:
    first = await home.say(incident, "observe", by="ana", text="seen", key="k1")
    for update_id in ("a", "b"):
        again = said(by="ana", text="another text", key="k1")
        assert not await home.raw_update(incident, "observe", again, update_id=update_id)
    assert await home.say(incident, "observe", by="ana", text="seen", key="k1") == first
    assert [text for text, _ in await lines(home, incident, "observed")].count("note: seen") == 1
    assert "note: another text" not in [text for text, _ in await lines(home, incident, "observed")]


async def test_a_repeated_acknowledgement_is_no_error(home: House, incident: str) -> None:
    first = await home.say(incident, "acknowledge", by="ana", key="phone-1")
    assert await home.say(incident, "acknowledge", by="ana", key="phone-1") == first
    assert len(await lines(home, incident, "acknowledged")) == 1


async def test_a_key_is_remembered_by_the_next_run(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.process.CONTINUE_AFTER", 6)
    async with house(client) as home:
        incident = await home.begin(home.an_incident())
        first = await home.say(incident, "acknowledge", by="ana", key="k1")
        seen = await home.say(incident, "observe", by="ana", text="seen", key="k2")

        async def renewed() -> bool:
            await home.say(incident, "observe", by="ana", text="one more")
            return await home.runs(incident) > 1

        await until(renewed, "a second run")
        assert await home.say(incident, "acknowledge", by="ana", key="k1") == first
        assert await home.say(incident, "observe", by="ana", text="seen", key="k2") == seen
        assert [text for text, _ in await lines(home, incident, "observed")].count("note: seen") == 1


async def test_an_incident_declared_twice_under_one_key_is_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.process.CONTINUE_AFTER", 3)
    async with house(client) as home:
        await home.open()
        declared = {"by": "ana", "title": "Payments are refused", "services": ["payments"], "key": "d1"}
        first = await home.say(home.detection, "declare", **declared)
        sent = iter(range(1000))

        async def renewed() -> bool:
            await home.alarm(f"a{next(sent)}", state="OK", service="nothing", key=f"key {next(sent)}")
            return await home.runs(home.detection) > 1

        await until(renewed, "a second run")
        assert await home.say(home.detection, "declare", **declared) == first
        assert len((await home.watching()).incidents) == 1


async def test_an_alarm_sent_again_under_its_key_says_nothing_new_also_to_the_next_run(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.process.CONTINUE_AFTER", 3)
    async with house(client) as home:
        await home.open()
        await home.alarm(key="k1")
        await home.alarm(state="OK", key="k2")
        incident = await home.opened()

        async def renewed() -> bool:
            await home.alarm(key="k1")
            return await home.runs(home.detection) > 1

        await until(renewed, "a second run")
        state = await home.watching()
        assert (state.alarms, list(state.keys)) == ({}, [detection.mark_of("k1"), detection.mark_of("k2")])
        assert not (await home.incident(incident)).in_alarm


async def test_the_windows_of_keys_are_bounded_and_forget_the_oldest(home: House) -> None:
    now = datetime.now(UTC)
    state = Detection(partition="p")
    for n in range(detection.KEYS_KEPT + 7):
        detection.receive(state, "alarm", {**messages.Alarm.example, "alarm": f"a{n}", "key": f"k{n}"}, now)
        state.inbox.clear()
    assert len(state.keys) == detection.KEYS_KEPT
    assert detection.mark_of("k6") not in state.keys
    assert detection.mark_of(f"k{detection.KEYS_KEPT + 6}") in state.keys
    matter = home.an_incident()
    for n in range(ANSWERS_KEPT + 7):
        matter.answers[f"k{n}"] = messages.Answer(text=str(n))
    matter.trim()
    assert next(iter(matter.answers)) == "k7"
    assert len(matter.answers) == ANSWERS_KEPT
