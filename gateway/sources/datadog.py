"""Datadog's webhook with our template (docs/intake.md has it to paste) as alarms.

| field of the template | alarm |
|---|---|
| `transition`: `Recovered` → `OK`; `Triggered`, `Warn`, `No Data`, again or for the first time → `ALARM` | `state` |
| `alert_id` and `aggreg_key` | `alarm`: one for each group of a monitor |
| tag `service`; tag `region`, else `datacenter` | `service`, `region` |
| tag `metric`, else the field `metric` | `metric` |
| tag `severity`, else `priority`; a warning is never worse than 4 | `severity` |
| tag `source`: `service` `subsystem` `canary` `traffic` | `source` |
| `title` | `summary` |
| `link` | `link` |
| `last_updated`, else `date` (milliseconds since 1970) | `at` |
| `event_id` | `key`: delivered twice, it counts once |

A monitor tells about missing data only where it is asked to: so that is an alarm. Rules in the catalogue (`match:`)
see every tag as a label, and `monitor`, `metric`, `scope`, `priority`, `type`, `hostname`, `title`.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.bodies import items_of, parse_json
from gateway.reading import Fault, Seen
from gateway.sources import Source, documented, needs
from gateway.sources.common import (
    is_test,
    kind_of,
    line,
    link_of,
    moment_of,
    severity_of,
    short_hash,
    without_nothing,
)
from model.text import NAME_LIMIT

TEMPLATE: Final = {
    "alert_id": "$ALERT_ID",
    "alert_cycle_key": "$ALERT_CYCLE_KEY",
    "aggreg_key": "$AGGREG_KEY",
    "transition": "$ALERT_TRANSITION",
    "type": "$ALERT_TYPE",
    "status": "$ALERT_STATUS",
    "priority": "$ALERT_PRIORITY",
    "scope": "$ALERT_SCOPE",
    "metric": "$ALERT_METRIC",
    "query": "$ALERT_QUERY",
    "title": "$EVENT_TITLE",
    "body": "$EVENT_MSG",
    "event_id": "$ID",
    "date": "$DATE",
    "last_updated": "$LAST_UPDATED",
    "tags": "$TAGS",
    "link": "$LINK",
    "snapshot": "$SNAPSHOT",
    "org_id": "$ORG_ID",
    "hostname": "$HOSTNAME",
}
"""What is pasted into the webhook's payload."""
FIELDS: Final = {"alarm": "alert_id", "service": "tags", "region": "tags", "metric": "metric", "key": "event_id"}
"""Where in a body our fields come from."""

_STATES: Final = {
    "triggered": "ALARM",
    "re-triggered": "ALARM",
    "renotify": "ALARM",
    "re-notify": "ALARM",
    "warn": "ALARM",
    "re-warn": "ALARM",
    "no data": "ALARM",
    "re-no data": "ALARM",
    "recovered": "OK",
}
_MILD: Final = 4  # a warning: nobody is woken for it


def alarm_of(index: int, item: Any) -> Seen | Fault:
    """Return what a notification means, or what is wrong with it."""
    if not isinstance(item, dict):
        return Fault(index, "", "should be an object made by the template in docs/intake.md")
    said = {name: line(item[name]) for name in TEMPLATE if item.get(name) not in (None, "")}
    if not said.get("alert_id"):
        return Fault(index, "alert_id", "is needed: use the template in docs/intake.md")
    transition = said.get("transition", "").casefold()
    state = _STATES.get(transition)
    if state is None:
        return Fault(index, "transition", "should be Triggered, Re-Triggered, Warn, No Data, Renotify or Recovered")
    tags = _tags(said.get("tags", ""))
    about = ("metric", "scope", "priority", "type", "hostname", "title")
    labels = {**tags, **{name: said[name] for name in about if name in said}, "monitor": said["alert_id"]}
    severity = severity_of(tags.get("severity", "")) or severity_of(said.get("priority", ""))
    fields = {
        "alarm": _name(said["alert_id"], said.get("aggreg_key", "")),
        "service": tags.get("service"),
        "region": tags.get("region") or tags.get("datacenter"),
        "metric": (tags.get("metric") or said.get("metric", ""))[:NAME_LIMIT],
        "state": state,
        "source": kind_of(tags.get("source")),
        "severity": max(severity or _MILD, _MILD) if "warn" in transition else severity,
        "summary": said.get("title"),
        "link": link_of(said.get("link")),
        "at": moment_of(said.get("last_updated")) or moment_of(said.get("date")),
        "key": said.get("event_id", "")[:NAME_LIMIT],
        "test": is_test(tags),
    }
    return Seen(labels, without_nothing(fields))


def _name(monitor: str, group: str) -> str:
    """Return an alarm's name. The monitor's title is no part of it: it may change with the state."""
    name = f"datadog-{monitor}" + (f"#{group}" if group else "")
    return name if len(name) <= NAME_LIMIT else f"{name[: NAME_LIMIT - 17]}-{short_hash(name)}"


def _tags(text: str) -> dict[str, str]:
    """Return `name:value,name:value` as labels; the first of a name counts."""
    found: dict[str, str] = {}
    for tag in text.split(","):
        name, _, value = tag.strip().partition(":")
        if name and value:
            found.setdefault(name, value)
    return found


def opened(_: Mapping[str, str], body: bytes) -> list[Any]:
    """Return the notifications of a body: one, or a list."""
    return items_of(parse_json(body), "alerts")


_EXAMPLE: Final = {
    "alert_id": "9876543",
    "alert_cycle_key": "5462139785",
    "aggreg_key": "c1a5d3",
    "transition": "Triggered",
    "type": "error",
    "priority": "P2",
    "scope": "service:checkout-api",
    "metric": "error-rate",
    "title": "[Triggered] Checkout: calls fail",
    "event_id": "7425136987",
    "date": "1772442000000",
    "last_updated": "1772442000000",
    "tags": "service:checkout-api,region:eu-west,env:prod",
    "link": "https://app.datadoghq.example.test/monitors/9876543",
}
_ITEM: Final = needs({name: {"type": "string"} for name in TEMPLATE}, ["alert_id", "transition"])
DATADOG: Final = Source(
    name="datadog",
    opened=opened,
    seen=alarm_of,
    fields=FIELDS,
    documented=documented({"anyOf": [_ITEM, {"type": "array", "items": _ITEM}]}, _EXAMPLE),
    words=__doc__ or "",
)
