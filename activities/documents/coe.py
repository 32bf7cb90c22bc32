"""COE documents: one self-contained page that reads on paper and on a phone, and its drawings (R1-R6).

Nothing in a page loads anything or runs: Markdown's HTML and pictures are off, and a policy in the page forbids both.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

from activities import Failed
from activities.documents import Documents, Published
from activities.documents.svg import TEMPLATES, legal, plain
from activities.documents.timeline import timeline_svg
from activities.documents.tree import laid_out, tree_svg
from model.coe.check import check
from model.coe.file import END_OF_DAY, QUESTIONS, Answer, Asked, CoeFile, Finding
from model.coe.parser import parse
from model.matter import Entry

WIDE: Final = 720
"""Pixels across which a tree no longer fits a page held upright."""
TOO_WIDE: Final = 1560
"""Pixels across which a tree cannot be read on paper at all; its list is printed instead."""

_ASKED: Final[dict[Asked, str]] = {
    "fast-enough": "Detected fast enough?",
    "response-time": "Happy with the response time?",
    "metrics-true": "Did our metrics show what customers saw?",
    "similar-patterns": "Would similar patterns be caught?",
}

__all__ = ["CoePages", "coe_html", "timeline_svg", "tree_svg"]


class CoePages(Documents):
    """Keeps each COE as its Markdown and its page, side by side in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def coe(self, id: str, text: str, entries: Sequence[Entry]) -> Published:
        """Make a COE's page anew.

        Raises:
            Failed: The disk did not take it.
        """
        try:
            return await asyncio.to_thread(self._keep, id, text, entries)
        except OSError as error:
            raise Failed(f"the document of {id} cannot be written: {error.strerror}") from error

    def _keep(self, id: str, text: str, entries: Sequence[Entry]) -> Published:
        file, found = parse(text)
        findings = [*found, *check(file, customers_hit=None, mitigated_by_hand=None)]
        raw = text.encode(errors="replace")
        self._folder.mkdir(parents=True, exist_ok=True)
        page = self._folder / f"{_file_name(id)}.html"
        _put(page.with_suffix(".md"), raw)
        _put(page, coe_html(file, findings, entries).encode())
        return Published(address=str(page), sha256=hashlib.sha256(raw).hexdigest())


def _file_name(id: str) -> str:
    """Return a name for the files of a COE: readable, and different for every id."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", id).strip("-")[:80]
    return f"{readable}-{hashlib.sha256(id.encode(errors='replace')).hexdigest()[:8]}"


def _put(path: Path, content: bytes) -> None:
    """Put a file in its place in one step: a reader sees the old one or the new one."""
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def coe_html(file: CoeFile, findings: Sequence[Finding] = (), entries: Sequence[Entry] = ()) -> str:
    """Return a COE as one HTML page that needs nothing else.

    Args:
        file: The COE.
        findings: What its check said; shown on top, where the review begins.
        entries: The incident's timeline; drawn below the impact when there is one.
    """
    across = max((box.x + box.w for box in laid_out(file).all()), default=0) if file.whys else 0
    return TEMPLATES.get_template("coe.html.j2").render(
        file=file,
        title=plain(file.subject) or "Correction of errors",
        errors=[finding for finding in findings if finding.level == "error"],
        advice=[finding for finding in findings if finding.level == "advice"],
        tree=Markup(tree_svg(file)) if file.whys else "",
        paper="too-wide" if across > TOO_WIDE else "wide" if across > WIDE else "upright",
        timeline=Markup(timeline_svg(entries)) if entries else "",
        answers=[(_ASKED[question], _answered(file, question)) for question in QUESTIONS],
        done_by={lesson.id: [a.id for a in file.actions if lesson.id in a.lessons] for lesson in file.lessons},
        known={lesson.id for lesson in file.lessons},
        md=_markdown,
        inline=_inline,
        due=_due,
        legal=legal,
    )


def _answered(file: CoeFile, question: Asked) -> Answer:
    return file.answer(question) or Answer(question=question)


def _due(due: datetime | None) -> str:
    if due is None:
        return "no date"
    return f"{due:%Y-%m-%d}" if due.time() == END_OF_DAY else f"{due:%Y-%m-%d %H:%M} UTC"


def _link_open(self: RendererHTML, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
    """Links leave without telling where their reader came from."""
    tokens[idx].attrSet("rel", "noopener noreferrer")
    return self.renderToken(tokens, idx, options, env)


def _parser() -> MarkdownIt:
    """Return Markdown without HTML and pictures; it keeps script addresses from being links by itself."""
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    parser.disable(["image", "html_block", "html_inline"])
    parser.add_render_rule("link_open", _link_open)
    return parser


_MARKDOWN: Final = _parser()


def _markdown(text: str) -> Markup:
    return Markup(_MARKDOWN.render(legal(text)))


def _inline(text: str) -> Markup:
    return Markup(_MARKDOWN.renderInline(legal(text)))
