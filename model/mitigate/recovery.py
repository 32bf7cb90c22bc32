"""Verification from the customers' side: one yes confirms, one no goes back (M3)."""

from collections.abc import Callable

from model import phases
from model.engage.response import joined, still_open
from model.incident import Incident, Phase
from model.matter import Act
from model.messages import Answer
from model.mitigate import ladder_messages
from model.permissions import require
from model.text import Refused


def confirm(act: Act[Incident]) -> Callable[[], Answer]:
    """Take in whether a customer sees it working again."""
    message = act.message
    assert isinstance(message, ladder_messages.ConfirmRecovery)
    incident = act.matter
    still_open(incident)
    require(act, "confirm_recovery")
    whose = message.customer or message.source
    if not whose:
        raise Refused(f"say whose eyes saw it, `customer` or `source`: {message.example_json()}")

    def commit() -> Answer:
        joined(act)
        seen = "sees it working again" if message.recovered else "does not see it working again"
        text = f"{whose} {seen}{': ' + message.text if message.text else ''}"
        act.say("recovery", text)
        if message.recovered:
            incident.recovery_at = act.now
            incident.recovered_for = [*incident.recovered_for, whose][-50:]
            if not incident.in_alarm:
                incident.clear_since = incident.clear_since or act.now
            return act.answer("confirmed; verification passes when its window is over")
        phases.back_to_mitigate(incident, text, act.now)
        return act.answer(f"back to {Phase.MITIGATE}" if incident.phase == Phase.MITIGATE else "in the ticket")

    return commit
