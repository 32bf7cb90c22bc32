"""How an attempt becomes an outcome: what the other side said is data for the workflow, not an exception.

Temporal's retry policy is left for crashes and timeouts. When and whether to try again after a refusal is
decided by the process that owes the effect, where it is visible and survives everything (design §2).
"""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from activities import Failed
from model.effects import Outcome
from model.text import one_line

REASON_LONGEST = 200
"""Characters of a reason kept: enough to know what to do, short enough for a page's timeline."""


async def attempt(doing: Awaitable[object], within: timedelta) -> Outcome:
    """Return how `doing` ended; it is given up after `within`."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            await doing
    except Failed as failed:
        reason = one_line(failed.reason)[:REASON_LONGEST]
        return Outcome(ok=False, reason=reason, again=failed.again, retry_after=failed.retry_after)
    except TimeoutError:
        return Outcome(ok=False, reason=f"no answer within {within.total_seconds():g} s")
    except Exception as error:
        return Outcome(ok=False, reason=one_line(f"{type(error).__name__}: {error}")[:REASON_LONGEST])
    return Outcome()
