"""The real Request Tracker, as tests of every system see it."""

from typing import Any
from urllib.parse import quote

from activities.mirror import Mirror
from activities.tickets.request_tracker import RequestTrackerTickets
from tests.activities.tickets.rt_server import QUEUE, RequestTracker
from tests.activities.tickets.subjects import Losing, Shown


class RequestTrackerDesk:
    def __init__(self, there: RequestTracker) -> None:
        self.losing = Losing()
        self.mirror: Mirror = RequestTrackerTickets(there.url, there.token, QUEUE, poster=self.losing)
        self.there = there

    async def tickets(self, id: str) -> list[str]:
        query = quote(f"Subject LIKE '[{id}]'")
        found = (await self.there.root("GET", f"/tickets?query={query}&orderby=id")).json()
        return [item["id"] for item in found["items"]]

    async def shown(self, ticket: str) -> Shown:
        found = (await self.there.root("GET", f"/ticket/{ticket}")).json()
        first = (await self._contents(ticket, "Create"))[0]
        active = found["Status"] in ("new", "open", "stalled")
        return Shown(found["Subject"], first, active, [f"priority {found['Priority']}"])

    async def comments(self, ticket: str) -> list[str]:
        return await self._contents(ticket, "Comment")

    async def _contents(self, ticket: str, kind: str) -> list[str]:
        history = (await self.there.root("GET", f"/ticket/{ticket}/history?fields=Type&per_page=100")).json()
        found = []
        for item in history["items"]:
            if item["Type"] == kind:
                attachments = await self.there.root(
                    "GET", f"/transaction/{item['id']}/attachments?fields=Content,ContentType"
                )
                found.append(_plain(attachments.json()["items"]))
        return found

    async def comment(self, ticket: str, text: str) -> None:
        await self.there.root("POST", f"/ticket/{ticket}/comment", {"Content": text, "ContentType": "text/plain"})

    async def close(self, ticket: str) -> None:
        await self.there.root("PUT", f"/ticket/{ticket}", {"Status": "rejected"})

    async def delete(self, ticket: str) -> None:
        await self.there.root("PUT", f"/ticket/{ticket}", {"Status": "deleted"})

    async def linked(self, ticket: str) -> list[str]:
        found = (await self.there.root("GET", f"/ticket/{ticket}")).json()
        return [link["id"] for link in found["_hyperlinks"] if link["ref"] == "parent"]

    def loses_the_next_answer(self) -> None:
        self.losing.losses.append(True)


def _plain(attachments: list[dict[str, Any]]) -> str:
    """Return the one text of a transaction; whatever is not plain text would be shown as something else."""
    [text] = [one for one in attachments if one["Content"]]
    assert text["ContentType"] == "text/plain"
    return str(text["Content"])
