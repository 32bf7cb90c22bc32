"""COE files for tests: a good one, and any there can be."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from model.coe.file import END_OF_DAY, QUESTIONS, Action, Answer, CoeFile, Dependency, Finding, Lesson, Why
from model.coe.parser import parse

GOOD = """\
---
incident: INC-20260302-7F3A
team: checkout
subject: One bad host takes 3 % of calls
author: ana
customers_hit: yes
---

## Impact

On 2 March from 09:00 to 09:45 UTC, 3 % of calls to Checkout failed. Customers saw an error page and could not pay.

It began with one host at 09:00. Detected by an alarm at 09:02; the team was paged at 09:03 and acknowledged at 09:32.

A roll back at 09:40 helped: mitigated at 09:45 and verified by a canary at 09:55.

## Whys

- ? Why did 3 % of API calls fail for 45 minutes?
  - ? What triggered it at 09:00?
    - ! 1 of 100 hosts answered 500, because its volume could not be written
      - = a volume fails now and then; L1 makes that harmless
  - ? Why did no health check catch 1 host in 100?
    - ! The template's check never reads from the disk → L1
  - ? Why so long: why did 30 of 45 minutes pass before somebody was engaged?
    - ! The page went to a list nobody reads
      - → L2
  - ? Why so much: why 3 % of errors from 1 of 100 hosts?
    - ! Least connections sends more to who fails fast → L3

## Detection

- fast-enough: no, 30 minutes until somebody knew → A2
- response-time: no, see A2
- metrics-true: yes
- similar-patterns: no, any host can do this → A1

## Dependencies

- name: block storage; promised: 99.9 % a month; kept: yes; our-use: every call waits for the disk;
  failure-mode: expected; smaller-blast-radius: take the host out (L1)

## Lessons

- L1: A health check must use what requests use.
- L2: A page has one person.
- L3: Balancing by connections feeds the failing host.

## Actions

- A1 (L1, mid, ana, 2026-03-30, promised): Health check reads the disk — no such host stays — fail a disk in staging
- A2 (L2, short, ben, 2026-03-02T18:00Z): Page people, not lists — somebody within 5 min — a test page
- A3 (L3, long/incremental, cho, 2026-08-01): Balance by latency — less pull — a game day with 1 host in 100 failing
"""


def changed(old: str, new: str) -> str:
    """Return the good file with one place of it changed."""
    assert old in GOOD, old
    return GOOD.replace(old, new, 1)


def read(text: str) -> CoeFile:
    return parse(text)[0]


def codes(findings: list[Finding], level: str = "") -> set[str]:
    return {finding.code for finding in findings if level in ("", finding.level)}


def without_lines(file: CoeFile) -> Any:
    """Return what a file says, without where."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in ("line", "lines")}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(file.model_dump())


words = st.text("abcdefg hijk 0123456789.,äß漢 %", min_size=1, max_size=24).map(
    lambda text: " ".join(f"x{text}y".split())
)
"""Words that are no mark of the format: they begin and end with a letter."""


def whys() -> st.SearchStrategy[list[Why]]:
    lessons = st.lists(st.sampled_from(["L1", "L2", "L30"]), max_size=2, unique=True)
    kinds = st.sampled_from(["question", "finding"])
    leaf = st.builds(Why, kind=kinds, text=words, lessons=lessons, reason=words | st.just(""), children=st.just([]))
    return st.lists(
        st.recursive(
            leaf,
            lambda inner: st.builds(
                Why,
                kind=kinds,
                text=words,
                lessons=lessons,
                reason=words | st.just(""),
                children=st.lists(inner, max_size=3),
            ),
            max_leaves=8,
        ),
        max_size=3,
    )


def answers() -> st.SearchStrategy[list[Answer]]:
    answer = st.builds(Answer, question=st.sampled_from(QUESTIONS), yes=st.booleans(), words=words | st.just(""))
    return st.lists(answer, max_size=4, unique_by=lambda it: it.question)


def dependencies() -> st.SearchStrategy[list[Dependency]]:
    row = st.builds(
        Dependency,
        name=words,
        promised=words,
        kept=st.booleans(),
        kept_words=words | st.just(""),
        our_use=words,
        failure_mode=st.sampled_from(["expected", "plannable", "new"]),
        failure_mode_words=words | st.just(""),
        smaller_blast_radius=words,
    )
    return st.lists(row, max_size=3)


def lessons() -> st.SearchStrategy[list[Lesson]]:
    return st.lists(st.builds(Lesson, id=st.sampled_from(["L1", "L2", "L30"]), text=words), unique_by=lambda it: it.id)


def actions() -> st.SearchStrategy[list[Action]]:
    days = st.integers(1_600_000_000, 1_900_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
    whole = days.map(lambda at: datetime.combine(at.date(), END_OF_DAY, UTC))
    action = st.builds(
        Action,
        id=st.sampled_from(["A1", "A2", "A17"]),
        title=words,
        goal=words,
        validation=words,
        lessons=st.lists(st.sampled_from(["L1", "L2"]), unique=True),
        horizon=st.sampled_from(["short", "mid", "long"]),
        kind=st.none() | st.sampled_from(["incremental", "replacement"]),
        owner=st.sampled_from(["ana", "l2-team", "Ana Ng", "ana@example.test"]),
        due=days | whole,
        promised=st.booleans(),
        replaces=st.none() | st.integers(1, 99),
        patch=st.none() | st.integers(1, 99),
    )
    return st.lists(action, max_size=3, unique_by=lambda it: it.id)


def files() -> st.SearchStrategy[CoeFile]:
    return st.builds(
        CoeFile,
        incident=st.just("INC-20260302-7F3A"),
        team=words,
        subject=words,
        author=words,
        customers_hit=st.sampled_from(["yes", "no", "unknown", ""]),
        impact=st.lists(words, max_size=4).map("\n\n".join),
        whys=whys(),
        detection=answers(),
        dependencies=dependencies(),
        lessons=lessons(),
        actions=actions(),
    )
