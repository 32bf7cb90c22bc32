"""What docker-compose.yml says of each service, for running the same without containers."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / "docker-compose.yml"
_VARIABLE: Final = re.compile(r"\$(?:\$|\{\w+:-([^}]*)\})")


def composed() -> dict[str, Any]:
    """Return the file, anchors and merges resolved, every variable at its default."""
    found: dict[str, Any] = _resolved(yaml.safe_load(FILE.read_text()))
    return found


def ours() -> list[str]:
    """Return the services that run our image, in the order of the file."""
    return [name for name, service in composed()["services"].items() if "build" in service]


def _resolved(value: Any) -> Any:
    match value:
        case dict():
            return {key: _resolved(item) for key, item in value.items()}
        case list():
            return [_resolved(item) for item in value]
        case str():
            return _VARIABLE.sub(lambda found: "$" if found[0] == "$$" else found[1], value)
        case _:
            return value


class Here:
    """Puts a service's paths and hosts where they are without containers.

    Attributes:
        folder: Has `secrets`, `config` and `data`, as the volumes of the file.
    """

    def __init__(self, folder: Path, *, temporal: str = "", postgres: int = 0) -> None:
        self.folder = folder
        self._instead = {
            "/run/secrets": str(folder / "secrets"),
            "/run/keys": str(folder / "secrets" / "keys"),
            "/etc/allclear": str(folder / "config"),
            "/data": str(folder / "data"),
            "temporal:7233": temporal,
            "@postgres:5432/": f"@127.0.0.1:{postgres}/",
            "0.0.0.0": "127.0.0.1",
        }

    def text(self, words: str) -> str:
        """Return words of the file as they are here."""
        for there, here in self._instead.items():
            words = words.replace(there, here) if there != "/data" else re.sub(r"^/data\b", here, words)
        return words

    def environment(self, service: str) -> dict[str, str]:
        """Return what the file sets for a service."""
        given = composed()["services"][service].get("environment", {})
        return {name: self.text(str(value)) for name, value in given.items()}

    def script(self, service: str) -> list[str]:
        """Return the command of a service that is a script."""
        found = composed()["services"][service]
        return [self.text(word) for word in [*found.get("entrypoint", []), *found["command"]]]
