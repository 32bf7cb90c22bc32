"""CloudWatch alarms that an EventBridge rule delivers through an API destination.

| event | alarm |
|---|---|
| `detail.state.value` `ALARM`, `OK` | `state`; `INSUFFICIENT_DATA` leaves the alarm as it was, and is named |
| `detail.alarmName` and `account` | `alarm`, as by SNS: one alarm delivered both ways is one |
| `detail.alarmTags.service`, dimension `Service` or `ServiceName` | `service`, where no rule gives one |
| `region` | `region`, where no rule gives one |
| the first metric in `detail.configuration` | `metric` |
| `detail.state.reason`, else the description | `summary` |
| `detail.state.timestamp`, else `time` | `at` |
| `id` | `key`: delivered twice, it counts once |

Rules in the catalogue (`match:`) see as labels: `name`, `description`, `namespace`, `metric`, `account`, `region`,
`rule` (of a composite alarm), every dimension by its own name and every tag as `tag.NAME`. An alarm whose actions are
suppressed is taken all the same, and its summary says so.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from gateway.bodies import items_of, parse_json
from gateway.reading import Fault, Ignored, Seen
from gateway.sources import Source, documented, needs
from gateway.sources.cloudwatch import LEFT, NO_DATA, STATES, console, dimensions, name_of
from gateway.sources.common import line, moment_of, number_of, texts_of, without_nothing
from model.text import NAME_LIMIT

FIELDS: Final = {
    "alarm": "detail.alarmName",
    "service": "detail.configuration.metrics",
    "region": "region",
    "metric": "detail.configuration.metrics",
    "at": "detail.state.timestamp",
    "key": "id",
}
"""Where in an event our fields come from."""
_KIND: Final = "CloudWatch Alarm State Change"


def alarm_of(index: int, event: Any) -> Seen | Fault | Ignored:
    """Return what an event means, or what is wrong with it."""
    if not isinstance(event, dict):
        return Fault(index, "", "should be an event: an object with detail-type and detail")
    if event.get("detail-type") != _KIND:
        return Fault(index, "detail-type", f"should be '{_KIND}': let the rule choose only these")
    detail = _object(event.get("detail"))
    name, state = detail.get("alarmName"), _object(detail.get("state"))
    if not isinstance(name, str) or not line(name):
        return Fault(index, "detail.alarmName", "is needed")
    if state.get("value") == NO_DATA:
        return Ignored(index, ["detail.state.value"], LEFT)
    if state.get("value") not in STATES:
        return Fault(index, "detail.state.value", "should be ALARM, OK or INSUFFICIENT_DATA")
    about = _object(detail.get("configuration"))
    metric = _metric(about)
    tags = texts_of(detail.get("alarmTags")) or {}
    region, account = line(event.get("region") or ""), line(event.get("account") or "")
    labels = {
        **{f"tag.{tag}": text for tag, text in tags.items()},
        **dimensions(metric.get("dimensions")),
        **without_nothing(
            {
                "name": line(name),
                "description": line(about.get("description") or ""),
                "namespace": line(metric.get("namespace") or ""),
                "metric": line(metric.get("name") or ""),
                "account": account,
                "region": region,
                "rule": line(about.get("alarmRule") or ""),
            }
        ),
    }
    reason = line(state.get("reason") or "") or labels.get("description", "")
    if state.get("actionsSuppressedBy"):
        reason = f"{reason} (its actions are suppressed by {line(state['actionsSuppressedBy'])})".strip()
    value, threshold = _numbers(state.get("reasonData"))
    fields = {
        "alarm": name_of(line(name), account),
        "service": tags.get("service") or labels.get("Service") or labels.get("ServiceName"),
        "region": region,
        "metric": labels.get("metric", "")[:NAME_LIMIT],
        "state": state["value"],
        "summary": reason,
        "value": value,
        "threshold": threshold,
        "link": console(region, name) if region else None,
        "at": moment_of(state.get("timestamp")) or moment_of(event.get("time")),
        "key": line(event.get("id") or "")[:NAME_LIMIT],
    }
    return Seen(labels, without_nothing(fields))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _metric(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return the first metric an alarm looks at; a composite one has none."""
    metrics = configuration.get("metrics")
    for item in metrics if isinstance(metrics, list) else []:
        if found := _object(_object(_object(item).get("metricStat")).get("metric")):
            return found
    return {}


def _numbers(data: Any) -> tuple[float | None, float | None]:
    """Return the latest value and the threshold, which the event has as JSON in a text."""
    try:
        found = _object(json.loads(data)) if isinstance(data, str) else {}
    except (ValueError, RecursionError):
        return None, None
    points = found.get("recentDatapoints")
    return number_of(points[-1]) if isinstance(points, list) and points else None, number_of(found.get("threshold"))


def opened(_: Mapping[str, str], body: bytes) -> list[Any]:
    """Return the events of a body: one, or a list."""
    return items_of(parse_json(body), "events")


_OBJECT: Final = {"type": "object"}
_EVENT: Final = needs(
    {
        "id": {"type": "string"},
        "detail-type": {"const": _KIND},
        "source": {"type": "string"},
        "account": {"type": "string"},
        "region": {"type": "string"},
        "time": {"type": "string"},
        "detail": needs(
            {
                "alarmName": {"type": "string"},
                "state": needs({"value": {"enum": ["ALARM", "OK", NO_DATA]}}, ["value"]),
                "configuration": _OBJECT,
            },
            ["alarmName", "state"],
        ),
    },
    ["detail-type", "detail"],
)
_EXAMPLE: Final = {
    "version": "0",
    "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
    "detail-type": _KIND,
    "source": "aws.cloudwatch",
    "account": "123456789012",
    "time": "2026-03-02T09:00:40Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-5xx"],
    "detail": {
        "alarmName": "checkout-5xx",
        "configuration": {
            "description": "More than 1 % of calls fail",
            "metrics": [
                {
                    "id": "m1",
                    "metricStat": {
                        "metric": {
                            "dimensions": {"LoadBalancer": "app/checkout/50dc6c495c0c9188"},
                            "name": "HTTPCode_Target_5XX_Count",
                            "namespace": "AWS/ApplicationELB",
                        },
                        "period": 60,
                        "stat": "Sum",
                    },
                    "returnData": True,
                }
            ],
        },
        "previousState": {"reason": "", "timestamp": "2026-03-02T08:00:40.989+0000", "value": "OK"},
        "state": {
            "reason": "Threshold Crossed: 1 datapoint [42.0] was greater than the threshold (10.0).",
            "reasonData": '{"version":"1.0","recentDatapoints":[42.0],"threshold":10.0}',
            "timestamp": "2026-03-02T09:00:40.989+0000",
            "value": "ALARM",
        },
    },
}
EVENTBRIDGE: Final = Source(
    name="eventbridge",
    opened=opened,
    seen=alarm_of,
    fields=FIELDS,
    documented=documented({"anyOf": [_EVENT, {"type": "array", "items": _EVENT}]}, _EXAMPLE),
    words=__doc__ or "",
)
