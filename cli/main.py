"""`allclear`: what is typed, and what it says when it fails."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import typer

from cli.finish import finish
from cli.say import FAILED, OK, Stop, failed

INTERRUPTED, UNREAD = 130, 141
"""As a shell reports a process that Ctrl-C ended, or whose reader went away (`allclear … | head`)."""


def allclear(typed: Sequence[str]) -> int:
    """Do what was typed, and return the exit status: 0, 1 when it was not done, 2 when it cannot be as it is."""
    try:
        from cli.app import make_app  # loading takes a second, in which somebody may press Ctrl-C

        return int(make_app()(args=list(typed), prog_name="allclear", standalone_mode=False) or OK)
    except typer.TyperException as error:
        return _usage(error)
    except Stop as stop:
        return _end(str(stop), stop.code)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return UNREAD
    except Exception as error:
        return _end(_words(error), FAILED)


def _words(error: Exception) -> str:
    app = sys.modules.get("cli.app")  # it may be what could not be loaded
    if app and isinstance(error, app.SENTENCES):
        return str(error)
    return f"this is a bug of AllClear's: {type(error).__name__}: {error}; ALLCLEAR_DEBUG=1 shows where"


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
