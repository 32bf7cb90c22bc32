"""How a command that ran Temporal's SDK ends."""

import contextlib
import logging
import os
import sys
from typing import NoReturn


def finish(code: int) -> NoReturn:
    """End the process with `code`, everything written.

    Not by the interpreter's own end: with the SDK's runtime loaded that dies of a signal once in four times,
    and a command that did what it should would look as if it had not. So this comes last, when workers,
    servers and stores are closed.
    """
    with contextlib.suppress(Exception):
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        # Whoever read it may have gone away.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
