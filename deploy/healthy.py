"""The container's health check: exit status 0 where this process does its work.

A worker asks Temporal for work, which its metrics say; a gateway answers, and reaches Temporal. Standard library only:
it runs every few seconds.
"""

import os
import re
import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

WITHIN: Final = 4.0
"""Seconds for an answer: less than the check's own limit, so that the reason is told."""
_HERE: Final = "127.0.0.1"
_POLLERS: Final = re.compile(r"^temporal_num_pollers\{.*\} ([0-9.e+]+)$", re.MULTILINE)


def main() -> str:
    """Return what is wrong; nothing where all is well."""
    if metrics := os.environ.get("ALLCLEAR_METRICS_PORT"):
        status, text = _ask(int(metrics), "/metrics", _metrics_host())
        asking = sum(float(count) for count in _POLLERS.findall(text))
        return "" if status == 200 and asking else "the worker does not ask for work"
    status, text = _ask(int(os.environ.get("ALLCLEAR_GATEWAY_PORT") or 8600), "/healthz")
    return "" if status == 200 else f"the gateway says {status}: {text.strip()[:200]}"


def _metrics_host() -> str:
    """Return where the metrics are: every network has this machine's own address too."""
    host = os.environ.get("ALLCLEAR_METRICS_HOST") or _HERE
    return _HERE if host in ("0.0.0.0", "::") else host


def _ask(port: int, path: str, host: str = _HERE) -> tuple[int, str]:
    connection = HTTPConnection(host, port, timeout=WITHIN)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        wrong = main()
    except (OSError, HTTPException, ValueError) as error:
        wrong = f"no answer ({error})"
    sys.exit(wrong or 0)
