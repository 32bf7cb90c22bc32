"""`python -m tests.bench.child FILE SCALE NAME…`: measures in a process of its own, and writes what it found to a file.

What the SDK says goes to standard output, and a worker whose workflow is stuck never ends: both stay in here.
"""

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from tests.bench import absorb, correlation, cost, drills, history, intake, many_people, page_time, storm
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.table import Figure

FIGURES: Mapping[str, Callable[[Scale], Coroutine[Any, Any, Figure]]] = {
    "page-time": page_time.measure,
    "history": history.measure,
    "many-people": many_people.measure,
    "drills": drills.measure,
    "intake": intake.measure,
    "cost": cost.measure,
    "absorb": absorb.measure,
    "correlation": correlation.measure,
    "storm": storm.measure,
}


def main(file: Path, scale: Scale, names: list[str]) -> None:
    """Measure; one that fails does not take the others with it."""
    told: dict[str, dict[str, Any]] = {}
    for name in names:
        try:
            told[name] = asyncio.run(FIGURES[name](scale)).as_json()
        except Exception as error:
            traceback.print_exc()
            told[name] = {"error": f"{type(error).__name__}: {error}"}
        file.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), QUICK if sys.argv[2] == "quick" else FULL, sys.argv[3:])
    # The SDK may abort at the interpreter's exit (facts-temporal §9).
    os._exit(0)
