"""A message's fields as options of a command, and what was typed as a message again."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from cli.say import UNUSABLE, Stop
from model.message import Message
from model.times import parse_duration

CARRIED = ("by", "key", "test")
"""Fields the command fills in by itself, or offers for every message alike."""

_WORDS = {
    "team": "Which team.",
    "title": "What is wrong, in a few words.",
    "reason": "Why, in words for the ticket.",
    "text": "In words for the ticket.",
    "link": "Where it can be seen.",
    "kind": "What it is.",
    "person": "Who leads from now on; without it, you.",
    "handover": "What is open, who does what, until when.",
    "impacted": "Whether your team is",
    "customers": "What customers see, and how many of them.",
    "again_at": "When you say more: a moment, or in 10m.",
    "at": "When it was so, if not now: a moment, or 5m for five minutes ago.",
    "until": "Until when: a moment, or 2h from now.",
    "severity": "1 (worst) to 5.",
    "region": "Where.",
    "services": "What is impacted; give it once per service.",
    "customers_impacted": "Customers are known to be hit.",
    "count": "How many.",
    "source": "Who sees it.",
    "value": "The metric's value.",
    "threshold": "The value at which it alarms.",
    "summary": "In a few words, for the page.",
    "metric": "What is measured; the catalogue knows its unit and severity.",
    "customer": "Who reports.",
    "case": "Its number; one case counts once.",
    "target": "What it is done to, such as service@version.",
    "why": "Why it should help.",
    "set_aside": "A node kept out of the restart, for the investigation; once per node.",
    "confidence": "For a last resort: why you are sure, in words.",
    "go": "Decide it in the same act, where one may.",
    "proposal": "Its number; else the only one that waits.",
    "verdict": "What you decide",
    "recovered": "Whether it works again.",
    "done": "What is done; once per item",
    "note": "What should be known about it.",
    "author": "Who writes it.",
    "subject": "What it is about, in a word.",
    "decline": "Why none is needed.",
    "goal": "What will be true when it is done.",
    "horizon": "How soon",
    "owner": "Who does it.",
    "due": "Until when: a moment, or 14d from now.",
    "promised": "It is promised to customers.",
    "validation": "How it will be tried against the same failure.",
    "replaces": "The number of the item it replaces.",
}
_BACK_IN_TIME = ("at",)
_ARGUMENT = inspect.Parameter.POSITIONAL_OR_KEYWORD
_OPTION = inspect.Parameter.KEYWORD_ONLY


def main_field(message: type[Message]) -> str:
    """Return the field that a bare text goes to; empty where there is none."""
    return message.main if message.main in message.model_fields else ""


def command(
    message: type[Message],
    take: Callable[[dict[str, Any]], int],
    arguments: Mapping[str, Any],
    extra: Mapping[str, tuple[Any, Any]],
    derived: Mapping[str, str] | None = None,
) -> Callable[..., int]:
    """Return a command that takes a message's fields as options.

    Args:
        message: The message; its description is the command's help.
        take: Gets everything that was typed, by name.
        arguments: What is typed without an option, by name: `Annotated` as typer reads it. Under `words` a message's
            main field may be typed both ways.
        extra: Further options: name → annotation and default.
        derived: Fields that `take` fills in where they were left out, with their help.
    """

    def run(**typed: Any) -> int:
        words, main = typed.pop("words", None), main_field(message)
        if words and typed.get(main):
            raise Stop(f"the {main} is given twice, with and without `--{main}`", UNUSABLE)
        return take({**typed, **({main: words} if words else {})})

    helps = {name: _help(message, name, bare="words" in arguments) for name in message.model_fields} | dict(
        derived or {}
    )
    options = [name for name in _in_order(message) if name not in arguments]
    parameters = [
        *(_parameter(name, _ARGUMENT, annotation) for name, annotation in arguments.items()),
        *(_option(name, message.model_fields[name], helps[name]) for name in options),
        *(_parameter(name, _OPTION, annotation, default) for name, (annotation, default) in extra.items()),
    ]
    # typer reads the signature; the names of options are what people learn of a message.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {it.name: it.annotation for it in parameters}
    run.__doc__ = message.description
    return run


def words(message: type[Message]) -> dict[str, Any]:
    """Return the argument for a message's main field, where it has one."""
    main = main_field(message)
    if not main:
        return {}
    said = _help(message, main, bare=False).removesuffix("Needed.").strip()
    return {"words": Annotated[str | None, typer.Argument(metavar=main.upper(), help=said, show_default=False)]}


def _in_order(message: type[Message]) -> list[str]:
    return [*(name for name in message.model_fields if name not in (*CARRIED, "at")), "at"]


def _parameter(name: str, kind: Any, annotation: Any, default: Any = None) -> inspect.Parameter:
    is_needed = kind is _ARGUMENT and type(None) not in get_args(get_args(annotation)[0])
    given = inspect.Parameter.empty if is_needed else default
    return inspect.Parameter(name, kind, default=given, annotation=annotation)


def _option(name: str, field: FieldInfo, said: str) -> inspect.Parameter:
    flag, kind = flag_of(name), _core(field.annotation)
    annotation: Any
    default: Any = None
    if kind is bool and field.is_required():
        annotation = Annotated[bool | None, typer.Option(f"{flag}/{flag.replace('--', '--no-')}", help=said)]
    elif kind is bool:
        annotation, default = Annotated[bool, typer.Option(flag, help=said)], False
    elif get_origin(kind) is list:
        annotation = Annotated[list[str] | None, typer.Option(_one(flag), metavar=_one(name).upper(), help=said)]
    else:
        annotation = Annotated[str | None, typer.Option(flag, metavar=_metavar(name, kind), help=said)]
    return _parameter(name, _OPTION, annotation, default)


def flag_of(name: str) -> str:
    """Return a field's option."""
    return f"--{name.replace('_', '-')}"


def _one(name: str) -> str:
    return name.removesuffix("s")


def _core(annotation: Any) -> Any:
    """Return a type without `None` and without what pydantic annotates it with."""
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(option for option in get_args(annotation) if option is not type(None))
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _metavar(name: str, kind: Any) -> str:
    return {int: "N", float: "X", datetime: "WHEN"}.get(kind, name.upper())


def _help(message: type[Message], name: str, *, bare: bool) -> str:
    field, is_main = message.model_fields[name], name == main_field(message)
    kind = _core(field.annotation)
    if get_origin(kind) is list:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        options = ", ".join(str(option) for option in get_args(kind))
        about = _WORDS.get(name, "").rstrip(".").split(",")[0]
        said = f"{about}: {options}.".lstrip(": ")
    else:
        said = field.description or _WORDS.get(name, "")
    if bare and is_main:
        return f"{said} Or say it without the option.".strip()
    return f"{said} Needed.".strip() if field.is_required() else said


def example(typed: str, message: type[Message], arguments: Sequence[str] = ()) -> str:
    """Return a message's example as a command to copy.

    Args:
        typed: How the command begins.
        message: The message.
        arguments: Fields that are typed without an option.
    """
    given = {name: value for name, value in message.example.items() if name not in CARRIED}
    said = [typed, *(_quoted(given.pop(name)) for name in arguments if name in given)]
    for name, value in given.items():
        flag = flag_of(name)
        if isinstance(value, bool):
            said.append(flag if value else flag.replace("--", "--no-"))
        elif isinstance(value, list):
            said += [f"{_one(flag)} {_quoted(one)}" for one in value]
        else:
            said.append(f"{flag} {_quoted(value)}")
    return " ".join(said)


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and not set(text) - _PLAIN else f'"{text}"'


_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@+")


def read(message: type[Message], typed: dict[str, Any], now: Callable[[], datetime] | None = None) -> dict[str, Any]:
    """Return what was typed as the payload of a message, checked as its receiver will check it.

    Raises:
        Stop: It cannot be read so; the text names the options.
    """
    moment = now or (lambda: datetime.now(UTC))
    payload = {
        name: _when(message, name, value, moment) for name, value in typed.items() if _is_said(message, name, value)
    }
    try:
        message.model_validate(payload)
    except ValidationError as error:
        raise Stop(_sentence(message, error.errors(include_url=False, include_context=False)), UNUSABLE) from None
    return payload


def _is_said(message: type[Message], name: str, value: Any) -> bool:
    if value is False:  # a flag nobody gave, unless the message cannot do without it
        field = message.model_fields.get(name)
        return field is not None and field.is_required()
    return value is not None and value != "" and value != []


def _when(message: type[Message], name: str, value: Any, now: Callable[[], datetime]) -> Any:
    """Let people say moments from now on as durations: '2h', '10m'."""
    field = message.model_fields.get(name)
    if not isinstance(value, str) or field is None or _core(field.annotation) is not datetime:
        return value
    try:
        away: timedelta = parse_duration(value)
    except ValueError:
        return value
    return (now() - away if name in _BACK_IN_TIME else now() + away).isoformat()


def _sentence(message: type[Message], errors: Sequence[Any]) -> str:
    parts = []
    for item in errors:
        name = str(item["loc"][0]) if item["loc"] else ""
        words = str(item["msg"]).removeprefix("Value error, ")
        if item["type"] in ("missing", "string_too_short"):
            words = "is needed"
        if name == main_field(message):
            name = f"the {name}"
        elif name:
            name = flag_of(name)
        parts.append(f"{name} {words}" if words == "is needed" else f"{name}: {words}".removeprefix(": "))
    return "; ".join(parts)
