"""Deployments from a file that pipelines append to (M2)."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities import Failed
from activities.telemetry.deployments_file import FileDeployments
from model.effects import Lookup

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
ORDER = Lookup(incident="INC-20260302-7F3A", services=["checkout-api"], since=NINE - timedelta(hours=1), until=NINE)


def line(service: str, version: str, started: int, finished: int | None = None) -> str:
    """Return a line; the times are minutes from nine o'clock."""
    moments = {"started": NINE + timedelta(minutes=started)}
    if finished is not None:
        moments["finished"] = NINE + timedelta(minutes=finished)
    return json.dumps({"service": service, "version": version, **{k: v.isoformat() for k, v in moments.items()}})


async def found(path: Path, *lines: str) -> list[str]:
    path.write_text("\n".join(lines), encoding="utf-8")
    return [f"{d.service}@{d.version}" for d in await FileDeployments(path).around(ORDER)]


async def test_what_ran_or_started_in_the_hour_before_is_found_in_every_service(tmp_path: Path) -> None:
    lines = [
        line("dns", "5", -5),
        line("payments", "1.0", -90, -61),
        line("checkout-api", "2.3.1", -30, -20),
        line("search-api", "7", -600),
        line("auth", "3", -90, -60),
        line("storage", "4", 1),
    ]
    assert await found(tmp_path / "d", *lines) == ["search-api@7", "auth@3", "checkout-api@2.3.1", "dns@5"]


async def test_the_line_at_the_end_replaces_the_line_at_the_start(tmp_path: Path) -> None:
    assert await found(tmp_path / "d", line("dns", "5", -120), line("dns", "5", -120, -100)) == []


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("not json", "line 2: Invalid JSON"),
        ("[]", "line 2: "),
        ('{"service": "a", "version": "1"}', "line 2: started: Field required"),
        ('{"service": "a", "version": "1", "started": "2026-03-02T09:00:00"}', "line 2: started: "),
        (
            line("a", "1", -10, -20),
            "line 2: it finished before it started",
        ),
        (
            '{"service": "' + "a" * 200 + '", "version": "1", "started": "2026-03-02T09:00:00Z"}',
            "line 2: service",
        ),
        (b"\xff\xfe".decode("latin-1"), "line 2: "),
    ],
)
async def test_a_bad_line_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bad: str, why: str
) -> None:
    with caplog.at_level(logging.WARNING):
        got = await found(tmp_path / "d", line("dns", "5", -5), bad, "", line("auth", "3", -4))
    assert got == ["dns@5", "auth@3"]
    assert "1 lines are left out" in caplog.text
    assert why in caplog.text


async def test_a_file_that_is_not_there_is_a_failure_not_an_empty_answer(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="No such file"):
        await FileDeployments(tmp_path / "none").around(ORDER)
    with pytest.raises(Failed, match="Is a directory"):
        await FileDeployments(tmp_path).around(ORDER)


async def test_an_empty_file_says_that_nothing_was_deployed(tmp_path: Path) -> None:
    assert await found(tmp_path / "d") == []
