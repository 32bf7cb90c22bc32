"""A COE's page is read anywhere without anything else, and its drawings keep their words in their boxes."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.documents.coe import CoePages, coe_html, timeline_svg, tree_svg
from activities.documents.svg import plain, width, wrap
from activities.documents.tree import PAD, SIDE, Box, connectors, laid_out
from model.coe.check import check
from model.coe.file import CoeFile, Lesson, Why
from model.coe.parser import parse
from model.matter import Entry
from tests.model.coe_samples import GOOD, files, read
from tests.store.samples import later

SVG = "{http://www.w3.org/2000/svg}"
EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("coe-*.md"))
TAGS = """html head meta title style body header p h1 h2 h3 h4 h5 h6 dl div dt dd aside ul ol li b section figure span a
svg g rect line text circle article table thead tbody tr th td strong em code pre blockquote hr br s"""
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://example.test/x.png)",
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,xx)",
    "</style></svg></figure><iframe src='http://example.test'>",
    "<a href='http://example.test' onclick='x'>y</a>",
    "\"'><style>@import 'http://example.test'</style>",
    "&lt;script&gt;",
    "\x00\ufffe\x0b",
]


class Seen(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def harmless(page: str) -> None:
    """Check that a page runs nothing, loads nothing and has only the tags of our template and of Markdown."""
    seen = Seen(page)
    assert seen.tags <= set(TAGS.split())
    for name, value in seen.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "srcset", "style", "background", "action")
        assert name != "href" or re.match(r"#|https?:|mailto:|[^:]*$", value)
    assert "url(" not in page.split("</style>")[0]


def entry(seq: int, minutes: float, what: str, text: str, by: str = "allclear") -> Entry:
    return Entry.model_validate({"seq": seq, "at": later(minutes), "what": what, "by": by, "text": text})


COURSE = [
    entry(1, 0, "opened", "SEV2 checkout-api in eu-west"),
    entry(2, 0.5, "paged", "ana by sms"),
    entry(3, 3, "paged", "ana by phone"),
    entry(4, 12, "acknowledged", "ana", by="ana"),
    entry(5, 22, "executed", "roll_back checkout-api@2.3.1"),
    entry(6, 45, "verified", "clear for 10 min"),
    entry(7, 60 * 30, "all_clear", "nothing is owed any more"),
]


def test_a_page_says_all_that_the_file_says() -> None:
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", coe_html(read(GOOD)), flags=re.DOTALL)
    said = ["One bad host", "ana", "error page", "Least connections", "30 minutes until", "block storage", "99.9 %"]
    for words in [*said, "A page has one person.", "fail a disk in staging", "2026-03-30", "2026-03-02 18:00 UTC"]:
        assert words in text


def test_a_page_needs_nothing_else() -> None:
    file, found = parse(GOOD)
    page = coe_html(file, [*found, *check(file, customers_hit=False, mitigated_by_hand=True)], COURSE)
    harmless(page)
    assert "default-src 'none'" in page
    assert 'name="viewport"' in page
    assert "To ask in the review" in page


@pytest.mark.parametrize("words", HOSTILE)
def test_nothing_an_author_writes_is_run_or_loaded(words: str) -> None:
    text = GOOD
    for place in (
        "One bad host",
        "ana",
        "It began",
        "What triggered",
        "The page went",
        "block storage",
        "A page has",
        "Health",
    ):
        text = text.replace(place, f"{place} {words}")
    file, found = parse(text)
    entries = [entry(1, 0, "opened", words, by=words), entry(2, 9, "verified", words)]
    findings = [*found, *check(file, customers_hit=True, mitigated_by_hand=True)]
    harmless(coe_html(file, findings, entries))
    ET.fromstring(tree_svg(file))
    ET.fromstring(timeline_svg(entries))


@settings(max_examples=40)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_words_make_a_harmless_page(one: str, other: str) -> None:
    why = Why(kind="question", text=one, reason=other, lessons=["L1"], children=[Why(kind="finding", text=other)])
    file = CoeFile(subject=one, impact=other, whys=[why], lessons=[Lesson(id="L1", text=one)])
    harmless(coe_html(file, (), [entry(1, 0, "opened", one, by=other), entry(2, 1, "closed", other)]))
    ET.fromstring(tree_svg(file))


def test_a_half_written_file_has_a_page_too() -> None:
    for text in ("", "# nothing", GOOD[: len(GOOD) // 2]):
        harmless(coe_html(parse(text)[0], parse(text)[1]))


def test_a_lesson_leads_to_its_actions_and_a_missing_one_is_marked() -> None:
    page = coe_html(read(GOOD.replace("reads from the disk → L1", "reads from the disk → L8")))
    assert '<a class="to" href="#A2">A2</a>' in page
    assert '<span class="tag missing">L8?</span>' in page


def apart(boxes: list[Box]) -> bool:
    return all(
        one.x + one.w + SIDE / 2 <= other.x or other.x + other.w + SIDE / 2 <= one.x
        or one.bottom < other.y or other.bottom < one.y
        for n, one in enumerate(boxes)
        for other in boxes[n + 1 :]
    )  # fmt: skip


def crossed(boxes: list[Box]) -> bool:
    """Tell whether a line runs through a box; they only touch at a box's upper and lower edge."""
    lines = [line for box in boxes for line in connectors(box)]
    return any(
        max(x1, x2) > box.x
        and min(x1, x2) < box.x + box.w
        and max(y1, y2) > box.y + 0.1
        and min(y1, y2) < box.bottom - 0.1
        for x1, y1, x2, y2 in lines
        for box in boxes
    )


@settings(max_examples=40)
@given(files())
def test_boxes_do_not_overlap_and_no_line_crosses_one(file: CoeFile) -> None:
    boxes = laid_out(file).all()
    assert apart(boxes)
    assert not crossed(boxes)
    assert all(box.x >= 0 and box.y >= 0 for box in boxes)


def lopsided(depth: int, across: int) -> list[Why]:
    if not depth:
        return []
    text = "why " * (depth * 7 % 30 + 1)
    return [Why(kind="question", text=text, children=lopsided(depth - 1, across - n)) for n in range(across)]


def test_a_large_tree_is_drawn_without_overlaps() -> None:
    boxes = laid_out(CoeFile(whys=lopsided(4, 4))).all()
    assert len(boxes) > 50
    assert apart(boxes)
    assert not crossed(boxes)
    assert len(tree_svg(parse("## Whys\n- ? why 1\n" + "  - ! so\n" * 399)[0])) > 1000


@settings(max_examples=60)
@given(st.text("iIMWm .,äЖ漢é💥", max_size=60) | st.text(max_size=40), st.floats(60, 300), st.integers(1, 6))
def test_words_stay_in_their_box(text: str, room: float, most: int) -> None:
    lines = wrap(text, room, most)
    assert 1 <= len(lines) <= most
    assert all(width(line) <= room for line in lines)
    if not lines[-1].endswith("…"):
        assert "".join("".join(lines).split()) == "".join(text.split())


def test_markdown_in_a_question_is_drawn_as_it_is_read() -> None:
    assert plain("why **3 %** of `calls` [fail](http://example.test)") == "why 3 % of calls fail"
    assert "**" not in tree_svg(CoeFile(whys=[Why(kind="question", text="why **3 %**")]))


def words_of(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_the_timeline_tells_how_long_each_part_took() -> None:
    told = words_of(timeline_svg(COURSE))
    assert "detected to acknowledged: 12 min" in told
    assert "acknowledged to first mitigation: 10 min" in told
    assert "first mitigation to verified: 23 min" in told
    assert "1 d 5 h later" in told
    assert [word for word in told if word.startswith("2026-")] == ["2026-03-02", "2026-03-03"]


def test_pages_close_together_are_one_row_and_chatter_is_left_out() -> None:
    told = words_of(timeline_svg([*COURSE, entry(9, 13, "told", "chatter"), entry(8, 14, "checked", "chatter")]))
    assert told.count("paged") == 1
    assert "ana by sms; ana by phone" in told
    assert "chatter" not in told


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 50_000), st.sampled_from(["opened", "executed", "closed", "note?"]), st.text(max_size=60)
        )
    )
)
def test_any_timeline_is_drawn_from_top_to_bottom(course: list[tuple[float, str, str]]) -> None:
    entries = [entry(n, at, what if what != "note?" else "told", text) for n, (at, what, text) in enumerate(course)]
    svg = ET.fromstring(timeline_svg(entries))
    heights = [float(element.get("cy", "0")) for element in svg.iter(f"{SVG}circle")]
    assert heights == sorted(heights)
    assert all(height < float(svg.get("height", "0")) for height in heights)


async def test_a_coe_is_kept_as_its_text_and_its_page(tmp_path: Path) -> None:
    pages = CoePages(tmp_path / "coe")
    first = await pages.coe("INC-20260302-7F3A/coe/checkout/a subject/../x", GOOD, COURSE)
    again = await pages.coe("INC-20260302-7F3A/coe/checkout/a subject/../x", GOOD, COURSE)
    other = await pages.coe("INC-20260302-7F3A/coe/checkout/a-subject/../x", GOOD, [])
    assert first == again
    assert first.address != other.address
    assert first.sha256 == other.sha256
    assert sorted(path.suffix for path in (tmp_path / "coe").iterdir()) == [".html", ".html", ".md", ".md"]
    assert Path(first.address).with_suffix(".md").read_text(encoding="utf-8") == GOOD
    assert "One bad host" in Path(first.address).read_text(encoding="utf-8")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MEASURE = """<script>
const out = [];
for (const g of document.querySelectorAll('g.box')) {
  const r = g.querySelector('rect').getBBox();
  for (const t of g.querySelectorAll('text')) {
    const b = t.getBBox();
    out.push([b.x - r.x, r.x + r.width - b.x - b.width, b.y - r.y, r.y + r.height - b.y - b.height, t.textContent]);
  }
}
document.title = 'done';
document.body.textContent = JSON.stringify(out);
</script>"""


@pytest.mark.heavy
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_a_browser_keeps_the_words_in_their_boxes_too(tmp_path: Path) -> None:
    long = CoeFile(
        whys=[Why(kind="question", text="WWW MMM " * 9, children=[Why(kind="finding", text="漢字 💥" * 20)])]
    )
    drawn = [tree_svg(read(path.read_text(encoding="utf-8"))) for path in EXAMPLES] + [tree_svg(long)]
    page = tmp_path / "trees.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><body>{''.join(drawn)}{MEASURE}", encoding="utf-8")
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}/profile",
        "--dump-dom",
    ]
    dom = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=90, check=True).stdout
    measured = json.loads(re.search(r"\[\[.*\]\]", dom)[0])  # type: ignore[index]
    assert len(measured) > 100
    for left, right, above, below, text in measured:
        assert min(left - PAD + 1, right - 2, above, below) >= 0, text
