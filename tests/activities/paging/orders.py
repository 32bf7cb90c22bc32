"""The page that every provider is given, and how one says that it did not take it."""

from datetime import UTC, datetime

import pytest

from activities import Failed
from activities.paging import Pager
from activities.paging.send import Paging
from model.catalogue.plan import Contact
from model.effects import Errand, Page

ID = "INC-20260302-7F3A"
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINK = "http://gate.test/i/INC-20260302-7F3A?t=ana.signed"
TEXT = f"SEV2 checkout-api eu-west error-rate 4%>1% 3 min, customers hit? unknown. Ack: {LINK} · else phone +15550009"
KEY = f"{ID}/page/ana/1"


def order(channel: str, address: str, severity: int = 2) -> Page:
    return Page(
        incident=ID, person="ana", name="Ana Ng", contact=Contact(channel=channel, address=address), team="checkout",
        level=1, severity=severity, service="checkout-api", region="eu-west", what="error-rate 4%>1%", opened_at=NINE,
        at=NINE,
    )  # fmt: skip


async def refused(pager: Pager, page: Page, text: str = TEXT) -> Failed:
    with pytest.raises(Failed) as caught:
        await pager.page(page, text, KEY)
    return caught.value


def activity_of(pager: Pager, page: Page) -> tuple[Paging, Errand[Page]]:
    """Return the activity over one pager, and the errand Temporal hands it again and again."""
    paging = Paging({page.contact.channel: pager}, pager, lambda incident, person: LINK)
    return paging, Errand[Page](key=KEY, order=page)
