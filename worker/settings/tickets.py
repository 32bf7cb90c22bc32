"""Settings of ticket systems."""

from worker.settings.base import Block


class TicketSettings(Block):
    """Ticket systems that follow the record."""
