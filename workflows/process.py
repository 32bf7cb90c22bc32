"""What every long-lived process has: one state, one loop, one timer, and continue-as-new when it grew (design §2)."""

import asyncio
from abc import ABC, abstractmethod
from datetime import datetime, timedelta

from pydantic import BaseModel
from temporalio import workflow

CONTINUE_AFTER = 1500
"""Messages and effects handled in one run before the next one begins (the server suggests it at 4,096
events, the test server never)."""
LONGEST_RUN = timedelta(days=365)
"""A run is renewed at least this often, so that a sleeping process follows the code."""
SOONEST = timedelta(milliseconds=20)
"""The shortest timer."""
LONGEST_REST = timedelta(seconds=15)
"""How long a run that ends waits for what is under way."""
LONGEST_WAIT = timedelta(days=30)
"""The longest single timer; the loop looks again then."""
LARGEST_STATE = 1_900_000
"""Bytes of a state that can be handed to the next run: the server takes 2 MiB, and a run that tries with more is
wedged for good (TMPRL1103). With more it goes on as it is, for up to 51,200 events: alarms clear and lines leave."""


class Process(ABC):
    """The loop. A process says what is due, shows itself, and performs what it owes."""

    state: BaseModel
    touched: bool
    spoke: bool
    steps: int
    _rings: list[datetime]
    _ringers: list[asyncio.Task[None]]

    def begin(self) -> None:
        """Begin a run."""
        self.touched = self.spoke = False
        self.steps = 0
        self._rings = []
        self._ringers = []

    @abstractmethod
    def advance(self, now: datetime) -> datetime | None:
        """Do what is due and begin what is owed; return when the next thing is due."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the process's time."""

    @abstractmethod
    def over(self) -> bool:
        """Whether the process is done."""

    @abstractmethod
    def resting(self) -> bool:
        """Whether no effect is under way, so that a new run may begin."""

    @abstractmethod
    def pausing(self) -> None:
        """Begin no further effect: this run is about to end."""

    def turns(self) -> int:
        """How many turns one run has, about."""
        return CONTINUE_AFTER

    def waits_for_a_person(self) -> bool:
        """Whether a dialog may be open on this run."""
        return False

    async def live(self) -> bool:
        """Run until the process is over, or until it is time for a new run.

        Returns:
            Whether it is over.
        """
        began = self.now()
        while True:
            self.touched = self.spoke = False
            self.steps += 1
            due = self.advance(self.now())
            if self.over():
                await workflow.wait_condition(workflow.all_handlers_finished)
                return True
            if self._grown(began):
                await self._rest()
                return False
            await self._wait(due)

    def _grown(self, began: datetime) -> bool:
        info = workflow.info()
        must = self.steps >= self.turns() * 4
        may = info.is_continue_as_new_suggested() or self.steps >= self.turns()
        old = self.now() - began >= LONGEST_RUN or info.is_target_worker_deployment_version_changed()
        return (must or ((may or old) and not self.waits_for_a_person())) and self._can_be_handed_on()

    def _can_be_handed_on(self) -> bool:
        size = len(self.state.model_dump_json())
        if size > LARGEST_STATE:
            workflow.logger.error("the state has %d bytes: too many for a new run, so this one goes on", size)
        return size <= LARGEST_STATE

    async def _wait(self, due: datetime | None) -> None:
        # What is said to be due and was not done must not make the loop spin.
        self._ring_at(max(due, self.now() + SOONEST) if due else self.now() + LONGEST_WAIT)
        self._leave_a_mark()
        await workflow.wait_condition(lambda: self.touched)

    def _leave_a_mark(self) -> None:
        """Let no turn pass without a command.

        A worker that has lost its cache takes an update together with what a workflow task without commands had
        brought before it, in another order than every later replay: the process would never run again (sdk-rust
        issue 1146; tried on both servers, with `max_cached_workflows=0`).
        """
        if not self.spoke:
            workflow.upsert_memo({"turn": self.steps})

    def _ring_at(self, due: datetime) -> None:
        """Let the loop look again at a moment, unless it will before.

        A timer once started is never cancelled: that saves two events at every turn of the loop, and the test server
        loses a workflow task that cancels a timer which fires at the same moment (tried: three drills in four).
        """
        due = min(due, self.now() + LONGEST_WAIT)
        if self._rings and self._rings[0] <= due:
            return
        self.spoke = True
        self._rings.insert(0, due)
        self._ringers = [ringer for ringer in self._ringers if not ringer.done()]
        self._ringers.append(asyncio.create_task(self._ring(due)))

    async def _ring(self, due: datetime) -> None:
        await asyncio.sleep(max((due - self.now()).total_seconds(), 0.001))
        self._rings.remove(due)
        self.touched = True

    async def _rest(self) -> None:
        """Let what is under way end, for a moment; what is not confirmed then is sent again under its key."""
        self.pausing()
        last = self.now() + LONGEST_REST
        while not self.resting() and self.now() < last:
            self.touched = False
            self._ring_at(last)
            await workflow.wait_condition(lambda: self.touched)
        await workflow.wait_condition(workflow.all_handlers_finished)
