"""What people say of an RCA: handed in, approved, recalled before it leaves (R7)."""

from model.coordinate.wording import Names, refuse_internal, reviewed
from model.matter import Act, unique
from model.messages import Answer
from model.reflect import after, after_messages
from model.reflect.after import Commit
from model.reflect.drafts import check_draft, digest_of
from model.reflect.rca import Rca, stand
from model.text import Refused, cut, one_line
from model.times import utc


def submit(act: Act[Rca]) -> Commit:
    """Hand in a draft; one that names internals is refused with the words found."""
    message = act.message
    assert isinstance(message, after_messages.Submit)
    rca = act.matter
    after.require(act, "submit")
    if rca.stage == "approved":
        raise Refused(f"{rca.id} is approved and leaves at {utc(rca.leaves_at)}: `recall` it first")
    if not message.text:
        raise Refused(_no_text(message.file))
    refuse_internal(message.text, Names.of_plan(rca.plan))

    def commit() -> Answer:
        rca.text, rca.digest = message.text, digest_of(message.text)
        rca.drafted_at, rca.drafted_by = act.now, act.by
        rca.author = rca.author or act.by
        stand(rca, "draft")
        size = len(message.text.encode())
        _say(act, f"draft {rca.digest} by {act.by}, {size} bytes")
        text = f"{rca.id}: a draft by {act.by} waits for you. Send `approve` with draft {rca.digest}, or talk to them."
        after.tell(rca, after.manager(rca), text, act.now)
        who = " or ".join(unique([*after.manager(rca), *rca.plan.call_leaders]))
        return act.answer(f"draft {rca.digest} waits for {who} to `approve`")

    return commit


def _no_text(file: str) -> str:
    named = f"{file}: " if file else ""
    return f"{named}the content belongs into `text`; `allclear` reads a file and sends what is in it"


def approve(act: Act[Rca]) -> Commit:
    """Approve the draft: it leaves when nobody recalls it in time."""
    message = act.message
    assert isinstance(message, after_messages.Approve)
    rca = act.matter
    after.require(act, "approve")
    if rca.stage == "approved":
        raise Refused(f"{rca.id} is approved by {rca.approved_by} already and leaves at {utc(rca.leaves_at)}")
    if not rca.text:
        raise Refused(f"{rca.id} has no draft yet; {', '.join(rca.writers) or 'its author'} can `submit` one")
    check_draft(message.draft, rca.digest)
    text = reviewed(rca.text, Names.of_plan(rca.plan), act.by)

    def commit() -> Answer:
        rca.approved, rca.text = text, ""
        rca.approved_at, rca.approved_by = act.now, act.by
        stand(rca, "approved")
        leaves = utc(rca.leaves_at)
        _say(act, f"approved draft {rca.digest}, leaves at {leaves}")
        support = after.first_level(rca, rca.plan.support)
        words = f"{rca.id} is approved by {act.by} and leaves at {leaves}, once; until then it can be recalled."
        after.tell(rca, [*rca.writers, *support], words, act.now)
        return act.answer(f"approved; it leaves at {leaves}, until then `recall` stops it")

    return commit


def recall(act: Act[Rca]) -> Commit:
    """Stop an approved text before it leaves; afterwards there is no second try."""
    message = act.message
    assert isinstance(message, after_messages.Recall)
    rca = act.matter
    after.require(act, "recall")
    if rca.stage != "approved" or rca.leaves_at is None or rca.approved is None:
        raise Refused(f"{rca.id} is {rca.stage}: nothing is about to leave")
    if rca.left_at or act.now >= rca.leaves_at:
        raise Refused(f"it left at {utc(rca.left_at or rca.leaves_at)}; there is no second try")
    text = rca.approved.external

    def commit() -> Answer:
        rca.text, rca.approved = text, None
        rca.approved_at, rca.approved_by = None, ""
        stand(rca, "recalled")
        _say(act, f"recalled: {message.reason}")
        words = f"{rca.id} was recalled by {act.by}: {cut(message.reason, 300)}. `submit` it anew, or `approve` it."
        after.tell(rca, [*rca.writers, *after.manager(rca)], words, act.now)
        return act.answer("recalled; nothing has left")

    return commit


def _say(act: Act[Rca], text: str) -> None:
    after.report(act.matter, act.now, f"RCA: {cut(one_line(text), 1000)}", "rca", act.by, act.claimed)
