"""CloudEvents 1.0 over HTTP whose data are our alarms: structured, binary (`ce-…` headers), or a batch.

| event | alarm |
|---|---|
| `data`, an object with the fields of `/alarms/allclear` | the same fields; `state` is needed |
| `subject`, else `type` | `alarm`, where the data name none |
| `time` | `at`, where the data have none |
| `source` and `id` | `key`: delivered twice, it counts once |

Rules in the catalogue (`match:`) see as labels: `type`, `source`, `subject`, extension attributes, and every text in
the data; where both have a name, the data's counts as `data.NAME`.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from gateway.bodies import items_of, parse_json
from gateway.problems import Problem
from gateway.reading import Fault, Seen
from gateway.sources import Source, needs
from gateway.sources.common import line, moment_of, short_hash, without_nothing
from model.messages import Alarm
from model.text import NAME_LIMIT

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
_NEEDED: Final = ("specversion", "id", "source", "type")
_NOT_A_LABEL: Final = {"specversion", "id", "time", "data", "data_base64", "datacontenttype", "dataschema"}


def alarm_of(index: int, event: Any) -> Seen | Fault:
    """Return what an event means, or what is wrong with it."""
    if not isinstance(event, dict):
        return Fault(index, "", "should be a CloudEvent: an object with specversion, id, source, type and data")
    for name in _NEEDED:
        if not isinstance(event.get(name), str) or not event[name]:
            return Fault(index, name, "is needed, as text (CloudEvents 1.0)")
    if event["specversion"] != "1.0":
        return Fault(index, "specversion", "should be '1.0'")
    data = _data(event)
    if not isinstance(data, dict):
        return Fault(index, "data", f"should be an alarm, for example {Alarm.example_json()}")
    labels = {line(k): line(v) for k, v in event.items() if k not in _NOT_A_LABEL and _is_word(v)}
    for name, value in data.items():
        if _is_word(value):
            labels[f"data.{line(name)}" if line(name) in labels else line(name)] = line(value)
    fields = {
        "alarm": line(event.get("subject") or event["type"])[:NAME_LIMIT],
        "at": moment_of(event.get("time")),
        "key": _key(event["source"], event["id"]),
        **{name: value for name, value in data.items() if name != "by"},
    }
    return Seen(labels, without_nothing(fields))


def _data(event: dict[str, Any]) -> Any:
    if "data_base64" not in event:
        data = event.get("data")
        if not isinstance(data, str):
            return data
        raw = data.encode(errors="replace")
    else:
        try:
            raw = base64.b64decode(str(event["data_base64"]), validate=True)
        except (binascii.Error, ValueError):
            return None
    try:
        return parse_json(raw)
    except Problem:
        return None


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int | float | bool) and value != ""


def _key(source: str, name: str) -> str:
    whole = line(f"{source}#{name}")
    return whole if len(whole) <= NAME_LIMIT else f"{whole[:100]}-{short_hash(source, name)}"


def opened(headers: Mapping[str, str], body: bytes) -> list[Any]:
    """Return the events of a request, in any of the three modes."""
    kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind in (STRUCTURED, BATCH):
        return items_of(parse_json(body), "events")
    attributes = {name[3:].lower(): unquote(value) for name, value in headers.items() if name.lower().startswith("ce-")}
    if not attributes:
        # Some senders forget the media type: an event that says what it is, is one.
        data = parse_json(body)
        if isinstance(data, list) or (isinstance(data, dict) and "specversion" in data):
            return items_of(data, "events")
        text = f"this is no CloudEvent: send `Content-Type: {STRUCTURED}`, or the headers ce-id, ce-source, ce-type"
        raise Problem(
            422, text, accepted=0, errors=[{"index": 0, "field": "specversion", "text": "is needed (CloudEvents 1.0)"}]
        )
    return [{**attributes, "data": parse_json(body)}]


_EVENT: Final = needs(
    {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "minLength": 1},
        "subject": {"type": "string"},
        "time": {"type": "string"},
        "data": {"$ref": "#/components/schemas/Alarm"},
    },
    [*_NEEDED, "data"],
)
_EXAMPLE: Final = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "/monitoring/checkout",
    "type": "com.example.alarm",
    "time": "2026-03-02T09:00:00Z",
    "data": Alarm.example,
}
CLOUDEVENTS: Final = Source(
    name="cloudevents",
    opened=opened,
    seen=alarm_of,
    documented={
        "required": True,
        "content": {
            STRUCTURED: {"schema": _EVENT, "example": _EXAMPLE},
            BATCH: {"schema": {"type": "array", "items": _EVENT}, "example": [_EXAMPLE]},
            "application/json": {"schema": {"$ref": "#/components/schemas/Alarm"}, "example": Alarm.example},
        },
    },
    words=__doc__ or "",
)
