"""Settings of the public status page."""

from worker.settings.base import Block


class StatusPageSettings(Block):
    """The public page."""
