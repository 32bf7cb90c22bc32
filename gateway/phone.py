"""`/i/{incident}?t=...`: where an incident is, what waits for the person whom the link proves, and one tap to answer.

A GET changes nothing, so a preview that a chat or a mail filter makes does not acknowledge a page.
"""

import asyncio
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from itsdangerous import BadData, URLSafeTimedSerializer
from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError, RPCStatusCode

from gateway.bodies import read_body
from gateway.elsewhere import pages_elsewhere
from gateway.page import HEADERS, Around, Offered, Reader, Said, Seen, apologise, show
from gateway.problems import Problem
from link.guard import proven
from link.send import Unreachable, send_update
from link.signing import LIFETIME, call_secret, sign, unsign
from model.catalogue.catalog import Catalog
from model.catalogue.entries import SECRET
from model.catalogue.plan import PlannedTeam, plan_for
from model.coordinate.waiting import Call, calls_for
from model.incident import Incident
from model.text import Refused, cut
from store import Store, StoreError


@dataclass(frozen=True)
class Form:
    """What a form of the page says.

    Attributes:
        fields: Those of the update that it has.
        needs: Those of which one must be there.
        asks: How it is asked for.
    """

    fields: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    asks: str = "Write a few words first."


ACTS: Final = {
    "acknowledge": Form(),
    "join": Form(),
    "release": Form(("reason",), ("reason",)),
    "observe": Form(("text",), ("text",)),
    "state_impact": Form(("team", "impacted", "customers", "text"), ("impacted",), "Say whether: yes, no or unknown."),
    # The rule takes silence for approval; a form that lost its button is none.
    "decide": Form(("proposal", "all", "verdict", "reason"), ("verdict",), "Say which: approve or reject."),
    "notify": Form(("draft", "verdict", "text", "public"), ("verdict",), "Say which: send or hold."),
    "confirm_recovery": Form(
        ("customer", "source", "recovered", "text"),
        ("customer", "source"),
        "Say who sees it: a customer, or what you looked at.",
    ),
    "close": Form(("reason", "text"), ("reason",), "Say why it is over: one of the reasons."),
    "hand_off": Form(("team", "text", "stays"), ("text", "stays"), "Say what is open, or that you stay."),
}
"""What the page can send."""
LOOK_WITHIN: Final = timedelta(seconds=3)
"""How long the workflow may take to say where it is; then the record is shown."""
SEND_WITHIN: Final = timedelta(seconds=8)
"""How long it is tried to send what a person said."""
CALL_WITHIN: Final = timedelta(seconds=4)
"""How long, when a call waits for them."""
SAID_FOR: Final = 600
"""Seconds for which a result is shown again with its address."""
LARGEST: Final = 64 * 1024
"""Bytes of a form."""
_ID: Final = re.compile(r"INC-\d{8}-[A-Z0-9]{4,}")


class Phone:
    """Shows incidents to people, and sends what they say in their own, proven name."""

    def __init__(self, client: Client, store: Store, secret: str, catalog: Callable[[], Catalog] | None = None) -> None:
        """Ask the workflows by `client`, else the `store`; links are signed with `secret`.

        Args:
            client: Whose updates are signed.
            store: The record.
            secret: The workers' secret.
            catalog: Says who is who, and where the call is, while no workflow does: the record keeps no plan.
        """
        self._client = client
        self._store = store
        self._secret = secret
        self._catalog = catalog

    def person(self, incident: str, token: str) -> str:
        """Return whom a token proves.

        Raises:
            Refused: Nobody.
        """
        return unsign(self._secret, token, incident)

    async def page(
        self, incident: str, reader: Reader, said: Said | None = None, status: int = 200, to_call: bool = False
    ) -> HTMLResponse:
        """Return the page of an incident; with `to_call` the way to its call is on top."""
        looking = asyncio.create_task(pages_elsewhere(self._store, reader.person, incident))
        try:
            seen = await self._look(incident)
            around = await self._around(seen.incident, reader.person, looking) if seen else Around()
        except (StoreError, Unreachable):
            text = said.text if said else "Neither the incident nor its record can be reached right now."
            call = said.link if said else ""
            return apologise(503, "Not right now", f"{text} Try again in a minute.", _todo(incident), call)
        finally:
            looking.cancel()
        if seen is None:
            return apologise(404, "No such incident", f"{incident} is not known here (any more).")
        return show(seen, reader, datetime.now(UTC), around, said, status, to_call)

    async def act(self, incident: str, person: str, act: str, said: Mapping[str, str], nonce: str) -> Said:
        """Send what a person said.

        Args:
            incident: Where to.
            person: Whom the link proves.
            act: One of `ACTS`.
            said: The form's fields; those of the act are sent.
            nonce: What the same form has again.

        Raises:
            Unreachable: Nobody took it; the same again counts once.
        """
        form = ACTS[act]
        told = {field: said[field] for field in form.fields if said.get(field, "").strip()}
        if form.needs and not any(field in told for field in form.needs):
            return Said(False, form.asks)
        payload: dict[str, Any] = {"by": person, "key": _key(nonce, person, act, told), **told}
        try:
            with proven():
                within = CALL_WITHIN if said.get("call") else SEND_WITHIN
                answer = await send_update(self._client, incident, act, payload, deadline=within)
        except Refused as refusal:
            return Said(False, _sentence(str(refusal)))
        except RuntimeError as error:  # what a lazy client says that could not connect
            raise Unreachable(str(error)) from None
        return Said(True, answer.text)

    def remember(self, incident: str, said: Said) -> str:
        """Return what was said as a parameter of an address; signed, so that nobody puts words there."""
        return str(self._memory(incident).dumps([said.ok, cut(said.text, 600), said.link]))

    def recall(self, incident: str, remembered: str) -> Said | None:
        """Return what was said, if it was us and not long ago."""
        try:
            ok, text, link = self._memory(incident).loads(remembered, max_age=SAID_FOR)
        except (BadData, ValueError):
            return None
        return Said(bool(ok), str(text), str(link))

    def call(self, incident: str, sealed: str) -> str:
        """Return the call that a form of ours leads to; nothing where it was not ours."""
        try:
            return str(self._calls(incident).loads(sealed, max_age=int(LIFETIME.total_seconds())))
        except BadData:
            return ""

    def _memory(self, incident: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret, salt=f"allclear.said/{incident}")

    def _calls(self, incident: str) -> URLSafeTimedSerializer:
        """Return what seals a call's link, so that it is known when nobody can be asked, and leads nowhere else."""
        return URLSafeTimedSerializer(self._secret, salt=f"allclear.call/{incident}")

    async def _around(self, incident: Incident, person: str, looking: "asyncio.Task[Any]") -> Around:
        elsewhere = await looking
        return Around(
            into=self._link(incident.absorbed_into, person) if incident.absorbed_into else "",
            calls=[self._offered(incident.id, call) for call in calls_for(incident, person)],
            pages=[(page, self._link(page.incident, person)) for page in elsewhere.pages],
            missing=elsewhere.missing,
        )

    def _offered(self, incident: str, call: Call) -> Offered:
        link = call.link.replace(SECRET, call_secret(self._secret, incident, call.call))
        return Offered(call.name, link, str(self._calls(incident).dumps(link)))

    def _link(self, incident: str, person: str) -> str:
        return f"{incident}?t={sign(self._secret, incident, person)}"

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
            return Seen(self._planned(recorded), await self._store.timeline(incident), live=False)
        if missing:
            return None
        raise Unreachable(f"{incident} does not answer")

    def _planned(self, recorded: Incident) -> Incident:
        """Return a recorded incident with a plan as the catalogue has it now: the record keeps none."""
        if self._catalog is None:
            return recorded
        teams = list(recorded.engagements)
        plan = plan_for(self._catalog(), services=recorded.services, teams=teams, at=datetime.now(UTC))
        # A team that has left the catalogue since has nobody in it.
        known = {**{team: PlannedTeam(id=team) for team in teams}, **plan.teams}
        return recorded.model_copy(update={"plan": plan.model_copy(update={"teams": known})})


def phone_routes(phone: Phone) -> APIRouter:
    """Return the routes that people's phones open."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/i/{incident}")
    async def look(
        incident: str,
        t: Annotated[str, Query()] = "",
        m: Annotated[str, Query()] = "",
        call: Annotated[str, Query()] = "",
    ) -> HTMLResponse:
        incident = incident.upper()
        try:
            person = phone.person(incident, t)
        except Refused as refusal:
            return _refused(incident, refusal)
        reader = Reader(person, t, uuid.uuid4().hex)
        return await phone.page(incident, reader, phone.recall(incident, m), to_call=bool(call))

    @routes.post("/i/{incident}")
    async def say(incident: str, request: Request) -> Response:
        incident = incident.upper()
        try:
            form = parse_qs((await read_body(request, LARGEST)).decode("utf-8", "replace"), max_num_fields=20)
        except (Problem, ValueError):
            return apologise(413, "Too much", "That was too long for a phone page: send a link to it.")
        said = {name: values[0] for name, values in form.items()}
        t, act, nonce = (said.pop(name, "") for name in ("t", "act", "key"))
        try:
            person = phone.person(incident, t)
        except Refused as refusal:
            return _refused(incident, refusal)
        if act not in ACTS:
            return apologise(400, "Not understood", "That is nothing this page can do.", _todo(incident))
        call = phone.call(incident, said.get("call", "")) if act == "join" else ""
        try:
            told = await phone.act(incident, person, act, said, nonce)
        except Unreachable:
            # Not a redirect: what was typed is kept in the page, and reloading sends the same once more.
            return await phone.page(incident, Reader(person, t, nonce, act, said), _unsent(call), 503)
        if told.ok and call:
            return RedirectResponse(call, 303, headers=HEADERS)
        where = "?" + urlencode({"t": t, "m": phone.remember(incident, Said(told.ok, told.text, call))})
        return RedirectResponse(where, 303, headers=HEADERS)

    return routes


def _unsent(call: str) -> Said:
    if call:
        text = "Nobody answered, so you may not be counted as being there. The call is open to you all the same."
        return Said(False, text, call)
    return Said(False, "Nobody answered, so this may not have arrived. Send it again: it counts once.")


def _refused(incident: str, refusal: Refused) -> HTMLResponse:
    return apologise(403, "This link does not open", _sentence(str(refusal)), _todo(incident))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!', '}')) else '.'}"


def _todo(incident: str) -> str:
    name = incident if _ID.fullmatch(incident) else "INC-..."
    return f"allclear ack {name}"


def _key(nonce: str, person: str, act: str, told: Mapping[str, str]) -> str:
    """Return a key that the same form has again, and other words, or another person's form, have not."""
    digest = hashlib.sha256(json.dumps([nonce, person, act, sorted(told.items())]).encode()).hexdigest()
    return f"phone-{digest[:32]}"
