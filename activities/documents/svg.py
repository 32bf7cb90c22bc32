"""What our drawings share: text that fits its box in any sans-serif font, and templates that escape."""

import re
import unicodedata
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

from model.text import clean

FONT_SIZE: Final = 13.0
"""Pixels, of all text in boxes."""

# Shares of the font size, from DejaVu Sans, the widest of the usual fonts: text never leaves its box, whatever the
# reader's machine has.
_NARROW: Final = frozenset("ijltfrI.,:;'|!()[]{}/\\-` ")
_WIDE: Final = frozenset("mwMWQOGDHN@%&+=<>~#→≥≤—…")
_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INLINE: Final = MarkdownIt("commonmark", {"html": False})
ELLIPSIS: Final = "…"


def legal(text: str) -> str:
    """Return text that may stand in XML: some characters may not, however they are escaped."""
    return _ILLEGAL.sub("", clean(text))


def plain(text: str) -> str:
    """Return inline Markdown as its reader sees it, on one line."""
    tokens = _INLINE.parseInline(legal(text))
    seen = (child for token in tokens for child in token.children or [])
    return " ".join("".join(child.content or (" " if "break" in child.type else "") for child in seen).split())


def width(text: str, size: float = FONT_SIZE, bold: bool = False) -> float:
    """Return at most how wide a text is drawn, in pixels."""
    return size * sum(map(_share, text)) * (1.1 if bold else 1.0)


def _share(character: str) -> float:
    if character in _NARROW:
        return 0.4
    if character in _WIDE:
        return 1.0 if character in "mwMW@%—…" else 0.86
    if character.isascii():
        return 0.73 if character.isupper() else 0.64
    if unicodedata.combining(character):
        return 0.0
    return 1.1 if unicodedata.east_asian_width(character) in "WF" else 0.9


def wrap(text: str, room: float, most: int, size: float = FONT_SIZE, bold: bool = False) -> list[str]:
    """Return a text as lines no wider than `room`; what `most` lines do not hold is cut with an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        candidate = f"{line} {word}".lstrip()
        if width(candidate, size, bold) <= room:
            line = candidate
            continue
        lines += [line] if line else []
        *full, line = _pieces(word, room, size, bold)
        lines += full
        if len(lines) > most:
            break
    lines.append(line)
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and width(last + ELLIPSIS, size, bold) > room:
        last = last[:-1]
    return [*lines[: most - 1], last.rstrip() + ELLIPSIS]


def _pieces(word: str, room: float, size: float, bold: bool) -> list[str]:
    """Return a word in pieces that fit; most words are one."""
    pieces = [""]
    for character in word:
        if pieces[-1] and width(pieces[-1] + character, size, bold) > room:
            pieces.append("")
        pieces[-1] += character
    return pieces


def templates() -> Environment:
    """Return the environment of all documents: every value is escaped."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


TEMPLATES: Final = templates()
