"""What people say of a COE: handed in, and reviewed level by level (R1, L1).

A text with errors comes back with them instead of being refused, so that the attempt leaves a trace. The actions of a
COE begin when its team accepts it; what a later level adds begins then.
"""

from datetime import datetime, timedelta
from typing import Final

from model.close.items import AcceptedAction, ActionsAccepted
from model.coe.check import check
from model.coe.file import CoeFile, Finding, accepted_actions, why_reasons
from model.coe.parser import parse
from model.matter import Act
from model.messages import Answer
from model.policy import Policy
from model.reflect import after, after_messages
from model.reflect.after import Commit
from model.reflect.coe import LEVELS, Coe, Level, Review
from model.reflect.drafts import check_draft, digest_of
from model.text import Refused, cut, one_line
from model.times import utc

REVIEWS_KEPT: Final = 30
REASONS_KEPT: Final = 30
REASON_LONGEST: Final = 300
"""Bytes of a root cause the incident shows; the COE itself has all of it."""
FINDINGS_TOLD: Final = 5
"""Findings in the answer to who handed it in; the page has all of them."""


def submit(act: Act[Coe]) -> Commit:
    """Hand in the text: with errors it comes back with them, without it goes to its review."""
    message = act.message
    assert isinstance(message, after_messages.Submit)
    coe = act.matter
    after.require(act, "submit")
    if not message.text:
        named = f"{message.file}: " if message.file else ""
        raise Refused(f"{named}the content belongs into `text`; `allclear` reads a file and sends what is in it")

    if message.draft and coe.status not in ("assigned", "draft"):
        raise Refused(f"{coe.id} is {coe.status}: a draft comes before it is handed in; leave `draft` out")

    def commit() -> Answer:
        file = _take(act, message.text)
        errors = coe.errors
        if message.draft:
            coe.status = "draft"
            _say(act, f"draft {coe.digest} by {act.by}, not handed in yet")
            found = f"{len(errors)} errors, {len(coe.findings) - len(errors)} hints"
            return act.answer(f"draft {coe.digest} is kept; {found}: {_told(coe.findings) or 'it can be handed in'}")
        if errors:
            coe.status = "returned"
            if coe.level_due_at:
                coe.level_due_at, coe.rework_due_at = None, act.now + coe.policy.coe_rework
            _say(act, f"draft {coe.digest} by {act.by} returned, {len(errors)} errors: {_told(errors)}")
            return act.answer(f"returned with {len(errors)} errors: {_told(errors)}")
        coe.status, coe.rework_due_at = "submitted", None
        _say(act, f"draft {coe.digest} by {act.by}, {len(file.actions)} actions, {len(coe.findings)} hints")
        _wait_for(coe, coe.level or "team", act.now)
        hints = f" Hints for it: {_told(coe.findings)}" if coe.findings else ""
        return act.answer(f"draft {coe.digest} waits for its {coe.level} review.{hints}")

    return commit


def _take(act: Act[Coe], text: str) -> CoeFile:
    """Read and check a text, and keep it with what was found."""
    coe = act.matter
    file, unread = parse(text)
    hit, by_hand = bool(coe.customers_hit), coe.mitigated_by_hand
    judged = check(file, customers_hit=hit, mitigated_by_hand=by_hand, policy=coe.policy)
    coe.text, coe.digest = text, digest_of(text)
    coe.submitted_at, coe.submitted_by = act.now, act.by
    coe.submissions += 1
    coe.findings = sorted([*unread, *judged, *_strangers(coe, file)], key=lambda finding: finding.line)
    coe.why_reasons = [cut(one_line(reason), REASON_LONGEST) for reason in why_reasons(file)[:REASONS_KEPT]]
    return file


def _strangers(coe: Coe, file: CoeFile) -> list[Finding]:
    """Say which owners nobody here knows: they would not hear that something is theirs."""
    known = "somebody of the teams that were there is known; others by `hand_over` with their team"
    return [
        Finding(
            level="advice",
            line=action.line,
            code="owner-unknown",
            text=f"{action.id}: '{cut(action.owner, 60)}' is nobody of this incident: {known}",
        )
        for action in file.actions
        if action.owner and coe.plan.person(action.owner) is None
    ]


def _told(findings: list[Finding]) -> str:
    more = len(findings) - FINDINGS_TOLD
    said = "; ".join(f"line {finding.line}: {finding.text}" for finding in findings[:FINDINGS_TOLD])
    return f"{said}; and {more} more" if more > 0 else said


def _wait_for(coe: Coe, level: Level, now: datetime) -> None:
    if coe.level != level or coe.level_due_at is None:
        coe.level, coe.level_since, coe.level_due_at = level, now, review_due(coe.policy, level, now)
    text = f"{coe.id}: draft {coe.digest} waits for its {level} review by {utc(coe.level_due_at)}."
    after.tell(coe, after.manager(coe), f"{text} Send `review`.", now)


def review_due(policy: Policy, level: Level, now: datetime) -> datetime:
    """Return by when a level reviews what reaches it now; the weekly meeting, by the end of its next day."""
    if level == "team":
        return now + policy.coe_review_team
    if level == "organisation":
        return now + policy.coe_review_organisation
    days = (policy.operations_weekday - now.weekday() - 1) % 7 + 1
    return (now + timedelta(days=days + 1)).replace(hour=0, minute=0, second=0, microsecond=0)


def review(act: Act[Coe]) -> Commit:
    """Accept it, or return it with comments, at the level that waits."""
    message = act.message
    assert isinstance(message, after_messages.Review)
    coe = act.matter
    after.require(act, "review")
    if coe.status != "submitted" or coe.level is None:
        raise Refused(f"{coe.id} is {coe.status}: {coe.author} is to `submit` it first")
    level = coe.level
    if message.level and message.level != level:
        raise Refused(f"the {level} review comes first; {message.level} is {_when(coe, message.level)}")
    if message.verdict == "return" and not message.comments:
        raise Refused("say in `comments` what is to change")
    check_draft(message.draft, coe.digest)

    def commit() -> Answer:
        said = Review(
            at=act.now, by=act.by, level=level, verdict=message.verdict, comments=message.comments, draft=coe.digest
        )
        coe.reviews = [*coe.reviews, said][-REVIEWS_KEPT:]
        return _accepted(act, said) if said.verdict == "accept" else _returned(act, said)

    return commit


def _when(coe: Coe, level: Level) -> str:
    if level not in coe.levels:
        return "not needed: it is not important enough for the weekly meeting"
    return "done" if LEVELS.index(level) < LEVELS.index(coe.level or "team") else "after it"


def _returned(act: Act[Coe], said: Review) -> Answer:
    coe = act.matter
    coe.status = "returned"
    coe.level_due_at = coe.level_since = None
    coe.rework_due_at = act.now + coe.policy.coe_rework
    _say(act, f"returned by the {said.level} review: {cut(said.comments, 500)}")
    text = f"{coe.id} was returned by {act.by}: {cut(said.comments, 500)}. It is due again {utc(coe.rework_due_at)}."
    after.tell(coe, [coe.author], text, act.now)
    return act.answer(f"returned to {coe.author}, due again {utc(coe.rework_due_at)}")


def _accepted(act: Act[Coe], said: Review) -> Answer:
    coe = act.matter
    begun = _begin_actions(act)
    tail = f"; {begun} actions begin" if begun else ""
    comments = f": {cut(said.comments, 500)}" if said.comments else ""
    following = coe.levels[LEVELS.index(said.level) + 1 :]
    if following:
        _say(act, f"accepted by the {said.level} review{comments}{tail}")
        _wait_for(coe, following[0], act.now)
        return act.answer(f"accepted; next is the {following[0]} review by {utc(coe.level_due_at)}{tail}")
    coe.status, coe.reviewed_at = "reviewed", act.now
    coe.level = coe.level_due_at = coe.level_since = None
    coe.ended = True
    _say(act, f"accepted by the {said.level} review{comments}{tail}; it is reviewed")
    after.tell(coe, [coe.author], f"{coe.id} is reviewed. Thank you.", act.now)
    return act.answer(f"accepted: {coe.id} is reviewed{tail}")


def _begin_actions(act: Act[Coe]) -> int:
    """Let the actions begin that have not yet, and return how many."""
    coe = act.matter
    new: list[AcceptedAction] = []
    for action in accepted_actions(parse(coe.text)[0]):
        title = one_line(action.title).casefold()
        if title not in coe.actions_begun:
            coe.actions_begun.append(title)
            person = coe.plan.person(action.owner)
            new.append(action.model_copy(update={"owner": person.id}) if person else action)
    if new:
        accepted = ActionsAccepted(coe=coe.id, by=act.by, actions=new)
        after.signal(coe, coe.incident, "actions_accepted", accepted.model_dump(mode="json"), act.now)
    return len(new)


def _say(act: Act[Coe], text: str) -> None:
    after.report(act.matter, act.now, f"{act.matter.name}: {cut(text, 2000)}", "coe", act.by, act.claimed)
