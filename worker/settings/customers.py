"""Settings of the customers port."""

from worker.settings.base import Block


class CustomerSettings(Block):
    """Where the customers' contacts come from."""
