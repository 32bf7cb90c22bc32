"""Who is on call, at a moment: the one place that turns a team's rota into people."""

from datetime import datetime

from model.catalogue.entries import Team


def levels_at(team: Team, at: datetime) -> list[list[str]]:
    """List the escalation levels of a team at a moment, each a list of person ids, first come first woken.

    Args:
        team: The team as the catalogue knows it.
        at: The moment asked for. Levels are plain lists today and the same at any time; rotations and
            calendars will be resolved here, and nowhere else.
    """
    del at
    return [list(dict.fromkeys(level)) for level in team.on_call]
