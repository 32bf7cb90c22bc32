"""Files that people write: the catalogue and drills, read from YAML with helpful errors."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from model.catalogue.catalog import Catalog
from model.drill import Drill
from model.text import Refused

EXAMPLE_CATALOG = Path(__file__).parent.parent / "scenarios" / "catalog.yaml"
"""The example catalogue, which drills use by default."""


def read_yaml(path: Path) -> Any:
    """Return a YAML file's content.

    Raises:
        Refused: It is not there, or not YAML; the text says where.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Refused(f"{path}{where}: not YAML ({getattr(error, 'problem', error)})") from None


def load_catalog(path: Path) -> Catalog:
    """Return the catalogue in a file.

    Raises:
        model.catalogue.catalog.CatalogError: It has errors; all of them are in it.
        Refused: The file cannot be read.
    """
    return Catalog.load(read_yaml(path) or {})


def load_drill(path: Path) -> Drill:
    """Return the drill in a file.

    Raises:
        Refused: It cannot be read; the text says what to mend.
    """
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise Refused(f"{path}: a drill is a mapping with title, start, steps and until")
    try:
        return Drill.model_validate(data).lies_in(path.parent)
    except ValidationError as error:
        lines = []
        for item in error.errors(include_url=False):
            where = ".".join(str(p) for p in item["loc"])
            lines.append(
                f"{where}: {item['msg'].removeprefix('Value error, ')}"
                if where
                else item["msg"].removeprefix("Value error, ")
            )
        raise Refused(f"{path}: " + "; ".join(lines)) from None
    except ValueError as error:
        raise Refused(f"{path}: {error}") from None


def catalog_of(drill: Drill, path: Path) -> Catalog:
    """Return a drill's catalogue: its own (relative to its file), or the example."""
    if isinstance(drill.catalog, dict):
        return Catalog.load(drill.catalog)
    return load_catalog(path.parent / drill.catalog if drill.catalog else EXAMPLE_CATALOG)
