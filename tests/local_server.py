"""An embedded server for tests of several modules."""

import contextlib
from typing import Any

from temporalio.testing import WorkflowEnvironment

from worker.binaries import binary

ATTEMPTS = 3


async def start(**options: Any) -> WorkflowEnvironment:
    """Start a server of our own, on a free port, in memory.

    The SDK gives it five seconds; where the disk is slow, a binary of 150 MB that is not in memory takes longer once.
    """
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(RuntimeError):
            return await _start(options)
    return await _start(options)


async def _start(options: dict[str, Any]) -> WorkflowEnvironment:
    return await WorkflowEnvironment.start_local(
        dev_server_existing_path=binary("temporal"), dev_server_log_level="error", **options
    )
