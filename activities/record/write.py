"""The activity that writes the record, and the ticket made from it."""

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

    def __init__(self, recorder: Recorder, ticket: Ticketing, rush: Rush | None = None) -> None:
        """Take where the record and its ticket go, and what knows when pages come first."""
        self._rush = rush
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
        shown = await attempt(self._ticket.refresh(str(batch.incident["id"])), WITHIN)
        return Outcome(reason="" if shown.ok else f"ticket: {shown.reason}")
