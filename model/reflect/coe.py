"""A COE on its way: assigned, written, checked, and reviewed level by level (R1, L1).

A text with errors comes back with them instead of being refused, so that the attempt leaves a trace. The actions of a
COE begin when its team accepts it; what a later level adds begins then.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel

from model.close.items import AcceptedAction, ActionsAccepted, Item
from model.coe.check import check
from model.coe.file import CoeFile, Finding, accepted_actions, why_reasons
from model.coe.parser import parse
from model.effects import Outcome
from model.matter import Act, unique
from model.messages import Answer
from model.policy import Policy
from model.reflect import after, after_messages
from model.reflect.after import After, Commit
from model.reflect.rca import check_draft, digest_of
from model.text import Refused, cut, one_line
from model.times import Moment, add_working_days

Status = Literal["assigned", "draft", "returned", "submitted", "reviewed"]
Level = Literal["team", "organisation", "operations"]
LEVELS: Final[tuple[Level, ...]] = ("team", "organisation", "operations")

REVIEWS_KEPT: Final = 30
REASONS_KEPT: Final = 30
REASON_LONGEST: Final = 300
"""Bytes of a root cause the incident shows; the COE itself has all of it."""
FINDINGS_SHOWN: Final = 50
"""Findings the incident shows, each shortened; they live in its state."""
FINDINGS_TOLD: Final = 5
"""Findings in the answer to who handed it in; the page has all of them."""


class Review(BaseModel):
    """What one level said."""

    at: Moment
    by: str
    level: Level
    verdict: Literal["accept", "return"]
    comments: str = ""
    draft: str = ""


class Coe(After):
    """Everything a COE's process knows.

    Attributes:
        assigned_at: When its author was asked.
        important: It goes on to the operational metrics meeting: severity 1 or 2, or customers were hit.
        customers_hit: How the incident knows that customers were hit.
        text: The text handed in last.
        findings: What the check found in it.
        level: The level that reviews it now.
        level_due_at: By when.
        rework_due_at: By when a returned one is due again.
        actions_begun: Titles of its actions that have begun.
    """

    subject: str = ""
    author: str = ""
    assigned_at: Moment | None = None
    due_at: Moment | None = None
    important: bool = False
    customers_hit: str = ""
    mitigated_by_hand: bool = False
    status: Status = "assigned"
    text: str = ""
    digest: str = ""
    submitted_at: Moment | None = None
    submitted_by: str = ""
    submissions: int = 0
    findings: list[Finding] = []
    why_reasons: list[str] = []
    level: Level | None = None
    level_due_at: Moment | None = None
    level_since: Moment | None = None
    rework_due_at: Moment | None = None
    reviews: list[Review] = []
    actions_begun: list[str] = []
    reviewed_at: Moment | None = None

    @property
    def holder(self) -> str:
        """Its author."""
        return self.author

    @property
    def name(self) -> str:
        """What people call it."""
        return f"COE of {self.team}{' ' + self.subject if self.subject else ''}"

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels it passes, in order: its team, the organisation, and when important the weekly meeting."""
        return LEVELS if self.important else LEVELS[:2]

    @property
    def deadline(self) -> datetime | None:
        """By when the next thing is owed: the text, the text again, or the review."""
        if self.status == "submitted":
            return self.level_due_at
        return None if self.status == "reviewed" else self.rework_due_at or self.due_at

    @property
    def errors(self) -> list[Finding]:
        """The findings that send it back."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def awaited(self) -> list[str]:
        """The reviewer while it is reviewed, else its author."""
        if self.status == "submitted":
            return after.manager(self)
        return [] if self.status == "reviewed" else [self.author]

    @property
    def asked_for(self) -> datetime | None:
        """Since when its review waits."""
        return self.level_since if self.status == "submitted" else None

    def as_item(self) -> Item:
        """Return how the incident knows it."""
        return Item(
            id=self.id,
            kind="coe",
            status=self.status,
            team=self.team,
            subject=self.subject,
            title=self.title,
            author=self.author,
            due_at=self.due_at,
            why_reasons=self.why_reasons,
            findings=[_briefly(finding) for finding in self.findings[:FINDINGS_SHOWN]],
            settled=self.status == "reviewed",
            revision=self.revision,
        )


# --- what time makes due ------------------------------------------------------------------------------


def advance(coe: Coe, now: datetime) -> datetime | None:
    """Do everything that is due; return when the next thing is."""
    if coe.begun_at is None:
        _opened(coe, now)
    due = [after.keep(coe)]
    if not coe.ended:
        _greet(coe, now)
        due += [after.refresh(coe, now), _remind(coe, now), _overdue(coe, now)]
    return min((at for at in due if at and at > now), default=None)


def _opened(coe: Coe, now: datetime) -> None:
    coe.assigned_at = coe.opened_at = coe.assigned_at or coe.opened_at or now
    coe.due_at = coe.due_at or due_for(coe, coe.assigned_at)
    after.begin(coe, now)


def due_for(coe: Coe, assigned_at: datetime) -> datetime:
    """Return by when it is due: sooner where the customers' RCA rests on it (design §5)."""
    if coe.customers_hit:
        return assigned_at + coe.policy.coe_due
    author = coe.plan.people.get(coe.author)
    return add_working_days(assigned_at, coe.policy.coe_due_without_rca, author.timezone if author else "UTC")


def _greet(coe: Coe, now: datetime) -> None:
    if after.may_greet(coe):
        coe.greeted = True
        text = f"{coe.incident}: you write the {coe.name}, due {_day(coe.due_at)}. It is not about blame."
        after.tell(coe, [coe.author], f"{text} Hand it in with `submit` to {coe.id}.", now)


def _remind(coe: Coe, now: datetime) -> datetime | None:
    due_now, later = after.soon(coe, now)
    if due_now:
        after.tell(coe, coe.awaited, f"{coe.id}: {_owed(coe)} by {_day(coe.deadline)}.", now)
    return later


def _owed(coe: Coe) -> str:
    if coe.status == "submitted":
        return f"the {coe.level} review of draft {coe.digest} is due"
    return "the returned text is due again" if coe.status == "returned" else "the text is due"


def _overdue(coe: Coe, now: datetime) -> datetime | None:
    """Ask the author, then the manager too; a review that waits is the manager's, then the call leaders'."""
    since = coe.deadline
    if since is None:
        return None
    this, due = after.round_due(coe, "overdue", since, now)
    if this is None:
        return due
    heard = list(coe.awaited)
    if this.with_manager:
        heard += coe.plan.call_leaders if coe.status == "submitted" else after.manager(coe)
    heard = unique(heard)
    after.tell(coe, heard, f"{coe.id}: {_owed(coe)} since {_day(since)}, {this.overdue}.", now)
    if this.worth_a_line:
        line = f"{coe.name}: {_owed(coe)} since {_day(since)} ({', '.join(heard)} asked)"
        after.report(coe, now, line, "overdue")
    return due


def effect_ended(coe: Coe, key: str, outcome: Outcome, now: datetime) -> None:
    """Take in how an owed effect went."""
    after.effect_ended(coe, key, outcome, now)


# --- what people say ------------------------------------------------------------------------------------


def submit(act: Act[Coe]) -> Commit:
    """Hand in the text: with errors it comes back with them, without it goes to its review."""
    message = act.message
    assert isinstance(message, after_messages.Submit)
    coe = act.matter
    _may(act, "submit")
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


def _briefly(finding: Finding) -> str:
    return f"{finding.level}: line {finding.line}: {cut(finding.text, 200)} ({finding.code})"


def _told(findings: list[Finding]) -> str:
    more = len(findings) - FINDINGS_TOLD
    said = "; ".join(f"line {finding.line}: {finding.text}" for finding in findings[:FINDINGS_TOLD])
    return f"{said}; and {more} more" if more > 0 else said


def _wait_for(coe: Coe, level: Level, now: datetime) -> None:
    if coe.level != level or coe.level_due_at is None:
        coe.level, coe.level_since, coe.level_due_at = level, now, review_due(coe.policy, level, now)
    text = f"{coe.id}: draft {coe.digest} waits for its {level} review by {_day(coe.level_due_at)}."
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
    _may(act, "review")
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
    text = f"{coe.id} was returned by {act.by}: {cut(said.comments, 500)}. It is due again {_day(coe.rework_due_at)}."
    after.tell(coe, [coe.author], text, act.now)
    return act.answer(f"returned to {coe.author}, due again {_day(coe.rework_due_at)}")


def _accepted(act: Act[Coe], said: Review) -> Answer:
    coe = act.matter
    begun = _begin_actions(act)
    tail = f"; {begun} actions begin" if begun else ""
    comments = f": {cut(said.comments, 500)}" if said.comments else ""
    following = coe.levels[LEVELS.index(said.level) + 1 :]
    if following:
        _say(act, f"accepted by the {said.level} review{comments}{tail}")
        _wait_for(coe, following[0], act.now)
        return act.answer(f"accepted; next is the {following[0]} review by {_day(coe.level_due_at)}{tail}")
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


# --- small words -----------------------------------------------------------------------------------------


def _may(act: Act[Coe], message: str) -> None:
    after.still_open(act.matter)
    after.require(act, message)


def _say(act: Act[Coe], text: str) -> None:
    after.report(act.matter, act.now, f"{act.matter.name}: {cut(text, 2000)}", "coe", act.by, act.claimed)


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "?"
