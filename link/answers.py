"""The catalogue's answer travels with an alarm, in a header: that saves an activity between alarm and page.

Whoever may signal `Detection` could write such a header, and name whom they like; they could as well signal the
incidents. A sender without a catalogue encloses nothing, and `Detection` asks.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from temporalio.api.common.v1 import Payload

from link import catalog as live
from link.converter import DATA_CONVERTER
from model.catalogue.catalog import Catalog
from model.catalogue.plan import facts_for, plan_for
from model.detect.answers import KEPT, Answered, Question, fingerprint
from model.detect.partition import Resolved
from model.policy import Policy

HEADER = "allclear-answer"
LARGEST = 20_000
"""Bytes of an answer that travels with every change of an alarm's state; a larger one is asked for."""
SAID_AGAIN = timedelta(seconds=5)
"""How long an answer is said again as it was: a storm repeats itself, and to make one takes longer than to send it."""


class _Said(NamedTuple):
    catalog: Catalog
    policy: Policy
    at: datetime
    payload: Payload | None


_said: dict[Question, _Said] = {}
_enclosed: ContextVar[Payload | None] = ContextVar("allclear_enclosed", default=None)
_fingerprints: list[tuple[Policy, str]] = []


@contextlib.contextmanager
def enclosing(payload: Any) -> Iterator[None]:
    """Send messages in this block with what this process's catalogue says of the service named in `payload`."""
    token = _enclosed.set(_answer(payload))
    try:
        yield
    finally:
        _enclosed.reset(token)


def enclosed() -> dict[str, Payload]:
    """Return the headers of what is sent now."""
    payload = _enclosed.get()
    return {HEADER: payload} if payload else {}


def answered(headers: Mapping[str, Payload]) -> Answered | None:
    """Return the answer that came with a message, if one did that can be read."""
    payload = headers.get(HEADER)
    if payload is None:
        return None
    try:
        return Answered.model_validate_json(payload.data)
    except ValueError:  # of another version: the catalogue is asked
        return None


def resolve(catalog: Catalog, question: Question, at: datetime) -> Resolved:
    """Return what a catalogue says to a question."""
    service, region, metric = question
    return Resolved(
        facts=facts_for(catalog, service, region, metric),
        plan=plan_for(catalog, services=[service] if service else [], at=at),
    )


def _answer(payload: Any) -> Payload | None:
    catalog = live.live()
    if catalog is None or not isinstance(payload, dict):
        return None
    service, region, metric = (payload.get(name, "") for name in ("service", "region", "metric"))
    if not (isinstance(service, str) and isinstance(region, str) and isinstance(metric, str)):
        return None
    question = (service, region, metric)
    said = _said.get(question)
    now = datetime.now(UTC)
    if said and said.catalog is catalog and said.policy is live.policy() and now - said.at < SAID_AGAIN:
        return said.payload
    answer = Answered(
        question=question, at=now, answer=resolve(catalog, question, now), policy=_fingerprint(live.policy())
    )
    [made] = DATA_CONVERTER.payload_converter.to_payloads([answer])
    enclosure: Payload | None = made if len(made.data) <= LARGEST else None
    _said.pop(question, None)
    _said[question] = _Said(catalog, live.policy(), now, enclosure)
    while len(_said) > KEPT:
        del _said[next(iter(_said))]
    return enclosure


def _fingerprint(policy: Policy) -> str:
    if not _fingerprints or _fingerprints[0][0] is not policy:
        _fingerprints[:] = [(policy, fingerprint(policy))]
    return _fingerprints[0][1]
