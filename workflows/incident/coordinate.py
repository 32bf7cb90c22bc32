"""Doors of coordination: what people see and write down (C3, C4, X3)."""

from model import messages
from model.coordinate import ticket
from workflows.door import door


class Coordinate:
    """What people observe and state."""

    state_impact = door(messages.StateImpact, ticket.state_impact)
    observe = door(messages.Observe, ticket.observe)
    note = door(messages.Note, ticket.note)
