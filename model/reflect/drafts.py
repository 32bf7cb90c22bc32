"""Which text is meant: people decide about the draft they have read, not about the one that came since."""

import hashlib

from model.text import Refused


def check_draft(given: str, digest: str) -> None:
    """Refuse a decision about another text than the one that waits.

    Raises:
        Refused: The text has changed since it was read.
    """
    if given and not digest.startswith(given.casefold()):
        raise Refused(f"the text has changed since you read it: it is draft {digest} now, not {given}")


def digest_of(text: str) -> str:
    """Return a text's name: the beginning of its hash."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
