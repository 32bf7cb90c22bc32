"""`/i/{incident}?t=...`: where an incident is, and one tap to answer, for the person whom the link proves.

A GET changes nothing, so a preview that a chat or a mail filter makes does not acknowledge a page.
"""

import asyncio
import hashlib
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from itsdangerous import BadData, URLSafeTimedSerializer
from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError, RPCStatusCode

from gateway.bodies import read_body
from gateway.page import HEADERS, Reader, Said, Seen, apologise, show
from gateway.problems import Problem
from link.guard import proven
from link.send import Unreachable, send_update
from link.signing import sign, unsign
from model.incident import Incident
from model.text import Refused, cut
from store import Store, StoreError

ACTS: Final = {"acknowledge": "", "join": "", "release": "reason", "observe": "text"}
"""What one tap can say, and the field that its words go to."""
LOOK_WITHIN: Final = timedelta(seconds=3)
"""How long the workflow may take to say where it is; then the record is shown."""
SEND_WITHIN: Final = timedelta(seconds=8)
"""How long it is tried to send what a person said."""
SAID_FOR: Final = 600
"""Seconds for which a result is shown again with its address."""
LARGEST: Final = 64 * 1024
"""Bytes of a form."""
_ID: Final = re.compile(r"INC-\d{8}-[A-Z0-9]{4,}")


class Phone:
    """Shows incidents to people, and sends what they say in their own, proven name."""

    def __init__(self, client: Client, store: Store, secret: str) -> None:
        """Ask the workflows by `client`, else the `store`; links are signed with `secret`."""
        self._client = client
        self._store = store
        self._secret = secret

    def person(self, incident: str, token: str) -> str:
        """Return whom a token proves.

        Raises:
            Refused: Nobody.
        """
        return unsign(self._secret, token, incident)

    async def page(self, incident: str, reader: Reader, said: Said | None = None, status: int = 200) -> HTMLResponse:
        """Return the page of an incident."""
        try:
            seen = await self._look(incident)
        except (StoreError, Unreachable):
            text = said.text if said else "Neither the incident nor its record can be reached right now."
            return apologise(503, "Not right now", f"{text} Try again in a minute.", _todo(incident))
        if seen is None:
            return apologise(404, "No such incident", f"{incident} is not known here (any more).")
        into = seen.incident.absorbed_into
        link = f"{into}?t={sign(self._secret, into, reader.person)}" if into else ""
        return show(seen, reader, datetime.now(UTC), said, status, link)

    async def act(self, incident: str, person: str, act: str, text: str, nonce: str) -> Said:
        """Send what a person said.

        Raises:
            Unreachable: Nobody took it; the same again counts once.
        """
        payload: dict[str, Any] = {"by": person, "key": _key(nonce, person, act, text)}
        if field := ACTS[act]:
            if not text.strip():
                return Said(False, "Write a few words first.")
            payload[field] = text
        try:
            with proven():
                answer = await send_update(self._client, incident, act, payload, deadline=SEND_WITHIN)
        except Refused as refusal:
            return Said(False, str(refusal))
        except RuntimeError as error:  # what a lazy client says that could not connect
            raise Unreachable(str(error)) from None
        return Said(True, answer.text)

    def remember(self, incident: str, said: Said) -> str:
        """Return what was said as a parameter of an address; signed, so that nobody puts words there."""
        return str(self._memory(incident).dumps([said.ok, cut(said.text, 600)]))

    def recall(self, incident: str, remembered: str) -> Said | None:
        """Return what was said, if it was us and not long ago."""
        try:
            ok, text = self._memory(incident).loads(remembered, max_age=SAID_FOR)
        except BadData:
            return None
        return Said(bool(ok), str(text))

    def _memory(self, incident: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret, salt=f"allclear.said/{incident}")

    async def _look(self, incident: str) -> Seen | None:
        """Ask the workflow, else the record.

        Raises:
            StoreError: Neither answers.
            Unreachable: The workflow does not answer, and the record knows nothing yet.
        """
        missing = False
        try:
            async with asyncio.timeout(LOOK_WITHIN.total_seconds()):
                state: Incident = await self._client.get_workflow_handle(incident).query(
                    "snapshot", result_type=Incident, rpc_timeout=LOOK_WITHIN
                )
            return Seen(state, state.timeline, live=True)
        except RPCError as error:
            missing = error.status == RPCStatusCode.NOT_FOUND
        except (RuntimeError, TimeoutError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            pass
        recorded = await self._store.incident(incident)
        if recorded:
            return Seen(recorded, await self._store.timeline(incident), live=False)
        if missing:
            return None
        raise Unreachable(f"{incident} does not answer")


def phone_routes(phone: Phone) -> APIRouter:
    """Return the routes that people's phones open."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/i/{incident}")
    async def look(incident: str, t: Annotated[str, Query()] = "", m: Annotated[str, Query()] = "") -> HTMLResponse:
        incident = incident.upper()
        try:
            person = phone.person(incident, t)
        except Refused as refusal:
            return _refused(incident, refusal)
        return await phone.page(incident, Reader(person, t, uuid.uuid4().hex), phone.recall(incident, m))

    @routes.post("/i/{incident}")
    async def say(incident: str, request: Request) -> Response:
        incident = incident.upper()
        try:
            form = parse_qs((await read_body(request, LARGEST)).decode("utf-8", "replace"), max_num_fields=20)
        except (Problem, ValueError):
            return apologise(413, "Too much", "That was too long for a phone page: send a link to it.")
        t, act, nonce, text = (form.get(name, [""])[0] for name in ("t", "act", "key", "text"))
        try:
            person = phone.person(incident, t)
        except Refused as refusal:
            return _refused(incident, refusal)
        if act not in ACTS:
            return apologise(400, "Not understood", "That is nothing this page can do.", _todo(incident))
        try:
            said = await phone.act(incident, person, act, text, nonce)
        except Unreachable:
            # Not a redirect: the text stays in its field, and reloading sends the same once more.
            told = Said(False, "Nobody answered, so this may not have arrived. Send it again: it counts once.")
            return await phone.page(incident, Reader(person, t, nonce, act, text), told, 503)
        where = "?" + urlencode({"t": t, "m": phone.remember(incident, said)})
        return RedirectResponse(where, 303, headers=HEADERS)

    return routes


def _refused(incident: str, refusal: Refused) -> HTMLResponse:
    text = str(refusal)
    return apologise(403, "This link does not open", f"{text[:1].upper()}{text[1:]}.", _todo(incident))


def _todo(incident: str) -> str:
    name = incident if _ID.fullmatch(incident) else "INC-..."
    return f"allclear ack {name}"


def _key(nonce: str, person: str, act: str, text: str) -> str:
    """Return a key that the same form has again, and another text, or another person's form, has not."""
    digest = hashlib.sha256("\n".join((nonce, person, act, text)).encode()).hexdigest()
    return f"phone-{digest[:32]}"
