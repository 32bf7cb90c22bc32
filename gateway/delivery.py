"""Hands messages to Temporal, and says so only when Temporal has them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from temporalio.client import Client
from temporalio.service import RPCError

from gateway.absorbing import Key, Memory, State, key_of, state_of
from link.send import Unreachable
from link.starting import signal_detection
from model.catalogue.catalog import UNMAPPED, Catalog
from model.catalogue.plan import facts_for
from model.messages import Alarm, Report

AT_ONCE = 20
"""Messages of one body that are under way at the same time."""
PATIENCE = 8.0
"""Seconds one message may take; then Temporal counts as unreachable, and the sender hears it within ten."""
HOMES = 20_000
"""Services and regions whose partition is remembered."""


@dataclass
class Delivered:
    """How far a delivery came.

    Attributes:
        accepted: Messages that Temporal has.
        absorbed: How many of them it had already: repeats, which did not travel.
        unmapped: What the catalogue does not know: services, and regions as `service/region`.
        failure: Why the rest did not arrive; empty when all did.
    """

    accepted: int = 0
    absorbed: int = 0
    unmapped: list[str] = field(default_factory=list)
    failure: str = ""


@dataclass(frozen=True)
class _Letter:
    """One message on its way; `key` and `said` for an alarm, whose repeats are absorbed."""

    partition: str
    message: Alarm | Report
    key: Key | None = None
    said: State | None = None


class _Turn:
    """Who sends an alarm has its turn: there is no telling in which order Temporal takes two at once.

    Attributes:
        begun: How often it was sent.
        last: What was said then, once Temporal has it.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.begun = 0
        self.last: State | None = None

    def said_since(self, came: int, said: State) -> bool:
        """Whether the same state was sent after something `came` in: a hundred who waited travel as one."""
        return self.begun > came and self.last is not None and self.last.acts_as(said)


class Delivery:
    """Routes messages to the `Detection` of their partition."""

    def __init__(self, client: Client, catalog: Callable[[], Catalog], memory: Memory | None = None) -> None:
        """Deliver by `client`; `catalog` is asked anew for every body, `memory` for every alarm."""
        self._client = client
        self._catalog = catalog
        self._memory = memory or Memory()
        self._turns: WeakValueDictionary[Key, _Turn] = WeakValueDictionary()
        self._homes_of: Catalog | None = None
        self._homes: dict[tuple[str, str], tuple[str, str]] = {}

    async def deliver(self, messages: Sequence[Alarm | Report]) -> Delivered:
        """Deliver messages, those about the same alarm in their order, and stop at the first failure."""
        done = Delivered()
        series = self._sorted(messages, done)
        if not series:
            return done
        slots = asyncio.Semaphore(AT_ONCE)

        async def deliver_one_by_one(letters: Sequence[_Letter]) -> None:
            for letter in letters:
                async with slots:
                    done.absorbed += not await self._hand_over(letter)
                done.accepted += 1

        try:
            async with asyncio.TaskGroup() as group:
                for letters in series:
                    group.create_task(deliver_one_by_one(letters))
        except* Unreachable as failed:
            done.failure = str(failed.exceptions[0])
        return done

    def _sorted(self, messages: Sequence[Alarm | Report], done: Delivered) -> list[list[_Letter]]:
        """Return what has to travel, each alarm's states in their order; repeats are absorbed at once."""
        catalog = self._catalog()
        series: dict[Key | int, list[_Letter]] = {}
        nowhere: dict[str, None] = {}
        for number, message in enumerate(messages):
            partition, unmapped = self._home(catalog, message)
            if unmapped:
                nowhere[unmapped] = None
            if isinstance(message, Report):  # reports have no order
                series[number] = [_Letter(partition, message)]
                continue
            key, said = key_of(message), state_of(message, partition)
            if key not in series and self._memory.knows(key, said):
                done.accepted += 1
                done.absorbed += 1
            else:
                series.setdefault(key, []).append(_Letter(partition, message, key, said))
        done.unmapped = list(nowhere)
        return list(series.values())

    async def _hand_over(self, letter: _Letter) -> bool:
        """Give a message to Temporal; return whether it had to travel.

        Raises:
            Unreachable: Temporal did not take it, or nobody knows.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                if letter.key is None or letter.said is None:
                    await self._send(letter)
                    return True
                turn = self._turns.setdefault(letter.key, _Turn())
                came = turn.begun
                async with turn.lock:  # whoever sends the same at this moment ends first: only then it is known
                    if turn.said_since(came, letter.said) or self._memory.knows(letter.key, letter.said):
                        return False
                    turn.begun, turn.last = turn.begun + 1, None
                    self._memory.forget(letter.key)
                    await self._send(letter)
                    self._memory.accepted(letter.key, letter.said)
                    turn.last = letter.said
                    return True
        except TimeoutError:
            raise Unreachable(f"Temporal did not answer within {PATIENCE:g} s") from None
        except RPCError as error:
            raise Unreachable(f"Temporal did not take it: {error.message}") from None
        except RuntimeError as error:  # what a lazy client says that could not connect
            raise Unreachable(f"Temporal cannot be reached: {error}") from None

    async def _send(self, letter: _Letter) -> None:
        name = "alarm" if isinstance(letter.message, Alarm) else "report"
        payload = letter.message.model_dump(mode="json", exclude_unset=True)
        await signal_detection(self._client, letter.partition, name, payload)

    def _home(self, catalog: Catalog, message: Alarm | Report) -> tuple[str, str]:
        """Return a message's partition, and what of it the catalogue does not know."""
        if catalog is not self._homes_of or len(self._homes) > HOMES:
            self._homes_of, self._homes = catalog, {}
        where = message.service, message.region
        if where not in self._homes:
            facts = facts_for(catalog, message.service, message.region, "")
            unknown = f"{message.service}/{facts.region}" if facts.service_known else message.service
            self._homes[where] = (facts.partition, unknown if facts.partition == UNMAPPED else "")
        return self._homes[where]
