"""Series of the past, judged and drawn: for `allclear watch`."""

from pathlib import Path

from activities.watch import Missing
from activities.watch.plot import draw
from activities.watch.replay import Kind, Replayed, judged, make, replay
from activities.watch.series import read_series, spacing
from model.text import Refused

__all__ = ["Kind", "Missing", "Replayed", "draw_series", "replay"]


def draw_series(source: Path, out: Path, detector: Kind, *, zone: str, missing: Missing) -> Replayed:
    """Draw a series with what was expected of it, as SVG.

    Raises:
        Refused: The series cannot be read or judged, or the picture cannot be written.
    """
    samples = read_series(source)
    told = Replayed(samples=len(samples), interval=spacing(samples))
    rows = list(judged(samples, make(detector, told.interval, zone=zone, missing=missing), told))
    words = f"{told.pages} pages, {told.partial} partial shortfalls; the first half only taught what is usual"
    try:
        out.write_text(draw(rows, source.stem.replace("_", " "), words), encoding="utf-8")
    except OSError as error:
        raise Refused(f"{out} cannot be written: {error.strerror}") from None
    return told
