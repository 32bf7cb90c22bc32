"""`allclear`: the command, and what it says when it fails."""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, NoReturn

import typer

from cli import catalog, detect, drill, incident, run, schemas, short
from cli.finish import finish
from cli.say import FAILED, OK, Stop, failed
from link.send import Unreachable
from model.text import Refused
from store import StoreError

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


def allclear(typed: Sequence[str]) -> int:
    """Do what was typed, and return the exit status: 0, 1 when it was not done, 2 when it cannot be as it is."""
    try:
        return int(make_app()(args=list(typed), prog_name="allclear", standalone_mode=False) or 0)
    except typer.TyperException as error:
        return _usage(error)
    except Stop as stop:
        return _end(str(stop), stop.code)
    except (Refused, Unreachable, StoreError) as error:
        return _end(str(error), FAILED)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        return 141  # whoever read it has enough, as in `allclear … | head`
    except Exception as error:
        return _end(
            f"this is a bug of AllClear's: {type(error).__name__}: {error}; ALLCLEAR_DEBUG=1 shows where", FAILED
        )


def _usage(error: typer.TyperException) -> int:
    """Say what is wrong in what was typed, and where its help is; without anything typed, help is all that is meant."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "allclear"
    said = error.format_message().strip()
    if not said:  # nothing was typed, and help is written already
        return OK
    said = said[0].lower() + said[1:].rstrip(".?").replace(". Did you mean", "; did you mean")
    return _end(f"{said}. See `{path} --help`", error.exit_code)


def _end(text: str, code: int) -> int:
    if os.environ.get("ALLCLEAR_DEBUG"):
        traceback.print_exc()
    failed(text)
    return code


def main() -> NoReturn:
    """Be the command."""
    finish(allclear(sys.argv[1:]))


if __name__ == "__main__":
    main()
