"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """How often, how long, how many.

    Attributes:
        singles: Alarms one at a time, each beside one floor.
        rounds: Turns that ours and the floor take, where it is a rate.
        seconds: How long a turn lasts at `per_second`.
        teams: Teams of the big event, with `on_call` people each.
        signals: Signals of one turn of the intake.
        changes: Real changes of one turn of the intake.
        decisions: Changes decided, each timed alone, while so many alarms are `standing`.
        later: Seconds after which a worse incident opens, in the middle of the big one.
        known: Alarms that stand before a storm.
        storm: Alarms of a storm of `storm_seconds`, `storm_changes` of them changes of state.
        scenarios: How many drills.
    drills: How often each is played.
    quiet: Seconds without a new event that count as rest, in the big event.
    """

    singles: int = 80
    rounds: int = 3
    seconds: float = 5.0
    per_second: int = 20
    teams: int = 200
    on_call: int = 5
    signals: int = 1000
    changes: int = 200
    decisions: int = 1000
    standing: tuple[int, ...] = (300, 1000)
    later: float = 3.0
    known: int = 200
    storm: int = 100_000
    storm_changes: int = 300
    storm_seconds: float = 60.0
    scenarios: int = 2
    drills: int = 3
    quiet: float = 2.0


FULL = Scale()
QUICK = Scale(
    singles=3,
    rounds=1,
    seconds=0.5,
    per_second=10,
    teams=4,
    on_call=2,
    signals=40,
    changes=10,
    decisions=20,
    standing=(30,),
    later=0.3,
    known=40,
    storm=2_000,
    storm_changes=20,
    storm_seconds=1.2,
    scenarios=1,
    drills=1,
    quiet=0.3,
)
"""Only shows that everything still runs; its numbers mean nothing."""
