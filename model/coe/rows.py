"""Reads the rows of a COE file that stand alone: answers on detection, dependencies, lessons (R4, R5, R6)."""

import re
from collections.abc import Callable
from typing import Final, cast

from model.coe.file import (
    FILL_IN,
    MODES,
    MOST_ROWS,
    QUESTIONS,
    Answer,
    Asked,
    Dependency,
    FailureMode,
    Lesson,
    yes_or_no,
)
from model.coe.lines import Item, Line, Notes, read_items, tree_depths
from model.text import cut

_LESSON_NAME: Final = re.compile(r"(?<!\w)L ?0*([1-9][0-9]{0,3})(?!\w)", re.IGNORECASE)
_ACTION_NAME: Final = re.compile(r"(?<!\w)A ?0*([1-9][0-9]{0,3})(?!\w)", re.IGNORECASE)
_LESSON: Final = re.compile(r"[*_`]{0,3}L ?0*([1-9][0-9]{0,3})(?!\w)[*_` :.)–—-]*", re.IGNORECASE)
_ASKED: Final = re.compile(
    r"[*_`]{0,3}(fast[-_ ]?enough|response[-_ ]?time|metrics[-_ ]?true|similar[-_ ]?patterns?)(?!\w)"
    r"[*_`?]{0,4}[ :=–—-]*[*_`]{0,3}",
    re.IGNORECASE,
)
_FIELDS: Final = {
    "name": "name",
    "promised": "promised",
    "kept": "kept",
    "our-use": "our_use",
    "failure-mode": "failure_mode",
    "smaller-blast-radius": "smaller_blast_radius",
    "blast-radius": "smaller_blast_radius",
}
_FIELD: Final = re.compile(
    r"(?<![\w-])(?:"
    r"(name|promised|kept|our[-_ ]use|failure[-_ ]mode|(?:smaller[-_ ])?blast[-_ ]radius)[*_`]{0,3} ?[:=]"
    # People leave the colon out where it cannot be mistaken.
    r"|(kept)(?= (?:yes|no)\b)|(failure[-_]mode)(?= (?:expected|plannable|new)\b)|(promised)(?= [0-9])"
    r"|(our-use|smaller-blast-radius)(?= ))",
    re.IGNORECASE,
)
_EDGES: Final = " ,;|—–-*_`"


def lesson_names(text: str) -> list[str]:
    """Return the lessons a text names, each once: "L1 and L02" is L1 and L2."""
    return list(dict.fromkeys(f"L{found}" for found in _LESSON_NAME.findall(text)))


def only_lessons(text: str) -> list[str]:
    """Return the lessons a text names, if it says nothing else: "L1 and L2" does, "l1-support" does not."""
    words = re.sub(r"(?<!\w)L ?[0-9]{1,5}(?!\w)|\band\b|[\s,;&+./()*_`→]", "", text, flags=re.IGNORECASE)
    return [] if words else lesson_names(text)


def action_names(text: str) -> list[str]:
    """Return the actions a text names, each once."""
    return list(dict.fromkeys(f"A{found}" for found in _ACTION_NAME.findall(text)))


def grouped(lines: list[Line], begins: Callable[[str], bool], glue: str, notes: Notes) -> list[Item]:
    """Return the items of the first level, each with the texts below it."""
    groups: list[tuple[Item, list[str]]] = []
    for depth, item in tree_depths(read_items(lines, begins, notes)):
        if groups and depth and not begins(item.text):
            groups[-1][1].append(item.text)
        elif len(groups) == MOST_ROWS:
            notes.error("too-many", item.line, f"at most {MOST_ROWS} rows are read; what is more is another COE")
            break
        else:
            groups.append((item, [item.text]))
    for item, texts in groups:
        item.text = cut(glue.join(texts))
    return [item for item, _ in groups]


def detection(lines: list[Line], notes: Notes) -> list[Answer]:
    """Read the answers to the questions on detection (R5)."""
    answers: list[Answer] = []
    for item in grouped(lines, lambda text: _ASKED.match(text) is not None, " ", notes):
        found = _ASKED.match(item.text)
        if not found:
            names = ", ".join(QUESTIONS)
            notes.advise("unknown-question", item.line, f"this is not read; the questions are {names}")
            continue
        words = found[1].casefold().replace("-", "").replace("_", "").replace(" ", "").rstrip("s")
        name = next(q for q in QUESTIONS if q.replace("-", "").rstrip("s") == words)
        if any(answer.question == name for answer in answers):
            notes.error("detection-twice", item.line, f"{name} is answered twice; keep one answer")
            continue
        answers.append(_answer(item, name, item.text[found.end() :].strip(), notes))
    return answers


def _answer(item: Item, name: Asked, said: str, notes: Notes) -> Answer:
    yes, words = yes_or_no(said)
    if yes is None and FILL_IN not in said:
        text = f"begin with yes or no, then the words, for example {name}: no, it took 12 min → A1"
        notes.error("detection-form", item.line, text)
    return Answer(line=item.line, question=name, yes=yes, words=words.strip())


def dependencies(lines: list[Line], notes: Notes) -> tuple[list[Dependency], bool]:
    """Read the dependencies (R6).

    Returns:
        Them, and whether the section says that there are none.
    """
    rows: list[Dependency] = []
    items = _joined(grouped(lines, _begins_dependency, "; ", notes))
    none = bool(items) and all(_says_none(item.text) for item in items)
    for item in [] if none else items:
        rows.append(_dependency(item, notes))
    return rows, none


def _begins_dependency(text: str) -> bool:
    found = _FIELD.match(text.lstrip("*_`"))
    return _says_none(text) or (found is not None and _field(found) == "name")


def _says_none(text: str) -> bool:
    return _FIELD.search(text) is None and yes_or_no(text)[0] is False


def _joined(items: list[Item]) -> list[Item]:
    """Join items that are only further fields of the one before, as when each field has a bullet of its own."""
    joined: list[Item] = []
    for item in items:
        found = _FIELD.match(item.text.lstrip("*_`"))
        if joined and found and _field(found) != "name":
            joined[-1].text = cut(f"{joined[-1].text}; {item.text}")
        else:
            joined.append(item)
    return joined


def _field(found: re.Match[str]) -> str:
    word = next(group for group in found.groups() if group).casefold().replace("_", "-").replace(" ", "-")
    return _FIELDS[word]


def _dependency(item: Item, notes: Notes) -> Dependency:
    fields = _by_name(item.text) or _by_place(item.text)
    row = Dependency(
        line=item.line,
        name=fields.get("name", ""),
        promised=fields.get("promised", ""),
        our_use=fields.get("our_use", ""),
        smaller_blast_radius=fields.get("smaller_blast_radius", ""),
    )
    if kept := fields.get("kept"):
        row.kept, row.kept_words = yes_or_no(kept)
        if row.kept is None and FILL_IN not in kept:
            notes.error("kept-form", item.line, "say whether the promise was kept: kept: yes, or kept: no")
    if mode := fields.get("failure_mode"):
        row.failure_mode, row.failure_mode_words = _mode(mode)
        if not row.failure_mode and FILL_IN not in mode:
            text = "write failure-mode: expected (it happens), plannable (we could have planned for it), or new"
            notes.error("mode-form", item.line, text)
    return row


def _by_name(text: str) -> dict[str, str]:
    """Return the fields of an item by their names; words before the first one are the dependency's name."""
    found: list[tuple[str, int, int]] = []
    for match in _FIELD.finditer(text):
        if (name := _field(match)) not in [known for known, _, _ in found]:
            found.append((name, match.start(), match.end()))
    if not found:
        return {}
    ends = [start for _, start, _ in found[1:]] + [len(text)]
    fields = {name: text[begin:end].strip(_EDGES) for (name, _, begin), end in zip(found, ends, strict=True)}
    if before := text[: found[0][1]].strip(_EDGES + ":"):
        fields.setdefault("name", before)
    return fields


def _by_place(text: str) -> dict[str, str]:
    """Return the fields of an item without names, by their order."""
    names = ("name", "promised", "kept", "our_use", "failure_mode", "smaller_blast_radius")
    for mark in (";", "|", " — ", ","):
        parts = [part.strip(_EDGES) for part in text.split(mark, len(names) - 1)]
        if len(parts) == len(names):
            return dict(zip(names, parts, strict=True))
    return {"name": text.strip(_EDGES)}


def _mode(text: str) -> tuple[FailureMode | None, str]:
    word = re.match(r"\W*(\w+)[\s,.;:!–—-]*", text)
    if word and word[1].casefold() in MODES:
        return cast(FailureMode, word[1].casefold()), text[word.end() :]
    return None, text


def lessons(lines: list[Line], notes: Notes) -> list[Lesson]:
    """Read the lessons (R4)."""
    rows: list[Lesson] = []
    for item in grouped(lines, lambda text: _LESSON.match(text) is not None, " ", notes):
        found = _LESSON.match(item.text)
        if not found:
            notes.error("lesson-form", item.line, "begin a lesson with its name: L1: what was not known before")
            continue
        name = f"L{found[1]}"
        if any(row.id == name for row in rows):
            notes.error("same-id", item.line, f"there are two lessons {name}; give each a number of its own")
        rows.append(Lesson(line=item.line, id=name, text=item.text[found.end() :].strip()))
    return rows
