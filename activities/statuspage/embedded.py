"""A status page as a folder: `index.html` and an Atom feed, for any web server to show.

What both are made of lies beside the folder, not in it: nobody can read our own names for an event there. Every
file is replaced in one step: a reader sees the old one or the new one.
"""

import asyncio
import fcntl
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, TypeAdapter, ValidationError

from activities import Failed
from activities.statuspage import StatusPage
from model.effects import Publication
from model.times import iso

KEPT = 200
"""Entries kept on the page; the record has all of them."""
WORDS: Final = {"wrong": "Trouble", "mitigated": "Watching", "resolved": "Over"}
"""What the page calls how an event stands."""


class Entry(BaseModel):
    """One entry of the page. The event goes by a number of its own: our names for it stay ours."""

    key: str
    event: int
    n: int
    at: datetime
    about: str
    status: str
    text: str

    @property
    def moment(self) -> str:
        """Its time, as feeds write it."""
        return iso(self.at)


_ENTRIES: Final = TypeAdapter(list[Entry])


class EmbeddedPage(StatusPage):
    """Keeps the page's files in a folder."""

    def __init__(self, folder: Path, title: str = "Status") -> None:
        """Write into `folder`, which is made with the first entry; `title` is what the page calls itself."""
        self._folder = folder
        self._entries = folder.with_name(f"{folder.name}.entries.json")
        self._title = title
        # Two entries at once would each write a page without the other; waiting here holds no thread.
        self._one_at_a_time = asyncio.Lock()

    async def publish(self, order: Publication, key: str) -> None:
        """Put an entry on the page; the same key again changes nothing.

        Raises:
            Failed: The disk did not take it, or what is there cannot be read.
        """
        async with self._one_at_a_time:
            try:
                await asyncio.to_thread(self._put, order, key)
            except OSError as error:
                raise Failed(f"the status page cannot be written: {error.strerror}") from error

    def _put(self, order: Publication, key: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Other workers may have the same folder. The kernel frees the lock of one that dies.
        with self._entries.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._put_alone(order, key)

    def _put_alone(self, order: Publication, key: str) -> None:
        kept, events = self._read()
        if not any(entry.key == key for entry in kept):
            event = events.setdefault(order.incident, len(events) + 1)
            entry = Entry(
                key=key,
                event=event,
                n=order.draft,
                at=order.at,
                about=order.about.external,
                status=order.status,
                text=order.text.external,
            )
            kept = sorted([*kept, entry], key=lambda e: e.at)[-KEPT:]
        state = {"events": events, "entries": _ENTRIES.dump_python(kept, mode="json")}
        # Written also when nothing is new: an attempt that died half-way left the page behind its entries.
        _replace(self._entries, json.dumps(state, ensure_ascii=False, indent=1))
        latest = list(reversed(kept))
        for name, template in (("feed.atom", "feed.atom.j2"), ("index.html", "index.html.j2")):
            page = _TEMPLATES.get_template(template)
            _replace(self._folder / name, page.render(title=self._title, entries=latest, words=WORDS))

    def _read(self) -> tuple[list[Entry], dict[str, int]]:
        path = self._entries
        if not path.exists():
            return [], {}
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            return _ENTRIES.validate_python(state["entries"]), dict(state["events"])
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise Failed(f"{path} cannot be read; move it away, and the page begins anew") from error


def _replace(path: Path, text: str) -> None:
    """Put a new file in the place of the old one in one step."""
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
