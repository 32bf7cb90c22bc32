"""What a provider answers, seen from the incident: the next channel is used at once, and the timeline says so."""

from datetime import timedelta
from typing import Any

import pytest

from activities.paging.pagerduty import PagerDutyPager
from activities.posting import Poster
from model.effects import Outcome, Page
from tests.activities.paging.orders import activity_of, order
from tests.activities.paging.provider import HANGS, Provider, Says, serving
from tests.model.simulation import Simulation


class Night(Simulation):
    """A night in which the first channel of everybody goes as it went with a real provider."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome

    def _perform(self, order: Any) -> Outcome:
        first = isinstance(order, Page) and order.contact.channel == "email"
        return self.outcome if first else super()._perform(order)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (Says(429, "", {"retry-after": "3600"}), "answered 429, and wants 1h of rest"),
        (Says(400, '{"errors": ["Invalid routing key"]}'), "Invalid routing key"),
        (Says(200, "<html>Sign in</html>"), "this is not PagerDuty"),
        (Says(500), "answered 500"),
        (HANGS, "gave no answer within 0.2s"),
    ],
)
async def test_however_a_channel_fails_the_next_is_used_at_once_and_the_timeline_says_why(
    says: Says, words: str
) -> None:
    async with serving(Provider(says)) as provider:
        pager = PagerDutyPager(
            {"checkout": "e93facc04764012d7bfb002500d5d1a6"}, provider.url, Poster(within=timedelta(seconds=0.2))
        )
        paging, errand = activity_of(pager, order("pagerduty", "checkout"))
        outcome = await paging.page(errand)
    night = Night(outcome)
    night.alarm("checkout-api", severity=2)
    assert night.paged("ana") == [("0m", "sms")]
    [line] = night.said("fallback")
    assert words in line
    assert "next: sms" in line
