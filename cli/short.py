"""The short forms for somebody who was just woken: no id needed while one incident is open."""

from typing import Annotated

import typer

from cli import fields, talk
from cli.talk import As, Json, Which
from model import messages

_PANEL = "Answer a page"


def add(app: typer.Typer) -> None:
    """Add `ack`, `in`, `note` and `approve`."""
    app.command("ack", rich_help_panel=_PANEL, epilog="Example: allclear ack")(_ack)
    app.command("in", rich_help_panel=_PANEL, epilog="Example: allclear in 7F3A")(_in)
    app.command("note", rich_help_panel=_PANEL, epilog='Example: allclear note "503 from host 17 only" --kind error')(
        _note
    )
    app.command("approve", rich_help_panel=_PANEL, epilog="Example: allclear approve --proposal 2")(_approve)


def _ack(incident: Which = None, by: As = None, json: Json = False) -> int:
    """Take the page: paging stops for you and your teams."""
    return talk.tell("acknowledge", {}, incident=incident, by=by, json=json, command="allclear ack")


def _in(incident: Which = None, by: As = None, json: Json = False) -> int:
    """Say that you are on the call."""
    return talk.tell("join", {}, incident=incident, by=by, json=json, command="allclear in")


def _note(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you see, in words for the ticket.")],
    incident: Which = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="What it is: error, change, metric, correlation, note.")
    ] = None,
    link: Annotated[str | None, typer.Option("--link", metavar="LINK", help="Where it can be seen.")] = None,
    by: As = None,
    json: Json = False,
) -> int:
    """Write what you see into the incident's ticket, with its time.

    What should go better next time is not for the ticket but for the post-mortem: `allclear incident note`.
    """
    payload = fields.read(messages.Observe, {"text": text, "kind": kind, "link": link})
    return talk.tell("observe", payload, incident=incident, by=by, json=json, command='allclear note "…"')


def _approve(
    incident: Which = None,
    proposal: Annotated[
        int | None, typer.Option("--proposal", metavar="N", help="Which proposal, if several wait.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="REASON", help="Why, in words for the ticket.")
    ] = None,
    by: As = None,
    json: Json = False,
) -> int:
    """Approve the mitigation that waits for your decision."""
    given = {"verdict": "approve", "proposal": proposal, "reason": reason}
    payload = {name: value for name, value in given.items() if value is not None}
    return talk.tell("decide", payload, incident=incident, by=by, json=json, command="allclear approve")
