"""Help teaches: every command has an example, and every message has a command with all its fields."""

import inspect
import shlex

import pytest
import typer

from cli import fields, talk
from cli.main import make_app
from cli.talk import to_incident
from model.messages import Message
from tests.cli.typing import run


def every_command() -> list[str]:
    top = typer.main.get_command(make_app())
    found = []
    for name, command in top.commands.items():
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


@pytest.mark.parametrize("message", to_incident().values())
def test_an_example_means_what_the_message_says(message: type[Message]) -> None:
    typed = shlex.split(fields.example("allclear x", message, [fields.main_field(message)]))
    for name, value in message.example.items():
        assert name in fields.CARRIED or str(value) in typed
