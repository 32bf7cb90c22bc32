"""Nothing that anybody sends wedges a process (design §6.4): every handler, raw, through a real server."""

import asyncio
import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.workflow import _Definition

from model import absorption, impact, messages
from model.detection import IncidentChanged
from model.incident import AlarmFact, ReportFact
from model.messages import Message
from model.plan import plan_for
from tests.workflows.house import House, catalog_with
from workflows.detection import Detection
from workflows.incident import Incident

TYPES: dict[str, type] = {"Detection": Detection, "Incident": Incident}
DEFINITIONS = {name: _Definition.must_from_class(cls) for name, cls in TYPES.items()}
SIGNALS = [(kind, str(name)) for kind, defn in DEFINITIONS.items() for name in defn.signals]
UPDATES = [(kind, str(name)) for kind, defn in DEFINITIONS.items() for name in defn.updates]
MESSAGES: dict[str, type[Message]] = {
    "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("_"): cls
    for cls in Message.__subclasses__()
}
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
IN_A_YEAR = (datetime.now(UTC) + timedelta(days=365)).isoformat()


def internal_examples() -> dict[str, dict[str, Any]]:
    """What our own processes say to each other, well-formed."""
    plan = plan_for(catalog_with("p"), services=["payments"], at=NOON)
    fact = AlarmFact(alarm="lat", service="payments", region="eu-west", since=NOON)
    report = ReportFact(at=NOON, service="payments", region="eu-west", source="case", count=1)
    said = {
        "alarms_changed": impact.AlarmsChanged(alarms=[fact], plan=plan),
        "reported": impact.Reported(reports=[report], over="three customers"),
        "promote": absorption.Promotion(alarms=[fact], plan=plan, absorbed=["INC-X"], reason="three services"),
        "absorb": absorption.Absorption(into="INC-X", reason="three services"),
        "handover": absorption.Handover(source="INC-X", opened_at=NOON, services=["payments"], plan=plan),
        "page_ended": absorption.PageEnded(key="INC-X/page/ana/1", ok=True),
        "incident_changed": IncidentChanged(id="INC-X", kind="single_service", phase="close"),
    }
    return {name: model.model_dump(mode="json") for name, model in said.items()} | {"end_absorbed": {}}


INTERNAL = internal_examples()


def example(name: str) -> dict[str, Any]:
    """A message that is read without complaint."""
    said = dict(MESSAGES[name].example) if name in MESSAGES else INTERNAL[name]
    return said | ({"until": IN_A_YEAR} if "until" in said else {})


def as_json(value: Any) -> Payload:
    return raw(json.dumps(value).encode())


def raw(data: bytes, encoding: str = "json/plain", **metadata: str) -> Payload:
    return Payload(
        metadata={
            **({"encoding": encoding.encode()} if encoding else {}),
            **{key: value.encode() for key, value in metadata.items()},
        },
        data=data,
    )


def curly(value: Any) -> str:
    """JSON as an editor, or a phone's keyboard, spoils it."""
    opening = True
    text = ""
    for c in json.dumps(value):
        text += ("“" if opening else "”") if c == '"' else c
        opening = opening != (c == '"')
    return text


MARKDOWN = "\x00\x1b[2J\u202e**bold** <script>alert(1)</script> | `x` [a](http://b) # \ud83d"
MEGABYTE = "ä" * 500_000
DEEP = '{"a":' * 5_000 + "1" + "}" * 5_000

Garbage = Callable[[dict[str, Any]], list[Payload]]

UNREADABLE: dict[str, Garbage] = {
    "an empty object": lambda good: [as_json({})],
    "a number": lambda good: [as_json(17)],
    "true": lambda good: [as_json(True)],
    "a list": lambda good: [as_json([good])],
    "nested lists": lambda good: [as_json([[[[{"by": []}]]]])],
    "half an object": lambda good: [raw(b'{"by": "ana", ')],
    "plain words without quotes": lambda good: [raw(b"it is broken")],
    "no bytes": lambda good: [raw(b"")],
    "bytes of no text": lambda good: [raw(b"\xff\xfe\x00\x80")],
    "a text that is half an object": lambda good: [as_json('{"by": "ana", ')],
    "a text that is an object of objects of objects": lambda good: [as_json(DEEP)],
    "objects in objects": lambda good: [raw(DEEP.encode())],
    "half a character": lambda good: [raw(b'{"by": "\\ud83d"}')],
    "two arguments": lambda good: [as_json(good), as_json(good)],
    "five arguments": lambda good: [as_json(n) for n in range(5)],
    "no encoding": lambda good: [raw(json.dumps(good).encode(), encoding="")],
    "an encoding nobody knows": lambda good: [raw(b"secret", encoding="binary/encrypted")],
    "bytes": lambda good: [raw(b"\x00\x01", encoding="binary/plain")],
    "a protocol buffer of no type": lambda good: [raw(b"{}", encoding="json/protobuf")],
    "a protocol buffer nobody knows": lambda good: [
        raw(b"\x00", encoding="binary/protobuf", messageType="no.Such")
    ],
    "a number with a million digits": lambda good: [raw(b"1" * 1_000_000)],
    "a megabyte of text": lambda good: [as_json(MEGABYTE)],
    "a field with a megabyte for its name": lambda good: [as_json({MEGABYTE: 1})],
    "a thousand unknown fields": lambda good: [as_json({f"field {n}": MARKDOWN for n in range(1000)})],
}
"""Nothing of this can be read as any message."""

ODD: dict[str, Garbage] = {
    "nothing": lambda good: [],
    "null": lambda good: [as_json(None)],
    "no value at all": lambda good: [raw(b"", encoding="binary/null")],
    "an empty text": lambda good: [as_json("")],
    "blanks": lambda good: [as_json(" \n\t ")],
    "a bare text": lambda good: [as_json("it is broken")],
    "Markdown, HTML and control characters": lambda good: [as_json(MARKDOWN)],
    "curly quotes": lambda good: [as_json(curly(good))],
    "unknown fields": lambda good: [as_json({**good, "pipline": 1, MARKDOWN: MARKDOWN})],
    "nobody we know": lambda good: [as_json({**good, "by": f"nobody {MARKDOWN}"})],
    "not a number": lambda good: [raw(json.dumps({**good, "value": float("nan"), "count": float("inf")}).encode())],
    "a megabyte in every field": lambda good: [as_json({key: MEGABYTE[: 900_000 // len(good)] for key in good})]
    if good
    else [],
}
"""Whether this can be read depends on the message."""

WRONG: list[Any] = [
    None,
    "",
    [],
    {},
    [{}],
    {"x": {}},
    0,
    -1,
    1e300,
    True,
    "x",
    "x" * 5_000,
    MARKDOWN,
    "2026-03-02T09:00:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "P400Y",
]
"""Put into every field, one after the other."""


def wrong_in_every_field(good: dict[str, Any], fields: list[str]) -> list[list[Payload]]:
    return [[as_json({**good, name: value})] for name in fields for value in WRONG]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a message, but only two of a list's items and of the catalogue's entries."""
    found = [path] if path else []
    if isinstance(value, dict):
        few = 2 if path[-1:] in (("people",), ("teams",), ("services",)) else len(value)
        for key in list(value)[:few]:
            found += places(value[key], (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value[:2]):
            found += places(item, (*path, number))
    return found


def with_put(value: Any, path: tuple[Any, ...], what: Any) -> Any:
    """The message with something else at one place."""
    if not path:
        return what
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_put(copy[path[0]], path[1:], what)
    return copy


def reads_well(refusal: str) -> bool:
    """Whether a person can act on it: one sentence, and nothing of our insides."""
    insides = ("[type=", "Traceback", "pydantic", "validation error", "object has no", "NoneType")
    python = ("Error", "Exception", "argument", "__")
    return (
        "\n" not in refusal
        and 10 < len(refusal) < 1500
        and not any(word in refusal for word in (*insides, *python))
        and refusal.isprintable()
    )


# --- What every handler has -----------------------------------------------------------------------


def test_every_message_of_the_design_has_a_door() -> None:
    doors = {name for _, name in (*SIGNALS, *UPDATES)}
    assert set(MESSAGES) <= doors
    assert {name for kind, name in UPDATES if kind == "Detection"} == {"declare", "silence"}


@pytest.mark.parametrize(("kind", "name"), [*SIGNALS, *UPDATES])
def test_a_handler_takes_one_thing_or_nothing(kind: str, name: str) -> None:
    defn = DEFINITIONS[kind]
    fn = (defn.signals.get(name) or defn.updates[name]).fn
    _, *arguments = inspect.signature(fn).parameters.values()
    assert [argument.default for argument in arguments] == [None]


@pytest.mark.parametrize(("kind", "name"), [*SIGNALS, *UPDATES])
def test_a_handlers_description_shows_json_to_copy(kind: str, name: str) -> None:
    defn = DEFINITIONS[kind]
    description = (defn.signals.get(name) or defn.updates[name]).description or ""
    if name in INTERNAL:
        assert description.startswith("internal")
        return
    words, shown = description.split(" Example: ")
    assert words.endswith(".")
    said = MESSAGES[name].model_validate(json.loads(shown))
    assert said.model_fields_set, "an example says something"


@pytest.mark.parametrize(("kind", "name"), UPDATES)
def test_an_update_is_looked_at_before_it_is_accepted(kind: str, name: str) -> None:
    assert DEFINITIONS[kind].updates[name].validator is not None


# --- What is thrown at them -----------------------------------------------------------------------


async def open_incident(home: House) -> str:
    await home.open()
    await home.alarm(severity=2, value=4)
    return await home.opened()


async def thrown(home: House, workflow_id: str, name: str, payloads: list[Payload], what: str) -> str:
    refusal = await home.raw_update(workflow_id, name, payloads)
    assert not refusal or reads_well(refusal), f"{name} refused {what}: {refusal[:600]!r}"
    return refusal


@pytest.mark.parametrize(("kind", "name"), UPDATES)
async def test_whatever_is_sent_as_an_update_is_answered_with_a_sentence(
    home: House, kind: str, name: str
) -> None:
    incident = await open_incident(home)
    workflow_id = home.detection if kind == "Detection" else incident
    good = example(name)
    for what, garbage in UNREADABLE.items():
        assert await thrown(home, workflow_id, name, garbage(good), what), f"{what} was accepted"
    for what, garbage in ODD.items():
        await thrown(home, workflow_id, name, garbage(good), what)
    wrong = wrong_in_every_field(good, list(MESSAGES[name].model_fields))
    for n in range(0, len(wrong), 8):  # the server lets ten be under way
        await asyncio.gather(*(thrown(home, workflow_id, name, p, f"{p[0].data!r}") for p in wrong[n : n + 8]))
    await still_works(home, incident)


@pytest.mark.parametrize(("kind", "name"), SIGNALS)
async def test_whatever_is_sent_as_a_signal_is_taken_or_shown(home: House, kind: str, name: str) -> None:
    incident = await open_incident(home)
    workflow_id = home.detection if kind == "Detection" else incident
    good = example(name)
    for what, garbage in UNREADABLE.items():
        before = await unreadable(home, kind, workflow_id)
        await home.raw_signal(workflow_id, name, garbage(good))
        after = await unreadable(home, kind, workflow_id)
        if name != "end_absorbed":  # which reads nothing
            assert after[-1:] != before[-1:], f"{name}: {what} is not shown"
            assert name in after[-1]
    for garbage in ODD.values():
        await home.raw_signal(workflow_id, name, garbage(good))
    for value in WRONG:
        for place in places(good):
            await home.raw_signal(workflow_id, name, [as_json(with_put(good, place, value))])
    if kind == "Detection" or name not in ("absorb", "end_absorbed"):
        await still_works(home, incident)
    assert await unreadable(home, kind, workflow_id)


async def unreadable(home: House, kind: str, workflow_id: str) -> list[str]:
    """What the process shows of what it could not read."""
    if kind == "Detection":
        state = await home.watching()
        return [f"{it.at} {it.name}: {it.why} {it.payload}" for it in state.unreadable]
    lines = (await home.incident(workflow_id)).timeline
    return [f"{it.seq} {it.text}" for it in lines if it.what == "unreadable"]


async def still_works(home: House, incident: str) -> None:
    """A good message is taken, and an alarm still wakes somebody."""
    answer = await home.say(incident, "observe", by="ana", text="still here")
    assert answer.text
    await home.alarm("still", service="search-api")
    other = await home.opened("search-api")
    assert other
    assert messages.Alarm.example
