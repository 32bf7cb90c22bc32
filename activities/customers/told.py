"""Whom a message has reached: a group of hundreds whose last one failed is not told again from its beginning.

A file per message and worker, a line per customer, written when a provider has taken their copy. Workers with one data
folder share what they know, also on several machines: nobody writes into another's file, for on a network file system
two that append to one file lose lines. What it cannot know is a copy that was taken while the worker died: that one
comes twice, under the same key.
"""

import contextlib
import hashlib
import logging
import os
import time
from pathlib import Path
from typing import Final
from uuid import uuid4

log = logging.getLogger(__name__)

KEPT: Final = 90 * 24 * 3600.0
"""Seconds after which nobody repeats a message any more."""


class Told:
    """Keeps whom messages have reached in a folder; without one it forgets at once."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep it in `folder`, which is made when it is needed; what is too old there is removed."""
        self._folder = folder
        self._writer = uuid4().hex[:12]
        if folder is not None and folder.is_dir():
            _forget(folder)

    def of(self, message: str) -> "Reached":
        """Return whom a message has reached so far.

        Raises:
            OSError: It cannot be read.
        """
        if self._folder is None:
            return Reached(None)
        name = hashlib.sha256(message.encode()).hexdigest()[:32]
        return Reached(self._folder / f"{name}.{self._writer}")


class Reached:
    """The customers whom one message has reached."""

    def __init__(self, path: Path | None) -> None:
        """Read what every worker's file says so far; ours is `path`."""
        self._path = path
        self._customers: set[str] = set()
        with contextlib.suppress(FileNotFoundError):
            for file in path.parent.iterdir() if path else ():
                if path and file.stem == path.stem:
                    self._customers.update(file.read_text(encoding="utf-8").split())

    def __contains__(self, customer: str) -> bool:
        return customer in self._customers

    def add(self, customer: str) -> None:
        """Know that it has reached a customer; a disk that does not take it is said, and forgets them."""
        self._customers.add(customer)
        try:
            if self._path is not None:
                _append(self._path, customer)
        except OSError as error:
            # The message has gone out: failing now would send it once more.
            log.warning("%s: it is not kept that %s was told (%s)", self._path, customer, error.strerror)


def _append(path: Path, line: str) -> None:
    """Write a line of its own, also behind one that was cut off by a power failure, in one write."""
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, f"\n{line}\n".encode())
    finally:
        os.close(file)


def _forget(folder: Path) -> None:
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another worker does the same
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink()
