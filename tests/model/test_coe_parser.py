"""Whatever an author hands in, the file is read as far as it can be, and what cannot be read is told with its line."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.coe.check import check
from model.coe.file import SIZE_LIMIT, CoeFile, accepted_actions, why_reasons, written
from model.coe.parser import parse
from model.times import iso
from tests.model.coe_samples import GOOD, changed, codes, files, read, without_lines


def test_a_good_file_is_read_without_a_word() -> None:
    file, findings = parse(GOOD)
    assert findings == []
    assert (file.incident, file.team, file.author) == ("INC-20260302-7F3A", "checkout", "ana")
    assert file.says_customers_hit is True
    assert file.impact.startswith("On 2 March")
    assert file.impact.endswith("09:55.")
    assert [lesson.id for lesson in file.lessons] == ["L1", "L2", "L3"]


def test_the_whys_are_a_tree_with_its_links_and_reasons() -> None:
    (root,) = read(GOOD).whys
    assert root.kind == "question"
    assert [child.text.split(":")[0] for child in root.children] == [
        "What triggered it at 09",
        "Why did no health check catch 1 host in 100?",
        "Why so long",
        "Why so much",
    ]
    ends = [why for why in read(GOOD).all_whys() if why.leaf]
    assert [(why.lessons, bool(why.reason)) for why in ends] == [
        ([], True),
        (["L1"], False),
        (["L2"], False),
        (["L3"], False),
    ]


def test_the_root_causes_are_the_findings_at_which_branches_end() -> None:
    assert why_reasons(read(GOOD)) == [
        "1 of 100 hosts answered 500, because its volume could not be written",
        "The template's check never reads from the disk",
        "The page went to a list nobody reads",
        "Least connections sends more to who fails fast",
    ]


def test_an_action_becomes_an_item_of_the_incident() -> None:
    first, second, third = accepted_actions(read(GOOD))
    assert (first.title, first.owner, first.lesson) == ("Health check reads the disk", "ana", "L1")
    assert (first.goal, first.validation) == ("no such host stays", "fail a disk in staging")
    assert iso(first.due) == "2026-03-30T23:59:59Z"
    assert first.promised
    assert iso(second.due) == "2026-03-02T18:00:00Z"
    assert second.horizon == "short"
    assert (third.horizon, third.kind, third.promised) == ("long", "incremental", False)


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        ("A1 (L1, mid, ana, 2026-04-01, promised): title — goal — validation", {}),
        ("A1 (L1, mid, ana, 2026-04-01, promised): title – goal – validation", {}),
        ("A1 (L1, mid, ana, 2026-04-01, promised): title - goal - validation", {}),
        ("A1 (L1, mid, ana, 2026-04-01, promised): title -- goal -- validation", {}),
        ("**A1** (promised; due 2026-04-01; owner: ana; L1; mid-term) title — goal — validation", {}),
        ("A1 (L1, mid, ana, 2026-04-01, promised): title — goal: goal — validated", {"validation": "validated"}),
        ("A1 (L1 L2, long/replacement, ana, 2026-04-01): title — goal — validation", {"kind": "replacement"}),
        ("A1 (L1, mid, ana (on call), 2026-04-01): t-shirt sizes — goal — validation", {"owner": "ana (on call)"}),
        ("A1 (L1, mid, l2-support, 2026-04-01, replaces 3): title — goal — validation", {"replaces": 3}),
        ("A1 (L1, mid, ana, 2026-04-01, replaces A2): title — goal — validation", {"replaces_id": "A2"}),
        ("A1 (L1, mid, ana, 2026-04-01, replaces patch 2): title — goal — validation", {"patch": 2, "replaces": None}),
        ("A1 (L1, mid, ana, 2026-04-01): title\n  - goal: goal\n  - validation: validation", {}),
    ],
)
def test_an_action_may_be_written_in_several_ways(line: str, facts: dict[str, object]) -> None:
    file, findings = parse(f"## Actions\n- {line}")
    assert findings == []
    (action,) = file.actions
    assert action.id == "A1"
    assert action.owner
    assert action.due
    assert action.horizon
    assert action.goal == "goal"
    assert action.validation in ("validation", "validated")
    for name, value in facts.items():
        assert getattr(action, name) == value


@pytest.mark.parametrize(
    "item",
    [
        "name: disks, promised: 99.9 %, one copy, kept: no, our-use: waits, failure-mode: new,"
        " smaller-blast-radius: cache",
        "name: disks; promised: 99.9 %, one copy; kept: no; our-use: waits; failure-mode: new;\n"
        "  smaller-blast-radius: cache",
        "**disks** — promised: 99.9 %, one copy | kept no | our use: waits | failure mode: new | blast radius: cache",
        "disks; 99.9 %, one copy; no; waits; new; cache",
        "name: disks\n  - promised: 99.9 %, one copy\n  - kept: no\n  - our-use: waits\n  - failure-mode: new\n"
        "  - smaller-blast-radius: cache",
        "name: disks\n- promised: 99.9 %, one copy\n- kept: No\n- our-use: waits\n- failure-mode: New\n"
        "- blast-radius: cache",
    ],
)
def test_a_dependency_may_be_written_in_several_ways(item: str) -> None:
    file, findings = parse(f"## Dependencies\n- {item}")
    assert findings == []
    (row,) = file.dependencies
    assert (row.name, row.promised, row.kept) == ("disks", "99.9 %, one copy", False)
    assert (row.our_use, row.failure_mode, row.smaller_blast_radius) == ("waits", "new", "cache")


@pytest.mark.parametrize("none", ["- none", "none", "None.", "- nothing outside the team: none"])
def test_that_nothing_was_depended_on_can_be_said(none: str) -> None:
    file, _ = parse(f"## Dependencies\n{none}")
    assert (file.dependencies == [] and file.no_dependencies) or none.startswith("- nothing")


@pytest.mark.parametrize("step", ["  ", "    ", "\t", "   "])
@pytest.mark.parametrize("bullet", ["-", "*", "1."])
def test_a_tree_may_be_indented_as_people_do(step: str, bullet: str) -> None:
    marks = ["? why 3 %", "! a host", "? why that host", "! its disk", "→ L1"]
    text = "## Whys\n" + "".join(f"{step * depth}{bullet} {mark}\n" for depth, mark in enumerate(marks))
    file, findings = parse(text)
    assert findings == []
    assert [why.text for why in file.all_whys()] == ["why 3 %", "a host", "why that host", "its disk"]
    assert next(why for why in file.all_whys() if why.leaf).lessons == ["L1"]


@pytest.mark.parametrize(
    "end", ["- ! disk → L1", "- ! disk -> l01", "- ! disk\n    - → L1", "- ! disk\n    → L1", "- ! disk\n  - => L1"]
)
def test_a_finding_may_be_linked_in_several_ways(end: str) -> None:
    (root,) = read(f"## Whys\n- ? why 3 %\n  {end}\n").whys
    (leaf,) = root.children
    assert (leaf.text, leaf.lessons) == ("disk", ["L1"])


@pytest.mark.parametrize("end", ["- ! disk\n    - = it is old", "- ! disk\n    = it is old", "- ! disk = it is old"])
def test_a_branch_may_stop_with_a_reason(end: str) -> None:
    (root,) = read(f"## Whys\n- ? why 3 %\n  {end}\n").whys
    assert (root.children[0].text, root.children[0].reason) == ("disk", "it is old")


def test_headings_may_be_of_any_case_and_level_and_in_any_order() -> None:
    text = (
        GOOD.replace("## Impact", "# IMPACT")
        .replace("## Whys", "### **Five Whys:**")
        .replace("## Lessons", "##Lessons")
    )
    assert without_lines(parse(text.replace("###", "##"))[0]) == without_lines(parse(GOOD)[0])
    swapped = GOOD.replace("## Lessons", "## X").replace("## Actions", "## Lessons").replace("## X", "## Actions")
    assert "order" in codes(parse(swapped)[1])


def test_a_deeper_heading_belongs_to_the_story() -> None:
    file, findings = parse(changed("It began", "### Detection of the first sign\n\nIt began"))
    assert findings == []
    assert "### Detection of the first sign" in file.impact
    assert len(file.detection) == 4


def test_comments_and_code_mean_nothing() -> None:
    text = changed("It began", "```\n# Whys\n- ? not asked\n```\n\n<!-- ## Lessons\n- L9: nothing -->\n\nIt began")
    file, findings = parse(text)
    assert findings == []
    assert "# Whys" in file.impact
    assert "L9" not in file.impact
    assert len(file.lessons) == 3


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("customers_hit: yes\n---", "customers_hit: yes", "front-matter-form"),
        ("team: checkout", "squad: checkout", "front-matter-key"),
        ("## Detection", "## Detektion", "unknown-heading"),
        ("## Lessons", "## Lessons\n- L7: x\n\n## Lessons", "heading-twice"),
        ("- fast-enough: no, 30", "- fast-enough: perhaps, 30", "detection-form"),
        ("- response-time: no", "- fast-enough: no", "detection-twice"),
        ("- response-time: no", "- in time: no", "unknown-question"),
        ("kept: yes", "kept: mostly", "kept-form"),
        ("failure-mode: expected", "failure-mode: odd", "mode-form"),
        ("- L2: A page", "- A page", "lesson-form"),
        ("- L2:", "- L1:", "same-id"),
        ("- A2 (", "- A1 (", "same-id"),
        ("- A2 (L2", "- Second: (L2", "action-form"),
        ("(L2, short, ben, 2026-03-02T18:00Z)", "", "action-form"),
        ("2026-03-30", "30.03.2026", "action-date"),
        ("2026-03-30", "2026-02-30", "action-date"),
        ("mid, ana,", "mid, ana, cho,", "action-fact"),
        ("- → L2", "- → the second lesson", "link-form"),
        ("- ! The page", "- The page", "no-marker"),
        ("- ! The page went to a list nobody reads", "- !", "empty-why"),
        ("- L1: A health", "Some words.\n\n- L1: A health", "loose-text"),
        ("It began", "<!-- It began", "comment-open"),
        ("It began", "```\nIt began", "fence-open"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(old: str, new: str, code: str) -> None:
    text = changed(old, new)
    told = [finding for finding in parse(text)[1] if finding.code == code]
    at = next(
        n for n, line in enumerate(zip(GOOD.split("\n"), text.split("\n"), strict=False), 1) if line[0] != line[1]
    )
    assert told, parse(text)[1]
    # A heading that is missing at its place is told where the next thing stands out; all else at the line itself.
    assert abs(told[0].line - at) <= 3 or code in ("front-matter-form",)


def test_an_item_may_be_continued_on_further_lines() -> None:
    file = read("## Lessons\n- L1: one\n  two\n\n  three\n- L2: four\n")
    assert [lesson.text for lesson in file.lessons] == ["one two three", "four"]


def test_a_file_that_is_too_large_is_one_finding() -> None:
    file, findings = parse(GOOD + "x" * SIZE_LIMIT)
    assert file == CoeFile()
    assert [finding.code for finding in findings] == ["oversize"]
    assert codes(parse("\n" * 20_000)[1]) == {"oversize"}
    assert parse(GOOD + " " * (SIZE_LIMIT - len(GOOD.encode())))[1] == []


def test_a_tree_deeper_than_anybody_reads_is_told() -> None:
    deep = "## Whys\n" + "".join(f"{'  ' * depth}- ? why {depth}\n" for depth in range(200))
    file, findings = parse(deep)
    assert codes(findings) == {"too-deep"}
    assert CoeFile.model_validate_json(file.model_dump_json()) == file


def test_too_many_whys_are_another_coe() -> None:
    assert "too-many" in codes(parse("## Whys\n" + "- ? why 1\n" * 500)[1])
    assert "too-many" in codes(parse("## Lessons\n" + "".join(f"- L{n}: x\n" for n in range(1, 500)))[1])


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    assert parse("\ufeff" + GOOD.replace("\n", "\r\n")) == parse(GOOD)


@settings(max_examples=60)
@given(files())
def test_a_file_is_read_back_as_it_was_written(file: CoeFile) -> None:
    text = written(file)
    again, findings = parse(text)
    assert without_lines(again) == without_lines(file), text
    assert not codes(findings, "error"), (findings, text)
    assert CoeFile.model_validate_json(again.model_dump_json()) == again


def lines_of(text: str) -> int:
    return len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def total(text: str) -> None:
    """Read and judge a text: nothing is raised, and every finding is in the file."""
    file, findings = parse(text)
    findings += check(file, customers_hit=None, mitigated_by_hand=True)
    assert all(1 <= finding.line <= lines_of(text) and finding.text for finding in findings)
    assert CoeFile.model_validate_json(file.model_dump_json()) == file
    parse(written(file))


MARKS = """--- # ## Whys Impact Lessons Actions Detection Dependencies - * ? ! = → -> L1 A1 ( ) , ; : | — ` ``` ~~~
<!-- --> % 3 fast-enough: kept: name: no yes 2026-04-01 {} 💥"""
marks = st.sampled_from([*MARKS.split(), "\n", "\t", "\r", "\x00", "\u2028", "\ud800", "[fill in:", "1 of 100 hosts"])


@settings(max_examples=120)
@given(st.lists(marks | st.text(max_size=5), max_size=60).map(" ".join) | st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    total(text)


@settings(max_examples=80)
@given(st.data())
def test_a_good_file_with_pieces_lost_or_thrown_in_can_be_read(data: st.DataObject) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 40)))
        text = text[:start] + data.draw(st.lists(marks, max_size=4).map("\n".join)) + text[end:]
    total(text)


@pytest.mark.parametrize(
    ("before", "piece"),
    [
        ("## Whys\n- ", "→ "),
        ("## Whys\n- ? ", "3 % "),
        ("## Whys\n- ! ", "1 of "),
        ("## Actions\n- A1 (", "("),
        ("## Actions\n- A1 (L1): ", "- "),
        ("## Dependencies\n- ", "kept: x,"),
        ("## Impact\n", "Engineer "),
        ("", "<!--"),
        ("", "#"),
    ],
)
def test_the_largest_file_is_read_in_a_moment(before: str, piece: str) -> None:
    text = before + piece * ((SIZE_LIMIT - len(before)) // len(piece.encode()))
    start = time.process_time()
    check(parse(text)[0], customers_hit=None, mitigated_by_hand=None)
    assert time.process_time() - start < 2
