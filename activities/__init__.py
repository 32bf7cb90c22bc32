"""The outside world: a folder per kind of system, its port in the folder's `__init__`, one connector per file."""

from datetime import timedelta


class Failed(Exception):
    """The other side did not take it.

    Attributes:
        reason: Why, in words for the timeline; never with a secret in it.
        again: Another attempt may succeed.
        retry_after: How long the other side asked to be left alone.
    """

    def __init__(self, reason: str, *, again: bool = True, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.retry_after = retry_after
