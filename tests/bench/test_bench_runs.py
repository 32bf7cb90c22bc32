"""The benchmark itself must not rot; what it measures is no test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import NAMES

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.heavy
def test_every_figure_can_be_measured() -> None:
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["errors"] == {}
    assert list(told["figures"]) == list(NAMES)
    for name, figure in told["figures"].items():
        for row in figure["rows"]:
            assert row["measured"] > 0 or row["target"] == "none", f"{name}: {row['what']}"
