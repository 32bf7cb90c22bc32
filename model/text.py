"""Words from outside: cleaned, bounded, and safe to show as Markdown."""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

TEXT_LIMIT = 4096
"""Bytes of free text one message may carry (design §2: free text ≤ 4 KiB)."""
NAME_LIMIT = 128
"""Characters of a name (service, region, alarm, person); longer ones are no names."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!])")


class Refused(Exception):
    """A message that is understood and not done; its text says what would be accepted."""


def clean(text: str) -> str:
    """Return `text` without control and invisible formatting characters (newline and tab stay)."""
    if text.isprintable():
        return text.strip()
    kept = (c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))
    return "".join(kept).strip()


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return `text` cut to `limit` UTF-8 bytes, marked with an ellipsis where something was left out."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return raw[: limit - len("…".encode())].decode(errors="ignore") + "…"


def bounded(text: str) -> str:
    """Return `text`, or refuse it when it is over the limit.

    Raises:
        ValueError: The text is longer than `TEXT_LIMIT` bytes.
    """
    size = len(text.encode())
    if size > TEXT_LIMIT:
        raise ValueError(f"the text has {size} bytes; at most {TEXT_LIMIT} are kept: send a link for the rest")
    return text


def one_line(text: str) -> str:
    """Return `text` with every run of white space as one blank."""
    return " ".join(text.split())


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it literally, on one line."""
    return _MARKDOWN.sub(r"\\\1", one_line(text))


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Name what a misspelt word may have meant: ``"; did you mean 'kpis'?"``, or what else there is."""
    names = list(known)
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(str(word).lower(), list(by_lower), n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(repr(by_lower[name]) for name in near) + "?"
    return f"; known are {', '.join(names)}" if 0 < len(names) <= 12 else ""


def _name(value: object) -> object:
    return one_line(clean(value)) if isinstance(value, str) else value


def _named(value: str) -> str:
    if len(value) > NAME_LIMIT:
        raise ValueError(f"a name has at most {NAME_LIMIT} characters, this one has {len(value)}")
    return value


Words = Annotated[str, BeforeValidator(lambda v: clean(v) if isinstance(v, str) else v), AfterValidator(bounded)]
"""What a person wrote: cleaned; refused when too long, because the person can shorten it."""
Cut = Annotated[str, BeforeValidator(lambda v: cut(clean(v)) if isinstance(v, str) else v)]
"""What a machine wrote: cleaned, and cut when too long, because an alarm must not be lost for its length."""
Name = Annotated[str, BeforeValidator(_name), AfterValidator(_named)]
"""An identifier: one line, at most `NAME_LIMIT` characters."""
