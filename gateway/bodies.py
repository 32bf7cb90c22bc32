"""Bodies, read with care: their size is counted, not believed, and what is wrong in them is said."""

import asyncio
import json
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from gateway.problems import Problem

LARGEST = 5 * 1024 * 1024
"""Bytes of a body: 10,000 alarms of 500 bytes."""
DISCARDED = 8 * LARGEST
"""Bytes read and thrown away, so that a sender still hears the answer instead of a broken connection."""
PATIENCE = 30.0
"""Seconds a body may take to arrive."""
MOST = 10_000
"""Alarms or reports in one body."""
DEEPEST = 64
"""Levels of lists and objects in a body; no sender's format has ten."""


async def read_body(request: Request, largest: int = LARGEST) -> bytes:
    """Return a request's body.

    Raises:
        Problem: It is larger than `largest`, or does not arrive.
    """
    kept, size = [], 0
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= largest:
                    kept.append(chunk)
                elif size > DISCARDED:
                    break
    except (TimeoutError, ClientDisconnect):
        raise Problem(408, f"the body did not arrive within {PATIENCE:g} s") from None
    if size > largest:
        raise Problem(413, f"the body is larger than {largest / 1024:,.0f} KiB: send it in several requests")
    return b"".join(kept)


_TOO_DEEP = f"the body is nested too deeply: at most {DEEPEST} levels"


def parse_json(body: bytes) -> Any:
    """Return what a body says. A number that is none (`NaN`, `Infinity`) is refused with the field it stands in.

    Raises:
        Problem: It is not JSON; the text says where.
    """
    if not body.strip():
        raise Problem(400, "the body is empty: send JSON")
    try:
        data = json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Problem(400, f"the body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        raise Problem(400, f"the body is not JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise Problem(400, _TOO_DEEP) from None
    except ValueError as error:  # a number of thousands of digits
        raise Problem(400, f"the body is not JSON we can read: {error}") from None
    if _deeper(data, DEEPEST):
        raise Problem(400, _TOO_DEEP)
    return data


def _deeper(data: Any, limit: int) -> bool:
    """Whether lists and objects lie in each other on more than so many levels."""
    level = [data] if isinstance(data, dict | list) else []
    for _ in range(limit):
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return bool(level)


def items_of(data: Any, plural: str) -> list[Any]:
    """Return the items of a body: one object, a list, or an object with the list under `plural`.

    Raises:
        Problem: It is none of these, or too many.
    """
    items = data
    if isinstance(data, dict):
        items = data.get(plural, [data])
    if not isinstance(items, list):
        field = plural if isinstance(data, dict) else ""
        raise Problem(
            422,
            f'send one object, a list of them, or {{"{plural}": [...]}}',
            accepted=0,
            errors=[{"index": 0, "field": field, "text": "should be a list"}],
        )
    if len(items) > MOST:
        raise Problem(413, f"{len(items):,} {plural} are too many for one request: at most {MOST:,}")
    return items
