"""The one clock of workflow code."""

from datetime import datetime, timedelta

from temporalio import workflow


def now(shift: timedelta) -> datetime:
    """Return workflow time, moved into the story of a drill.

    The time-skipping server can only begin at wall time and go forward, so a drill's start is a shift in the
    state (design §4). Outside drills it is zero.
    """
    return workflow.now() + shift
