"""The record in the store's tables."""

from activities import Failed
from activities.record import Recorder
from model.recording import Record
from store import Store, StoreError


class SqlRecorder(Recorder):
    """Keeps incidents and their lines in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def record(self, record: Record) -> None:
        """Write a batch; writing it again, or late, changes nothing.

        Raises:
            Failed: The store did not take it.
        """
        try:
            await self._store.record(record.incident, record.entries)
        except StoreError as error:
            raise Failed(str(error)) from error
