"""Doors of mitigation and verification: the ladder, and whether it works again (M0-M3)."""

from link import catalog as live
from model.incident import Incident
from model.mitigate import ladder, ladder_messages, recovery
from model.text import Refused
from workflows.door import door


def _not_somebody_elses(incident: Incident, said: ladder_messages.Propose) -> None:
    """Refuse to decide alone on a service this incident's plan does not know, but the catalogue does."""
    catalog = live.live()
    service = said.target.partition("@")[0].partition("/")[0]
    if said.go and catalog and service in catalog.services and service not in incident.plan.services:
        owner = catalog.services[service].team
        raise Refused(f"{service} belongs to {owner}: propose it without `go`, {owner} or incident response decides")


class Mitigate:
    """What people propose, decide and confirm."""

    propose = door(ladder_messages.Propose, ladder.propose, _not_somebody_elses)
    decide = door(ladder_messages.Decide, ladder.decide)
    stop = door(ladder_messages.Stop, ladder.stop)
    confirm_recovery = door(ladder_messages.ConfirmRecovery, recovery.confirm)
