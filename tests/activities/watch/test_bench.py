"""The benchmark of the detectors must not rot; `python -m tests.bench.detection DATA` says what it measures."""

import json
import sys
from pathlib import Path

import pytest

from tests.activities.watch.traffic import traffic
from tests.bench import detection


def test_it_measures_a_folder_of_series_and_names_what_misses_a_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("data/real", "labels"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "labels" / "combined_windows.json").write_text("{}", encoding="utf-8")
    lines = [f"{s.at:%Y-%m-%d %H:%M:%S},{s.value}" for s in traffic(3)]
    (tmp_path / "data" / "real" / "request_count.csv").write_text("\n".join(["timestamp,value", *lines]), "utf-8")
    (tmp_path / "data" / "real" / "temperature.csv").write_text("not a volume", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["detection", str(tmp_path), "--starts", "3", "--json"])
    detection.main()
    told = json.loads(capsys.readouterr().out)
    (series,) = told["series"]
    assert series["name"] == "request_count"
    assert series["within_3"]["100% lost"] == 1.0
    assert series["found"]["75% lost"] == 1.0
    assert series["weeks"] == pytest.approx(1.5, abs=0.01)
    assert not [miss for miss in told["missed"] if "points/s" not in miss], "a busy machine may be slow"


def test_a_folder_without_volumes_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "combined_windows.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["detection", str(tmp_path)])
    assert detection.main() == 2
    assert "holds no series called" in capsys.readouterr().err
