"""From the items of a body to messages; what cannot be read is said field by field, and the rest is taken."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from model.message import Message
from model.text import clean, cut

FAULTS_SHOWN = 100
"""Faults told in one answer; how many items have some is told always."""

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Fault:
    """Why an item could not be read: one field of it."""

    index: int
    field: str
    text: str

    def shown(self) -> dict[str, Any]:
        """Return it as the sender reads it."""
        return {"index": self.index, "field": cut(clean(self.field), 100), "text": cut(clean(self.text), 300)}


@dataclass(frozen=True)
class Ignored:
    """Something that is understood and changes nothing: fields of an item, or all of it, and why."""

    index: int
    fields: list[str]
    text: str = ""

    def shown(self) -> dict[str, Any]:
        """Return it as the sender reads it."""
        said: dict[str, Any] = {"index": self.index, "fields": self.fields}
        return {**said, "text": self.text} if self.text else said


@dataclass(frozen=True)
class Seen:
    """What an item means so far: labels for the catalogue's rules, and fields of an alarm."""

    labels: Mapping[str, str]
    fields: dict[str, Any]


@dataclass
class Batch(Generic[M]):
    """What came in one body.

    Attributes:
        messages: What could be read.
        faults: What could not.
        ignored: For items with fields that nobody knows, these; no alarm is lost for one.
        told: How many items were understood and tell no change of state.
    """

    messages: list[M] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    told: int = 0

    @property
    def refused(self) -> int:
        """How many items could not be read."""
        return len({fault.index for fault in self.faults})


def read_items(message: type[M], items: Iterable[Any], names: Mapping[str, str] | None = None) -> Batch[M]:
    """Read every item as a `message`.

    Args:
        message: The model.
        items: What the sender wrote, or a `Fault` or `Ignored` where that was seen already.
        names: How the sender calls our fields, where the name is another.
    """
    batch = Batch[M]()
    for index, item in enumerate(items):
        if isinstance(item, Fault):
            batch.faults.append(item)
        elif isinstance(item, Ignored):
            batch.ignored.append(item)
            batch.told += 1
        elif not isinstance(item, dict):
            batch.faults.append(Fault(index, "", f"should be an object, for example {message.example_json()}"))
        else:
            _read(batch, message, index, item, names or {})
    return batch


def _read(batch: Batch[M], message: type[M], index: int, item: dict[str, Any], names: Mapping[str, str]) -> None:
    known, unknown = item, []
    if not item.keys() <= message.model_fields.keys():
        unknown = sorted(cut(clean(key), 100) for key in item if key not in message.model_fields)
        known = {key: value for key, value in item.items() if key in message.model_fields}
    try:
        batch.messages.append(message.model_validate(known))
    except ValidationError as error:
        for wrong in error.errors(include_url=False, include_context=False, include_input=False):
            where = ".".join(str(part) for part in wrong["loc"])
            batch.faults.append(Fault(index, names.get(where, where), _said(wrong["type"], wrong["msg"])))
        return
    if unknown:
        batch.ignored.append(Ignored(index, unknown[:20]))


def _said(kind: str, text: str) -> str:
    return "is needed" if kind == "missing" else text.removeprefix("Value error, ")
