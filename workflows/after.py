"""What the processes of COEs, RCAs and action items have in common: how they are found and shown."""

from datetime import datetime, timedelta
from typing import Any, Final

from temporalio.common import SearchAttributeUpdate

from link import attributes
from model.reflect.after import After
from model.reflect.after_details import details
from workflows.matter import MatterProcess

DIALOG: Final = timedelta(days=1)
"""How long after somebody is asked a run is kept for the dialog they may have open; nobody's stays open for longer."""


class AfterProcess(MatterProcess):
    """One thing that follows from an incident."""

    state: After

    def details(self, now: datetime) -> str:
        """Return its page."""
        return details(self.state, now)

    def waits_for_a_person(self) -> bool:
        """Whether somebody was asked a short while ago; what waits for years must not hold up new runs."""
        since = self.state.asked_for
        return since is not None and self.now() - since < DIALOG

    def attributes(self) -> list[SearchAttributeUpdate[Any]]:
        """Return what it is found by: a manager's overdue list is `DueAt < now`."""
        state = self.state
        due = state.deadline or state.asks_again_at
        found: list[SearchAttributeUpdate[Any]] = [
            attributes.INCIDENT_ID.value_set(state.incident[: attributes.KEYWORD_LONGEST]),
            attributes.ITEM_STATUS.value_set(state.as_item().status),
            attributes.TEAM.value_set(state.team[: attributes.KEYWORD_LONGEST]),
            attributes.AWAITING.value_set(attributes.keywords(state.awaited)),
        ]
        # Never unset: the test server then answers no `describe` any more (an unset moment is a null it cannot say).
        return [*found, attributes.DUE_AT.value_set(due)] if due else found
