"""What a COE's author hears before the review does: what is missing, and what a reviewer would ask (R1-R9)."""

import re
from pathlib import Path

import pytest

from model.coe import check as coe_check
from model.coe import parser as coe_parser
from model.coe.check import check
from model.coe.file import Finding
from model.coe.parser import parse
from tests.model.coe_samples import GOOD, changed, codes

ROOT = Path(__file__).parents[2]


def judged(text: str, *, customers_hit: bool | None = True, mitigated_by_hand: bool | None = True) -> list[Finding]:
    return check(parse(text)[0], customers_hit=customers_hit, mitigated_by_hand=mitigated_by_hand)


def test_a_good_file_has_nothing_to_say() -> None:
    assert judged(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("author: ana", "author:", "no-author"),
        ("team: checkout", "team:", "no-team"),
        ("subject: One bad host takes 3 % of calls", "", "no-subject"),
        ("incident: INC-20260302-7F3A", "", "no-incident"),
        (" → L1", "", "open-leaf"),
        ("      - → L2\n", "", "open-leaf"),
        ("    - ! Least connections sends more to who fails fast → L3\n", "", "open-leaf"),
        (" → L1", " → L9", "unknown-lesson"),
        ("A1 (L1, ", "A1 (", "action-no-lesson"),
        ("A1 (L1, ", "A1 (L8, ", "action-no-lesson"),
        ("A1 (L1, mid, ana,", "A1 (L1, mid,", "action-no-owner"),
        ("A1 (L1, mid,", "A1 (L1,", "action-no-horizon"),
        (" 2026-03-30,", "", "action-no-date"),
        (" — fail a disk in staging", "", "action-no-validation"),
        ("- metrics-true: yes\n", "", "detection-open"),
        ("kept: yes; ", "", "dependency-open"),
        ("failure-mode: expected; ", "", "dependency-open"),
        ("It began", "[fill in: how it began] It began", "fill-in"),
    ],
)
def test_what_is_missing_sends_the_file_back(old: str, new: str, code: str) -> None:
    assert codes(judged(changed(old, new)), "error") == {code}


def test_an_empty_file_is_told_everything_it_needs() -> None:
    told = codes(judged(""), "error")
    assert told == {"no-front-matter", "no-impact", "no-whys", "detection-open", "no-lessons"}


def test_a_no_on_detection_makes_an_action() -> None:
    cut = GOOD[: GOOD.index("- A1")].replace(" → A2", "").replace(", see A2", "").replace(" → A1", "")
    only = cut + "- A1 (L3, mid, ana, 2026-03-30): Balance by latency — less pull — a game day\n"
    assert "detection-no-action" in codes(judged(only), "error")
    likely = cut + "- A1 (L2, mid, ana, 2026-03-30): Page people — within 5 min — a test page\n"
    assert codes(judged(likely), "error") == set()
    assert "detection-action-unnamed" in codes(judged(likely), "advice")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("author: ana", "author: ana and ben", "several-authors"),
        ("customers_hit: yes", "customers_hit: no", "customers-hit-differs"),
        (" Customers saw an error page and could not pay.\n", "\n", "impact-no-customers"),
        ("\n\nIt began with", " It began with", "impact-short"),
        ("at 09:02; the team was paged at 09:03 and acknowledged at 09:32", "; the team came", "impact-no-milestones"),
        ("- ! The template's check never reads from the disk", "- ! Human error", "leaf-blames"),
        ("- ! The template's check never reads from the disk", "- ! The operator mistyped a name", "leaf-blames"),
        ("- ! 1 of 100 hosts answered 500, because its volume could not be written", "- ! The supplier failed",
         "leaf-elsewhere"),
        ("why 3 % of errors from 1 of 100 hosts?", "why 5 customers?", "figures-unasked"),
        ("? Why did 3 % of API calls fail for 45 minutes?", "? Why did API calls fail?", "question-no-data"),
        ("? Why did 3 % of API calls fail for 45 minutes?", "! 3 % of API calls failed for 45 minutes", "no-question"),
        ("Why did no health check catch 1 host in 100?", "Why 1 host in 100?", "prompt-missing"),
        ("A1 (L1, mid, ana, 2026-03-30, promised)", "A1 (L1, mid, ana, 2026-03-30)", "nothing-promised"),
        ("A3 (L3,", "A3 (L1,", "lesson-no-action"),
        ("fast → L3", "fast → L2", "lesson-from-nowhere"),
        ("every call waits for the disk", "", "dependency-thin"),
        ("take the host out (L1)", "cache", "dependency-no-lesson"),
        ("long/incremental", "long", "long-kind"),
        ("long/incremental", "long/replacement", "replacement-alone"),
        ("2026-03-30", "2027-03-30", "date-too-far"),
        ("2026-03-02T18:00Z", "2026-03-20", "short-not-short"),
        ("The page went to", "Ana forgot the page, which went to", "blame"),
        ("It began with one host", "ana broke it with one host", "blame"),
    ],
)  # fmt: skip
def test_a_reviewer_would_ask(old: str, new: str, code: str) -> None:
    findings = judged(changed(old, new))
    assert code in codes(findings, "advice"), findings
    assert codes(findings, "error") == set()


def test_a_lone_chain_is_a_smell() -> None:
    chain = """## Whys
- ? Why did 3 % of calls fail?
  - ! One host answered 500
    - ? Why did 1 host?
      - ! Its volume failed → L1
"""
    assert "lone-chain" in codes(judged(chain))
    assert "lone-chain" not in codes(judged(GOOD))


def test_no_dependencies_is_said_and_not_just_left_out() -> None:
    start, end = GOOD.index("- name: block"), GOOD.index("## Lessons")
    assert "no-dependencies" in codes(judged(GOOD[:start] + "\n" + GOOD[end:]))
    assert judged(GOOD[:start] + "- none\n\n" + GOOD[end:]) == []


def test_four_times_yes_after_a_mitigation_by_hand_is_a_smell() -> None:
    happy = GOOD.replace(": no, 30 minutes", ": yes, 30 minutes").replace(": no, ", ": yes, ")
    assert codes(judged(happy)) == {"all-yes-by-hand"}
    assert judged(happy, mitigated_by_hand=False) == []
    assert judged(happy, mitigated_by_hand=None) == []


def test_figures_that_a_question_compares_are_no_smell() -> None:
    asked = """## Whys
- ? Why did 3 % of calls fail?
  - ! 1 of 100 hosts was broken
    - ? Why 3 % of calls when 1 % of the hosts broke?
      - ! It fails fast → L1
"""
    assert "figures-unasked" not in codes(judged(asked))
    assert "figures-unasked" in codes(
        judged(asked.replace("Why 3 % of calls when 1 % of the hosts broke", "Why was it"))
    )


def test_customers_are_not_asked_for_when_none_was_hit() -> None:
    quiet = changed(" Customers saw an error page and could not pay.\n", "\n")
    quiet = quiet.replace("customers_hit: yes", "customers_hit: no")
    assert codes(judged(quiet, customers_hit=False)) == set()


def test_a_finding_is_told_at_its_line() -> None:
    text = changed("Balance by latency — less pull — a game day with 1 host in 100 failing", "Balance by latency")
    (finding,) = [it for it in judged(text) if it.code == "action-no-validation"]
    assert text.split("\n")[finding.line - 1].startswith("- A3")
    text = changed("It began", "[fill in: x] It began")
    (finding,) = judged(text)
    assert text.split("\n")[finding.line - 1].startswith("[fill in")


@pytest.mark.parametrize("example", sorted((ROOT / "docs" / "examples").glob("coe-*.md")), ids=lambda path: path.stem)
def test_the_examples_follow_what_they_teach(example: Path) -> None:
    file, findings = parse(example.read_text(encoding="utf-8"))
    findings += check(file, customers_hit=True, mitigated_by_hand=True)
    assert codes(findings, "error") == set()
    assert len(file.lessons) >= 4


def test_every_code_is_explained() -> None:
    told = set()
    for name in ("check", "parser", "lines", "rows", "actions"):
        source = (ROOT / "model" / "coe" / f"{name}.py").read_text(encoding="utf-8")
        told |= set(re.findall(r'notes\.(?:error|advise|once)\(\s*"([a-z-]+)"', source))
    guide = (ROOT / "docs" / "coe.md").read_text(encoding="utf-8")
    assert told
    assert told <= set(re.findall(r"`([a-z-]+)`", guide))
    assert coe_check.__doc__
    assert {code for code in told if code not in coe_check.__doc__} <= set(re.findall(r"[a-z-]+", _parser_doc()))


def _parser_doc() -> str:
    return coe_parser.__doc__ or ""
