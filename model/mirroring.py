"""What outside follows the record: owed behind each of its batches, and in the way of nothing (C1, C4, design §6.1)."""

from datetime import datetime

from model.effects import Follow, Outcome, Owed, failed
from model.matter import Matter


def owe(matter: Matter, systems: list[str], now: datetime) -> None:
    """Owe each system the lines that the record has; those that come within a rest are brought together."""
    for system in systems:
        key = f"{matter.id}/mirror/{system}"
        owed = matter.owed.get(key)
        if owed and isinstance(owed.order, Follow):
            owed.order.upto = matter.recorded
        else:
            order = Follow(matter=matter.id, system=system, upto=matter.recorded)
            matter.owed[key] = Owed(order=order, since=now, retry_at=now + matter.policy.mirror_rest)


def closed_by_people(system: str) -> str:
    """Return what is said, once per matter, when people close a ticket whose matter is not over."""
    return f"people closed it in {system}, but here it is still open, so it is opened again there: it ends here first"


def ended(matter: Matter, key: str, outcome: Outcome, now: datetime) -> None:
    """Take in how far a system was brought. One that is behind for long, or for good, is said once."""
    owed = matter.owed.get(key)
    if owed is None or not isinstance(owed.order, Follow):
        return
    if outcome.link:
        matter.say("linked", f"followed in {owed.order.system}", link=outcome.link, now=now)
    words = closed_by_people(owed.order.system)
    if outcome.closed and not any(entry.what == "linked" and entry.text == words for entry in matter.timeline):
        matter.say("linked", words, link=outcome.closed, now=now)
    if not outcome.ok:
        failed(owed, outcome, matter.policy, now)
        if owed.tries == (matter.policy.mirror_patience if outcome.again else 1):
            matter.say("fallback", f"{owed.order.system} does not follow: {outcome.reason}", now=now)
    elif outcome.upto >= owed.order.upto:
        del matter.owed[key]
    else:
        owed.tries, owed.error, owed.retry_at = 0, "", now + matter.policy.mirror_rest
