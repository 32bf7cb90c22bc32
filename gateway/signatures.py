"""Signatures over a body as it was sent: Grafana's, and Standard Webhooks (standardwebhooks.com)."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.door import one_of
from gateway.problems import Problem
from model.text import Refused

SIGNING: Final = "whsec_"
"""How a key that signs begins; any other is shown as a token."""
FRESH: Final = 300
"""Seconds a signature with a time may differ from ours: five minutes, as Standard Webhooks has it."""
GRAFANA: Final = "x-grafana-alerting-signature"
GRAFANA_TIME: Final = "x-grafana-alerting-timestamp"
STANDARD: Final = "webhook-signature"
_SECRET: Final = re.compile(rf"{SIGNING}[A-Za-z0-9+/]{{4,}}={{0,2}}")


class Signature(Protocol):
    """Proves who sent a body."""

    header: str

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Return if one of our keys made the signature.

        Raises:
            Problem: None did, or too long ago.
        """


class GrafanaSignature:
    """HMAC-SHA256 of the body in hex; of `time:body` where the contact point sends its time."""

    header = GRAFANA

    def __init__(self, keys: Sequence[str], now: Callable[[], float] = time.time) -> None:
        """Accept any of `keys`; `now` is the time in seconds."""
        self._keys = [key.encode() for key in keys]
        self._now = now

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Return if one of our keys made the signature.

        Raises:
            Problem: None did, or too long ago.
        """
        shown = headers.get(GRAFANA, "").strip().lower().encode("latin-1", "replace")
        said = headers.get(GRAFANA_TIME)
        signed = body if said is None else said.encode("latin-1", "replace") + b":" + body
        if not one_of(shown, [hmac.new(key, signed, hashlib.sha256).hexdigest().encode() for key in self._keys]):
            raise _wrong(GRAFANA, "the secret of the contact point is not one of ALLCLEAR_KEYS_GRAFANA")
        if said is None:
            return
        if not said.strip().isascii() or not said.strip().isdigit() or abs(self._now() - int(said)) > FRESH:
            raise _wrong(GRAFANA_TIME, f"its time is more than {FRESH // 60} minutes from ours")


class StandardSignature:
    """Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""

    header = STANDARD

    def __init__(self, keys: Sequence[str], setting: str) -> None:
        """Accept any of `keys`, which `setting` has.

        Raises:
            Refused: One is no such key; it is not shown.
        """
        self._setting = setting
        # The library reads what it can of a key that is none, and then no signature would ever hold.
        if not all(_SECRET.fullmatch(key) for key in keys):
            raise Refused(f"{setting}: what follows {SIGNING} should be base64")
        self._hooks = [Webhook(key) for key in keys]

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Return if one of our keys made the signature.

        Raises:
            Problem: None did, or too long ago.
        """
        why = "no key of ours made it"
        for hook in self._hooks:
            try:
                hook.verify(body, dict(headers), json_parse=False)
                return
            except WebhookVerificationError as error:
                why = str(error)
            except ValueError:  # not two parts, not base64, not UTF-8
                why = "it cannot be read"
        raise _wrong(STANDARD, f"{why}; keys are in {self._setting}")


def _wrong(header: str, why: str) -> Problem:
    return Problem(401, f"the signature in {header} does not hold: {why}")
