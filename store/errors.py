"""Why the store did not do it: one line, for people, without credentials."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Final

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from model.text import clean, one_line

# The first that fits. Drivers do not always have a code (psycopg: none before it is connected), hence words.
_SAID: Final = [
    (r"SQLITE_BUSY|SQLITE_LOCKED|database is locked", "is locked by another process"),
    (r"SQLITE_READONLY|readonly database|\[25006\]", "is read-only"),
    (r"SQLITE_FULL|\[53100\]", "has no space left"),
    (r"SQLITE_CANTOPEN", "cannot be opened: is the path right, and may we write there?"),
    (r"SQLITE_NOTADB", "is not a database"),
    (r"SQLITE_CORRUPT", "is damaged: restore it from a backup"),
    (
        r"no such (table|column)|has no column|\[42P01\]|\[42703\]",
        "lacks what this version needs: run `allclear migrate`",
    ),
    (r"\[28\w{3}\]|authentication failed|no password supplied|role \S+ does not exist", "refused the login"),
    (r"\[3D000\]|database \S+ does not exist", "does not exist on that server"),
    (r"\[53300\]", "has no connection left: allow more there, or run fewer processes here"),
]


class StoreError(Exception):
    """The store did not do it. Nothing was half written, and trying again later may succeed."""


@contextmanager
def in_words(url: URL) -> Iterator[None]:
    """Turn what a database or a disk raises into a `StoreError` of one line.

    Raises:
        StoreError: The block failed in the database, on the way to it, or on the disk.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreError(one_line(clean(f"{_named(url)} {_why(error, url)}"))) from error


def _named(url: URL) -> str:
    """Name the store shortly: what follows must still be there when a long reason is cut."""
    where = f" on {url.host}" if url.host else ""
    return f"the store {PurePath(url.database or 'in memory').name}{where}"


def _why(error: Exception, url: URL) -> str:
    """Say it in our words where we know the case, else in the first line of the driver's."""
    # SQLAlchemy's own text would show the statement; the driver's error is enough, and has the codes.
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    codes = [getattr(cause, name, None) for name in ("sqlite_errorname", "sqlstate")]
    said = str(cause).strip() or type(cause).__name__
    everything = " ".join([*(f"[{code}]" for code in codes if code), said])
    for pattern, words in _SAID:
        if re.search(pattern, everything):
            return words
    if isinstance(cause, OSError):
        return f"cannot be reached: {_without_credentials(_unreachable(cause), url)}"
    return f"failed: {_without_credentials(said.splitlines()[0], url)}"


def _unreachable(error: OSError) -> str:
    """Say it as the system does: asyncio's own words name addresses, and its timeouts none at all."""
    if isinstance(error, TimeoutError) and not error.errno:
        return "no answer in time"
    if error.errno and error.errno > 0:  # below are those of name resolution, which say enough
        return os.strerror(error.errno)
    return error.strerror or str(error).partition("\n")[0] or type(error).__name__


def _without_credentials(text: str, url: URL) -> str:
    secrets = [url.username, url.password, *(value for name, value in url.query.items() if "pass" in name)]
    for secret in filter(None, map(str, filter(None, secrets))):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text
