"""What our own processes say to an incident. A person has no use for these."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from temporalio import workflow

from model import absorption, course, impact
from model.close import follow_up
from model.close.items import ActionsAccepted, ItemChanged
from model.engage import engagement
from model.incident import Incident


class Inside:
    """Signals from `Detection` and from other incidents."""

    state: Incident
    touched: bool
    now: Callable[[], datetime]

    @workflow.signal(description="internal: alarms of this event changed")
    def alarms_changed(self, x: Any = None) -> None:
        """Take in what alarms say."""
        impact.alarms_changed(self.state, impact.AlarmsChanged.model_validate(x), self.now())
        self.touched = True

    @workflow.signal(description="internal: customers reported")
    def reported(self, x: Any = None) -> None:
        """Take in customer reports."""
        impact.reported(self.state, impact.Reported.model_validate(x), self.now())
        self.touched = True

    @workflow.signal(description="internal: this becomes the one incident of a multi-service event")
    def promote(self, x: Any = None) -> None:
        """Take the others in."""
        absorption.promoted(self.state, absorption.Promotion.model_validate(x), self.now())
        self.touched = True

    @workflow.signal(description="internal: this becomes part of another incident")
    def absorb(self, x: Any = None) -> None:
        """Hand over."""
        absorption.absorb(self.state, absorption.Absorption.model_validate(x), self.now())
        self.touched = True

    @workflow.signal(description="internal: an absorbed incident hands over what it knows")
    def handover(self, x: Any = None) -> None:
        """Take over."""
        absorption.take_over(self.state, absorption.Handover.model_validate(x), self.now())
        self.touched = True

    @workflow.signal(description="internal: a COE, the RCA or an action item says how it stands")
    def item_changed(self, x: Any = None) -> None:
        """Learn how a matter of this incident stands."""
        follow_up.item_changed(self.state, ItemChanged.model_validate(x), self.now())
        self.touched = True

    @workflow.signal(description="internal: a COE was accepted, its actions begin")
    def actions_accepted(self, x: Any = None) -> None:
        """Begin a COE's actions."""
        follow_up.actions_accepted(self.state, ActionsAccepted.model_validate(x), self.now())
        self.touched = True

    @workflow.signal(description="internal: a page of an absorbed incident has ended")
    def page_ended(self, x: Any = None) -> None:
        """Take in how the page went."""
        ended = absorption.PageEnded.model_validate(x)
        engagement.page_ended(self.state, ended.key, ended.outcome, self.now())
        self.touched = True

    @workflow.signal(description="internal: a person took a service out of this event")
    def split_off(self, x: Any = None) -> None:
        """Go on without it."""
        absorption.split_off(self.state, absorption.SplitOff.model_validate(x), self.now())
        self.touched = True

    @workflow.signal(description="internal: the incident this became part of is over")
    def end_absorbed(self, x: Any = None) -> None:
        """End."""
        course.end_absorbed(self.state)
        self.touched = True
