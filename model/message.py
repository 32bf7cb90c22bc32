"""What every message carries, and how what was sent is read as one: JSON, a bare text, fields left out (design §3).

Who sent what cannot be read is told in one sentence what was wrong and what would be accepted.
"""

import json
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator

from model.text import Name, clean, cut
from model.times import Moment

_STRAIGHT = str.maketrans({"“": '"', "”": '"', "„": '"', "‟": '"', "’": "'", "‘": "'"})


class Message(BaseModel):
    """What every message carries.

    Attributes:
        by: Who sends it: a person's id or e-mail, or a machine's name.
        key: The sender's own idempotency key; a key seen before changes nothing and gets the first answer.
        at: When the fact was so, if that is not now.
        test: Goes through everything and leaves the house nowhere.
    """

    model_config = ConfigDict(extra="forbid")
    description: ClassVar[str] = ""
    example: ClassVar[dict[str, Any]] = {}
    main: ClassVar[str] = "text"
    decides: ClassVar[bool] = False

    by: Name = ""
    key: Name = ""
    at: Moment | None = None
    test: bool = False
    _proven: bool = PrivateAttr(default=False)

    @property
    def proven(self) -> bool:
        """Whether `by` was proven by the sender's door; a name typed into a payload is a claim (design §3)."""
        return self._proven

    def prove(self) -> None:
        """Mark `by` as proven; called by the door that checked it."""
        self._proven = True

    @model_validator(mode="before")
    @classmethod
    def _as_people_write(cls, data: Any) -> Any:
        """Accept a bare string as the main field, and JSON that an editor gave curly quotes."""
        if isinstance(data, str):
            data = _from_words(data, cls)
        if data is None:
            return {}
        if isinstance(data, list):
            raise ValueError(f"a list was sent; send one object, for example {cls.example_json()}")
        if isinstance(data, dict):
            return {k: v for k, v in data.items() if v is not None}
        return data

    @classmethod
    def update_name(cls) -> str:
        """Return the message's name as people send it: `StateImpact` is `state_impact`."""
        return "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("_")

    @classmethod
    def example_json(cls) -> str:
        """Return the example as JSON to copy."""
        return json.dumps(cls.example, ensure_ascii=False)

    @classmethod
    def described(cls) -> str:
        """Return what the Temporal Web UI shows beside the handler's name."""
        return f"{cls.description} Example: {cls.example_json()}"


def _from_words(text: str, message: type[Message]) -> Any:
    stripped = text.strip()
    if stripped.startswith("{"):
        try:
            return json.loads(stripped.translate(_STRAIGHT))
        except json.JSONDecodeError as error:
            raise ValueError(
                f"this is not JSON ({error.msg} at character {error.pos}); send for example {message.example_json()}"
            ) from None
    if not stripped:
        return {}
    if message.main not in message.model_fields:
        raise ValueError(f"a bare text says too little here; send for example {message.example_json()}")
    return {message.main: stripped}


def sentence(error: ValidationError, message: type[Message]) -> str:
    """Return one sentence a person can act on: what was wrong, field by field, and an example."""
    parts = []
    for item in error.errors(include_url=False, include_context=False):
        where = ".".join(str(p) for p in item["loc"]) or "the message"
        if item["type"] == "extra_forbidden":
            known = ", ".join(sorted(message.model_fields))
            parts.append(f"{where}: no such field (fields are {known})")
        elif item["type"] == "missing":
            parts.append(f"{where}: is needed")
        else:
            words = item["msg"].removeprefix("Value error, ")
            parts.append(words if where == "the message" else f"{where}: {words}")
    said = clean("; ".join(parts))
    tail = "" if message.example_json() in said else f". Send for example {message.example_json()}"
    return cut(said, 900) + tail


M = TypeVar("M", bound="Message")


def parse(message: type[M], payload: Any) -> M:
    """Return `payload` as a `message`.

    Raises:
        ValueError: It cannot be read as one; the text is a sentence for the sender.
    """
    try:
        return message.model_validate(payload)
    except ValidationError as error:
        raise ValueError(sentence(error, message)) from None


def parse_leniently(message: type[M], payload: Any) -> tuple[M, list[str]]:
    """Like `parse`, but what is optional and cannot be read is left out, so that no alarm is lost for it.

    Returns:
        The message, and what was left out and why.

    Raises:
        ValueError: It cannot be read even so.
    """
    if not isinstance(payload, dict):
        return parse(message, payload), []
    left_out = [f"{name}: no such field" for name in payload if name not in message.model_fields]
    known = {name: value for name, value in payload.items() if name in message.model_fields}
    try:
        return message.model_validate(known), left_out
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            name = str(item["loc"][0]) if item["loc"] else ""
            if name in known and not message.model_fields[name].is_required():
                left_out.append(f"{name}: {item['msg'].removeprefix('Value error, ')}")
                del known[name]
    return parse(message, known), left_out
