"""What every long-lived process has: one state, one loop, one timer, and continue-as-new when it grew (design §2)."""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow

CONTINUE_AFTER = 1500
"""Messages and effects handled in one run before the next one begins (the server suggests it at 4,096 events, the
test server never)."""
LONGEST_RUN = timedelta(days=365)
"""A run is renewed at least this often, so that a sleeping process follows the code."""
LONGEST_WAIT = timedelta(days=30)
"""The longest single timer; the loop looks again then."""


class Process:
    """The loop. A process says what is due, shows itself, and performs what it owes."""

    touched: bool
    steps: int

    def advance(self, now: datetime) -> datetime | None:
        """Do what is due and begin what is owed; return when the next thing is due."""
        raise NotImplementedError

    def now(self) -> datetime:
        """Return the process's time."""
        raise NotImplementedError

    def over(self) -> bool:
        """Whether the process is done."""
        raise NotImplementedError

    def resting(self) -> bool:
        """Whether no effect is under way, so that a new run may begin."""
        raise NotImplementedError

    def pausing(self) -> None:
        """Begin no further effect: this run is about to end."""
        raise NotImplementedError

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
            self.touched = False
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
        must = self.steps >= CONTINUE_AFTER * 4
        may = info.is_continue_as_new_suggested() or self.steps >= CONTINUE_AFTER
        old = self.now() - began >= LONGEST_RUN or info.is_target_worker_deployment_version_changed()
        return must or ((may or old) and not self.waits_for_a_person())

    async def _wait(self, due: datetime | None) -> None:
        timeout = (
            LONGEST_WAIT
            if due is None
            else min(max(due - self.now(), timedelta(milliseconds=1)), LONGEST_WAIT)
        )
        try:
            await workflow.wait_condition(lambda: self.touched, timeout=timeout)
        except asyncio.TimeoutError:
            pass

    async def _rest(self) -> None:
        """Let what is under way end, for a moment; what is not confirmed then is sent again under its key."""
        self.pausing()
        try:
            await workflow.wait_condition(
                lambda: self.resting() and workflow.all_handlers_finished(), timeout=timedelta(seconds=15)
            )
        except asyncio.TimeoutError:
            pass
        await workflow.wait_condition(workflow.all_handlers_finished)
