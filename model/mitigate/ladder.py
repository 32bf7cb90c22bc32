"""Mitigating: the ladder, who decides, one running mitigation per target, what did not help (M0-M2, design §5)."""

from collections.abc import Callable
from datetime import datetime

from model.effects import Deployment, Execute, Outcome, PlanRequest
from model.engage import engagement, moves
from model.engage.response import joined, not_over, still_open
from model.incident import BEFORE_CLOSE, CALL_LEADERS, Incident, Phase
from model.matter import SYSTEM, Act, unique
from model.messages import Answer
from model.mitigate import ladder_messages, patches
from model.mitigate.proposals import Proposal
from model.permissions import INCIDENT_RESPONSE, LEADERS, require, standing
from model.text import Refused

Commit = Callable[[], Answer]


def propose(act: Act[Incident]) -> Commit:
    """Propose a step; on one's own service it may be decided in the same act."""
    message = act.message
    assert isinstance(message, ladder_messages.Propose)
    incident = act.matter
    still_open(incident)
    require(act, "propose")
    _preconditions(message)
    known = _open_one(incident, message.kind, message.target)
    proposal = known or _new(incident, message, act)
    if message.go:
        _may_decide(act, proposal, "approve")
        _free(incident, proposal)

    def commit() -> Answer:
        joined(act)
        if known is None:
            incident.proposals.append(proposal)
            if proposal.service not in incident.plan.services:
                incident.owe(PlanRequest(services=[proposal.service], at=act.now), now=act.now)
            act.say("proposed", f"{proposal.n}: {proposal.kind} {proposal.target}: {proposal.why}")
        elif known.suspicion and known.proposed_by == SYSTEM:
            known.proposed_by, known.why = act.by, message.why
            act.say("proposed", f"{known.n}: {known.kind} {known.target}: {message.why}")
        if message.go:
            return _approve(act, proposal, "")
        return act.answer(f"proposal {proposal.n} waits: {_who_decides(incident, proposal)}")

    return commit


def _preconditions(message: ladder_messages.Propose) -> None:
    """Ask for what a step of the ladder needs (M1); never for a cause (M0)."""
    if message.kind == "restart" and not message.set_aside:
        raise Refused("before a restart, isolate some nodes to keep their state: name them in `set_aside`")
    if message.kind in ("change_config", "roll_forward"):
        if not message.confidence:
            raise Refused(
                f"{message.kind} is a last resort: say in `confidence` what makes you certain; "
                "shift_away, roll_back and scale_up come first"
            )
        if message.go:
            raise Refused(f"{message.kind} takes a second person: propose it without `go`, they `decide`")


def _open_one(incident: Incident, kind: str, target: str) -> Proposal | None:
    wanted = (kind, target.casefold())
    waiting = (p for p in incident.proposals if p.status in ("waiting", "running"))
    return next((p for p in waiting if (p.kind, p.target.casefold()) == wanted), None)


def _new(incident: Incident, message: ladder_messages.Propose, act: Act[Incident]) -> Proposal:
    proposal = Proposal(
        n=len(incident.proposals) + 1,
        kind=message.kind,
        target=message.target,
        why=message.why,
        set_aside=message.set_aside,
        confidence=message.confidence,
        proposed_by=act.by,
        proposed_at=act.now,
    )
    planned = incident.plan.services.get(proposal.service)
    own = engagement.teams_of(incident, act.person)
    proposal.team = planned.team if planned else (own[0] if own else "")
    return proposal


def owners_known(incident: Incident) -> None:
    """Give proposals the owner of what they touch, now that the catalogue has said who it is."""
    for proposal in incident.proposals:
        planned = incident.plan.services.get(proposal.service)
        if planned and planned.known and proposal.status == "waiting":
            proposal.team = planned.team


def suspect(incident: Incident, ranked: list[Deployment], now: datetime) -> None:
    """Propose to roll the nearest deployments back; the rest is a list in the ticket (M2)."""
    for deployment in ranked[: incident.policy.suspicion_proposals]:
        target = f"{deployment.service}@{deployment.version}"
        if _open_one(incident, "roll_back", target) is None:
            planned = incident.plan.services.get(deployment.service)
            proposal = Proposal(
                n=len(incident.proposals) + 1,
                kind="roll_back",
                target=target,
                why="ran around the start",
                team=planned.team if planned else "",
                proposed_by=SYSTEM,
                proposed_at=now,
                suspicion=True,
            )
            incident.proposals.append(proposal)
            incident.say("proposed", f"{proposal.n}: roll_back {target}: {proposal.why}", now=now)
    waiting = _suspected(incident)
    if len(waiting) > 1:
        numbers = ", ".join(str(p.n) for p in waiting)
        incident.say("proposed", f"{numbers} at once: `decide` with `all: true`", now=now)
    if strangers := unique(p.service for p in waiting if p.service not in incident.plan.services):
        incident.owe(PlanRequest(services=strangers, at=now), now=now)


def _suspected(incident: Incident) -> list[Proposal]:
    """Return the deployments the system suspects and nobody has decided about."""
    return [p for p in incident.proposals if p.suspicion and p.status == "waiting"]


def decide(act: Act[Incident]) -> Commit:
    """Approve or reject a waiting proposal, or all suspected deployments at once."""
    message = act.message
    assert isinstance(message, ladder_messages.Decide)
    still_open(act.matter)
    if message.all:
        return _decide_all(act, message)
    proposal = _waiting(act.matter, message.proposal)
    _may_decide(act, proposal, message.verdict)
    if message.verdict == "approve":
        _free(act.matter, proposal)

    def commit() -> Answer:
        joined(act)
        if message.verdict == "approve":
            return _approve(act, proposal, message.reason)
        return _reject(act, proposal, message.reason)

    return commit


def _reject(act: Act[Incident], proposal: Proposal, reason: str) -> Answer:
    proposal.status, proposal.verdict = "rejected", "reject"
    proposal.decided_by, proposal.decided_at = act.by, act.now
    act.say("decided", f"{proposal.n}: rejected. {reason}".rstrip())
    return act.answer(f"proposal {proposal.n} is rejected")


def _decide_all(act: Act[Incident], message: ladder_messages.Decide) -> Commit:
    """Decide about every suspected deployment the sender may decide about: one decision brings everything back (M2).

    One target takes one mitigation at a time: where a service was deployed twice, the nearest is rolled back first.
    """
    incident = act.matter
    if message.proposal is not None:
        raise Refused("say either which `proposal`, or `all`")
    waiting = _suspected(incident)
    if not waiting:
        raise Refused(f"no suspected deployment waits for a decision ({incident.suspicion or 'none is known yet'})")
    mine = [p for p in waiting if _is_theirs(act, p)]
    if not mine:
        _may_decide(act, waiting[0], message.verdict)
    if message.verdict == "approve":
        mine = _one_each(incident, mine)
    left = [p for p in waiting if p not in mine]

    def commit() -> Answer:
        joined(act)
        for proposal in mine:
            if message.verdict == "approve":
                _approve(act, proposal, message.reason)
            else:
                _reject(act, proposal, message.reason)
        done = ", ".join(p.target for p in mine)
        tail = "; ".join(f"{p.n}, {p.target}, waits: {_who_decides(incident, p)}" for p in left)
        verdict = "rolled back" if message.verdict == "approve" else "rejected"
        return act.answer(f"{verdict}: {done}{'. ' + tail if tail else ''}")

    return commit


def _one_each(incident: Incident, proposals: list[Proposal]) -> list[Proposal]:
    busy = {p.service for p in incident.proposals if p.status == "running"}
    free: dict[str, Proposal] = {}
    for proposal in proposals:
        if proposal.service not in busy:
            free.setdefault(proposal.service, proposal)
    if not free:
        raise Refused(f"a mitigation of {', '.join(sorted(busy))} is running; `stop` it first")
    return list(free.values())


def _is_theirs(act: Act[Incident], proposal: Proposal) -> bool:
    """Whether the sender is of those who decide about a target."""
    held = standing(act.matter, act.person, proposal.team)
    return proposal.team in act.person.teams or bool({INCIDENT_RESPONSE, LEADERS} & held)


def _waiting(incident: Incident, number: int | None) -> Proposal:
    waiting = [p for p in incident.proposals if p.status == "waiting"]
    if number is None:
        by_people = [p for p in waiting if p.proposed_by != SYSTEM]
        candidates = by_people if len(by_people) == 1 else waiting
        if len(candidates) == 1:
            return candidates[0]
        listed = "; ".join(f"{p.n}: {p.kind} {p.target}" for p in waiting)
        every = ", or `all` suspected deployments" if len(_suspected(incident)) > 1 else ""
        which = f"say which `proposal`{every}: {listed}"
        raise Refused(which if waiting else "no proposal is waiting; `propose` one first")
    found = next((p for p in incident.proposals if p.n == number), None)
    if found is None:
        listed = ", ".join(str(p.n) for p in waiting) or "none"
        raise Refused(f"there is no proposal {number}; waiting are: {listed}")
    if found.status != "waiting":
        raise Refused(f"proposal {number} is {found.status}; propose it again if it is still wanted")
    return found


def _free(incident: Incident, proposal: Proposal) -> None:
    running = next((p for p in incident.proposals if p.status == "running" and p.service == proposal.service), None)
    if running is not None and running is not proposal:
        raise Refused(f"{running.kind} {running.target} is running (proposal {running.n}); `stop` it first")
    if proposal.status != "waiting":
        raise Refused(f"proposal {proposal.n} is {proposal.status}")


def _may_decide(act: Act[Incident], proposal: Proposal, verdict: str) -> None:
    if not _is_theirs(act, proposal):
        raise Refused(f"{act.by} may not decide on {proposal.target}: {_who_decides(act.matter, proposal)}")
    if proposal.last_resort and verdict == "approve":
        _second_person(act, proposal)


def _second_person(act: Act[Incident], proposal: Proposal) -> None:
    incident = act.matter
    if act.by == proposal.proposed_by:
        raise Refused(f"{proposal.kind} takes a second person: {_who_decides(incident, proposal)}")
    if act.claimed:
        raise Refused(
            "a name that was only typed is not enough for a last resort: decide through allclear or your link"
        )
    leaders = incident.engagements.get(CALL_LEADERS)
    if leaders is not None and leaders.acknowledged_at:
        if act.by not in incident.plan.call_leaders:
            raise Refused(f"a call leader is engaged and decides last resorts: {', '.join(incident.plan.call_leaders)}")
        return
    senior = act.by in incident.plan.call_leaders or act.by == engagement.manager(incident, proposal.team)
    if not senior and _level(incident, proposal.team, act.by) == _level(incident, proposal.team, proposal.proposed_by):
        raise Refused(f"{act.by} and {proposal.proposed_by} are of one level: {_who_decides(incident, proposal)}")


def _level(incident: Incident, team: str, person: str) -> int:
    planned = engagement.levels(incident, team) if team in incident.plan.teams else []
    return next((n for n, level in enumerate(planned) if person in level), -1)


def _who_decides(incident: Incident, proposal: Proposal) -> str:
    if proposal.last_resort:
        head = engagement.manager(incident, proposal.team)
        senior = ", ".join(p for p in [*incident.plan.call_leaders, head] if p)
        return f"a call leader, the manager or another level of {proposal.team or 'the team'} decides ({senior})"
    response = ", ".join(engagement.members(incident, incident.plan.incident_response)[:3])
    own = engagement.members(incident, proposal.team) if proposal.team in incident.plan.teams else []
    team = f"{proposal.team or 'its team'} ({', '.join(own[:4])})" if own else proposal.team or "its team"
    return f"{team}, incident response ({response}) or a call leader decides"


def _approve(act: Act[Incident], proposal: Proposal, reason: str) -> Answer:
    incident = act.matter
    proposal.status, proposal.verdict = "running", "approve"
    proposal.decided_by, proposal.decided_at = act.by, act.now
    proposal.owner = patches.owner_for(incident, proposal)
    act.say("decided", f"{proposal.n}: {proposal.kind} {proposal.target}. {reason}".rstrip(". "))
    order = Execute(
        incident=incident.id,
        proposal=proposal.n,
        kind=proposal.kind,
        target=proposal.target,
        set_aside=proposal.set_aside,
        at=act.now,
        test=incident.test,
    )
    proposal.key = incident.owe(order, now=act.now, key=f"{incident.id}/execute/{proposal.n}")
    if incident.phase in (Phase.ENGAGE, Phase.COORDINATE):
        moves.enter(incident, Phase.MITIGATE, act.now)
    return act.answer(f"{proposal.kind} {proposal.target} goes ahead")


def stop(act: Act[Incident]) -> Commit:
    """Stop a mitigation, also a patch that is not needed any more; anybody engaged may, as stopping early is cheap."""
    message = act.message
    assert isinstance(message, ladder_messages.Stop)
    incident = act.matter
    not_over(incident)
    require(act, "stop")
    active = [p for p in incident.proposals if p.status in ("running", "executed")]
    found = next((p for p in active if p.n == message.proposal), None)
    if message.proposal is None and len(active) == 1:
        found = active[0]
    if found is None:
        listed = "; ".join(f"{p.n}: {p.kind} {p.target}" for p in active) or "none"
        raise Refused(f"say which `proposal` to stop; running or executed are: {listed}")
    stopped = found

    def commit() -> Answer:
        if not incident.closed_at:
            joined(act)
        stopped.status, stopped.failed = "stopped", message.reason
        act.say("stopped", f"{stopped.n}: {stopped.kind} {stopped.target}: {message.reason}")
        incident.owed.pop(stopped.key, None)
        order = Execute(
            incident=incident.id,
            proposal=stopped.n,
            kind=stopped.kind,
            target=stopped.target,
            undo=True,
            at=act.now,
            test=incident.test,
        )
        incident.owe(order, now=act.now, key=f"{incident.id}/undo/{stopped.n}")
        return act.answer(f"proposal {stopped.n} is stopped")

    return commit


def execution_ended(incident: Incident, order: Execute, outcome: Outcome, now: datetime) -> None:
    """Take in how running a step went."""
    proposal = incident.proposals[order.proposal - 1]
    name = f"{proposal.n}: {proposal.kind} {proposal.target}"
    if order.undo:
        said = "undone" if outcome.ok else f"could not be undone: {outcome.reason}"
        incident.say("stopped", f"{name} {said}", now=now)
    elif outcome.ok and proposal.status == "running":
        proposal.status, proposal.executed_at = "executed", now
        incident.say("executed", name, now=now)
        if not incident.in_alarm:
            incident.clear_since = incident.clear_since or now
    elif proposal.status == "running":
        proposal.status, proposal.failed = "failed", outcome.reason
        incident.say("executed", f"{name} could not be run: {outcome.reason}", now=now)


def advance(incident: Incident, now: datetime) -> datetime | None:
    """Let old proposals expire, say what was run and did not help, and ask the owners of what holds.

    Returns:
        When the next one is due, or None.
    """
    owners_known(incident)
    asked = patches.advance(incident, now)
    due = [asked] if asked else []
    for proposal in incident.proposals:
        if proposal.status == "waiting":
            last = proposal.proposed_at + incident.policy.proposal_expires
            if incident.phase not in BEFORE_CLOSE or last <= now:
                proposal.status = "expired"
                if not proposal.suspicion:
                    incident.say("expired", f"{proposal.n}: {proposal.kind} {proposal.target}", now=now)
            else:
                due.append(last)
        elif proposal.status == "executed" and proposal.executed_at and incident.in_alarm:
            last = proposal.executed_at + incident.policy.clear_within
            if last <= now and not proposal.verified_at:
                proposal.status = "failed"
                proposal.failed = "the alarms did not clear"
                minutes = int(incident.policy.clear_within.total_seconds() // 60)
                text = f"{proposal.n}: {proposal.kind} {proposal.target} has not cleared the alarms in {minutes} min"
                incident.say("verification_failed", text, now=now)
            elif last > now:
                due.append(last)
    return min(due, default=None)
