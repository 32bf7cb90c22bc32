"""`POST /alarms/...` and `POST /reports`: 202 is said only once Temporal has everything."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from gateway.bodies import items_of, parse_json, read_body
from gateway.delivery import Delivered, Delivery
from gateway.door import SETTING, Door
from gateway.gauges import Gauges
from gateway.openapi import ANSWERS, SNS, body
from gateway.problems import RETRY_AFTER, Problem
from gateway.reading import FAULTS_SHOWN, Batch, Fault, Ignored, Seen, read_items
from gateway.signatures import SIGNING, GrafanaSignature, Signature, StandardSignature
from gateway.sources import Source, cloudwatch
from gateway.sources.alertmanager import ALERTMANAGER
from gateway.sources.cloudevents import CLOUDEVENTS
from gateway.sources.common import line
from gateway.sources.datadog import DATADOG
from gateway.sources.eventbridge import EVENTBRIDGE
from gateway.sources.grafana import GRAFANA
from gateway.sources.sns import TOPICS, Verifier
from model.catalogue.catalog import Catalog
from model.messages import Alarm, Report
from model.text import NAME_LIMIT

logger = logging.getLogger(__name__)

FROM_OUTSIDE: Final = (ALERTMANAGER, EVENTBRIDGE, GRAFANA, DATADOG, CLOUDEVENTS)
"""Senders whose bodies are read in the same way; CloudWatch comes in SNS's envelope."""
SMALL: Final = 64 * 1024
"""Bytes of a body that is read where it came in, in a few milliseconds; a larger one in a thread."""
_AGAIN = {
    "alarm": "send all of it again: what was accepted changes nothing a second time",
    "report": "send all of it again: a report with a `key` counts once, others count again",
}


@dataclass(frozen=True)
class Keys:
    """What senders prove themselves with.

    Attributes:
        token: The gateway's own; empty with no other key: only loopback is let in.
        sources: Further keys for each source: several, so that they can be changed one after the other. Keys of
            `allclear` and `cloudevents` that begin with `whsec_` sign (Standard Webhooks), others are shown as tokens.
        topics: SNS topics whose CloudWatch alarms are taken, each by its whole ARN.
    """

    token: str = field(default="", repr=False)
    sources: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    topics: Sequence[str] = ()

    def shown(self, source: str) -> list[str]:
        """Return the keys that are shown as tokens."""
        return [key for key in self.sources.get(source, ()) if not key.startswith(SIGNING)]

    def signing(self, source: str) -> list[str]:
        """Return the keys that sign."""
        return [key for key in self.sources.get(source, ()) if key.startswith(SIGNING)]


class Admission:
    """Lets a sender in: by what it shows before its body is read, or by a signature over the body."""

    def __init__(self, door: Door, signature: Signature | None = None) -> None:
        """Ask for a `signature` where one is there, else at the `door`."""
        self._door = door
        self._signature = signature

    async def body(self, request: Request) -> bytes:
        """Return the body of a sender who may send.

        Raises:
            Problem: It may not, or the body does not arrive.
        """
        if self._signature is None or self._signature.header not in request.headers:
            await self._door(request)
            return await read_body(request)
        found = await read_body(request)
        self._signature.check(request.headers, found)
        return found


class Intake:
    """Takes what was read from a body.

    Large bodies are read in a thread: one of 5 MiB takes a second, in which pages still have to go out.
    """

    def __init__(self, delivery: Delivery, gauges: Gauges, catalog: Callable[[], Catalog]) -> None:
        """Deliver by `delivery`, and count; the rules of `catalog` say what alarms from outside mean."""
        self._delivery = delivery
        self._gauges = gauges
        self._catalog = catalog

    async def receive(
        self, source: str, admission: Admission, request: Request, read: Callable[[Catalog, bytes], Batch[Any]]
    ) -> JSONResponse:
        """Take a request: let its sender in, `read` its body, deliver what is in it.

        Raises:
            Problem: It proves nothing, cannot be read, or not be delivered.
        """
        began = time.monotonic()
        with self.counting(source):
            raw = await admission.body(request)
            catalog = self._catalog()
            batch = read(catalog, raw) if len(raw) <= SMALL else await asyncio.to_thread(read, catalog, raw)
        return await self.take(source, batch, began)

    @contextlib.contextmanager
    def counting(self, source: str) -> Iterator[None]:
        """Count a request that is refused as a whole as one that came in and was refused."""
        try:
            yield
        except Problem:
            self._gauges.received.labels(source).inc()
            self._gauges.refused.labels(source).inc()
            raise

    async def take(self, source: str, batch: Batch[Alarm] | Batch[Report], began: float) -> JSONResponse:
        """Deliver what could be read, and answer for all of it.

        Raises:
            Problem: Something could not be read, or not be delivered; what could be, was.
        """
        gauges = self._gauges
        done = await self._delivery.deliver(batch.messages)
        gauges.received.labels(source).inc(len(batch.messages) + batch.refused + batch.told)
        for counter, count in (
            (gauges.refused, batch.refused),
            (gauges.ignored, batch.told),
            (gauges.absorbed, done.absorbed),
            (gauges.accepted, done.accepted - done.absorbed),
            (gauges.undelivered, len(batch.messages) - done.accepted),
        ):
            if count:
                counter.labels(source).inc(count)
        said = _said(batch, done)
        if done.failure:
            kind = "report" if isinstance(batch.messages[0], Report) else "alarm"
            text = f"{done.failure}; {done.accepted} of {len(batch.messages)} accepted. Then {_AGAIN[kind]}"
            raise Problem(503, text, headers=RETRY_AFTER, **said)
        if batch.faults:
            total = len(batch.messages) + batch.refused + batch.told
            raise Problem(422, f"{batch.refused} of {total} could not be read; the others are accepted", **said)
        gauges.seconds.labels(source).observe(time.monotonic() - began)
        return JSONResponse(said, 202)


def read_seen(source: Source, catalog: Catalog, items: Sequence[Any]) -> Batch[Alarm]:
    """Return the alarms that items of a source mean, by its own words and the catalogue's rules."""
    return meant(source.name, catalog, [source.seen(n, item) for n, item in enumerate(items)], source.fields)


def meant(
    name: str, catalog: Catalog, found: Sequence[Seen | Fault | Ignored], fields: Mapping[str, str]
) -> Batch[Alarm]:
    """Return alarms as the catalogue's rules say; what names no service goes to incident response."""
    items: list[Any] = []
    for seen in found:
        if isinstance(seen, Seen):
            said = {**seen.fields, **catalog.matched(name, seen.labels), "by": name}
            said.setdefault("service", line(f"{name}:{said.get('alarm', '')}")[:NAME_LIMIT])
            items.append(said)
        else:
            items.append(seen)
    return read_items(Alarm, items, fields)


def read_reports(_: Catalog, raw: bytes) -> Batch[Report]:
    """Return the reports of a body."""
    return read_items(Report, items_of(parse_json(raw), "reports"))


def read_ours(catalog: Catalog, raw: bytes) -> Batch[Alarm]:
    """Return alarms that are written as ours; the catalogue's rules may still say more of them."""
    items = items_of(parse_json(raw), "alarms")
    if not catalog.rules_for("allclear"):
        return read_items(Alarm, items)
    found = []
    for item in items:
        if isinstance(item, dict):
            labels = {name: value for name, value in item.items() if isinstance(value, str)}
            if more := catalog.matched("allclear", labels):
                found.append({**item, **more})
                continue
        found.append(item)
    return read_items(Alarm, found)


def _said(batch: Batch[Alarm] | Batch[Report], done: Delivered) -> dict[str, Any]:
    """Return the fields of an answer; lists of what went wrong only where something did."""
    said: dict[str, Any] = {"accepted": done.accepted, "unmapped": done.unmapped}
    if done.absorbed:
        said["absorbed"] = done.absorbed
    if batch.ignored:
        said["ignored"] = [ignored.shown() for ignored in batch.ignored[:FAULTS_SHOWN]]
    if batch.faults:
        said["errors"] = [fault.shown() for fault in batch.faults[:FAULTS_SHOWN]]
    return said


def intake_routes(
    keys: Keys,
    public_url: str,
    delivery: Delivery,
    gauges: Gauges,
    catalog: Callable[[], Catalog],
    verifier: Verifier | None = None,
) -> APIRouter:
    """Return the routes by which machines report.

    Raises:
        Refused: A signing key is none.
    """
    intake = Intake(delivery, gauges, catalog)
    routes = APIRouter(tags=["intake"])

    def door(source: str) -> Door:
        setting = f"{SETTING} or ALLCLEAR_KEYS_{source.upper()}" if source else SETTING
        return Door(keys.token, public_url, keys.shown(source), setting, signs=bool(keys.signing(source)))

    def standard(source: str) -> Admission:
        signing = keys.signing(source)
        signature = StandardSignature(signing, f"ALLCLEAR_KEYS_{source.upper()}") if signing else None
        return Admission(door(source), signature)

    ours = standard("allclear")

    @routes.post("/alarms/allclear", status_code=202, responses=ANSWERS, openapi_extra=body(Alarm, "alarms"))
    async def alarms(request: Request) -> JSONResponse:
        """Change the state of one alarm, or of many.

        An alarm that says again what it said before changes nothing. Fields that nobody knows are left out
        and named under `ignored`.
        """
        return await intake.receive("allclear", ours, request, read_ours)

    @routes.post("/reports", status_code=202, responses=ANSWERS, openapi_extra=body(Report, "reports"))
    async def reports(request: Request) -> JSONResponse:
        """Tell that customers report trouble.

        Two reports may be alike and both be true: give each a `key`, so that one sent twice counts once.
        """
        return await intake.receive("reports", at_the_door, request, read_reports)

    at_the_door = Admission(door(""))
    admissions = {source.name: Admission(door(source.name)) for source in FROM_OUTSIDE}
    admissions["cloudevents"] = standard("cloudevents")
    if keys.sources.get("grafana"):
        admissions["grafana"] = Admission(door("grafana"), GrafanaSignature(keys.sources["grafana"]))
    for source in FROM_OUTSIDE:
        _add(routes, intake, source, admissions[source.name])
    _add_cloudwatch(routes, intake, verifier or Verifier(keys.topics), catalog, Door("", public_url, (), TOPICS))
    return routes


def _add(routes: APIRouter, intake: Intake, source: Source, admission: Admission) -> None:
    """Add the route of a source."""

    async def take(request: Request) -> JSONResponse:
        def read(catalog: Catalog, raw: bytes) -> Batch[Alarm]:
            return read_seen(source, catalog, source.opened(request.headers, raw))

        return await intake.receive(source.name, admission, request, read)

    routes.add_api_route(
        f"/alarms/{source.name}",
        take,
        methods=["POST"],
        status_code=202,
        responses=ANSWERS,
        summary=source.name.capitalize(),
        description=source.words.strip(),
        operation_id=f"alarms_{source.name}",
        openapi_extra={"requestBody": dict(source.documented)},
    )


def _add_cloudwatch(
    routes: APIRouter, intake: Intake, verifier: Verifier, catalog: Callable[[], Catalog], door: Door
) -> None:
    """Add the route of SNS topics: what SNS signed is let in from topics of ours; without any, from this machine."""

    async def take(request: Request) -> JSONResponse:
        began = time.monotonic()
        with intake.counting("cloudwatch"):
            if not verifier.topics:
                await door(request)
            envelope = await verifier.opened(await read_body(request))
            if envelope.kind == "SubscriptionConfirmation":
                await verifier.confirm(envelope)
        if envelope.kind != "Notification":
            logger.warning("SNS: %s of %s", envelope.kind, envelope.topic)
            said = Ignored(0, ["Type"], f"{envelope.kind} of {envelope.topic}")
            return await intake.take("cloudwatch", Batch[Alarm](ignored=[said], told=1), began)
        message = parse_message(envelope.message)
        seen = cloudwatch.alarm_of(0, message, envelope.topic, envelope.id)
        return await intake.take("cloudwatch", meant("cloudwatch", catalog(), [seen], cloudwatch.FIELDS), began)

    routes.add_api_route(
        "/alarms/cloudwatch",
        take,
        methods=["POST"],
        status_code=202,
        responses=ANSWERS,
        summary="CloudWatch by SNS",
        description=(cloudwatch.__doc__ or "").strip(),
        operation_id="alarms_cloudwatch",
        openapi_extra=SNS,
    )


def parse_message(text: str) -> Any:
    """Return what SNS carries; what is no JSON is no alarm, and is said as such."""
    try:
        return parse_json(text.encode(errors="replace"))
    except Problem:
        return None
