"""Every provider's turns: so many pages at a time, the worst first, and none while it is left alone."""

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Final

from activities import Failed
from model.effects import Page
from model.engage.providers import Standing, provider_of
from model.policy import Policy
from model.times import short

KNOWN: Final = 1000
"""Providers remembered: more than a catalogue has hosts."""


@dataclass
class _Provider:
    standing: Standing = field(default_factory=Standing)
    line: list[tuple[int, int, "asyncio.Future[None]"]] = field(default_factory=list)


class Turns:
    """What one worker knows of each provider; another one finds out for itself."""

    def __init__(self, policy: Callable[[], Policy], clock: Callable[[], float] = time.monotonic) -> None:
        """Go by the policy in force; `clock` is for tests."""
        self._policy = policy
        self._clock = clock
        self._providers: dict[str, _Provider] = {}
        self._number = count()

    async def take(self, page: Page, send: Callable[[], Awaitable[object]]) -> None:
        """Send a page when it is its turn.

        Raises:
            Failed: It was not taken, or its provider is left alone.
        """
        name = provider_of(page.contact)
        provider = self._known(name)
        await self._turn(name, provider, page.severity)
        with self._under_way(name, provider):
            await send()

    def _known(self, name: str) -> _Provider:
        if name not in self._providers and len(self._providers) >= KNOWN:
            idle = [it for it, known in self._providers.items() if not known.standing.under_way and not known.line]
            for it in idle:
                del self._providers[it]
        return self._providers.setdefault(name, _Provider())

    async def _turn(self, name: str, provider: _Provider, severity: int) -> None:
        policy, now = self._policy(), self._clock()
        verdict = provider.standing.verdict(policy, now)
        if verdict == "rest":
            raise self._left_alone(name, provider)
        if verdict == "go" and not provider.line:
            provider.standing.begin(policy, now)
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(provider.line, (severity, next(self._number), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                self._end(name, provider, self._clock(), None)
            raise

    @contextmanager
    def _under_way(self, name: str, provider: _Provider) -> Iterator[None]:
        begun, taken = self._clock(), None
        try:
            yield
            taken = True
        except Exception:
            taken = False
            raise
        finally:
            self._end(name, provider, begun, taken)

    def _end(self, name: str, provider: _Provider, begun: float, taken: bool | None) -> None:
        policy, now = self._policy(), self._clock()
        provider.standing.end(policy, begun, now, taken)
        while provider.line and (verdict := provider.standing.verdict(policy, now)) != "wait":
            _, _, next_one = heapq.heappop(provider.line)
            if next_one.done():
                continue
            if verdict == "rest":
                next_one.set_exception(self._left_alone(name, provider))
            else:
                provider.standing.begin(policy, now)
                next_one.set_result(None)

    def _left_alone(self, name: str, provider: _Provider) -> Failed:
        rest = timedelta(seconds=max(round(provider.standing.rests_until - self._clock()), 1))
        said = f"{name} left the last {provider.standing.unanswered} pages without an answer"
        return Failed(f"{said}, and is left alone for {short(rest)}")
