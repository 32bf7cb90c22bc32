"""Page first, record after (design §6.1), also for the processor: while many pages go out, what can wait does."""

import asyncio
import time
from collections import deque
from typing import Final

MANY: Final = 5
"""Pages begun within `WITHIN`: a storm, or an event of many teams. Technical, like all of these: they say when one
processor is busy, and decide only in which order it works."""
WITHIN: Final = 1.0
"""Seconds in which pages are counted together."""
PATIENCE: Final = 5.0
"""Seconds after which the record is written all the same: people read it."""
LOOK: Final = 0.1
"""Seconds between two looks."""


class Rush:
    """Knows whether one worker is busy paging."""

    def __init__(self) -> None:
        self._begun: deque[float] = deque(maxlen=MANY)

    def page(self) -> None:
        """Hear that a page begins."""
        self._begun.append(time.monotonic())

    async def over(self) -> None:
        """Wait until fewer pages begin, but not for ever."""
        for _ in range(round(PATIENCE / LOOK)):
            if not self._is_on():
                return
            await asyncio.sleep(LOOK)

    def _is_on(self) -> bool:
        return len(self._begun) == MANY and time.monotonic() - self._begun[0] < WITHIN
