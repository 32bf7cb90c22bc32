"""Settings of how alarms come in."""

import re
from typing import Any

from pydantic import Field, SecretStr

from worker.settings.base import Block

SOURCES = ("allclear", "alertmanager", "eventbridge", "grafana", "datadog", "cloudevents")
"""Senders of alarms that prove themselves with keys; CloudWatch's are signed by Amazon (`sns_topics`)."""


def _keys(who: str) -> Any:
    return Field(default=SecretStr(""), description=f"Keys of {who}; several, with blanks between, while they change.")


class IntakeSettings(Block):
    """Who may send alarms, and how they prove it."""

    token: SecretStr = Field(
        default=SecretStr(""),
        description="What senders of alarms show as bearer token; empty: loopback senders need none.",
    )
    keys_allclear: SecretStr = _keys("senders of AllClear's own format, shown as bearer token, or whsec_… to sign")
    keys_alertmanager: SecretStr = _keys("Alertmanager, shown as bearer token")
    keys_eventbridge: SecretStr = _keys("EventBridge's API destination, shown as bearer token")
    keys_grafana: SecretStr = _keys("Grafana: secrets of its HMAC signature, or shown as bearer token")
    keys_datadog: SecretStr = _keys("Datadog, shown as bearer token")
    keys_cloudevents: SecretStr = _keys("CloudEvents, shown as bearer token, or whsec_… to sign")
    sns_topics: str = Field(
        default="", description="ARNs of SNS topics whose CloudWatch alarms are taken, with blanks between."
    )
    gateways: int = Field(
        default=0,
        ge=0,
        description="How many gateways take alarms; 1: every repeat is absorbed there. 0: one with `allclear up`, "
        "several with `allclear gateway`.",
    )

    @property
    def topics(self) -> list[str]:
        """Return the SNS topics whose alarms are taken."""
        return re.split(r"[\s,]+", self.sns_topics.strip()) if self.sns_topics.strip() else []

    def source_keys(self) -> dict[str, list[str]]:
        """Return each source's keys, those of its file behind those of the environment.

        Raises:
            Refused: A file cannot be read; what is in it is not said.
        """
        found: dict[str, list[str]] = {}
        for source in SOURCES:
            given: SecretStr = getattr(self, f"keys_{source}")
            keys = given.get_secret_value().split() + self.in_file(source)
            if keys:
                found[source] = list(dict.fromkeys(keys))
        return found
