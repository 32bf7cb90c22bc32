"""`allclear campaign`: lessons on their way to everybody they concern, and how far they are (L3)."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.markdown import Markdown
from rich.text import Text
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from cli import fields, find, here, talk
from cli.say import OK, Cell, Stop, as_json, console, line, table
from cli.talk import As, Json
from link import attributes
from model.learn.campaign import Campaign, id_of, percent
from model.learn.campaign_messages import Finish, Measure, StartRung
from model.learn.campaign_page import campaign_details
from model.message import Message
from model.times import iso

CAMPAIGNS: Final = 'WorkflowType="Campaign"'
RUNNING: Final = f'{CAMPAIGNS} AND ExecutionStatus="Running"'
MOST: Final = 200
"""Campaigns listed at most."""

_SLUG = Annotated[str, typer.Argument(metavar="SLUG", help="The campaign's short name.")]
_ALL = Annotated[bool, typer.Option("--all", help="Those that are over, too.")]


def add(app: typer.Typer) -> None:
    """Add `campaign` with `list`, `show`, `measure`, `start-rung` and `finish`."""
    campaign = typer.Typer(help="Bring a lesson to everybody it concerns, and measure it.", no_args_is_help=True)
    app.add_typer(campaign, name="campaign", rich_help_panel="Learn and scale")
    campaign.command("list", epilog="Example: allclear campaign list --json")(_list)
    campaign.command("show", epilog="Example: allclear campaign show regional-endpoints")(_show)
    for name, message, take in (
        ("measure", Measure, _measure),
        ("start-rung", StartRung, _start_rung),
        ("finish", Finish, _finish),
    ):
        example = fields.example(f"allclear campaign {name} regional-endpoints", message, [fields.main_field(message)])
        made = fields.command(
            message, take, {"slug": _SLUG, **fields.words(message)}, {"by": (As, None), "json": (Json, False)}
        )
        campaign.command(name, epilog=f"Example: {example}")(made)


def _workflow(slug: str) -> str:
    return id_of(slug.strip().removeprefix("campaign/"))


def _measure(typed: dict[str, Any]) -> int:
    """Send a measurement; what measures may be a machine, so nobody needs to be known."""
    settings = here.settings()
    slug, by, json = (typed.pop(key) for key in ("slug", "by", "json"))
    payload = {**fields.read(Measure, typed), "by": by or settings.user}

    async def send() -> None:
        client = await here.connected(settings)
        try:
            await client.get_workflow_handle(_workflow(slug)).signal("measure", payload)
        except RPCError as error:
            raise _unknown(slug, error) from None

    here.in_loop(send())
    if json:
        as_json({"campaign": _workflow(slug), "accepted": True})
    else:
        line(console(), f"{_workflow(slug)}: taken; `allclear campaign show {slug}` shows it")
    return OK


def _start_rung(typed: dict[str, Any]) -> int:
    return _update(StartRung, typed)


def _finish(typed: dict[str, Any]) -> int:
    return _update(Finish, typed)


def _update(message: type[Message], typed: dict[str, Any]) -> int:
    settings = here.settings()
    slug, by, json = (typed.pop(key) for key in ("slug", "by", "json"))
    payload = {**fields.read(message, typed), "by": here.person(settings, by)}

    async def send() -> Any:
        client = await here.connected(settings)
        return await here.say_to(client, _workflow(slug), message.update_name(), payload)

    talk.show(here.in_loop(send()), json=json)
    return OK


def _unknown(slug: str, error: RPCError) -> Exception:
    if error.status.name == "NOT_FOUND":
        return Stop(f"there is no campaign {slug} under way; `allclear campaign list` lists them")
    return error


def _show(slug: _SLUG, json: Json = False) -> int:
    """Show one campaign: how far it is, what waits for whom."""
    settings = here.settings()

    async def ask() -> tuple[Campaign, str]:
        client = await here.connected(settings)
        try:
            return await _snapshot(client, _workflow(slug)), client.namespace
        except RPCError as error:
            raise _unknown(slug, error) from None

    found, namespace = here.in_loop(ask())
    if json:
        as_json(found.model_dump_json(indent=2, exclude={"plan", "policy", "owed", "answers"}))
        return OK
    page = campaign_details(found, datetime.now(UTC) + found.clock_shift)
    page = page.replace("{namespace}", namespace).replace("{workflowId}", found.id)
    out = console()
    if out.is_terminal:
        out.print(Markdown(page))
    else:
        line(out, page)
    return OK


def _list(every: _ALL = False, json: Json = False) -> int:
    """List the campaigns under way: what is still to go, on which rung, by when."""
    settings = here.settings()

    async def ask() -> list[dict[str, Any]]:
        client = await here.connected(settings)
        found = [it async for it in client.list_workflows(CAMPAIGNS if every else RUNNING, limit=MOST)]
        return list(await asyncio.gather(*(_row(client, it) for it in found)))

    rows = sorted(here.in_loop(ask()), key=lambda row: (row["due_at"] or "9", row["slug"]))
    if json:
        as_json(rows)
        return OK
    out = console()
    if not rows:
        line(out, "No campaign is under way." if not every else "There is no campaign.")
        return OK
    heads = ("campaign", "how it stands", "rung", "to go", "of the start", "target", "due", "owner", "what")
    table(out, heads, [_cells(row) for row in rows])
    return OK


async def _snapshot(client: Client, workflow_id: str) -> Campaign:
    handle = client.get_workflow_handle(workflow_id)
    found: Campaign = await handle.query("snapshot", result_type=Campaign, rpc_timeout=find.ANSWER_WITHIN)
    return found


async def _row(client: Client, it: WorkflowExecution) -> dict[str, Any]:
    """Return what a campaign says of itself; without a worker, what Temporal lists."""
    known = it.typed_search_attributes
    due = known.get(attributes.DUE_AT)
    row: dict[str, Any] = {
        "slug": it.id.removeprefix("campaign/"),
        "title": "",
        "status": known.get(attributes.ITEM_STATUS) or "",
        "rung": "",
        "to_go": None,
        "of_start": None,
        "target": None,
        "due_at": iso(due) if due else "",
        "owner": "",
        "team": known.get(attributes.TEAM) or "",
        "stalled_at": None,
    }
    try:
        found = await _snapshot(client, it.id)
    except RPCError:
        return row
    latest = found.latest
    return row | {
        "title": found.title,
        "status": found.status,
        "rung": found.rung,
        "to_go": latest.value if latest else None,
        "of_start": found.of_start(latest.value) if latest else None,
        "target": found.target,
        "due_at": iso(found.due_at),
        "owner": found.owner,
        "team": found.team,
        "stalled_at": iso(found.stalled_at) if found.stalled_at else None,
    }


def _cells(row: dict[str, Any]) -> tuple[Cell, ...]:
    late = row["due_at"] and row["due_at"] < iso(datetime.now(UTC)) and row["status"] in ("running", "stalled")
    return (
        row["slug"],
        Text(row["status"], style={"stalled": "warn", "done": "good"}.get(row["status"], "")),
        row["rung"],
        *("" if row[name] is None else percent(row[name]) for name in ("to_go", "of_start", "target")),
        Text(row["due_at"][:10], style="bad" if late else ""),
        row["owner"],
        row["title"],
    )
