"""A series drawn: `allclear watch plot`."""

import sys
from pathlib import Path

import pytest

from model.text import Refused
from tests.activities.watch.traffic import traffic
from worker.watches import draw_series


@pytest.fixture
def series(tmp_path: Path) -> Path:
    file = tmp_path / "orders.csv"
    lines = [f"{s.at:%Y-%m-%d %H:%M:%S},{s.value}" for s in traffic(1)]
    file.write_text("\n".join(["timestamp,value", *lines]), encoding="utf-8")
    return file


def draw(series: Path, name: str) -> bytes:
    out = series.with_name(name)
    draw_series(series, out, "shortfall", zone="UTC", missing="breaching")
    return out.read_bytes()


def test_the_ending_says_what_is_drawn(series: Path) -> None:
    assert draw(series, "orders.svg").startswith(b"<svg")
    with pytest.raises(Refused, match=r"let it end in \.svg or \.png"):
        draw(series, "orders.jpg")


def test_a_png_is_painted(series: Path) -> None:
    pytest.importorskip("resvg_py")
    assert draw(series, "orders.PNG").startswith(b"\x89PNG")


def test_without_the_package_it_says_which_one_is_needed(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(Refused, match=r"allclear-incidents\[png\]"):
        draw(series, "orders.png")
