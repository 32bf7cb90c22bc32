"""The activity that writes the record, and the ticket made from it."""

from collections.abc import Callable
from datetime import timedelta

from temporalio import activity

from activities.outcomes import attempt
from activities.record import RECORD, Recorder
from activities.rush import Rush
from activities.tickets import Ticketing
from model.effects import Outcome
from model.recording import Record

WITHIN = timedelta(seconds=12)
"""How long each of the two may take."""


class Recording:
    """Writes the record, then the ticket made from it."""

    def __init__(
        self,
        recorder: Recorder,
        ticket: Ticketing,
        rush: Rush | None = None,
        systems: Callable[[str], list[str]] = lambda matter_id: [],
    ) -> None:
        """Take where the record and its ticket go, what knows when pages come first, and which systems follow."""
        self._rush = rush
        self._systems = systems
        self._recorder = recorder
        self._ticket = ticket

    @activity.defn(name=RECORD)
    async def record(self, batch: Record) -> Outcome:
        """Write one batch. The record does not wait for its ticket: that one's failure is a reason to come again."""
        if self._rush:
            await self._rush.over()
        written = await attempt(self._recorder.record(batch), WITHIN)
        if not written.ok:
            return written
        matter_id = str(batch.incident["id"])
        shown = await attempt(self._ticket.refresh(matter_id), WITHIN)
        # A test leaves the house nowhere.
        mirrors = [] if batch.incident.get("test") else self._systems(matter_id)
        return Outcome(reason="" if shown.ok else f"ticket: {shown.reason}", mirrors=mirrors)
