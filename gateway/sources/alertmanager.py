"""Prometheus Alertmanager's webhook (version 4) as alarms.

| alert | alarm |
|---|---|
| `status` `firing`, `resolved` | `state` `ALARM`, `OK` |
| label `alarm`, else label `alertname` and the `fingerprint` | `alarm`: stable, and another for each series |
| label `service`, else `job`; label `region` | `service`, `region` |
| label `severity`: `critical` `page` `high` → 2, `error` `warning` → 3, `low` → 4, `info` → 5; 1…5 | `severity` |
| label `metric`, else `alertname` | `metric` |
| label `source`: `service` `subsystem` `canary` `traffic`; any other is `service` | `source` |
| annotation `summary`, else `description` | `summary` |
| annotations `value`, `threshold` (the first number in them) | `value`, `threshold` |
| `generatorURL` | `link` |
| `startsAt` when firing, `endsAt` when resolved | `at` |
| label `test` with the value `true` | `test` |

The catalogue's rules (`match:`) look at the labels, and come first. An alert of which neither they nor its labels name
a service goes to incident response as unmapped.

A critical alert is severity 2 and not 1: to a rule's author "critical" means "page", while severity 1 wakes
call leaders. With any other severity, or none, an alarm has that of its metric in the catalogue.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.bodies import MOST, items_of, parse_json
from gateway.problems import Problem
from gateway.reading import Fault, Seen
from gateway.sources import Source, documented, needs
from gateway.sources.common import (
    TEXTS,
    is_test,
    kind_of,
    line,
    link_of,
    moment_of,
    number_of,
    severity_of,
    short_hash,
    stable,
    texts_of,
    without_nothing,
)
from model.text import NAME_LIMIT

FIELDS: Final = {
    "alarm": "labels.alertname",
    "service": "labels.service",
    "region": "labels.region",
    "metric": "labels.metric",
}
"""Where in an alert our fields come from."""

_STATES: Final = {"firing": "ALARM", "resolved": "OK"}


def alarm_of(index: int, alert: Any) -> Seen | Fault:
    """Return what an alert means, or what is wrong with it."""
    if not isinstance(alert, dict):
        return Fault(index, "", "should be an alert: an object with status, labels and annotations")
    state = _STATES.get(str(alert.get("status")))
    if state is None:
        return Fault(index, "status", "should be 'firing' or 'resolved'")
    labels, annotations = texts_of(alert.get("labels")), texts_of(alert.get("annotations"))
    if labels is None:
        return Fault(index, "labels", "should be an object with at least alertname and service")
    notes = annotations or {}
    fields = {
        "alarm": labels.get("alarm") or _series(alert, labels),
        "service": labels.get("service") or labels.get("job"),
        "region": labels.get("region"),
        "metric": (labels.get("metric") or labels.get("alertname", ""))[:NAME_LIMIT],
        "state": state,
        "source": kind_of(labels.get("source")),
        "severity": severity_of(labels.get("severity", "")),
        "summary": notes.get("summary") or notes.get("description"),
        "link": link_of(alert.get("generatorURL")),
        "value": number_of(notes.get("value")),
        "threshold": number_of(notes.get("threshold")),
        "at": moment_of(alert.get("startsAt" if state == "ALARM" else "endsAt")),
        "test": is_test(labels),
    }
    return Seen(labels, without_nothing(fields))


def _series(alert: dict[str, Any], labels: dict[str, str]) -> str:
    """Return a name that the same series has again, firing and resolved, and no other one has."""
    mark = line(alert.get("fingerprint") or "")[:32]
    return stable(
        labels.get("alertname", "alert"), mark or short_hash(*(f"{name}={labels[name]}" for name in sorted(labels)))
    )


def opened(_: Mapping[str, str], body: bytes) -> list[Any]:
    """Return the alerts of a webhook's body.

    Raises:
        Problem: It is not one of Alertmanager's.
    """
    data = parse_json(body)
    if not isinstance(data, dict) or not isinstance(data.get("alerts"), list):
        text = "this is not Alertmanager's webhook (version 4): it has a list `alerts`"
        error = {"index": 0, "field": "alerts", "text": "should be a list of alerts"}
        raise Problem(422, text, accepted=0, errors=[error])
    return items_of(data, "alerts")


ALERT: Final = {
    "status": "firing",
    "labels": {
        "alertname": "HighErrorRate",
        "service": "checkout-api",
        "region": "eu-west",
        "severity": "critical",
        "metric": "error-rate",
    },
    "annotations": {"summary": "5xx above 1 %", "value": "4.2"},
    "startsAt": "2026-03-02T09:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "https://prometheus.example.test/graph",
    "fingerprint": "7abe6021b4f90255",
}
"""An alert as an example."""
WEBHOOK: Final = needs(
    {
        "version": {"type": "string"},
        "alerts": {
            "type": "array",
            "maxItems": MOST,
            "items": needs(
                {
                    "status": {"enum": ["firing", "resolved"]},
                    "labels": TEXTS,
                    "annotations": TEXTS,
                    "startsAt": {"type": "string"},
                    "endsAt": {"type": "string"},
                    "generatorURL": {"type": "string"},
                    "fingerprint": {"type": "string"},
                },
                ["status", "labels"],
            ),
        },
    },
    ["alerts"],
)
"""The schema of the body."""
ALERTMANAGER: Final = Source(
    name="alertmanager",
    opened=opened,
    seen=alarm_of,
    fields=FIELDS,
    documented=documented(WEBHOOK, {"version": "4", "status": "firing", "alerts": [ALERT]}),
    words=__doc__ or "",
)
