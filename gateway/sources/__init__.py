"""Who sends alarms, a file for each: from a body to its items, and from an item to an alarm's fields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.reading import Fault, Ignored, Seen

Opened = Callable[[Mapping[str, str], bytes], list[Any]]
"""From headers and body to the items; raises `gateway.problems.Problem` where there are none to find."""


@dataclass(frozen=True)
class Source:
    """How one sender's alarms are read.

    Attributes:
        name: Its address: `/alarms/{name}`.
        opened: Finds the items of a body.
        seen: Says what an item means: labels for the catalogue's rules, and an alarm's fields as far as it says them.
        fields: How the sender calls our fields, for what is wrong with them.
        documented: The body, for OpenAPI.
        words: What a reader of the documentation should know.
    """

    name: str
    opened: Opened
    seen: Callable[[int, Any], Seen | Fault | Ignored]
    documented: Mapping[str, Any]
    words: str
    fields: Mapping[str, str] = field(default_factory=dict)


def documented(schema: Mapping[str, Any], example: Any, *kinds: str) -> dict[str, Any]:
    """Return a body's documentation for each of its media types."""
    content = {"schema": dict(schema), "example": example}
    return {"required": True, "content": dict.fromkeys(kinds or ("application/json",), content)}


def needs(properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """Return the schema of an object."""
    return {"type": "object", "required": list(required), "properties": dict(properties)}
