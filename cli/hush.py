"""Keeps what servers print away from people: into a file, while our own lines still reach the terminal."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

_DESCRIPTORS = (1, 2)


@contextlib.contextmanager
def hushed(log: Path) -> Iterator[TextIO]:
    """Send everything that this process and its children print into `log`.

    The test server prints stack traces for what is no error (an update that meets a timer), and Temporal's core warns
    of the test server: the descriptors are turned round, since neither asks Python where to write.

    Yields:
        Standard output as it was, to write to meanwhile.
    """
    ours = _is_ours()
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in _DESCRIPTORS]
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    out = os.fdopen(os.dup(kept[0]), "w", encoding=sys.stdout.encoding, buffering=1) if ours else sys.stdout
    try:
        for number in _DESCRIPTORS:
            os.dup2(file, number)
        yield out
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, before in zip(_DESCRIPTORS, kept, strict=True):
            os.dup2(before, number)
            os.close(before)
        os.close(file)
        with contextlib.suppress(BrokenPipeError):  # whoever read it may have gone away
            if ours:
                out.close()
            else:
                out.flush()


def _is_ours() -> bool:
    """Whether `sys.stdout` writes to the descriptor; in a test it may be somebody else's buffer."""
    try:
        return sys.stdout.fileno() == _DESCRIPTORS[0]
    except (OSError, ValueError, AttributeError):
        return False
