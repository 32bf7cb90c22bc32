"""What people tell an incident: a command per update, made of the messages themselves, so that none is forgotten."""

from collections.abc import Callable
from typing import Annotated, Any, get_args

import typer

from cli import fields, find, here
from cli.say import as_json, console, line
from model.message import Message
from model.messages import Answer
from workflows.incident import Incident

As = Annotated[
    str | None, typer.Option("--as", metavar="PERSON", help="Who you are; else ALLCLEAR_USER, else your login.")
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Which = Annotated[
    str | None, typer.Argument(metavar="ID", help="The incident, if several are open: its last four characters.")
]
ID = Annotated[str, typer.Argument(metavar="ID", help="The incident's id, or its last four characters.")]


def to_incident() -> dict[str, type[Message]]:
    """Return every message a person can send an incident, by name: read off the workflow's doors."""
    found: dict[str, type[Message]] = {}
    for room in Incident.__mro__:
        for name, it in vars(room).items():
            hints = getattr(it, "__annotations__", {})
            for option in get_args(hints.get("x")) if isinstance(hints, dict) else ():
                if isinstance(option, type) and issubclass(option, Message):
                    found.setdefault(name, option)
    return found


def add_updates(app: typer.Typer) -> None:
    """Add a command per update: `allclear incident state-impact ID …`."""
    for name, message in to_incident().items():
        typed = name.replace("_", "-")
        epilog = f"Example: {fields.example(f'allclear incident {typed} 7F3A', message, [fields.main_field(message)])}"
        app.command(typed, epilog=epilog, rich_help_panel="Tell an incident")(command_of(name, message))


def command_of(name: str, message: type[Message]) -> Callable[..., int]:
    """Return the command that sends a message to an incident."""

    def take(typed: dict[str, Any]) -> int:
        incident, by, json = (typed.pop(key) for key in ("incident", "by", "json"))
        return tell(name, fields.read(message, typed), incident=incident, by=by, json=json)

    arguments = {"incident": ID, **fields.words(message)}
    return fields.command(message, take, arguments, {"by": (As, None), "json": (Json, False)})


def tell(
    name: str, payload: dict[str, Any], *, incident: str | None, by: str | None, json: bool, command: str = ""
) -> int:
    """Send a message to an incident, and write its answer.

    Args:
        name: The update.
        payload: Its fields.
        incident: The incident as somebody names it; none for the only open one.
        by: Who says so, if not who is configured.
        json: Whether to write JSON.
        command: What to type with an id when there are several.
    """
    settings = here.settings()
    signed = {**payload, "by": here.person(settings, by)}

    async def send() -> Answer:
        client = await here.connected(settings)
        found = await find.named(client, incident) if incident else await find.the_one(client, command)
        return await here.say_to(client, found, name, signed)

    show(here.in_loop(send()), json=json)
    return 0


def show(answer: Answer, *, json: bool) -> None:
    """Write what a sender hears back."""
    if json:
        as_json(answer.model_dump_json(indent=2))
        return
    told_already = not answer.incident or answer.incident in answer.text
    line(console(), answer.text if told_already else f"{answer.incident}: {answer.text}")
