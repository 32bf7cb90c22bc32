"""`python -m tests.bench`: every figure, or one."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import tests.bench
from tests.bench.table import Figure, as_json, machine, show

NAMES = ("page-time", "history", "many-people", "drills", "intake", "cost", "absorb", "correlation", "storm")
PATIENCE = 900.0
"""Seconds after which a figure is given up."""


def main() -> int:
    """Measure, print, and return the exit status: 0 unless something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=tests.bench.__doc__)
    parser.add_argument("--only", choices=NAMES, action="append", help="measure only this one (repeatable)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that it runs; the numbers mean nothing")
    chosen = parser.parse_args()
    about = machine()
    figures: dict[str, Figure] = {}
    errors: dict[str, str] = {}
    names = chosen.only or list(NAMES)
    for group in [names] if chosen.quick else [[name] for name in names]:
        _say(f"measuring {', '.join(group)} …")
        _measure(group, "quick" if chosen.quick else "full", figures, errors)
    if chosen.json:
        print(json.dumps(as_json(figures, errors, about), indent=2, ensure_ascii=False))
    elif figures:
        show(figures, f"{about['cores']} cores, load {about['load']} before it began")
    return 1 if errors else 0


def _measure(names: list[str], scale: str, figures: dict[str, Figure], errors: dict[str, str]) -> None:
    """Measure in a process of its own: each figure finds the same, and none can hang or blur the others."""
    with tempfile.TemporaryDirectory(prefix="allclear-bench-") as folder:
        file, log = Path(folder) / "told.json", Path(folder) / "log"
        command = [sys.executable, "-m", "tests.bench.child", str(file), scale, *names]
        with log.open("w+", encoding="utf-8") as output:
            child = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                _say(f"not done after {PATIENCE:g} s")
            finally:
                _end(child)
        told = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        for name in names:
            found = told.get(name, {"error": f"ended with {child.returncode} before it was measured"})
            if "error" in found:
                errors[name] = found["error"]
                words = log.read_text(encoding="utf-8", errors="replace").strip()
                _say(f"{words[-3000:]}\n{name} could not be measured: {errors[name]}")
            else:
                figures[name] = Figure.from_json(found)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child that is still there, with the servers it started; it leads their process group."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
