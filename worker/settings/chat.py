"""Settings of chat."""

from worker.settings.base import Block


class ChatSettings(Block):
    """Rooms where an incident is talked about."""
