"""`allclear outbox`: the pages and messages that stayed in the house, e.g. to compare a shadow with a pager."""

from typing import Annotated

import typer

from cli import here
from cli.say import OK, as_json, console, line, table
from cli.talk import Json
from store import OutboxItem, open_store

_Incident = Annotated[
    str, typer.Argument(help="An incident, or its last characters; without: all.", show_default=False)
]
_Pages = Annotated[bool, typer.Option("--pages", help="Only what would have woken somebody.")]
_Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="The newest so many.")]


def add(app: typer.Typer) -> None:
    """Add `outbox`."""
    example = "Example: allclear outbox --pages --json > allclear-would-have-paged.json"
    app.command("outbox", rich_help_panel="Look", epilog=example)(_outbox)


def _outbox(incident: _Incident = "", pages: _Pages = False, limit: _Limit = 100, json: Json = False) -> int:
    """Show the pages and messages that went no further: in a shadow all, else what nothing is configured for."""
    settings = here.settings()

    async def read() -> list[OutboxItem]:
        store = open_store(settings.store_url)
        try:
            found = await store.find(incident) if incident else []
            kept = await store.outbox(found[0].id if found else incident or None, limit=limit)
        finally:
            await store.close()
        return [item for item in kept if not pages or item.lane == "page"]

    items = here.in_loop(read())
    if json:
        as_json([item.model_dump(mode="json") for item in items])
    elif not items:
        line(console(), "Nothing stayed in the house.")
    else:
        table(console(), ("at", "incident", "what", "to", "over", "text"), [_row(item) for item in items])
    return OK


def _row(item: OutboxItem) -> tuple[str, ...]:
    to = item.person or ", ".join(item.to)
    return f"{item.at:%Y-%m-%d %H:%M:%S}", item.incident_id, item.lane, to, item.channel, item.text
