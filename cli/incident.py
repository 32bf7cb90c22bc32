"""`allclear incident`: the list, one of them in full, and everything a person can tell it."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markdown import Markdown
from temporalio.client import Client, WorkflowExecution

from cli import find, here, talk
from cli.say import as_json, console, line, table
from cli.talk import ID, Json
from link import attributes
from model.details import awaited, incident_details
from model.incident import Incident, Phase
from model.times import ago, iso

MOST = 500
"""Incidents listed at most; the store and the Web UI know them all."""

_ALL = Annotated[bool, typer.Option("--all", help="Those that are over, too.")]


def add(app: typer.Typer) -> typer.Typer:
    """Add `incident` with `list`, `show` and a command per update; return it for more."""
    incident = typer.Typer(help="See the incidents, and tell them what you know and decide.", no_args_is_help=True)
    app.add_typer(incident, name="incident", rich_help_panel="Answer a page")
    incident.command("list", epilog="Example: allclear incident list --all --json")(_list)
    incident.command("show", epilog="Example: allclear incident show 7F3A")(_show)
    talk.add_updates(incident)
    return incident


def _list(every: _ALL = False, json: Json = False) -> int:
    """List the open incidents, newest first."""
    settings = here.settings()

    async def ask() -> list[dict[str, Any]]:
        client = await here.connected(settings)
        return await _rows(client, every=every)

    rows = here.in_loop(ask())
    if json:
        as_json(rows)
        return 0
    out = console()
    if not rows:
        line(out, "No incident is open." if not every else "There is no incident.")
        return 0
    now = datetime.now(UTC)
    shown = [
        (
            row["id"],
            f"SEV{row['severity']}",
            row["phase"],
            ago(now - datetime.fromisoformat(row["opened_at"])) if row["opened_at"] else "",
            ", ".join(row["services"]),
            ", ".join(row["regions"]),
            ", ".join(row["awaiting"]),
        )
        for row in rows
    ]
    table(out, ("incident", "", "phase", "opened ago", "services", "regions", "waits for"), shown)
    return 0


async def _rows(client: Client, *, every: bool) -> list[dict[str, Any]]:
    """Return what Temporal lists: no worker is needed for it, so it works when least else does."""
    found = client.list_workflows(find.INCIDENTS if every else find.RUNNING, limit=MOST)
    rows = [_row(it) async for it in found]
    known = {row["id"] for row in rows}
    # What was opened a moment ago may not be listed yet.
    missing = [name for name in await find.open_ids(client) if name not in known]
    fresh = await asyncio.gather(*(find.maybe(client, name) for name in missing))
    rows += [_row_of(it) for it in fresh if it]
    rows.sort(key=lambda row: row["opened_at"], reverse=True)
    return [row for row in rows if every or row["phase"] != Phase.ABSORBED]


def _row(it: WorkflowExecution) -> dict[str, Any]:
    known = it.typed_search_attributes
    return {
        "id": it.id,
        "severity": int(known.get(attributes.SEVERITY) or 3),
        "phase": known.get(attributes.PHASE) or Phase.DETECT.value,
        "opened_at": iso(known.get(attributes.OPENED_AT) or it.start_time),
        "services": list(known.get(attributes.SERVICES) or []),
        "regions": list(known.get(attributes.REGIONS) or []),
        "awaiting": list(known.get(attributes.AWAITING) or []),
    }


def _row_of(it: Incident) -> dict[str, Any]:
    return {
        "id": it.id,
        "severity": it.severity,
        "phase": it.phase.value,
        "opened_at": iso(it.opened_at),
        "services": it.services,
        "regions": it.regions,
        "awaiting": awaited(it),
    }


def _show(incident: ID, json: Json = False) -> int:
    """Show one incident: where it is, what waits for whom, what happened last."""
    settings = here.settings()

    async def ask() -> tuple[Incident, str]:
        client = await here.connected(settings)
        return await find.snapshot(client, await find.named(client, incident)), client.namespace

    found, namespace = here.in_loop(ask())
    if json:
        as_json(found.model_dump_json(indent=2))
        return 0
    page = incident_details(found, datetime.now(UTC) + found.clock_shift)
    page = page.replace("{namespace}", namespace).replace("{workflowId}", found.id)
    out = console()
    if out.is_terminal:
        out.print(Markdown(page))
    else:
        line(out, page)
    ticket = settings.tickets / f"{found.id}.md"
    if ticket.exists():
        line(out, f"\nThe whole ticket: {ticket}", "note")
    return 0
