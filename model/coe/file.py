"""A COE file: what it holds, how it is written down, and what becomes of its actions (design §3, R1-R9).

`model.coe.parser` reads one, `model.coe.check` judges one, `model.coe.draft` begins one.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, field_validator

from model.close.items import AcceptedAction
from model.times import Moment, iso

SIZE_LIMIT: Final = 256 * 1024
"""Bytes of a COE's text (design §2)."""
MOST_LINES: Final = 10_000
"""Lines of a COE's text: a file is read within a workflow's turn, and no person writes more."""
DEEPEST: Final = 24
"""Levels a tree of whys may have; deeper is not read any more, and JSON nested without end could not be."""
MOST_WHYS: Final = 400
"""Questions and findings in one COE; more of them are several COEs."""
MOST_ROWS: Final = 100
"""Dependencies, lessons or actions in one COE."""
MOST_FINDINGS: Final = 100
"""Findings told at once; the rest is a number."""
FILL_IN: Final = "[fill in:"
"""How a place begins that a draft leaves to its author."""

END_OF_DAY: Final = time(23, 59, 59)
"""A promise for a day is kept when that day is over, in UTC."""

Section: TypeAlias = Literal["front", "impact", "story", "whys", "detection", "dependencies", "lessons", "actions"]
"""The parts of a file: `front` is the front matter, `story` what stands below the heading Impact."""
SECTIONS: Final[tuple[Section, ...]] = ("impact", "whys", "detection", "dependencies", "lessons", "actions")
"""The headings, in the order in which a reader expects them."""
Asked: TypeAlias = Literal["fast-enough", "response-time", "metrics-true", "similar-patterns"]
"""The questions about detection (R5)."""
QUESTIONS: Final[tuple[Asked, ...]] = ("fast-enough", "response-time", "metrics-true", "similar-patterns")
FailureMode: TypeAlias = Literal["expected", "plannable", "new"]
"""What kind of failure a dependency had (R6)."""
MODES: Final[tuple[FailureMode, ...]] = ("expected", "plannable", "new")
Horizon: TypeAlias = Literal["short", "mid", "long"]
"""When an action is there: hours, days to weeks, later (R8)."""


class Finding(BaseModel):
    """One thing to say about a COE file.

    Attributes:
        level: An `error` sends the file back to its author; `advice` is for the review.
        line: Where in the file, counted from 1.
        code: Its name in `docs/coe.md`.
        text: A sentence that says what would be accepted.
    """

    model_config = ConfigDict(frozen=True)

    level: Literal["error", "advice"]
    line: int
    code: str
    text: str

    def __str__(self) -> str:
        """Write the finding on one line."""
        return f"{self.level}: line {self.line}: {self.text} ({self.code})"


class Row(BaseModel):
    """Something that stands on a line of its own."""

    line: int = 1


class Why(Row):
    """A question or a finding in the tree of whys (R3).

    Attributes:
        lessons: Where a finding ends: in what *we* can change.
        reason: Or why its branch stops without a lesson.
        children: What is asked about it, or found for it.
    """

    kind: Literal["question", "finding"]
    text: str
    lessons: list[str] = []
    reason: str = ""
    children: list["Why"] = []

    @property
    def leaf(self) -> bool:
        """Whether its branch ends here."""
        return not self.children

    def walk(self) -> Iterator["Why"]:
        """Yield it and everything below it, as the file has them."""
        yield self
        for child in self.children:
            yield from child.walk()


class Answer(Row):
    """What a COE says about one of the questions on detection (R5); `yes` is None until it is answered."""

    question: Asked
    yes: bool | None = None
    words: str = ""


class Dependency(Row):
    """Something we depend on, and what its failure became with us (R6)."""

    name: str = ""
    promised: str = ""
    kept: bool | None = None
    kept_words: str = ""
    our_use: str = ""
    failure_mode: FailureMode | None = None
    failure_mode_words: str = ""
    smaller_blast_radius: str = ""


class Lesson(Row):
    """What was not known before (R4)."""

    id: str
    text: str


class Action(Row):
    """What is done about a lesson, by when, and how it will be validated (R8, R9, R11).

    Attributes:
        kind: Whether a long-term item rolls out compatibly, or replaces what customers use.
        due: A day without a time means its end.
        replaces: The number of an item of the incident that is over when this one is validated.
        replaces_id: The same for an action of this file.
        patch: The number of the mitigation it takes the place of.
    """

    id: str
    title: str = ""
    goal: str = ""
    validation: str = ""
    lessons: list[str] = []
    horizon: Horizon | None = None
    kind: Literal["incremental", "replacement"] | None = None
    owner: str = ""
    due: Moment | None = None
    promised: bool = False
    replaces: int | None = None
    replaces_id: str = ""
    patch: int | None = None

    @field_validator("due")
    @classmethod
    def _whole_seconds(cls, due: datetime | None) -> datetime | None:
        return due.replace(microsecond=0) if due else None


class CoeFile(BaseModel):
    """A COE as its author wrote it.

    Attributes:
        customers_hit: The front matter's words; `says_customers_hit` reads them.
        impact: The impact summary, Markdown.
        lines: Where the parts begin.
    """

    model_config = ConfigDict(extra="ignore")

    incident: str = ""
    team: str = ""
    subject: str = ""
    author: str = ""
    customers_hit: str = ""
    impact: str = ""
    whys: list[Why] = []
    detection: list[Answer] = []
    dependencies: list[Dependency] = []
    no_dependencies: bool = False
    lessons: list[Lesson] = []
    actions: list[Action] = []
    lines: dict[Section, int] = {}

    @property
    def says_customers_hit(self) -> bool | None:
        """Whether the front matter says that customers were hit; None when it does not say."""
        said = yes_or_no(self.customers_hit)[0]
        unsaid = not self.customers_hit or FILL_IN in self.customers_hit or self.customers_hit.lower() == "unknown"
        return said if said is not None or unsaid else True

    def line(self, part: Section) -> int:
        """Return where a part begins, or the file's first line."""
        return self.lines.get(part, 1)

    def all_whys(self) -> Iterator[Why]:
        """Yield every question and finding, as the file has them."""
        for why in self.whys:
            yield from why.walk()

    def answer(self, question: Asked) -> Answer | None:
        """Return what the file says about a question on detection."""
        return next((given for given in self.detection if given.question == question), None)


_YES_NO: Final = re.compile(r"(yes|y|true|not|no|none|n|false|nobody)\b[\s,.;:!–—-]*", re.IGNORECASE)


def yes_or_no(text: str) -> tuple[bool | None, str]:
    """Read an answer that begins with yes or no.

    Returns:
        The answer, None when it is neither; and the words after it.
    """
    found = _YES_NO.match(text)
    if not found:
        return None, text
    return found[1][0] in "yYtT", text[found.end() :]


def why_reasons(file: CoeFile) -> list[str]:
    """Return the root causes: the findings at which branches end."""
    return [why.text for why in file.all_whys() if why.leaf and why.kind == "finding" and FILL_IN not in why.text]


def accepted_actions(file: CoeFile) -> list[AcceptedAction]:
    """Return the file's actions as the incident takes them; what is not complete is left out."""
    titles = {action.id: action.title for action in file.actions}
    return [
        AcceptedAction(
            title=action.title,
            goal=action.goal,
            horizon=action.horizon,
            owner=action.owner,
            due=action.due,
            promised=action.promised,
            validation=action.validation,
            lesson=", ".join(action.lessons),
            replaces=action.replaces,
            replaces_title=titles.get(action.replaces_id, ""),
            patch=action.patch,
            kind=action.kind,
        )
        for action in file.actions
        if action.title and action.horizon and action.owner and action.due
    ]


def end_of(day: date) -> datetime:
    """Return the moment by which something promised for a day is due; `Moment` makes it UTC."""
    return datetime.fromisoformat(f"{day.isoformat()}T{END_OF_DAY.isoformat()}+00:00")


def written(file: CoeFile) -> str:
    """Return a COE as its text; `model.coe.parser.parse` reads it back."""
    parts = [
        _front(file),
        "## Impact\n" + (f"\n{file.impact}\n" if file.impact else ""),
        "## Whys\n" + _listed(line for why in file.whys for line in _why(why, 0)),
        "## Detection\n" + _listed(_answer(answer) for answer in file.detection),
        "## Dependencies\n" + _listed(["- none"] if file.no_dependencies else map(_dependency, file.dependencies)),
        "## Lessons\n" + _listed(f"- {lesson.id}: {lesson.text}" for lesson in file.lessons),
        "## Actions\n" + _listed(_action(action) for action in file.actions),
    ]
    return "\n".join(parts)


def _listed(lines: Iterable[str]) -> str:
    return "".join(f"\n{line}" for line in lines) + "\n"


def _front(file: CoeFile) -> str:
    names = ("incident", "team", "subject", "author", "customers_hit")
    return "\n".join(["---", *(f"{name}: {getattr(file, name)}".rstrip() for name in names), "---", ""])


def _why(why: Why, depth: int) -> Iterator[str]:
    indent = "  " * depth
    yield f"{indent}- {'?' if why.kind == 'question' else '!'} {why.text}"
    if why.lessons:
        yield f"{indent}  - → {', '.join(why.lessons)}"
    if why.reason:
        yield f"{indent}  - = {why.reason}"
    for child in why.children:
        yield from _why(child, depth + 1)


def _answer(answer: Answer) -> str:
    return f"- {answer.question}: {_yes(answer.yes, answer.words)}"


def _yes(yes: bool | None, words: str) -> str:
    said = "" if yes is None else "yes" if yes else "no"
    return ", ".join(part for part in (said, words) if part)


def _dependency(it: Dependency) -> str:
    mode = ", ".join(part for part in (it.failure_mode, it.failure_mode_words) if part)
    fields = {
        "promised": it.promised,
        "kept": _yes(it.kept, it.kept_words),
        "our-use": it.our_use,
        "failure-mode": mode,
        "smaller-blast-radius": it.smaller_blast_radius,
    }
    return "; ".join([f"- name: {it.name}", *(f"{key}: {text}" for key, text in fields.items() if text)])


def _action(it: Action) -> str:
    due = ""
    if it.due:
        due = f"{it.due:%Y-%m-%d}" if it.due.time() == END_OF_DAY else iso(it.due)
    horizon = "/".join(part for part in (it.horizon, it.kind) if part)
    replaced = it.replaces_id or it.replaces
    facts = [
        " ".join(it.lessons), horizon, it.owner, due,
        "promised" if it.promised else "",
        f"replaces {replaced}" if replaced else "",
        f"replaces patch {it.patch}" if it.patch else "",
    ]  # fmt: skip
    said = " — ".join([it.title, it.goal, it.validation]).rstrip(" —")
    return f"- {it.id} ({', '.join(fact for fact in facts if fact)}): {said}".rstrip()
