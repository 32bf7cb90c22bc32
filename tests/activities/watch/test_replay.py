"""Replaying a series of the past: `allclear watch replay`."""

import csv
from datetime import timedelta
from pathlib import Path

import pytest

from activities.watch import Sample
from activities.watch.replay import replay
from model.text import Refused
from tests.activities.watch.traffic import MONDAY, TEN, traffic

GONE = MONDAY + timedelta(days=23, hours=12)


def written(path: Path, samples: list[Sample]) -> Path:
    lines = [f"{s.at:%Y-%m-%d %H:%M:%S},{'' if s.value is None else s.value}" for s in samples]
    path.write_text("\n".join(["timestamp,value", *lines]), encoding="utf-8")
    return path


def scores(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_loss_in_the_second_half_is_a_page_where_it_begins(tmp_path: Path) -> None:
    lost = [Sample(s.at, 0.0) if GONE <= s.at < GONE + 12 * TEN else s for s in traffic(4)]
    told = replay(written(tmp_path / "s.csv", lost), tmp_path / "out.csv")
    rows = scores(tmp_path / "out.csv")
    assert list(rows[0]) == ["timestamp", "value", "expected", "score", "alarm"]
    assert len(rows) == len(lost)
    (page,) = [row for row in rows if row["alarm"] == "1"]
    assert page["timestamp"] == f"{GONE + 2 * TEN:%Y-%m-%d %H:%M:%S}"
    assert float(page["score"]) >= 1
    assert float(page["expected"]) > 100
    assert (told.pages, told.samples, told.interval) == (1, len(lost), TEN)


def test_the_first_half_only_trains(tmp_path: Path) -> None:
    early = MONDAY + timedelta(days=10, hours=12)
    lost = [Sample(s.at, 0.0) if early <= s.at < early + 12 * TEN else s for s in traffic(4)]
    replay(written(tmp_path / "s.csv", lost), tmp_path / "out.csv")
    half = scores(tmp_path / "out.csv")[: len(lost) // 2]
    assert {row["alarm"] for row in half} == {"0"}
    assert max(float(row["score"]) for row in half) >= 1, "it was seen, and not raised"


def test_an_alarm_that_begins_where_a_sample_is_absent_has_a_line_of_its_own(tmp_path: Path) -> None:
    left = [s for s in traffic(4) if not GONE <= s.at < GONE + 12 * TEN]
    told = replay(written(tmp_path / "s.csv", left), tmp_path / "out.csv")
    (page,) = [row for row in scores(tmp_path / "out.csv") if row["alarm"] == "1"]
    assert (page["timestamp"], page["value"]) == (f"{GONE + 2 * TEN:%Y-%m-%d %H:%M:%S}", "")
    assert told.absent == 12


def test_three_quarters_lost_is_marked_2_and_ten_times_the_reports_1(tmp_path: Path) -> None:
    def times(factor: float) -> Path:
        during = [
            Sample(s.at, round((s.value or 0) * factor)) if GONE <= s.at < GONE + 24 * TEN else s for s in traffic(4)
        ]
        return written(tmp_path / f"{factor}.csv", during)

    replay(times(0.25), tmp_path / "out.csv")
    assert "2" in {row["alarm"] for row in scores(tmp_path / "out.csv")}
    assert replay(times(10), tmp_path / "out.csv", "uptick").pages >= 1
    assert "1" in {row["alarm"] for row in scores(tmp_path / "out.csv")}


def test_a_second_sample_of_a_moment_is_kept_in_the_scores_and_counted(tmp_path: Path) -> None:
    samples = traffic(1)
    samples.insert(500, samples[499])
    told = replay(written(tmp_path / "s.csv", samples), tmp_path / "out.csv")
    assert told.unjudged == 1
    assert scores(tmp_path / "out.csv")[500]["score"] == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "its header is timestamp,value"),
        ("time,count\n1,2", "begins with time,count; its header is timestamp,value"),
        ("timestamp,value\n2026-03-02 09:00:00,1,2", "line 2 has 3 columns"),
        ("timestamp,value\nyesterday,1", "line 2: 'yesterday' is no timestamp"),
        ("timestamp,value\n2026-03-02 09:00:00,many", "line 2: 'many' is no number"),
        ("timestamp,value\n2026-03-02 09:00:00,nan", "line 2: nan is no measurement"),
        ("timestamp,value\n2026-03-02 09:00:00,-inf", "line 2: -inf is no measurement"),
        ("timestamp,value\n2026-03-02 09:00:00,1", "do not tell how far apart they come"),
    ],
)
def test_a_series_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    source = tmp_path / "s.csv"
    source.write_text(text, encoding="utf-8")
    with pytest.raises(Refused, match=why):
        replay(source, tmp_path / "out.csv")


def test_files_that_cannot_be_opened_are_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        replay(tmp_path / "none.csv", tmp_path / "out.csv")
    good = written(tmp_path / "s.csv", traffic(0.1))
    with pytest.raises(Refused, match="cannot be written: Is a directory"):
        replay(good, tmp_path)
