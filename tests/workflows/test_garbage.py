"""Nothing that anybody sends wedges a process (design §6.4): every handler of the registry, raw, on a real server.

Handlers are found by reflection: a new one is thrown at without a word here.
"""

import asyncio
import dis
import functools
import inspect
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.workflow import _Definition, _SignalDefinition, _UpdateDefinition

from model import absorption, impact
from model.catalogue.plan import plan_for
from model.close.closing_messages import AddAction
from model.close.items import AcceptedAction, ActionsAccepted, Item, ItemChanged
from model.detect.detection import IncidentChanged
from model.incident import AlarmFact, ReportFact
from model.learn import ops_review
from model.learn.campaign import Campaign
from model.matter import Matter
from model.message import Message
from model.reflect.action_item import ActionItem, CustomersTold, Replaced
from model.reflect.coe import Coe
from model.reflect.rca import AuthorNamed, Rca
from model.text import escape
from tests.workflows.house import House, house, until
from worker.compose import WORKFLOWS

DEFINITIONS = {defn.name: defn for cls in WORKFLOWS if (defn := _Definition.must_from_class(cls)).name}
SIGNALS = [(kind, str(name)) for kind, defn in DEFINITIONS.items() for name in defn.signals]
UPDATES = [(kind, str(name)) for kind, defn in DEFINITIONS.items() for name in defn.updates]
QUERIES = [(kind, str(name)) for kind, defn in DEFINITIONS.items() for name in defn.queries]
IN_A_YEAR = (datetime.now(UTC) + timedelta(days=365)).isoformat()
EVERY = ("by", "key", "at", "test")
"""Fields that every message has."""


def handler(kind: str, name: str) -> _SignalDefinition | _UpdateDefinition:
    defn = DEFINITIONS[kind]
    return defn.signals.get(name) or defn.updates[name]


def all_messages(base: type[Message] = Message) -> Iterator[type[Message]]:
    for message in base.__subclasses__():
        yield message
        yield from all_messages(message)


def message_of(kind: str, name: str) -> type[Message] | None:
    """The message a handler takes: an update says so by its type, a signal by its description."""
    found = handler(kind, name)
    if isinstance(found, _UpdateDefinition):
        hint: type[Message] = get_args((found.arg_types or [])[0])[0]
        return hint
    return next((message for message in all_messages() if message.described() == found.description), None)


def reads(kind: str, name: str) -> bool:
    """Whether a handler looks at what it is sent at all."""
    return any(it.argval == "x" and it.opname.startswith("LOAD") for it in dis.get_instructions(handler(kind, name).fn))


def internal_examples() -> dict[str, BaseModel]:
    """What our own processes say to each other, well-formed."""
    now = datetime.now(UTC)
    plan = plan_for(HOUSES[0].catalog, services=["payments"], at=now)
    fact = AlarmFact(alarm="lat", service="payments", region="eu-west", since=now)
    report = ReportFact(at=now, service="payments", region="eu-west", source="case", count=1)
    item = Item(id="INC-X/action/1", kind="action", status="open", n=1, due_at=now)
    action = AcceptedAction(title="t", goal="g", horizon="mid", owner="ana", due=now + timedelta(days=30))
    return {
        "alarms_changed": impact.AlarmsChanged(alarms=[fact], plan=plan),
        "reported": impact.Reported(reports=[report], over="three customers"),
        "promote": absorption.Promotion(alarms=[fact], plan=plan, reason="three services"),
        "absorb": absorption.Absorption(into="INC-X", reason="three services"),
        "handover": absorption.Handover(source="INC-X", opened_at=now, services=["payments"], plan=plan),
        "split_off": absorption.SplitOff(service="payments", into="INC-X", reason="not the same"),
        "page_ended": absorption.PageEnded(key="INC-X/page/ana/1", ok=True),
        "incident_changed": IncidentChanged(id="INC-X", kind="single_service", phase="close"),
        "item_changed": ItemChanged(item=item, line="it moves"),
        "actions_accepted": ActionsAccepted(coe="INC-X/coe/checkout", by="dee", actions=[action]),
        "author_named": AuthorNamed(author="ana"),
        "replaced": Replaced(by="INC-X/action/2"),
        "customers_told": CustomersTold(due=now),
    }


def example(kind: str, name: str) -> dict[str, Any]:
    """A message that is read without complaint; nothing for an internal one that has no example above."""
    message = message_of(kind, name)
    if message is None:
        known = internal_examples().get(name)
        return known.model_dump(mode="json") if known else {}
    said = dict(message.example)
    return said | {name: IN_A_YEAR for name in ("until", "due") if name in said}


# --- What is thrown -------------------------------------------------------------------------------


def raw(data: bytes, encoding: str = "json/plain", **metadata: str) -> Payload:
    kept = {"encoding": encoding, **metadata} if encoding else metadata
    return Payload(metadata={key: value.encode() for key, value in kept.items()}, data=data)


def as_json(value: Any) -> Payload:
    return raw(json.dumps(value, ensure_ascii=False).encode())


def curly(value: Any) -> str:
    """JSON as an editor, or a phone's keyboard, spoils it."""
    opening = True
    text = ""
    for c in json.dumps(value):
        text += ("“" if opening else "”") if c == '"' else c
        opening = opening != (c == '"')
    return text


MARKDOWN = "\x00\x1b[2J\u202e**bold** <script>alert(1)</script> | `x` [a](http://b)"
LONG = "ä" * 32_768
DEEP = '{"a":' * 5_000 + "1" + "}" * 5_000

Garbage = Callable[[dict[str, Any]], list[Payload]]

UNREADABLE: dict[str, Garbage] = {
    "true": lambda good: [as_json(True)],
    "a list": lambda good: [as_json([good])],
    "half an object": lambda good: [raw(b'{"by": "ana", ')],
    "no bytes": lambda good: [raw(b"")],
    "bytes of no text": lambda good: [raw(b"\xff\xfe\x00\x80")],
    "a text that is half an object": lambda good: [as_json('{"by": "ana", ')],
    "a text that is an object of objects of objects": lambda good: [as_json(DEEP)],
    "objects in objects": lambda good: [raw(DEEP.encode())],
    "half a character": lambda good: [raw(b'{"by": "\\ud83d"}')],
    "two arguments": lambda good: [as_json(good), as_json(good)],
    "an encoding nobody knows": lambda good: [raw(b"secret", encoding="binary/encrypted")],
    "bytes": lambda good: [raw(b"\x00\x01", encoding="binary/plain")],
    "a protocol buffer nobody knows": lambda good: [raw(b"\x00", encoding="binary/protobuf", messageType="no.Such")],
    "a field with a long name": lambda good: [as_json({LONG: 1})],
    "a number with sixty thousand digits": lambda good: [raw(b"1" * 60_000)],
}
"""Nothing of this can be read as any message."""

ODD: dict[str, Garbage] = {
    "nothing": lambda good: [],
    "null": lambda good: [as_json(None)],
    "no value at all": lambda good: [raw(b"", encoding="binary/null")],
    "an empty text": lambda good: [as_json("")],
    "an empty object": lambda good: [as_json({})],
    "a number": lambda good: [as_json(17)],
    "plain words without quotes": lambda good: [raw(b"it is broken")],
    "a bare text": lambda good: [as_json("it is broken")],
    "64 KiB of text": lambda good: [as_json(LONG)],
    "Markdown, HTML and control characters": lambda good: [as_json(MARKDOWN)],
    "no encoding": lambda good: [raw(json.dumps(good).encode(), encoding="")],
    "unknown fields": lambda good: [as_json({**good, "pipline": 1, MARKDOWN: MARKDOWN})],
    "a hundred unknown fields": lambda good: [as_json({f"field {n}": MARKDOWN for n in range(100)})],
    "nobody we know": lambda good: [as_json({**good, "by": f"nobody {MARKDOWN}"})],
    "not a number": lambda good: [raw(json.dumps({**good, "value": float("nan"), "count": float("inf")}).encode())],
    "64 KiB in every field": lambda good: [as_json({**dict.fromkeys(good, LONG), "by": "ana"})],
    "curly quotes": lambda good: [as_json(curly(good))],
    "as it should be": lambda good: [as_json(good)],
    "the same again": lambda good: [as_json(good)],
}
"""Whether this can be read depends on the message."""

WRONG: list[Any] = ["", [{}], -1e300, "x" * 5_000, f"nobody {MARKDOWN}"]
MOMENTS: list[Any] = ["yesterday noon", "0001-01-01T00:00:00Z", "2199-12-31T23:59:59Z"]
"""Put into every field, and into those that are moments: wrong types, unknown names, no time anybody means."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a message, but only one of a list's items and of the catalogue's entries."""
    found = [path] if path else []
    if isinstance(value, dict):
        few = 1 if path[-1:] in (("people",), ("teams",), ("services",)) else len(value)
        for key in list(value)[:few]:
            found += places(value[key], (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value[:1]):
            found += places(item, (*path, number))
    return found


def with_put(value: Any, path: tuple[Any, ...], what: Any) -> Any:
    """The message with something else at one place."""
    if not path:
        return what
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_put(copy[path[0]], path[1:], what)
    return copy


def is_moment(value: Any) -> bool:
    try:
        return bool(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return False


def wrong_in_every_field(kind: str, name: str) -> list[list[Payload]]:
    good, message = example(kind, name), message_of(kind, name)
    if message is None:
        found = []
        for path in places(good):
            there: Any = functools.reduce(lambda inside, key: inside[key], path, good)
            moments = MOMENTS if is_moment(there) or there in (None, "") else []
            wrong = WRONG[1:2] if "plan" in path[:-1] else WRONG + moments  # a plan has hundreds of places
            found += [[as_json(with_put(good, path, value))] for value in wrong]
        return found
    fields = {
        field: WRONG + (MOMENTS if "datetime" in repr(info.annotation) else [])
        for field, info in message.model_fields.items()
        if field not in EVERY or name in ("observe", "alarm", "declare")
    }
    return [[as_json({**good, field: value})] for field, values in fields.items() for value in values]


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


@pytest.mark.parametrize(("kind", "name"), [*SIGNALS, *UPDATES])
def test_a_handler_takes_one_thing_or_nothing(kind: str, name: str) -> None:
    _, *arguments = inspect.signature(handler(kind, name).fn).parameters.values()
    assert [argument.default for argument in arguments] == [None]


@pytest.mark.parametrize(("kind", "name"), [*SIGNALS, *UPDATES])
def test_a_handlers_description_shows_json_to_copy(kind: str, name: str) -> None:
    description = handler(kind, name).description or ""
    message = message_of(kind, name)
    if message is None:
        assert description.startswith("internal: ")
        return
    words, shown = description.split(" Example: ")
    assert words.endswith(".")
    said = message.model_validate(json.loads(shown))
    assert said.model_fields_set, "an example says something"


@pytest.mark.parametrize(("kind", "name"), UPDATES)
def test_an_update_is_looked_at_before_it_is_accepted(kind: str, name: str) -> None:
    assert DEFINITIONS[kind].updates[name].validator is not None


@pytest.mark.parametrize(("kind", "name"), QUERIES)
def test_a_query_needs_nothing_and_says_what_it_shows(kind: str, name: str) -> None:
    query = DEFINITIONS[kind].queries[name]
    _, *arguments = inspect.signature(query.fn).parameters.values()
    assert arguments == []
    assert (query.description or "").endswith(".")


def test_every_type_people_talk_to_answers_snapshot() -> None:
    spoken_to = {kind for kind, _ in [*SIGNALS, *UPDATES]}
    assert {kind for kind, name in QUERIES if name == "snapshot"} >= spoken_to


# --- What is thrown at them -----------------------------------------------------------------------

HOUSES: list[House] = []


@pytest.fixture(scope="module")
async def home(client: Client) -> AsyncIterator[House]:
    """One house for everything: a wedge in any of its processes fails at the end, too."""
    async with house(client) as it:
        HOUSES[:] = [it]
        await it.open()
        yield it


async def begun(home: House, kind: str) -> str:
    """Return the id of a process of a kind that is in the middle of its life, and alone."""
    if kind == "Detection":
        return home.detection
    now, parent = datetime.now(UTC), f"INC-X-{uuid.uuid4().hex[:6]}"
    plan = plan_for(home.catalog, services=["checkout-api"], teams=list(home.catalog.teams), at=now)
    common: dict[str, Any] = {"incident": parent, "plan": plan, "opened_at": now}
    due = now + timedelta(days=28)
    states: dict[str, Matter] = {
        "Incident": home.an_incident(),
        "Coe": Coe(id=f"{parent}/coe/checkout", team="checkout", author="ana", assigned_at=now, due_at=due, **common),
        "Rca": Rca(id=f"{parent}/rca", services=["checkout-api"], mitigated_at=now, **common),
        "ActionItem": ActionItem(id=f"{parent}/action/1", n=1, title="t", owner="ana", due_at=due, **common),
        "Campaign": Campaign(id=f"campaign/{parent}", slug=parent, owner="ana", team="checkout", due_at=due, **common),
        "OpsReview": ops_review.new(plan, now, timedelta()).model_copy(update={"id": f"ops-review/{parent}"}),
    }
    return await home.begin(states[kind])


def honest(kind: str) -> tuple[str, dict[str, Any]]:
    """A message that may be sent at any time."""
    action: dict[str, Any] = {**AddAction.example, "due": IN_A_YEAR}
    return {
        "Incident": ("observe", {"by": "ana", "text": "still here"}),
        "Coe": ("submit", {"by": "ana", "text": "not a COE yet"}),
        "Rca": ("submit", {"by": "ana", "text": "Between 09:00 and 09:31 UTC payments were refused."}),
        "ActionItem": ("withdraw", {"by": "dee", "reason": "the service is switched off"}),
        "Campaign": ("finish", {"by": "dee", "reason": "the old endpoint is switched off"}),
        "OpsReview": ("add_action", {**action, "by": "kim", "owner": "kim"}),
    }[kind]


async def still_works(home: House, kind: str, workflow_id: str) -> None:
    """It shows itself, answers, and takes an honest message, unless it is over."""
    if kind == "Detection":
        name = f"still-{uuid.uuid4().hex}"
        await home.alarm(name, service="search-api", region="us-east")

        async def heard() -> bool:
            state = await home.watching()
            return any(w.fact.alarm == name and w.incident for w in state.alarms.values())

        await until(heard, "an honest alarm in its incident")
        return
    state = await snapshot(home, workflow_id)
    assert await home.shows(workflow_id)
    name, said = honest(kind)
    refusal = await home.raw_update(workflow_id, name, [as_json(said)])
    over = state["ended"] or state.get("phase") == "absorbed"
    assert over or not refusal, refusal


async def snapshot(home: House, workflow_id: str) -> dict[str, Any]:
    state: dict[str, Any] = await home.client.get_workflow_handle(workflow_id).query("snapshot")
    return state


@pytest.mark.parametrize(("kind", "name"), UPDATES)
async def test_whatever_is_sent_as_an_update_is_answered_with_a_sentence(home: House, kind: str, name: str) -> None:
    workflow_id = await begun(home, kind)
    good = example(kind, name)

    async def throw(payloads: list[Payload], what: str) -> str:
        refusal = await home.raw_update(workflow_id, name, payloads)
        assert not refusal or reads_well(refusal), f"{name} refused {what}: {refusal[:600]!r}"
        return refusal

    async def throw_all(thrown: list[tuple[str, list[Payload]]]) -> list[str]:
        found: list[str] = []
        for n in range(0, len(thrown), 8):  # the server lets ten be under way
            found += await asyncio.gather(*(throw(payloads, what) for what, payloads in thrown[n : n + 8]))
        return found

    refusals = await throw_all([(what, garbage(good)) for what, garbage in UNREADABLE.items()])
    accepted = [what for what, refusal in zip(UNREADABLE, refusals, strict=True) if not refusal]
    assert accepted == []
    await throw_all([(repr(p[0].data), p) for p in wrong_in_every_field(kind, name)])
    await throw_all([(what, garbage(good)) for what, garbage in ODD.items()])
    await still_works(home, kind, workflow_id)
    assert await home.task_failures(workflow_id) == []


COUNTED = ("Detection", "Campaign")
"""Whose pages show numbers, or reasons in words of their own, in place of the last lines."""


def kept(kind: str, state: dict[str, Any], name: str) -> int:
    """How many messages of a name a process shows as unreadable."""
    if kind == "Detection":
        return sum(it["name"] == name for it in state["unreadable"])
    if kind == "Campaign":
        return int(state["unread"])
    return sum(it["what"] == "unreadable" and it["text"].startswith(f"{name}: ") for it in state["timeline"])


def needs_something(kind: str, name: str) -> bool:
    """Whether some field must be there, so that not every object can be read."""
    internal = internal_examples().get(name)
    known = message_of(kind, name) or (type(internal) if internal else BaseModel)
    return any(field.is_required() for field in known.model_fields.values())


@pytest.mark.parametrize(("kind", "name"), SIGNALS)
async def test_whatever_is_sent_as_a_signal_is_taken_or_kept_and_shown(home: House, kind: str, name: str) -> None:
    workflow_id = await begun(home, kind)
    good = example(kind, name)
    before = kept(kind, await snapshot(home, workflow_id), name)
    for garbage in UNREADABLE.values():
        assert not await home.raw_signal(workflow_id, name, garbage(good))
    if reads(kind, name) and needs_something(kind, name):
        after = kept(kind, await snapshot(home, workflow_id), name)
        assert after - before == len(UNREADABLE), "what cannot be read is kept"
        assert kind in COUNTED or escape(name) in await home.shows(workflow_id)
    thrown = [*wrong_in_every_field(kind, name), *(garbage(good) for garbage in ODD.values())]
    for n in range(0, len(thrown), 50):
        await asyncio.gather(*(home.raw_signal(workflow_id, name, payloads) for payloads in thrown[n : n + 50]))
    await still_works(home, kind, workflow_id)
    assert await home.task_failures(workflow_id) == []


NOT_WAITING: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "Incident": [
        ("decide", {"by": "lou"}),
        ("decide", {"by": "lou", "proposal": 9, "verdict": "approve"}),
        ("stop", {"by": "lou", "proposal": 1, "reason": "worse"}),
        ("rejoin", {"by": "ana"}),
        ("notify", {"by": "sam", "draft": 1, "verdict": "send"}),
        ("release", {"by": "kim", "team": "dns", "reason": "not them"}),
        ("check", {"by": "kim", "done": ["hypotheses"]}),
        ("reopen", {"by": "lou", "reason": "errors are back"}),
    ],
    "Coe": [("review", {"by": "dee", "level": "team", "verdict": "accept"})],
    "Rca": [("approve", {"by": "dee"}), ("recall", {"by": "dee", "reason": "a wrong date"})],
    "ActionItem": [
        ("agree", {"by": "dee"}),
        ("validated", {"by": "ana", "passed": True, "method": "tried", "evidence": "seen"}),
    ],
    "Campaign": [("start_rung", {"by": "ana", "rung": "education"})],
}
"""What may be said at another time, but has nothing to decide, stop or approve now."""


@pytest.mark.parametrize("kind", NOT_WAITING)
async def test_a_word_for_a_step_that_does_not_wait_is_refused_with_a_sentence(home: House, kind: str) -> None:
    workflow_id = await begun(home, kind)
    before = await snapshot(home, workflow_id)
    for name, said in NOT_WAITING[kind]:
        refusal = await home.raw_update(workflow_id, name, [as_json(said)])
        assert reads_well(refusal), f"{name}: {refusal!r}"
    after = await snapshot(home, workflow_id)
    assert [line["what"] for line in after["timeline"]][: len(before["timeline"])] == [
        line["what"] for line in before["timeline"]
    ]
    assert not {"decided", "stopped", "rejoined", "notified", "released", "checked", "reopened"} & {
        line["what"] for line in after["timeline"]
    }
    await still_works(home, kind, workflow_id)
