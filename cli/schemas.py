"""`allclear schemas`: the contract as JSON Schemas, for senders in other languages and for tests."""

import functools
import importlib
import json
import pkgutil
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic.json_schema import GenerateJsonSchema

import model
from cli.say import OK, Stop, console, line
from model.drill import DrillResult
from model.message import Message

FOLDER: Final = Path(__file__).parent.parent / "docs" / "schemas"
"""Where the committed ones lie."""
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def add(app: typer.Typer) -> None:
    """Add `schemas`."""
    app.command("schemas", rich_help_panel="Develop", epilog="Example: allclear schemas --check")(_schemas)


@functools.cache
def schemas() -> dict[str, str]:
    """Return every schema's file name and text: one per message, and what `allclear drill --json` prints."""
    found = {f"{message.update_name()}.json": _of_message(message) for message in every_message()}
    found["drill.json"] = {
        "$schema": _DIALECT,
        **DrillResult.model_json_schema(mode="serialization", schema_generator=_Printed),
    }
    return {name: _written(found[name]) for name in sorted(found)}


def _written(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def every_message() -> list[type[Message]]:
    """Return every message of the contract, wherever in `model` it is."""
    found: set[type[Message]] = set()
    for module in pkgutil.walk_packages(model.__path__, "model."):
        inside = vars(importlib.import_module(module.name)).values()
        found |= {it for it in inside if isinstance(it, type) and issubclass(it, Message) and it is not Message}
    return sorted(found, key=lambda message: message.update_name())


class _Printed(GenerateJsonSchema):
    """What is printed has every field, also those with a default, but not those left out where they say nothing."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        return "serialization_exclude_if" not in field


def _of_message(message: type[Message]) -> dict[str, Any]:
    schema = message.model_json_schema()
    return {"$schema": _DIALECT, **schema, "description": message.description, "examples": [message.example]}


def stale(folder: Path) -> list[str]:
    """Return the files that are missing, changed or left over."""
    wanted = schemas()
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def _schemas(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; status 1 where a file is not current.")
    ] = False,
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="Where they lie.", show_default=False)] = FOLDER,
) -> int:
    """Write the JSON Schemas of every message, and of what a drill prints, into docs/schemas."""
    changed = stale(into)
    if check:
        if changed:
            raise Stop(f"not current in {into}: {', '.join(changed)}; `allclear schemas` writes them")
        line(console(), f"{into}: all current", "good")
        return OK
    into.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (into / name).write_text(text, encoding="utf-8")
    for name in set(changed) - set(schemas()):
        (into / name).unlink()
    line(console(), f"{into}: {len(changed)} written" if changed else f"{into}: all current")
    return OK
