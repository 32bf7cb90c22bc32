"""What the durable record still lacks of a matter, and when it is tried again (design §6.1, §6.9)."""

import json
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from model import mirroring
from model.effects import Outcome, Page, backoff
from model.matter import Entry, Matter

BATCH = 500
"""Timeline entries written to the record in one go. Each write carries the facts too: an event of a thousand people
in batches of a hundred filled half of the history that Temporal allows (50 MB)."""
BATCH_TEXT = 400_000
"""Characters of their texts: with the facts, a batch stays below the 2 MiB that a payload may have."""
LARGE = 64_000
"""Characters of facts from which on writing them rests between two times."""
FACTS_PER_SECOND = 50_000
"""Characters of facts written per second then: an event of a thousand people has 420,000, and a record after each of
its changes came to 25 MB of history; Temporal ends a workflow at 50."""
_NOT_RECORDED = {"timeline", "owed", "answers", "plan", "policy"}


class Record(BaseModel):
    """What the durable record gets: the matter as it stands, and the lines it lacks."""

    incident: dict[str, Any]
    entries: list[Entry]


def finished(matter: Matter) -> bool:
    """Whether nothing can come any more, and everything is done and written down."""
    return matter.ended and not matter.owed and not matter.unrecorded and not matter.ticket_error


def due(matter: Matter, now: datetime) -> bool:
    """Whether lines or the ticket wait, and the record may be tried: pages go first."""
    if matter.record_retry_at and matter.record_retry_at > now:
        return False
    if not matter.unrecorded and not matter.ticket_error:
        return False
    return len(matter.unrecorded) >= BATCH or not any(
        isinstance(owed.order, Page) and owed.tries == 0 for owed in matter.owed.values()
    )


def batch(matter: Matter) -> Record:
    """Return the next batch for the record."""
    entries: list[Entry] = []
    room = BATCH_TEXT
    for entry in matter.unrecorded[:BATCH]:
        room -= len(entry.text)
        if entries and room < 0:
            break
        entries.append(entry)
    return Record(incident=matter.model_dump(mode="json", exclude=_NOT_RECORDED), entries=entries)


def ended(matter: Matter, written: Record, outcome: Outcome, now: datetime) -> None:
    """Take in how writing went. A ticket that failed behind a good record is a reason with a good outcome."""
    if outcome.ok and written.entries:
        matter.recorded = max(matter.recorded, written.entries[-1].seq)
        mirroring.owe(matter, outcome.mirrors, now)
    matter.record_error = "" if outcome.ok else outcome.reason
    matter.ticket_error = outcome.reason if outcome.ok else matter.ticket_error
    if matter.record_error or matter.ticket_error:
        matter.record_tries += 1
        matter.record_retry_at = now + backoff(matter.policy, matter.record_tries)
    else:
        matter.record_tries, matter.record_retry_at = 0, _rest_until(written, now)


def _rest_until(written: Record, now: datetime) -> datetime | None:
    size = len(json.dumps(written.incident))
    return None if size < LARGE else now + timedelta(seconds=size / FACTS_PER_SECOND)
