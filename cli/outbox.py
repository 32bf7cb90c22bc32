"""`allclear outbox`: the pages and messages that stayed in the house, e.g. to compare a shadow with a pager."""

from typing import Annotated

import typer

from cli import here
from cli.say import OK, Stop, as_json, console, line, table
from cli.talk import Json
from store import OutboxItem, Store, open_store

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
            meant = await _meant(store, incident) if incident else None
            kept = await store.outbox(meant, limit=limit, lane="page" if pages else None)
            if meant and not kept and await store.incident(meant) is None:
                raise Stop(f"no incident {incident} is known here, and nothing of one stayed in the house")
            return kept
        finally:
            await store.close()

    items = here.in_loop(read())
    if json:
        as_json([item.model_dump(mode="json") for item in items])
    elif not items:
        line(console(), "Nothing stayed in the house.")
    else:
        table(console(), ("at", "incident", "what", "to", "over", "text"), [_row(item) for item in items])
    return OK


async def _meant(store: Store, given: str) -> str:
    """Return the id of the incident that is meant; one that the record does not know yet by its whole id.

    Raises:
        Stop: Several end so.
    """
    found = [it.id for it in await store.find(given)]
    if len(found) > 1:
        raise Stop(f"several incidents end in {given}: {', '.join(found)}; name one in full")
    return found[0] if found else given.strip().upper()


def _row(item: OutboxItem) -> tuple[str, ...]:
    to = item.person or ", ".join(item.to)
    return f"{item.at:%Y-%m-%d %H:%M:%S}", item.incident_id, item.lane, to, item.channel, item.text
