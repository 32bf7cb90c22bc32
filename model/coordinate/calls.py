"""The calls of an incident: one for tech, one for support, one per fork, by template or static (C1, C5, C6).

A link with `{secret}` cannot be guessed from the incident's name. What it stands for is known to the signed page alone,
which fills it in: it is in no history, no record, no room and no message.
"""

from typing import Final

from model.catalogue.entries import CALL, INCIDENT, SECRET
from model.incident import Incident

TECH: Final = "tech"
SUPPORT: Final = "support"


def link(template: str, incident: str, call: str) -> str:
    """Return a call's link; `{secret}` stays as it is.

    Args:
        template: A link that may contain `{incident}`, `{call}` and `{secret}`.
        incident: Its id.
        call: `tech`, `support` or `fork-1`.
    """
    return template.replace(INCIDENT, incident).replace(CALL, call)


def sayable(link: str) -> str:
    """Return a link that may be written down; nothing where only the page may lead there."""
    return "" if SECRET in link else link


def place(link: str, call: str) -> tuple[str, str]:
    """Return where a call is: two calls of one place are the same."""
    return link, call if SECRET in link else ""


def tech(incident: Incident) -> str:
    """Return the link of the tech call (C1)."""
    return link(incident.plan.tech_call, incident.id, TECH)


def support(incident: Incident) -> str:
    """Return the link of the support call (C6)."""
    return link(incident.plan.support_call, incident.id, SUPPORT)


def fork(incident: Incident, number: int) -> str:
    """Return the link for a new fork (C5), which no other open fork has.

    The catalogue's links for forks are dealt out in turn. Without any, the tech call's template makes one, if it has a
    place for a name; a static tech call makes none, for that is the bridge that they leave.

    Returns:
        Nothing, where the team finds a call of its own.
    """
    call = fork_name(number)
    taken = {place(it.link, fork_name(it.n)) for it in incident.desk.open_forks}
    dealt = (link(template, incident.id, call) for template in incident.plan.fork_calls)
    if incident.plan.fork_calls:
        return next((made for made in dealt if place(made, call) not in taken), "")
    template = incident.plan.tech_call
    if CALL in template:
        return link(template, incident.id, call)
    # Two calls of one template without a place for their names are told apart by the incident's.
    return link(template, f"{incident.id}-{call}", call) if INCIDENT in template or SECRET in template else ""


def fork_name(number: int) -> str:
    """Return what a fork is called among the calls of its incident."""
    return f"fork-{number}"
