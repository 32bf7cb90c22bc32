"""`POST /alarms/...` and `POST /reports`: 202 is said only once Temporal has everything."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from gateway import alertmanager
from gateway.bodies import items_of, parse_json, read_body
from gateway.delivery import Delivered, Delivery
from gateway.door import Door
from gateway.gauges import Gauges
from gateway.openapi import ALERTMANAGER, ANSWERS, body
from gateway.problems import RETRY_AFTER, Problem
from gateway.reading import FAULTS_SHOWN, Batch, read_items
from model.messages import Alarm, Report

_AGAIN = {
    "alarm": "send all of it again: what was accepted changes nothing a second time",
    "report": "send all of it again: a report with a `key` counts once, others count again",
}


class Intake:
    """Takes what was read from a body.

    The reading itself is done in a thread: a body of 5 MiB takes a second, in which pages still have to go out.
    """

    def __init__(self, delivery: Delivery, gauges: Gauges) -> None:
        """Deliver by `delivery`, and count."""
        self._delivery = delivery
        self._gauges = gauges

    async def take(self, source: str, batch: Batch[Alarm] | Batch[Report], began: float) -> JSONResponse:
        """Deliver what could be read, and answer for all of it.

        Raises:
            Problem: Something could not be read, or not be delivered; what could be, was.
        """
        gauges = self._gauges
        gauges.received.labels(source).inc(len(batch.messages) + batch.refused)
        gauges.refused.labels(source).inc(batch.refused)
        done = await self._delivery.deliver(batch.messages)
        gauges.accepted.labels(source).inc(done.accepted)
        gauges.undelivered.labels(source).inc(len(batch.messages) - done.accepted)
        said = _said(batch, done)
        if done.failure:
            kind = "report" if isinstance(batch.messages[0], Report) else "alarm"
            text = f"{done.failure}; {done.accepted} of {len(batch.messages)} accepted. Then {_AGAIN[kind]}"
            raise Problem(503, text, headers=RETRY_AFTER, **said)
        if batch.faults:
            total = len(batch.messages) + batch.refused
            raise Problem(422, f"{batch.refused} of {total} could not be read; the others are accepted", **said)
        gauges.seconds.labels(source).observe(time.monotonic() - began)
        return JSONResponse(said, 202)


def _said(batch: Batch[Alarm] | Batch[Report], done: Delivered) -> dict[str, Any]:
    """Return the fields of an answer; lists of what went wrong only where something did."""
    said: dict[str, Any] = {"accepted": done.accepted, "unmapped": done.unmapped}
    if batch.ignored:
        said["ignored"] = batch.ignored[:FAULTS_SHOWN]
    if batch.faults:
        said["errors"] = [fault.shown() for fault in batch.faults[:FAULTS_SHOWN]]
    return said


def intake_routes(door: Door, delivery: Delivery, gauges: Gauges) -> APIRouter:
    """Return the routes by which machines report."""
    intake = Intake(delivery, gauges)
    routes = APIRouter(dependencies=[Depends(door)], tags=["intake"])

    @routes.post("/alarms/allclear", status_code=202, responses=ANSWERS, openapi_extra=body(Alarm, "alarms"))
    async def alarms(request: Request) -> JSONResponse:
        """Change the state of one alarm, or of many.

        An alarm that says again what it said before changes nothing. Fields that nobody knows are left out
        and named under `ignored`.
        """
        began = time.monotonic()
        items = items_of(parse_json(await read_body(request)), "alarms")
        return await intake.take("allclear", await asyncio.to_thread(read_items, Alarm, items), began)

    @routes.post("/alarms/alertmanager", status_code=202, responses=ANSWERS, openapi_extra=ALERTMANAGER)
    async def alerts(request: Request) -> JSONResponse:
        began = time.monotonic()
        found = alerts_of(parse_json(await read_body(request)))
        return await intake.take("alertmanager", await asyncio.to_thread(_read_alerts, found), began)

    @routes.post("/reports", status_code=202, responses=ANSWERS, openapi_extra=body(Report, "reports"))
    async def reports(request: Request) -> JSONResponse:
        """Tell that customers report trouble.

        Two reports may be alike and both be true: give each a `key`, so that one sent twice counts once.
        """
        began = time.monotonic()
        items = items_of(parse_json(await read_body(request)), "reports")
        return await intake.take("reports", await asyncio.to_thread(read_items, Report, items), began)

    return routes


def _read_alerts(alerts: Sequence[Any]) -> Batch[Alarm]:
    items = [alertmanager.alarm_of(index, alert) for index, alert in enumerate(alerts)]
    return read_items(Alarm, items, alertmanager.FIELDS)


def alerts_of(data: Any) -> list[Any]:
    """Return the alerts of a webhook's body.

    Raises:
        Problem: It is not one of Alertmanager's.
    """
    if not isinstance(data, dict) or not isinstance(data.get("alerts"), list):
        text = "this is not Alertmanager's webhook (version 4): it has a list `alerts`"
        error = {"index": 0, "field": "alerts", "text": "should be a list of alerts"}
        raise Problem(422, text, accepted=0, errors=[error])
    return items_of(data, "alerts")
