"""A campaign: one lesson brought to everybody it concerns, and measured until it has arrived (L3).

What people may say of it is in `campaign_rules`, what time and measurements do to it in `campaign_course`.
"""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel

from model.close.items import Item
from model.learn.campaign_messages import Rung
from model.reflect import after
from model.reflect.after import After
from model.text import cut, one_line
from model.times import Moment

RUNGS: Final[dict[Rung, str]] = {
    "education": "people know it, and how it is done",
    "distributed": "everybody acts, by a date, the most exposed first",
    "centralized": "a new default, nobody has to act; begun slowly and tested, then faster",
}
"""The rungs in their order, in words."""

Status = Literal["running", "stalled", "done", "finished"]
"""`done` was measured, `finished` was said by a person."""


class Reading(BaseModel):
    """One measurement: how much was still to go."""

    at: Moment
    value: float
    source: str = ""


class Campaign(After):
    """Everything a campaign knows.

    Attributes:
        target: What is to be left to go, at most, in the metric's own measure, 0 to 1.
        rung_since: When it came to its rung.
        values: Measurements by time: the first, the worst, and the last ones.
        started_value: The first one: 100 %, those affected at the start.
        mark: The value at which progress was seen last, and `progressed_at` when.
        stalled_at: Since when it has been known to stall.
        unread: Measurements that could not be read.
    """

    slug: str
    lesson: str = ""
    metric: str = ""
    target: float = 0
    owner: str = ""
    status: Status = "running"
    due_at: Moment
    rung: Rung = "education"
    rung_since: Moment | None = None
    values: list[Reading] = []
    started_value: float | None = None
    mark: float | None = None
    progressed_at: Moment | None = None
    stalled_at: Moment | None = None
    finished_at: Moment | None = None
    unread: int = 0
    unread_said_at: Moment | None = None

    @property
    def holder(self) -> str:
        """Its owner."""
        return self.owner

    @property
    def name(self) -> str:
        """What people call it."""
        return f"campaign {self.slug}"

    @property
    def deadline(self) -> datetime | None:
        """By when its target is to be reached."""
        return None if self.ended else self.due_at

    @property
    def awaited(self) -> list[str]:
        """Its owner, while it stalls."""
        return [self.owner] if self.status == "stalled" else []

    @property
    def asked_for(self) -> datetime | None:
        """Since when its owner is asked to move it up."""
        return self.stalled_at

    @property
    def latest(self) -> Reading | None:
        """The newest measurement."""
        return self.values[-1] if self.values else None

    @property
    def next_rung(self) -> Rung | None:
        """The rung above; None on the last one."""
        order = list(RUNGS)
        above = order[order.index(self.rung) + 1 :]
        return above[0] if above else None

    def of_start(self, value: float) -> float:
        """Return a value as a part of those affected at the start."""
        return value / self.started_value if self.started_value else value

    def as_item(self) -> Item:
        """Refuse: incidents keep COEs, RCAs and action items; a campaign outlives them and belongs to its owner."""
        raise TypeError("an incident keeps no campaigns")


def percent(part: float) -> str:
    """Return a part as people read it: `34 %`, `0.5 %`."""
    digits = 1 if part < 0.1 else 0
    return f"{100 * part:.{digits}f}".removesuffix(".0") + " %"


def in_words(rung: Rung) -> str:
    """Return a rung with what it means."""
    return f"{rung} ({RUNGS[rung]})"


def id_of(slug: str) -> str:
    """Return a campaign's workflow id."""
    return f"campaign/{slug}"


def standing(campaign: Campaign) -> str:
    """Return how much is still to go."""
    latest = campaign.latest
    if latest is None:
        return f"not measured yet, target {percent(campaign.target)}"
    part = percent(campaign.of_start(latest.value))
    return f"{percent(latest.value)} still to go ({part} of the start), target {percent(campaign.target)}"


def progressed(campaign: Campaign, value: float | None, at: datetime) -> None:
    """Count from here on whether it moves."""
    campaign.mark, campaign.progressed_at = value, at
    campaign.status, campaign.stalled_at = "running", None


def end(
    campaign: Campaign, status: Literal["done", "finished"], line: str, now: datetime, by: str, claimed: bool = False
) -> None:
    """End it, and tell who is concerned."""
    campaign.status, campaign.finished_at, campaign.stalled_at = status, now, None
    campaign.ended = True
    campaign.say("campaign", f"{status}: {line}", now=now, by=by, claimed=claimed)
    response = after.first_level(campaign, campaign.plan.incident_response)
    text = f"{campaign.id} is {status}: {shortened(line)}"
    after.tell(campaign, [campaign.owner, *after.manager(campaign), *response], text, now)


def tell(campaign: Campaign, text: str, now: datetime) -> None:
    """Tell its owner and the manager of their team."""
    after.tell(campaign, [campaign.owner, *after.manager(campaign)], text, now)


def shortened(text: str) -> str:
    """Return a text as one line of bearable length."""
    return cut(one_line(text), 300)


def day(at: datetime) -> str:
    """Return the day of a moment."""
    return f"{at:%Y-%m-%d}"
