"""People know what no rule saw: several events are one, or a service is no part of an event (D3)."""

from datetime import datetime

from model import messages
from model.detect import opening, routing
from model.detect.partition import Arrived, Detection, Known
from model.messages import Answer
from model.text import Refused


def merge(state: Detection, said: messages.Merge, now: datetime) -> Answer:
    """Make one event of several; the oldest takes the others in.

    Raises:
        Refused: One is not open here, or they are one already.
    """
    target, *others = _named(state, said)
    reason = f"{said.by}: {said.reason}"
    routing.take_in(state, target, others, reason, now)
    return Answer(incident=target.id, at=now, text=f"{', '.join(k.id for k in others)}: part of {target.id} now")


def refuse_merge(state: Detection, said: messages.Merge) -> list[str]:
    """Return the services of the incidents to be merged.

    Raises:
        Refused: One is not open here, or they are one already.
    """
    return [service for known in _named(state, said) for service in known.services]


def _named(state: Detection, said: messages.Merge) -> list[Known]:
    """Return the incidents meant, the oldest first; a full response before the others."""
    found = {known.id: known for known in (_one(state, name) for name in said.incidents)}
    if len(found) < 2:
        raise Refused(f"these are one incident, {next(iter(found))}: name at least two")
    if len({known.test for known in found.values()}) > 1:
        raise Refused("a test and a real incident are never one")
    return sorted(found.values(), key=lambda k: (k.kind != "multi_service", k.opened_at, k.id))


def _one(state: Detection, name: str) -> Known:
    """Return the open incident that an id, or its last four or more characters, names."""
    wanted = name.strip().upper()
    open_ones = [known for known in state.incidents.values() if opening.is_open(known)]
    found = [known for known in open_ones if known.id == wanted or (len(wanted) >= 4 and known.id.endswith(wanted))]
    if len(found) == 1:
        return found[0]
    there = ", ".join(known.id for known in open_ones) or "none"
    raise Refused(f"'{name}' names {len(found)} of the incidents that are open in {state.partition}; open are: {there}")


def split(state: Detection, said: messages.Split, now: datetime) -> Answer:
    """Give a service an incident of its own.

    Raises:
        Refused: It is not part of an event with others.
    """
    event = refuse_split(state, said)
    name = opening.new_id(state, now)
    state.inbox.append(Arrived(at=now, split=said, declared_as=name))
    return Answer(incident=name, at=now, text=f"{said.service} leaves {event.id} and is {name} now")


def refuse_split(state: Detection, said: messages.Split) -> Known:
    """Return the event a service is part of.

    Raises:
        Refused: It is not part of an event with others.
    """
    event = opening.covering(state, said.service, said.test)
    if event is None or not opening.is_open(event):
        raise Refused(f"{said.service} is part of no open incident in {state.partition}")
    if len(event.services) < 2:
        raise Refused(f"{said.service} is all there is in {event.id}: nothing can be split off")
    return event
