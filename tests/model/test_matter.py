"""What every matter carries: as much as may be handed to its next run, and no word that the record lacks is lost."""

from model.policy import Policy
from model.reflect.rca import Rca
from tests.model.after import INCIDENT, plan
from tests.model.simulation import START

FEW = 20


def talkative(recorded: int) -> Rca:
    """Return a matter of 50 lines, as many of them recorded as said."""
    policy = Policy().overridden({"snapshot_timeline": FEW})
    it = Rca(id=f"{INCIDENT}/rca", incident=INCIDENT, plan=plan(), policy=policy)
    for number in range(50):
        it.say("rca", f"line {number}", now=START)
    it.recorded = recorded
    it.trim()
    return it


def test_the_last_lines_stay_as_many_as_the_policy_says() -> None:
    assert [entry.text for entry in talkative(recorded=50).timeline] == [f"line {n}" for n in range(50 - FEW, 50)]


def test_a_line_that_the_record_lacks_stays() -> None:
    assert talkative(recorded=10).timeline[0].seq == 11
