"""Where a command runs and for whom: settings, catalogue, the person, and Temporal."""

import asyncio
import getpass
from collections.abc import Coroutine
from typing import Any, TypeVar

from pydantic import ValidationError
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from cli.say import NO_WORKER, UNUSABLE, Stop
from link.guard import proven
from link.send import send_update
from model.catalogue.catalog import Catalog, CatalogError
from model.messages import Answer
from model.text import Refused
from worker.files import load_catalog
from worker.run import open_client
from worker.settings import Settings

T = TypeVar("T")

_NOBODY = (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
PEOPLE_SHOWN = 12
"""People named to somebody who must say who they are."""


def settings() -> Settings:
    """Return this installation's settings.

    Raises:
        Stop: One of them cannot be read.
    """
    try:
        return Settings()
    except ValidationError as error:
        said = [
            f"ALLCLEAR_{'.'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors(include_url=False)
        ]
        raise Stop("; ".join(said), UNUSABLE) from None


def catalog(given: Settings) -> Catalog:
    """Return the catalogue of the settings.

    Raises:
        Stop: It cannot be used.
    """
    try:
        return load_catalog(given.catalog)
    except CatalogError as error:
        wrong = [finding for finding in error.findings if finding.level == "error"]
        raise Stop(
            f"{given.catalog} cannot be used: {wrong[0].where}: {wrong[0].text} "
            f"({len(wrong)} in all; `allclear catalog check {given.catalog}` lists them)",
            UNUSABLE,
        ) from None
    except Refused as error:
        raise Stop(f"{error}; set ALLCLEAR_CATALOG", UNUSABLE) from None


def person(given: Settings, named: str | None) -> str:
    """Return who types: named, else configured, else the login where the catalogue knows it.

    A name the catalogue here does not know is still sent: the workers' catalogue decides.

    Raises:
        Stop: Nobody can be told.
    """
    known = catalog(given)
    said = named or given.user
    if said:
        found = known.person_by(said)
        return found.id if found else said
    login = _login()
    found = known.person_by(login) if login else None
    if found:
        return found.id
    people = list(known.people)
    more = f" and {len(people) - PEOPLE_SHOWN} more" if len(people) > PEOPLE_SHOWN else ""
    raise Stop(
        f"say who you are with `--as PERSON`, or once with ALLCLEAR_USER: the catalogue does not know "
        f"{login or 'your login'!r}, it knows {', '.join(people[:PEOPLE_SHOWN])}{more}",
        UNUSABLE,
    )


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""


def in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Do something asynchronous, and say in a sentence what Temporal could not do.

    Raises:
        Stop: Temporal, or the workers, did not answer.
    """
    try:
        return asyncio.run(work)
    except RPCError as error:
        raise Stop(_said(error)) from None


def _said(error: RPCError) -> str:
    if error.status in _NOBODY or "no poller" in error.message:
        return NO_WORKER
    return f"Temporal: {error.message}"


async def connected(given: Settings) -> Client:
    """Return a client of the configured cluster, or of the embedded server.

    Raises:
        Refused: Nothing answers.
    """
    return await open_client(given)


async def say_to(client: Client, workflow_id: str, name: str, payload: dict[str, Any]) -> Answer:
    """Send an update in the name of who typed it; this door is on their machine and has their word for it.

    Raises:
        Refused: The rules refused it.
        Unreachable: Nobody answered in time.
    """
    with proven():
        return await send_update(client, workflow_id, name, payload)
