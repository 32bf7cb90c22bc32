"""Temporary patches: what removed the impact is somebody's, and is asked about until something replaces it (M1, R8)."""

from datetime import datetime

from model.engage import engagement
from model.incident import Incident, Phase
from model.matter import unique
from model.mitigate.proposals import Proposal

ASKED = (Phase.CLOSE, Phase.REFLECT)
"""Once the impact is gone, for as long as the incident is open."""
GONE = "withdrawn"


def in_force(incident: Incident) -> list[Proposal]:
    """Return the mitigations that hold, and that nothing has replaced yet."""
    return [p for p in incident.proposals if p.status == "executed" and p.verified_at and not p.replaced_by]


def owner_for(incident: Incident, proposal: Proposal) -> str:
    """Return whose a patch is: the proposer's or decider's of the team it belongs to, else that team's first."""
    of_team = engagement.members(incident, proposal.team) if proposal.team in incident.plan.teams else []
    known = [person for person in (proposal.proposed_by, proposal.decided_by) if person in of_team]
    return unique([*known, *of_team[:1], proposal.decided_by])[0]


def named(proposal: Proposal) -> str:
    """Return a patch in words: '2 (shift_away checkout-api/chk-17)'."""
    return f"{proposal.n} ({proposal.kind} {proposal.target})"


def successor(incident: Incident, proposal: Proposal) -> str:
    """Return the action item that is to replace a patch, in words; nothing where there is none."""
    found = [i for i in incident.items.values() if i.kind == "action" and i.patch == proposal.n and i.status != GONE]
    return f"action {found[0].n}, {found[0].title} ({found[0].owner})" if found else ""


def advance(incident: Incident, now: datetime) -> datetime | None:
    """Ask the owners of patches what replaces them; one that has a successor is asked for there.

    Returns:
        When the next one is due, or None.
    """
    if incident.phase not in ASKED:
        return None
    every = incident.policy.patch_every
    waiting = [patch for patch in in_force(incident) if not successor(incident, patch)]
    for owner in unique(patch.owner for patch in waiting):
        theirs = [patch for patch in waiting if patch.owner == owner]
        if any(patch.asked_at is None or patch.asked_at + every <= now for patch in theirs):
            _ask(incident, theirs, now)
    return min((patch.asked_at + every for patch in waiting if patch.asked_at), default=None)


def _ask(incident: Incident, patches: list[Proposal], now: datetime) -> None:
    """Ask an owner about all their patches at once."""
    for patch in patches:
        if patch.asked_at is None:
            text = f"patch {named(patch)}: in force {_since(patch)}, {patch.owner} owns it until something replaces it"
            incident.say("action", text, now=now)
        patch.asked_at = now
    theirs = "; ".join(f"patch {named(patch)}, in force {_since(patch)}" for patch in patches)
    how = f"Send `add_action` with `patch: {patches[0].n}`, or `stop` what is not needed any more."
    text = f"{incident.id}: temporary, and yours: {theirs}. What replaces it? {how}"
    engagement.tell(incident, _teams(incident, patches[0]), text, now, [patches[0].owner])


def _since(patch: Proposal) -> str:
    return f"since {patch.executed_at:%Y-%m-%d %H:%M} UTC" if patch.executed_at else "by now"


def _teams(incident: Incident, patch: Proposal) -> list[str]:
    return [patch.team or incident.plan.incident_response]


def replaced(incident: Incident, number: int, by: int, now: datetime) -> None:
    """Learn that what replaces a patch is validated: it may be taken away."""
    patch = next((p for p in in_force(incident) if p.n == number), None)
    if patch is None:
        return
    patch.replaced_by = by
    text = f"patch {named(patch)}: replaced by action {by}"
    incident.say("action", text, now=now)
    words = f"{incident.id}: {text}, which is validated. `stop` it, unless that has been done."
    engagement.tell(incident, _teams(incident, patch), words, now, [patch.owner])
