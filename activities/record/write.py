"""The activity that writes the record, and the ticket made from it."""

from datetime import timedelta

from temporalio import activity

from activities.outcomes import attempt
from activities.record import RECORD, Recorder
from activities.tickets import Ticketing
from model.course import Record
from model.effects import Outcome

WITHIN = timedelta(seconds=15)
"""How long one batch may take."""


class Recording:
    """Writes the record; the ticket follows it, and its failure is the next batch's to mend."""

    def __init__(self, recorder: Recorder, ticket: Ticketing) -> None:
        """Take where the record and its ticket go."""
        self._recorder = recorder
        self._ticket = ticket

    @activity.defn(name=RECORD)
    async def record(self, batch: Record) -> Outcome:
        """Write one batch."""
        return await attempt(self._write(batch), WITHIN)

    async def _write(self, batch: Record) -> None:
        await self._recorder.record(batch)
        await self._ticket.refresh(str(batch.incident["id"]))
