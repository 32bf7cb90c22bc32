"""Finding incidents: the open ones, and the one that somebody names by its last characters."""

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from cli.say import NO_WORKER, UNUSABLE, Stop
from link.starting import DETECTION
from model.detect.opening import LETTERS
from model.detect.partition import Known
from model.incident import Incident, Phase

ANSWER_WITHIN = timedelta(seconds=5)
"""How long a process may take to answer a question about itself."""
INCIDENTS = 'WorkflowType="Incident"'
RUNNING = f'{INCIDENTS} AND ExecutionStatus="Running"'
SHORTEST = 4
"""Characters of a short name, at least."""

_FULL = re.compile(rf"INC-[0-9]{{8}}-[{LETTERS}]{{{SHORTEST},}}")
_SHORT = re.compile(rf"[0-9A-Z-]{{{SHORTEST},}}")


async def open_ids(client: Client) -> list[str]:
    """Return the ids of every incident that is not over.

    Visibility may lag a moment behind, and an incident is acknowledged in its first seconds: so `Detection`, which
    knows at once, is asked too.

    Raises:
        Stop: None is listed, and nobody answers who would know of a new one.
    """
    listed = [it.id async for it in client.list_workflows(RUNNING)]
    told = await asyncio.gather(*(_told(client, name) for name in await partitions(client)))
    if not listed and None in told:
        raise Stop(NO_WORKER)
    return list(dict.fromkeys([*(known.id for answer in told for known in answer or ()), *listed]))


async def partitions(client: Client) -> list[str]:
    """Return the ids of the `Detection` processes."""
    query = f'WorkflowType="{DETECTION}" AND ExecutionStatus="Running"'
    return sorted([it.id async for it in client.list_workflows(query)])


async def _told(client: Client, detection: str) -> list[Known] | None:
    handle = client.get_workflow_handle(detection)
    try:
        known: list[Known] = await handle.query("open_incidents", result_type=list[Known], rpc_timeout=ANSWER_WITHIN)
        return known
    except RPCError:
        return None  # without a worker, what is listed must do


async def snapshot(client: Client, incident: str) -> Incident:
    """Return everything an incident knows.

    Raises:
        Stop: There is no such incident.
        RPCError: No worker answers.
    """
    handle = client.get_workflow_handle(incident)
    try:
        found: Incident = await handle.query("snapshot", result_type=Incident, rpc_timeout=ANSWER_WITHIN)
        return found
    except RPCError as error:
        if error.status.name == "NOT_FOUND":
            raise Stop(f"Temporal does not know {incident}; `allclear incident list --all` lists them") from None
        raise


async def standing(client: Client) -> list[Incident]:
    """Return the open incidents, oldest first; what was absorbed is part of another one."""
    found = await asyncio.gather(*(maybe(client, name) for name in await open_ids(client)))
    open_ones = [it for it in found if it and it.phase != Phase.ABSORBED and not it.ended]
    return sorted(open_ones, key=lambda it: (it.opened_at, it.id))


async def maybe(client: Client, incident: str) -> Incident | None:
    """Return an incident, or None where it has not begun yet."""
    try:
        return await snapshot(client, incident)
    except Stop:
        return None


async def the_one(client: Client, command: str) -> str:
    """Return the only incident a command can mean: the one that is open, else the one that has just been closed.

    Raises:
        Stop: There is none, or there are several: then they are listed.
    """
    found = await standing(client)
    candidates = [it for it in found if it.phase != Phase.ALL_CLEAR] or found[-1:]
    if len(candidates) == 1:
        return candidates[0].id
    if not candidates:
        raise Stop("no incident is open")
    lines = "\n".join(f"  {one_line(it)}" for it in candidates)
    last = short_name(candidates[-1].id)
    raise Stop(f"{len(candidates)} incidents are open; say which, for example `{command} {last}`:\n{lines}", UNUSABLE)


def one_line(incident: Incident) -> str:
    """Return an incident in a line, to choose from."""
    return f"{incident.id}  SEV{incident.severity}  {incident.phase}  {incident.title}"


def short_name(incident: str) -> str:
    """Return what is enough to name an incident: the last part of its id."""
    return incident.rsplit("-", 1)[-1]


async def named(client: Client, text: str) -> str:
    """Return the id of the incident that somebody means: its id, or four or more of its last characters.

    Raises:
        Stop: Nothing, or more than one incident, ends so.
    """
    wanted = text.strip().upper()
    if _FULL.fullmatch(wanted):
        return wanted
    if not _SHORT.fullmatch(wanted):
        raise Stop(
            f"{text!r} names no incident; give its id, or four or more of its last characters, such as 7F3A", UNUSABLE
        )
    found = _ending(await open_ids(client), wanted)
    if not found:
        found = _ending([it.id async for it in client.list_workflows(INCIDENTS)], wanted)
    if len(found) == 1:
        return found[0]
    if found:
        raise Stop(f"{text} may be {' or '.join(found)}: give more of it", UNUSABLE)
    raise Stop(f"no incident ends in {wanted}; `allclear incident list --all` lists them")


def _ending(ids: Sequence[str], wanted: str) -> list[str]:
    return list(dict.fromkeys(name for name in ids if name.endswith(wanted)))
