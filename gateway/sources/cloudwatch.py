"""CloudWatch alarms that an SNS topic delivers over HTTPS.

| message | alarm |
|---|---|
| `NewStateValue` `ALARM`, `OK` | `state`; `INSUFFICIENT_DATA` leaves the alarm as it was, and is named |
| `AlarmName` and `AWSAccountId` | `alarm` |
| dimension `Service` or `ServiceName` | `service`, where no rule gives one |
| the region in `AlarmArn` | `region`, where no rule gives one |
| `Trigger.MetricName` | `metric` |
| `NewStateReason`, else `AlarmDescription` | `summary` |
| `Trigger.Threshold`, the first datapoint in `NewStateReason` | `threshold`, `value` |
| `StateChangeTime` | `at` |
| SNS's `MessageId` | `key`: delivered twice, it counts once |

Rules in the catalogue (`match:`) give service, region, metric and severity. They see as labels: `name`, `description`,
`namespace`, `metric`, `account`, `region`, `topic`, and every dimension by its own name. A composite alarm has no
metric and no dimensions; its `rule` is a label. What no rule knows goes to incident response as unmapped.

Every body must carry SNS's signature (version 1 or 2); raw message delivery has none and is refused. A subscription is
confirmed for topics that are allowed by name.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from gateway.reading import Fault, Ignored, Seen
from gateway.sources.common import line, link_of, moment_of, number_of, short_hash, stable, without_nothing
from model.text import NAME_LIMIT

FIELDS: Final = {
    "alarm": "Message.AlarmName",
    "service": "Message.Trigger.Dimensions",
    "region": "Message.AlarmArn",
    "metric": "Message.Trigger.MetricName",
    "at": "Message.StateChangeTime",
}
"""Where in a message our fields come from."""
STATES: Final = ("ALARM", "OK")
NO_DATA: Final = "INSUFFICIENT_DATA"
LEFT: Final = "INSUFFICIENT_DATA says nothing of the service: the alarm stays as it was"
_ARN: Final = re.compile(r"arn:[a-z0-9-]+:cloudwatch:([a-z0-9-]+):([0-9]*):alarm:.+", re.DOTALL)
_DATAPOINT: Final = re.compile(r"\[([-+0-9.eE]+)")


def alarm_of(index: int, message: Any, topic: str = "", message_id: str = "") -> Seen | Fault | Ignored:
    """Return what a message of CloudWatch means, or what is wrong with it."""
    if not isinstance(message, dict):
        return Fault(index, "Message", "should be a CloudWatch alarm: an object with AlarmName and NewStateValue")
    name, state = message.get("AlarmName"), message.get("NewStateValue")
    if not isinstance(name, str) or not line(name):
        return Fault(index, "Message.AlarmName", "is needed: this topic should carry CloudWatch alarms only")
    if state == NO_DATA:
        return Ignored(index, ["Message.NewStateValue"], LEFT)
    if state not in STATES:
        return Fault(index, "Message.NewStateValue", "should be ALARM, OK or INSUFFICIENT_DATA")
    arn = _ARN.fullmatch(str(message.get("AlarmArn", "")))
    region, account = (arn[1], arn[2]) if arn else ("", "")
    account = line(message.get("AWSAccountId") or account)
    trigger = message.get("Trigger")
    trigger = trigger if isinstance(trigger, dict) else {}
    metric = line(trigger.get("MetricName") or "")
    reason = line(message.get("NewStateReason") or "")
    labels = {
        **dimensions(trigger.get("Dimensions")),
        **without_nothing(
            {
                "name": line(name),
                "description": line(message.get("AlarmDescription") or ""),
                "namespace": line(trigger.get("Namespace") or ""),
                "metric": metric,
                "account": account,
                "region": region,
                "topic": topic,
                "rule": line(message.get("AlarmRule") or ""),
            }
        ),
    }
    point = _DATAPOINT.search(reason)
    fields = {
        "alarm": name_of(line(name), account),
        "service": labels.get("Service") or labels.get("ServiceName"),
        "region": region,
        "metric": metric[:NAME_LIMIT],
        "state": state,
        "summary": reason or labels.get("description"),
        "value": number_of(point[1]) if point else None,
        "threshold": number_of(trigger.get("Threshold")),
        "link": console(region, name) if region else None,
        "at": moment_of(message.get("StateChangeTime")),
        "key": message_id[:NAME_LIMIT],
    }
    return Seen(labels, without_nothing(fields))


def name_of(alarm: str, account: str) -> str:
    """Return the name of an account's alarm; cut, it still differs from others."""
    mark = account[:20] or "aws"
    return stable(alarm, mark if len(alarm) + len(mark) < NAME_LIMIT else f"{mark}-{short_hash(alarm)}")


def dimensions(value: Any) -> dict[str, str]:
    """Return a metric's dimensions as labels; SNS writes them as a list, EventBridge as an object."""
    if isinstance(value, Mapping):
        return {line(name): line(text) for name, text in value.items()}
    found: dict[str, str] = {}
    for item in value if isinstance(value, list) else []:
        if isinstance(item, dict) and "name" in item:
            found[line(item["name"])] = line(item.get("value", ""))
    return found


def console(region: str, name: str) -> str | None:
    """Return the link to an alarm in the console."""
    plain = re.fullmatch(r"[A-Za-z0-9._-]+", name)
    where = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#alarmsV2:alarm/{name}"
    return link_of(where) if plain else None
