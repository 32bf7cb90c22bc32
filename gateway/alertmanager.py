"""Prometheus Alertmanager's webhook (version 4) as alarms.

| alert | alarm |
|---|---|
| `status` `firing`, `resolved` | `state` `ALARM`, `OK` |
| label `alarm`, else label `alertname` and the `fingerprint` | `alarm`: stable, and another for each series |
| label `service`, else `job`; label `region` | `service`, `region` |
| label `severity`: `page` `critical` → 2, `warning` → 3, `info` → 5, else 1 to 5 | `severity` |
| label `metric`, else `alertname` | `metric` |
| label `source`: `service` `subsystem` `canary` `traffic`; any other is `service` | `source` |
| annotation `summary`, else `description` | `summary` |
| annotations `value`, `threshold` (the first number in them) | `value`, `threshold` |
| `generatorURL` | `link` |
| `startsAt` when firing, `endsAt` when resolved | `at` |
| label `test` with the value `true` | `test` |

A critical alert is severity 2 and not 1: to a rule's author "critical" means "page", while severity 1 wakes
call leaders. With any other severity, or none, an alarm has that of its metric in the catalogue.
"""

import hashlib
import math
import re
from typing import Any, Final, get_args

from gateway.reading import Fault
from model.messages import Source
from model.text import NAME_LIMIT, clean, one_line
from model.times import parse_moment

FIELDS: Final = {
    "alarm": "labels.alertname",
    "service": "labels.service",
    "region": "labels.region",
    "metric": "labels.metric",
}
"""Where in an alert our fields come from."""

_STATES: Final = {"firing": "ALARM", "resolved": "OK"}
_WORDS: Final = {"page": 2, "critical": 2, "warning": 3, "info": 5}
_LEVEL: Final = re.compile(r"(?:sev|p|s)?[- ]?([1-5])", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_NEVER: Final = "0001-01-01"  # Go's zero time: an alert that has not ended


def alarm_of(index: int, alert: Any) -> dict[str, Any] | Fault:
    """Return an alert as the fields of an alarm, or what is wrong with it."""
    if not isinstance(alert, dict):
        return Fault(index, "", "should be an alert: an object with status, labels and annotations")
    state = _STATES.get(str(alert.get("status")))
    if state is None:
        return Fault(index, "status", "should be 'firing' or 'resolved'")
    labels, annotations = _texts(alert.get("labels")), _texts(alert.get("annotations"))
    if labels is None:
        return Fault(index, "labels", "should be an object with at least alertname and service")
    service = labels.get("service") or labels.get("job")
    if not service:
        return Fault(index, "labels.service", "is needed: label the rule with the service it watches")
    notes = annotations or {}
    fields = {
        "by": "alertmanager",
        "alarm": labels.get("alarm") or _series(alert, labels),
        "service": service,
        "region": labels.get("region"),
        "metric": (labels.get("metric") or labels.get("alertname", ""))[:NAME_LIMIT],
        "state": state,
        "source": labels["source"] if labels.get("source") in get_args(Source) else None,
        "severity": _severity(labels.get("severity", "")),
        "summary": notes.get("summary") or notes.get("description"),
        "link": _link(alert.get("generatorURL")),
        "value": _number(notes.get("value", "")),
        "threshold": _number(notes.get("threshold", "")),
        "at": _moment(alert.get("startsAt" if state == "ALARM" else "endsAt")),
        "test": labels.get("test", "").casefold() == "true" or None,
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _texts(value: Any) -> dict[str, str] | None:
    """Return labels with what counts as text; a label without a value is none."""
    if not isinstance(value, dict):
        return None
    return {str(name): one_line(clean(str(text))) for name, text in value.items() if text not in (None, "")}


def _series(alert: dict[str, Any], labels: dict[str, str]) -> str:
    """Return a name that the same series has again, firing and resolved, and no other one has."""
    mark = one_line(clean(str(alert.get("fingerprint") or "")))[:32]
    if not mark:
        listed = "\n".join(f"{name}={labels[name]}" for name in sorted(labels))
        mark = hashlib.sha256(listed.encode()).hexdigest()[:16]
    name = labels.get("alertname", "alert")
    return f"{name[: NAME_LIMIT - len(mark) - 1]}#{mark}"


def _severity(word: str) -> int | None:
    level = _LEVEL.fullmatch(word)
    return int(level[1]) if level else _WORDS.get(word.casefold())


def _number(text: str) -> float | None:
    """Return the first number in a text like `4.2%`; none is no reason to lose an alarm."""
    match = _NUMBER.search(text)
    value = float(match[0]) if match else math.nan
    return value if math.isfinite(value) else None


def _link(value: Any) -> str | None:
    return value if isinstance(value, str) and value.startswith(("http://", "https://")) else None


def _moment(value: Any) -> str | None:
    """Return a moment we can read; otherwise it is now."""
    if not isinstance(value, str) or value.startswith(_NEVER):
        return None
    try:
        return parse_moment(value).isoformat()
    except ValueError:
        return None
