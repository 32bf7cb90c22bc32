"""Judges a COE file that could be read: what sends it back to its author, and what the review should ask (R1-R9).

Errors: `no-front-matter no-incident no-team no-subject no-author` (R1), `no-impact` (R2), `no-whys open-leaf
unknown-lesson` (R3), `no-lessons action-no-lesson` (R4), `action-no-title action-no-horizon action-no-owner
action-no-date` (R8), `action-no-validation` (R11), `detection-open detection-no-action` (R5), `dependency-open` (R6),
`fill-in` (a place a draft left open).

Advice: `several-authors blame` (R1), `impact-short impact-no-customers impact-no-times impact-no-milestones
customers-hit-differs` (R2), `lone-chain prompt-missing question-no-data leaf-elsewhere leaf-blames figures-unasked
no-question` (R3), `lesson-no-action lesson-from-nowhere` (R4), `detection-action-unnamed all-yes-by-hand` (R5),
`no-dependencies dependency-thin dependency-no-lesson` (R6), `nothing-promised` (R7), `short-not-short` (R8),
`date-too-far long-kind replacement-alone` (R9).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from model.coe.figures import unasked
from model.coe.file import FILL_IN, MODES, QUESTIONS, Action, CoeFile, Dependency, Finding, Why
from model.coe.lines import Notes
from model.coe.rows import action_names, lesson_names
from model.coe.words import (
    CUSTOMERS,
    DETECTING,
    MILESTONES,
    NUMBER,
    PROMPTS,
    TIME,
    blames,
    blames_somebody,
    blames_supplier,
    common_words,
)
from model.policy import Policy
from model.times import ago

UNNUMBERED_TOLD: Final = 5
"""R3: as many questions without data are told; more says nothing new."""


def check(
    file: CoeFile, *, customers_hit: bool | None, mitigated_by_hand: bool | None, policy: Policy | None = None
) -> list[Finding]:
    """Judge a COE.

    Args:
        file: As `model.coe.parser.parse` read it.
        customers_hit: What the incident knows; None when it does not know.
        mitigated_by_hand: Whether people mitigated, rather than the service itself; None when nobody knows.
        policy: What counts as short, as realistic; without one, what holds where nobody has said otherwise.

    Returns:
        The findings in the order of the file's lines. A COE with an `error` goes back to its author.
    """
    notes, numbers = Notes(), policy or Policy()
    _front(file, customers_hit, notes)
    _impact(file, customers_hit, numbers, notes)
    _whys(file, notes)
    _tree(file, notes)
    _detection(file, mitigated_by_hand, notes)
    _dependencies(file, notes)
    _lessons(file, notes)
    for action in file.actions:
        _action(file, action, numbers, notes)
    _promises(file, customers_hit, notes)
    _blame(file, notes)
    _left_open(file, notes)
    return notes.all()


def _front(file: CoeFile, customers_hit: bool | None, notes: Notes) -> None:
    """R1: one team, one named author, one subject; what it says of customers is what the incident knows."""
    at = file.line("front")
    if not (file.incident or file.team or file.subject or file.author or file.customers_hit):
        text = "begin with front matter: ---, then incident, team, subject, author, customers_hit, then ---"
        notes.error("no-front-matter", at, text)
        return
    if not file.incident:
        notes.error("no-incident", at, "name the incident: incident: INC-20260302-7F3A")
    if not file.team:
        notes.error("no-team", at, "name the team that learnt: team: checkout")
    if not file.subject:
        notes.error("no-subject", at, "say in one line what this is about: subject: One bad host takes 3 % of calls")
    if not file.author:
        notes.error("no-author", at, "name the one person who answers for it: author: ana")
    if re.search(r",|;|&|\band\b|/", file.author) and FILL_IN not in file.author:
        notes.advise("several-authors", at, "name one author; the others are thanked in the text")
    says = file.says_customers_hit
    if customers_hit is not None and says is not None and says != customers_hit:
        known = "were" if customers_hit else "were not"
        text = f"the incident knows that customers {known} hit; say why this file differs, or correct customers_hit"
        notes.advise("customers-hit-differs", at, text)


def _impact(file: CoeFile, customers_hit: bool | None, policy: Policy, notes: Notes) -> None:
    """R2: a story that stands alone: several paragraphs, the customer's experience, the life of the event."""
    at, story = file.line("impact"), file.impact
    if not story.replace(FILL_IN, "").strip():
        text = "tell under '## Impact' what happened, so that somebody who was not there understands it"
        notes.error("no-impact", at, text)
        return
    if _paragraphs(story) < policy.coe_paragraphs:
        text = f"tell it in at least {policy.coe_paragraphs} paragraphs: what customers saw, how it went, how it ended"
        notes.advise("impact-short", at, text)
    hit = customers_hit if customers_hit is not None else file.says_customers_hit
    if hit is not False and not CUSTOMERS.search(story):
        notes.advise("impact-no-customers", at, "say what customers saw and could not do, in their words")
    if len(set(TIME.findall(story))) < policy.coe_times:
        text = "give the times of day of the milestones, for example 09:02 UTC detected, 09:05 acknowledged"
        notes.advise("impact-no-times", at, text)
    missing = [name for name, words in MILESTONES.items() if not words.search(story)]
    if missing:
        notes.advise("impact-no-milestones", at, f"these milestones are not told: {', '.join(missing)}")


def _paragraphs(story: str) -> int:
    blocks = re.split(r"\n[ \t]*\n", story)
    return sum(1 for block in blocks if re.match(r"\s*(?![#|>~`]|[-*+] |[0-9]+[.)] )\S", block))


def _whys(file: CoeFile, notes: Notes) -> None:
    """R3, R4: every branch ends in a lesson or in a reason; "the supplier failed" is never an end."""
    if not file.whys:
        text = "ask under '## Whys', as a nested list: '- ? a question with its data', below it '- ! a finding'"
        notes.error("no-whys", file.line("whys"), text)
    known = {lesson.id for lesson in file.lessons}
    for why in file.all_whys():
        for name in [name for name in why.lessons if name not in known]:
            text = f"{name} is not under Lessons; link one that is there, or write it: {name}: what was learnt"
            notes.error("unknown-lesson", why.line, text)
        if why.leaf and FILL_IN not in why.text:
            _leaf(why, notes)


def _leaf(why: Why, notes: Notes) -> None:
    if not why.lessons and not why.reason:
        end = "answer it with '- ! a finding'" if why.kind == "question" else "link a lesson with '→ L1'"
        notes.error("open-leaf", why.line, f"this branch ends open: ask on, {end}, or say '= reason' why it stops")
    if blames_somebody(why.text):
        text = "a person is never the cause: ask what let a careful person do this, and what would have stopped it"
        notes.advise("leaf-blames", why.line, text)
    elif not why.lessons and blames_supplier(why.text):
        text = "what others do is never the end: ask what made their failure ours, and what we can change"
        notes.advise("leaf-elsewhere", why.line, text)


def _tree(file: CoeFile, notes: Notes) -> None:
    """R3: a tree with data in its questions, the four prompts asked, and figures that add up."""
    if not file.whys:
        return
    at = file.line("whys")
    nodes = list(file.all_whys())
    if len(file.whys) == 1 and all(len(why.children) < 2 for why in nodes):
        text = "this is one chain; several things had to come together: what else had to be so, or should have helped?"
        notes.advise("lone-chain", at, text)
    if file.whys[0].kind == "finding":
        text = "begin with a question that carries the measured impact, then what was found"
        notes.advise("no-question", file.whys[0].line, text)
    for name in _prompts_missing(file):
        notes.advise("prompt-missing", at, f"nothing asks: {name}?")
    bare = [why for why in _first_questions(file.whys) if not NUMBER.search(why.text) and FILL_IN not in why.text]
    for why in bare[:UNNUMBERED_TOLD]:
        text = "put the data into the question: '3 % of API errors over 45 minutes', not 'API calls failing'"
        notes.advise("question-no-data", why.line, text)
    for line, one, other in unasked(file):
        text = f"{one} and {other} do not add up; ask why in a branch of its own, with both figures in the question"
        notes.advise("figures-unasked", line, text)


def _prompts_missing(file: CoeFile) -> list[str]:
    """Return the prompts no question asks; a single root speaks of everything, so it counts as the trigger's only."""
    questions = [why for why in file.all_whys() if why.kind == "question"]
    root = file.whys[0] if len(file.whys) == 1 and any(w.kind == "question" for w in _below(file.whys[0])) else None
    missing = []
    for name, words in PROMPTS.items():
        asked = [why for why in questions if why is not root or name == "what triggered it"]
        if not any(words.search(why.text) for why in asked):
            missing.append(name)
    return missing


def _below(why: Why) -> Iterator[Why]:
    for child in why.children:
        yield from child.walk()


def _first_questions(whys: list[Why], above: int = 0) -> Iterator[Why]:
    """Yield the questions with at most one question above them: those that carry the impact's figures."""
    for why in whys:
        asked = why.kind == "question"
        if asked:
            yield why
        if above + asked < 2:
            yield from _first_questions(why.children, above + asked)


def _detection(file: CoeFile, mitigated_by_hand: bool | None, notes: Notes) -> None:
    """R5: four answers; a "no" makes an action; four times yes after a mitigation by hand is a smell."""
    at = file.line("detection")
    for question in QUESTIONS:
        answer = file.answer(question)
        if answer is None:
            notes.error("detection-open", at, f"answer it under '## Detection': - {question}: yes or no, and the words")
        elif answer.yes is False:
            _unwell(file, answer.line, answer.words, notes)
    if mitigated_by_hand and len(file.detection) == len(QUESTIONS) and all(a.yes for a in file.detection):
        text = "people had to mitigate, and nothing was to be better: what would have acted before them?"
        notes.advise("all-yes-by-hand", at, text)


def _unwell(file: CoeFile, line: int, words: str, notes: Notes) -> None:
    """A "no" names its action, or a lesson that has one; otherwise an action about detection may be meant."""
    known = {action.id for action in file.actions}
    taught = {name for action in file.actions for name in action.lessons}
    if known & set(action_names(words)) or taught & set(lesson_names(words)):
        return
    texts = {action.id: " ".join([action.title, action.goal, *_taught(file, action)]) for action in file.actions}
    likely = [name for name, text in texts.items() if DETECTING.search(text) or common_words(words, text)]
    if likely:
        notes.advise("detection-action-unnamed", line, f"name the action this 'no' makes, perhaps → {likely[0]}")
    else:
        notes.error("detection-no-action", line, "a 'no' makes an action: add one, and name it here with → A1")


def _taught(file: CoeFile, action: Action) -> list[str]:
    return [lesson.text for lesson in file.lessons if lesson.id in action.lessons]


def _dependencies(file: CoeFile, notes: Notes) -> None:
    """R6: what others promised, what we made of it, what we could have known, and how its failure gets smaller."""
    if not file.dependencies and not file.no_dependencies:
        text = "name what you depended on, or write '- none': a dependency never ends a review"
        notes.advise("no-dependencies", file.line("dependencies"), text)
    for row in file.dependencies:
        _dependency(file, row, notes)


def _dependency(file: CoeFile, row: Dependency, notes: Notes) -> None:
    named = row.name or "this dependency"
    needed = {"name": row.name, "kept: yes or no": row.kept is not None or row.kept_words}
    needed[f"failure-mode: {', '.join(MODES)}"] = row.failure_mode or row.failure_mode_words
    if missing := [field for field, value in needed.items() if not value]:
        notes.error("dependency-open", row.line, f"say for {named}: {'; '.join(missing)}")
    thin = {"promised": row.promised, "our-use": row.our_use, "smaller-blast-radius": row.smaller_blast_radius}
    if missing := [field for field, value in thin.items() if not value]:
        notes.advise("dependency-thin", row.line, f"say for {named} also: {', '.join(missing)}")
    said = " ".join([row.name, row.our_use, row.smaller_blast_radius, row.failure_mode_words])
    if row.failure_mode in ("expected", "plannable") and not _touched(file, said):
        text = f"{named} failed in a way we could have planned for, and no lesson speaks of it"
        notes.advise("dependency-no-lesson", row.line, text)


def _touched(file: CoeFile, said: str) -> bool:
    named = set(lesson_names(said)) | set(action_names(said))
    if named & ({lesson.id for lesson in file.lessons} | {action.id for action in file.actions}):
        return True
    return any(common_words(said, text) for text in [lesson.text for lesson in file.lessons])


def _lessons(file: CoeFile, notes: Notes) -> None:
    """R4: lessons flow from root causes, actions from lessons."""
    if not file.lessons:
        text = "write under '## Lessons' what was not known before: - L1: …"
        notes.error("no-lessons", file.line("lessons"), text)
    led_to = {name for why in file.all_whys() for name in why.lessons}
    acted_on = {name for action in file.actions for name in action.lessons}
    for lesson in file.lessons:
        if lesson.id not in acted_on:
            text = f"nothing is done about {lesson.id}; add an action, or say in it why knowing is enough"
            notes.advise("lesson-no-action", lesson.line, text)
        if file.whys and lesson.id not in led_to:
            notes.advise("lesson-from-nowhere", lesson.line, f"no branch of the whys leads to {lesson.id}")


def _action(file: CoeFile, action: Action, policy: Policy, notes: Notes) -> None:
    """R4, R8, R9, R11: from a lesson, somebody's, by a day, with a validation; realistic for its horizon."""
    at, known = action.line, {lesson.id for lesson in file.lessons}
    if not action.title:
        notes.error("action-no-title", at, f"say what {action.id} does: title — goal — validation")
    if not known & set(action.lessons):
        notes.error("action-no-lesson", at, f"name the lesson {action.id} follows from, one of those above: (L1, …)")
    if not action.horizon:
        notes.error("action-no-horizon", at, f"say whether {action.id} is short (hours), mid (days to weeks) or long")
    if not action.owner:
        notes.error("action-no-owner", at, f"name the person who owns {action.id}")
    if not action.due:
        notes.error("action-no-date", at, f"say by when {action.id} is in place: 2026-04-01")
    if not action.validation:
        text = f"say how {action.id} will be tried against the same conditions: title — goal — validation"
        notes.error("action-no-validation", at, text)
    _dates(file, action, policy, notes)
    if action.horizon == "long" and not action.kind:
        text = f"say whether {action.id} is long/incremental (nobody has to act) or long/replacement"
        notes.advise("long-kind", at, text)
    if action.kind == "replacement" and not _companions(file, action):
        text = f"{action.id} replaces what is in use; what is in use needs a fix too, by an action on the same lesson"
        notes.advise("replacement-alone", at, text)


def _dates(file: CoeFile, action: Action, policy: Policy, notes: Notes) -> None:
    day = _day_of(file.incident)
    if not day or not action.due:
        return
    if action.horizon == "short" and action.due - day > policy.coe_short_term:
        late = f"due later than {ago(policy.coe_short_term)} after the event"
        text = f"{action.id} is short-term and {late}: is it mid-term?"
        notes.advise("short-not-short", action.line, text)
    if action.promised and action.due - day > policy.coe_promise_within:
        late = f"later than {ago(policy.coe_promise_within)} after the event"
        text = f"{action.id} is promised for {late}: promise the deliverable middle first"
        notes.advise("date-too-far", action.line, text)


def _day_of(incident: str) -> datetime | None:
    """Return the day an incident's id speaks of."""
    found = re.search(r"(?<![0-9])(20[0-9]{2})([0-9]{2})([0-9]{2})(?![0-9])", incident)
    try:
        return datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC) if found else None
    except ValueError:
        return None


def _companions(file: CoeFile, action: Action) -> list[Action]:
    others = [other for other in file.actions if other is not action and other.kind != "replacement"]
    return [other for other in others if set(other.lessons) & set(action.lessons)]


def _promises(file: CoeFile, customers_hit: bool | None, notes: Notes) -> None:
    """R7, R8: customers who were hit read a promise with its date."""
    if customers_hit and file.actions and not any(action.promised for action in file.actions):
        text = (
            "customers were hit and nothing is promised to them; mark what the RCA may promise: (L1, mid, …, promised)"
        )
        notes.advise("nothing-promised", file.line("actions"), text)


def _texts(file: CoeFile) -> Iterator[tuple[int, str]]:
    """Yield everything the file says, with its line."""
    yield file.line("front"), " ".join([file.incident, file.team, file.subject, file.author, file.customers_hit])
    for number, line in enumerate(file.impact.split("\n")):
        yield file.line("story") + number, line
    for why in file.all_whys():
        yield why.line, f"{why.text} {why.reason}"
    for answer in file.detection:
        yield answer.line, answer.words
    for row in file.dependencies:
        fields = [row.name, row.promised, row.kept_words, row.our_use, row.failure_mode_words, row.smaller_blast_radius]
        yield row.line, " ".join(fields)
    for lesson in file.lessons:
        yield lesson.line, lesson.text
    for action in file.actions:
        yield action.line, " ".join([action.title, action.goal, action.validation, action.owner])


def _blame(file: CoeFile, notes: Notes) -> None:
    """R1: blameless; what was decided is shown with what was known then."""
    people = {
        name for name in [file.author, *(action.owner for action in file.actions)] if name and FILL_IN not in name
    }
    told = {finding.line for finding in notes.found if finding.code == "leaf-blames"}
    for line, text in _texts(file):
        if line not in told and (words := blames(text, people)):
            said = f"'{words}' blames; say what the person knew then, and what made it look right"
            notes.advise("blame", line, said)


def _left_open(file: CoeFile, notes: Notes) -> None:
    """What a draft left to its author."""
    for line, text in _texts(file):
        if FILL_IN in text:
            what = text[text.index(FILL_IN) + len(FILL_IN) :].split("]")[0].strip()
            notes.error("fill-in", line, f"fill in {what}" if what else "fill this in")
