"""Series of the past, judged and drawn: for `allclear watch`."""

from pathlib import Path
from typing import Final

from activities.watch import Missing
from activities.watch.plot import draw
from activities.watch.replay import Kind, Replayed, judged, make, replay
from activities.watch.series import read_series, spacing
from model.text import Refused

__all__ = ["Kind", "Missing", "Replayed", "draw_series", "replay"]


SHARP: Final = 2.0
"""Dots of a PNG for each of the drawing's: readable on a dense screen, and when a chat shrinks it."""
FONTS: Final = ("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans", "Noto Sans", "Segoe UI")
"""Looked for in this order; with none of them a picture would be without words, and nobody would be told."""
_SAMPLE: Final = '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20">{}</svg>'
_WORD: Final = '<text x="2" y="15" font-family="sans-serif">Ag</text>'


def draw_series(source: Path, out: Path, detector: Kind, *, zone: str, missing: Missing) -> Replayed:
    """Draw a series with what was expected of it, as SVG or PNG: the file's ending says which.

    Raises:
        Refused: The series cannot be read or judged, or the picture cannot be made or written.
    """
    if out.suffix.lower() not in (".svg", ".png"):
        raise Refused(f"{out.name} does not say what picture it is: let it end in .svg or .png")
    samples = read_series(source)
    told = Replayed(samples=len(samples), interval=spacing(samples))
    rows = list(judged(samples, make(detector, told.interval, zone=zone, missing=missing), told))
    words = f"{told.pages} pages, {told.partial} partial shortfalls; the first half only taught what is usual"
    svg = draw(rows, source.stem.replace("_", " "), words)
    picture = _png(svg) if out.suffix.lower() == ".png" else svg.encode()
    try:
        out.write_bytes(picture)
    except OSError as error:
        raise Refused(f"{out} cannot be written: {error.strerror}") from None
    return told


def _png(svg: str) -> bytes:
    """Paint an SVG.

    Raises:
        Refused: What paints it is not installed, or this machine has no font.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        hint = "pip install 'allclear-incidents[png]'"
        raise Refused(f"a PNG needs a package that is not installed ({hint}); an .svg needs none") from None
    blank = svg_to_bytes(svg_string=_SAMPLE.format(""))
    for font in FONTS:
        if svg_to_bytes(svg_string=_SAMPLE.format(_WORD), sans_serif_family=font) != blank:
            return svg_to_bytes(svg_string=svg, zoom=SHARP, sans_serif_family=font)
    named = ", ".join(FONTS)
    raise Refused(
        f"this machine has no font to write with: install one of {named} (fonts-dejavu-core), or draw an .svg"
    )
