"""`python -m tests.bench`: every figure, or one."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from tests.bench import drills, history, intake, many_people, page_time
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.table import Figure, as_json, machine, show

FIGURES: Mapping[str, Callable[[Scale], Coroutine[Any, Any, Figure]]] = {
    "page-time": page_time.measure,
    "history": history.measure,
    "many-people": many_people.measure,
    "drills": drills.measure,
    "intake": intake.measure,
}


def main() -> int:
    """Measure, print, and return the exit status: 0 unless something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=sys.modules["tests.bench"].__doc__)
    parser.add_argument("--only", choices=FIGURES, action="append", help="measure only this one (repeatable)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that it runs; the numbers mean nothing")
    chosen = parser.parse_args()
    about = machine()
    figures: dict[str, Figure] = {}
    errors: dict[str, str] = {}
    for name in chosen.only or FIGURES:
        _say(f"measuring {name} …")
        try:
            figures[name] = asyncio.run(FIGURES[name](QUICK if chosen.quick else FULL))
        except Exception as error:  # the others are still worth having
            errors[name] = f"{type(error).__name__}: {error}"
            _say(f"{name} could not be measured: {errors[name]}")
    if chosen.json:
        print(json.dumps(as_json(figures, errors, about), indent=2, ensure_ascii=False))
    elif figures:
        show(figures, f"{about['cores']} cores, load {about['load']} before it began")
    return 1 if errors else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # The SDK may abort at the interpreter's exit (facts-temporal §9).
    os._exit(status)
