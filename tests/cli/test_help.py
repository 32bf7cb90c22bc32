"""Help teaches: every command has an example, and every message has a command with all its fields."""

import functools
import inspect
import shlex
from typing import Any

import pytest
import typer

from cli import fields, talk
from cli.app import make_app
from cli.talk import to_incident
from model.message import Message
from tests.cli.typing import run


@functools.cache
def every_command() -> list[str]:
    top = typer.main.get_command(make_app())
    found: list[str] = []
    for name, command in getattr(top, "commands", {}).items():
        inside = getattr(command, "commands", None)
        found += [f"{name} {sub}" for sub in inside] if inside else [name]
    return sorted(found)


@pytest.mark.parametrize("command", every_command())
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    typed = run(*command.split(), "--help")
    assert typed.code == 0
    assert "Example: " in typed.out
    assert f"allclear {command}" in " ".join(typed.out.split("Usage:")[1].split())


def test_nothing_typed_is_help() -> None:
    for words in ((), ("incident",), ("catalog",)):
        typed = run(*words)
        assert (typed.code, typed.err) == (0, "")
        assert "Usage: allclear" in typed.out


def test_the_version() -> None:
    typed = run("--version")
    assert (typed.code, typed.out.split()[0]) == (0, "allclear")


@pytest.mark.parametrize(("name", "message"), to_incident().items())
def test_every_update_is_a_command_with_every_field(name: str, message: type[Message]) -> None:
    command = talk.command_of(name, message)
    offered = set(inspect.signature(command).parameters)
    assert offered >= set(message.model_fields) - {"key", "test"}
    assert f"incident {name.replace('_', '-')}" in every_command()


def test_what_every_incident_takes_is_offered() -> None:
    assert set(to_incident()) >= {
        "engage", "acknowledge", "join", "release", "lead", "make_big", "set_severity", "state_impact", "observe",
        "note", "stand_down", "close", "reopen",
    }  # fmt: skip
    assert not {"alarm", "report", "declare", "silence", "submit"} & set(to_incident())


@pytest.mark.parametrize(("name", "message"), to_incident().items())
def test_an_example_can_be_typed_as_it_stands(name: str, message: type[Message]) -> None:
    """It comes out as the message it was made of."""
    taken: list[dict[str, Any]] = []

    def take(typed: dict[str, Any]) -> int:
        taken.append(fields.read(message, {k: v for k, v in typed.items() if k != "incident"}))
        return 0

    app = typer.Typer()
    app.command()(fields.command(message, take, {"incident": talk.ID, **fields.words(message)}, {}))
    typed = shlex.split(fields.example(f"allclear incident {name} 7F3A", message, [fields.main_field(message)]))
    app(typed[3:], standalone_mode=False)
    said = message.model_validate(taken[0] | {"by": message.example["by"]})
    assert said == message.model_validate(message.example)
