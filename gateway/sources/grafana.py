"""Grafana's webhook contact point as alarms.

It is read as Alertmanager's (labels and annotations have the same meaning), and moreover:

| alert | alarm |
|---|---|
| `values`: the first number in it | `value`, where no annotation says one |
| `panelURL`, else `dashboardURL`, else `generatorURL` | `link` |

A signature is checked where a key is set: `X-Grafana-Alerting-Signature` is the HMAC-SHA256 of the body, in hex. Set
the timestamp header of the contact point to `X-Grafana-Alerting-Timestamp`: then no old message can be sent again.
"""

from typing import Any, Final

from gateway.reading import Fault, Seen
from gateway.sources import Source, documented
from gateway.sources import alertmanager as its_model
from gateway.sources.common import link_of, number_of

_LINKS: Final = ("panelURL", "dashboardURL", "generatorURL")


def alarm_of(index: int, alert: Any) -> Seen | Fault:
    """Return what an alert means, or what is wrong with it."""
    seen = its_model.alarm_of(index, alert)
    if isinstance(seen, Fault):
        return seen
    links = [link for name in _LINKS if (link := link_of(alert.get(name)))]
    if links:
        seen.fields["link"] = links[0]
    values = alert.get("values")
    found = [number_of(value) for value in values.values()] if isinstance(values, dict) else []
    numbers = [number for number in found if number is not None]
    if numbers:
        seen.fields.setdefault("value", numbers[0])
    return seen


_ALERT: Final = {
    **its_model.ALERT,
    "values": {"B": 4.2},
    "panelURL": "https://grafana.example.test/d/checkout?viewPanel=2",
    "generatorURL": "?orgId=1",
}
GRAFANA: Final = Source(
    name="grafana",
    opened=its_model.opened,
    seen=alarm_of,
    fields=its_model.FIELDS,
    documented=documented(its_model.WEBHOOK, {"version": "1", "state": "alerting", "title": "5xx", "alerts": [_ALERT]}),
    words=__doc__ or "",
)
