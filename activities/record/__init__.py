"""The durable record: written behind, idempotently, and kept for ever."""

from typing import Protocol

from model.recording import Record

RECORD = "record"
"""Activity: `Record` → `Outcome`."""


class Recorder(Protocol):
    """Something that keeps incidents and their lines."""

    async def record(self, record: Record) -> None:
        """Write a batch; writing it again changes nothing.

        Raises:
            Failed: It was not written.
        """
        ...
