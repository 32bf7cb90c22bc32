"""The last step: everything is written, and the status is the one we gave."""

import os
import subprocess
import sys
from pathlib import Path

WORDS = """
import logging, sys
from cli.finish import finish
from temporalio.runtime import Runtime
Runtime.default()
logging.basicConfig()
logging.warning("logged")
sys.stdout.write("said")
finish({})
"""


def test_everything_is_written_and_the_status_is_ours() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORDS.format(3)], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (3, "said")
    assert "logged" in done.stderr


def test_a_reader_that_has_gone_away_changes_nothing() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WORDS.format(0)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(30) == 0
