"""The command with all its commands."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from cli import actions, after, campaign, catalog, detect, drill, health, incident, outbox, run, schemas, short, watch
from link.send import Unreachable
from model.text import Refused
from store import StoreError

SENTENCES = (Refused, Unreachable, StoreError)
"""What the other rooms raise for a person to read."""

_HELP = """Runs incidents as durable Temporal workflows, from the first alarm until it is all clear.

Begin with `allclear drill scenarios/one-bad-host.yaml`: an incident played in seconds. Then `allclear up`.
"""


def make_app() -> typer.Typer:
    """Return the command with all its commands."""
    app = typer.Typer(
        name="allclear", help=_HELP, rich_markup_mode="rich", no_args_is_help=True, pretty_exceptions_enable=False
    )
    app.callback()(_root)
    drill.add(app)
    run.add(app)
    detect.add(app, incident.add(app))
    short.add(app)
    catalog.add(app)
    after.add(app)
    actions.add(app)
    campaign.add(app)
    watch.add(app)
    health.add(app)
    outbox.add(app)
    schemas.add(app)
    return app


def _say_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"allclear {_version()}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """Only carries the option."""


def _version() -> str:
    try:
        return version("allclear-incidents")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
