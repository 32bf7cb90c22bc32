"""A process with a matter as its state: effects owed and performed, words recorded, the Web UI kept current."""

import asyncio
from abc import abstractmethod
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate
from temporalio.exceptions import FailureError

from link import clock
from model import mirroring, recording
from model.effects import Follow, Outcome, next_retry
from model.matter import Matter
from model.text import cut, one_line
from workflows import errands
from workflows.lanes import Lanes
from workflows.process import Process

MOVED = "This run has ended; it goes on in the next: [open it here](/namespaces/{namespace}/workflows/{workflowId})."
"""The last words of a run, for whoever has it open."""


class MatterProcess(Process):
    """What the processes people talk to have in common."""

    state: Matter

    def begin(self) -> None:
        """Begin a run."""
        super().begin()
        self._paused = False
        self._recording: asyncio.Task[None] | None = None
        self._shown: list[object] = []
        self._lanes = Lanes(errands.PERFORMERS, self._ended, parallel=frozenset({"page", "mirror"}))

    def now(self) -> datetime:
        """Return the story's time."""
        return clock.now(self.state.clock_shift)

    def resting(self) -> bool:
        """Whether nothing is under way."""
        return not self._lanes.flying and self._recording is None

    def pausing(self) -> None:
        """Begin nothing more in this run."""
        self._paused = True

    def over(self) -> bool:
        """Whether nothing can come any more, and everything is done and written down."""
        return recording.finished(self.state) and self.resting()

    @abstractmethod
    def course(self, now: datetime) -> datetime | None:
        """Do what is due by the rules; return when the next thing is."""

    @abstractmethod
    def effect_ended(self, key: str, outcome: Outcome, now: datetime) -> None:
        """Take in how an effect went."""

    @abstractmethod
    def details(self, now: datetime) -> str:
        """Return the page the Web UI shows."""

    @abstractmethod
    def attributes(self) -> list[SearchAttributeUpdate[Any]]:
        """Return the search attributes as they should be."""

    def advance(self, now: datetime) -> datetime | None:
        """Do what is due, begin what is owed, show where we are."""
        due = self.course(now)
        if not self._paused:
            self.spoke |= self._lanes.start(self.state.owed, now)
            if self._recording is None and recording.due(self.state, now):
                self.spoke = True
                self._recording = asyncio.create_task(self._record())
        self._show(now)
        return min((at for at in (due, next_retry(self.state.owed)) if at and at > now), default=None)

    def _ended(self, key: str, outcome: Outcome) -> None:
        owed = self.state.owed.get(key)
        if owed and isinstance(owed.order, Follow):
            mirroring.ended(self.state, key, outcome, self.now())
        else:
            self.effect_ended(key, outcome, self.now())
        self.touched = True

    async def _record(self) -> None:
        batch = recording.batch(self.state)
        try:
            outcome = await errands.record(batch)
        except FailureError as error:
            outcome = Outcome(ok=False, reason=str(error.cause or error))
        except Exception as error:  # nobody awaits this task: it must not end without a word
            workflow.logger.exception("the record could not be written")
            outcome = Outcome(ok=False, reason=f"{type(error).__name__}: {error}"[:200])
        self._recording = None
        recording.ended(self.state, batch, outcome, self.now())
        self.touched = True

    def _show(self, now: datetime) -> None:
        workflow.set_current_details(self.details(now))
        wanted = self.attributes()
        shown: list[object] = [update.value for update in wanted]
        if wanted and shown != self._shown:
            self._shown = shown
            self.spoke = True
            workflow.upsert_search_attributes(wanted)

    def unreadable(self, name: str, why: str, payload: Any) -> None:
        """Keep what the guard caught."""
        self.state.say("unreadable", cut(one_line(f"{name}: {why} {payload!r}"), 300), now=self.now())
        self.touched = True
