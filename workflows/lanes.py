"""Performs what a process owes, without its loop ever waiting for it (design §2).

Pages go out at the same time; every other lane has one effect under way. What is not confirmed stays owed in
the state, under the same key: over a crash, over a continue-as-new, over a provider's bad hour.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import FailureError

from model.effects import Lane, Outcome, Owed, ready

AT_ONCE = 45
"""Effects of one lane under way together. A thousand pages begun in one workflow task took longer than the ten seconds
Temporal gives it, on a busy machine: it was lost, and all began again. And a hundred events that come while a task is
under way make the server close it by force (`history.maximumBufferedEventsBatch`): updates in it are turned away, and
the whole history is read again. Two hundred pages that failed at the same moment did so, eighty still once; each ends
with two events, which leaves room for some alarms."""

Perform = Callable[[str, Owed], Awaitable[Outcome]]
Report = Callable[[str, Outcome], None]


class Lanes:
    """The tasks under way for one process."""

    def __init__(self, performers: Mapping[Lane, Perform], report: Report, parallel: frozenset[Lane]) -> None:
        """Take who performs each lane, who hears how it went, and which lanes run in parallel."""
        self._performers = performers
        self._report = report
        self._parallel = parallel
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._busy: dict[Lane, str] = {}
        self._under_way: Counter[Lane] = Counter()

    @property
    def flying(self) -> bool:
        """Whether an effect is under way."""
        return bool(self._flying)

    def start(self, owed: dict[str, Owed], now: datetime) -> bool:
        """Begin what is due; return whether anything was."""
        before = len(self._flying)
        waiting = ready(owed, now)
        for lane in self._performers:
            for key in waiting.get(lane, ()):
                if key in self._flying:
                    continue
                if self._under_way[lane] >= AT_ONCE:
                    break
                if lane not in self._parallel:
                    if lane in self._busy:
                        break
                    self._busy[lane] = key
                self._under_way[lane] += 1
                self._flying[key] = asyncio.create_task(self._perform(lane, key, owed[key]))
        return len(self._flying) > before

    async def _perform(self, lane: Lane, key: str, owed: Owed) -> None:
        try:
            outcome = await self._performers[lane](key, owed)
        except FailureError as error:
            outcome = Outcome(ok=False, reason=str(error.cause or error)[:200])
        except Exception as error:  # nobody awaits this task: it must not end without a word
            workflow.logger.exception("%s could not be performed", key)
            outcome = Outcome(ok=False, reason=f"{type(error).__name__}: {error}"[:200])
        self._flying.pop(key, None)
        self._under_way[lane] -= 1
        if self._busy.get(lane) == key:
            del self._busy[lane]
        self._report(key, outcome)
