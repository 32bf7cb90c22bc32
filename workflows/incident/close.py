"""Doors of the end: off duty, closed, and open again (X0, X4)."""

from model import messages, response
from workflows.door import door


class Close:
    """What people say when it is over, or not."""

    stand_down = door(messages.StandDown, response.stand_down)
    close = door(messages.Close, response.close)
    reopen = door(messages.Reopen, response.reopen)
