"""Doors of the support desk and of forked calls (C5-C10)."""

from link import catalog as live
from model.coordinate import desk_messages, forks, support_rules
from model.coordinate.wording import Names, refuse_internal
from model.incident import Incident
from workflows.door import door


def _nothing_internal(incident: Incident, said: desk_messages.Notify) -> None:
    """Check against the whole catalogue: an incident's plan knows only the names of its own services."""
    if said.audience != "internal" and said.verdict != "hold":
        _refuse("\n".join([said.text, said.seeing, said.workaround, said.takes]))


def _nothing_internal_answered(incident: Incident, said: desk_messages.Inquire) -> None:
    _refuse(said.answer)


def _refuse(text: str) -> None:
    catalog = live.live()
    if catalog:
        refuse_internal(text, Names.of_catalog(catalog))


class Support:
    """What people tell the support desk, and let it tell."""

    fork = door(desk_messages.Fork, forks.fork)
    rejoin = door(desk_messages.Rejoin, forks.rejoin)
    relate = door(desk_messages.Relate, support_rules.relate)
    inquire = door(desk_messages.Inquire, support_rules.inquire, _nothing_internal_answered)
    sentiment = door(desk_messages.Sentiment, support_rules.sentiment)
    notify = door(desk_messages.Notify, support_rules.notify, _nothing_internal)
