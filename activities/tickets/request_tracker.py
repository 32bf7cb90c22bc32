"""Request Tracker follows the record: a ticket per matter, a comment per line (REST2, RT 5 and later)."""

from typing import Annotated, Final
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, Field

from activities import Failed
from activities.mirror import Gone, Held, Mirror, Place, Subject
from activities.posting import Poster
from activities.tickets.rest import Rest
from activities.tickets.telling import KINDS, facts, heading, title, told
from model.matter import Entry
from model.text import clean, cut

TITLE_LONGEST: Final = 200
"""Characters of a subject: RT cuts what is longer without a word."""
HISTORY_READ: Final = 100
"""Newest transactions among which a line is looked for: more than people make between a death and the restart."""
PRIORITY: Final = {1: 100, 2: 80, 3: 50, 4: 20, 5: 0}
"""Severity → RT's priority; with names in the place of numbers 100 is High, from 50 Medium, from 0 Low."""
DELETED: Final = "deleted"


class _Item(BaseModel):
    id: str


class _Titled(_Item):
    Subject: str = ""


class _Tickets(BaseModel):
    items: list[_Titled]


Number = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""A number, which RT writes with and without quotes."""


class _Link(BaseModel):
    ref: str
    id: Number = ""


class _Group(BaseModel):
    id: Number = ""


class _Ticket(BaseModel):
    id: Number
    Queue: _Group = _Group()
    Subject: str
    Status: str
    Priority: Number
    links: list[_Link] = Field(default=[], alias="_hyperlinks")

    @property
    def parents(self) -> list[str]:
        return [link.id for link in self.links if link.ref == "parent"]


class _Transaction(BaseModel):
    Type: str
    Data: str | None = ""


class _History(BaseModel):
    items: list[_Transaction]


class _Queue(BaseModel):
    Name: str
    links: list[_Link] = Field(default=[], alias="_hyperlinks")


class _Version(BaseModel):
    Version: str


class RequestTrackerTickets(Mirror):
    """Keeps a ticket per incident and action item in one queue. Everything is plain text, comments are internal."""

    name = "request_tracker"
    kinds = KINDS

    def __init__(
        self,
        url: str,
        token: str,
        queue: str,
        *,
        done: str = "resolved",
        reopened: str = "open",
        poster: Poster | None = None,
    ) -> None:
        """Work in a queue, as the owner of an authentication token.

        Args:
            url: Of RT, e.g. `https://rt.example.com`.
            token: An authentication token.
            queue: Name of the queue.
            done: The status of what is done.
            reopened: The status of what was done and is not any more.
            poster: How requests are sent.
        """
        self._url = url.rstrip("/")
        self._queue = queue
        self._done = done
        self._reopened = reopened
        self._inactive: dict[tuple[str, str], bool] = {}
        self._rest = Rest(
            "Request Tracker", self._url + "/REST/2.0", {"authorization": f"token {token}"}, (token,), poster
        )

    async def open(self, subject: Subject) -> Place:
        """Return our oldest ticket whose subject begins with the matter's id, or make one below its incident's.

        Raises:
            Failed: It could not be looked for, or made.
        """
        token = f"[{subject.id}]"
        quoted = token.replace("\\", "\\\\").replace("'", "\\'")
        found = await self._rest.ask(
            _Tickets,
            "GET",
            "/tickets",
            query=f"Subject LIKE '{quoted}' AND Creator = '__CurrentUser__'",
            fields="Subject",
            orderby="id",
            order="ASC",
        )
        mine = [ticket.id for ticket in found.items if ticket.Subject.startswith(token)]
        id = mine[0] if mine else await self._create(subject)
        return Place(id=id, url=f"{self._url}/Ticket/Display.html?id={quote(id)}")

    async def _create(self, subject: Subject) -> str:
        body = [
            clean(subject.body),
            "\n".join(f"{fact.name}: {fact.text} {fact.link}".rstrip() for fact in facts(subject)),
        ]
        ticket = {
            "Queue": self._queue,
            "Subject": _subject(subject),
            "Content": "\n\n".join(part for part in body if part),
            "ContentType": "text/plain",
            "Priority": PRIORITY[subject.severity],
            **({"MemberOf": subject.parent_place} if subject.parent_place else {}),
        }
        return (await self._rest.ask(_Item, "POST", "/ticket", ticket)).id

    async def show(self, place: Place, subject: Subject) -> None:
        """Bring subject, priority, status and parent up to date; a ticket that people merged into another is theirs.

        Raises:
            Failed: It was not taken; `Gone`, where the ticket is no more.
        """
        now = await self._ticket(place)
        if now.id != place.id:
            return
        wanted = {"Subject": _subject(subject), "Priority": str(PRIORITY[subject.severity])}
        if await self._is_done(now) is subject.open:
            wanted["Status"] = self._reopened if subject.open else self._done
        if not (change := _change(now, wanted, subject.parent_place)):
            return
        said = await self._rest.ask(list[str], "PUT", _path(place), change, place=_words(place))
        # RT answers 200 to what it does not do, in words of the user's language: only looking proves it.
        if refused := _change(await self._ticket(place), wanted, subject.parent_place):
            raise Failed(f"Request Tracker did not set {', '.join(refused)}: {cut('; '.join(said), 200)}", again=False)

    async def add(self, place: Place, entry: Entry, key: str) -> None:
        """Add an internal comment with the key as its subject, unless one of the newest has it.

        Raises:
            Failed: It was not taken; `Gone`, where the ticket is no more.
        """
        if not told(entry):
            return
        await self._ticket(place)
        newest = await self._rest.ask(
            _History,
            "GET",
            f"{_path(place)}/history",
            place=_words(place),
            fields="Type,Data",
            orderby="id",
            order="DESC",
            per_page=str(HISTORY_READ),
        )
        if any(one.Type == "Comment" and (one.Data or "").strip() == key for one in newest.items):
            return
        lines = [heading(entry), clean(entry.text), clean(entry.link)]
        comment = {"Subject": key, "Content": "\n".join(line for line in lines if line), "ContentType": "text/plain"}
        await self._rest.ask(list[str], "POST", f"{_path(place)}/comment", comment, place=_words(place))

    async def closed(self, place: Place) -> bool:
        """Return whether the status of the ticket is one of the inactive ones of its lifecycle.

        Raises:
            Failed: RT did not answer; `Gone`, where the ticket is no more.
        """
        return await self._is_done(await self._ticket(place))

    async def held(self, place: Place) -> Held:
        """Count the comments of a ticket.

        Raises:
            Failed: RT did not answer; `Gone`, where the ticket is no more.
        """
        ticket = await self._ticket(place)
        lines, page, items = 0, 1, [_Transaction(Type="")]
        while items:
            # RT says no total of a ticket's transactions.
            asked = {"fields": "Type", "per_page": str(HISTORY_READ), "page": str(page)}
            path = f"{_path(place)}/history"
            items = (await self._rest.ask(_History, "GET", path, place=_words(place), **asked)).items
            lines += sum(one.Type == "Comment" for one in items)
            page += 1
        return Held(name=_words(Place(id=ticket.id)), lines=lines)

    async def check(self) -> str:
        """Ask RT for its version with the token, and for the right to make tickets in the queue.

        Raises:
            Failed: With what to mend.
        """
        version = (await self._rest.ask(_Version, "GET", "/rt")).Version
        # RT answers 403 for a queue that is not there, too.
        queue = await self._rest.ask(_Queue, "GET", f"/queue/{quote(self._queue, safe='')}")
        if not any(link.ref == "create" for link in queue.links):
            raise Failed(f"the token's owner may not create tickets in {queue.Name}: grant CreateTicket", again=False)
        return f"Request Tracker {version} lets the token's owner create tickets in {queue.Name}"

    async def _ticket(self, place: Place) -> _Ticket:
        found = await self._rest.ask(_Ticket, "GET", _path(place), place=_words(place))
        if found.Status == DELETED:
            raise Gone(f"{_words(place)} was deleted in Request Tracker")
        return found

    async def _is_done(self, ticket: _Ticket) -> bool:
        """Whether a ticket's status is an inactive one: of each status RT is asked once, its lifecycle stays."""
        status = (ticket.Queue.id, ticket.Status)
        if status not in self._inactive:
            query = f"id = {int(ticket.id)} AND Status = '__Inactive__'"
            self._inactive[status] = bool((await self._rest.ask(_Tickets, "GET", "/tickets", query=query)).items)
        return self._inactive[status]


def _change(now: _Ticket, wanted: dict[str, str], parent: str) -> dict[str, str]:
    change = {name: value for name, value in wanted.items() if getattr(now, name) != value}
    return change | ({"AddMemberOf": parent} if parent and parent not in now.parents else {})


def _path(place: Place) -> str:
    return f"/ticket/{quote(place.id, safe='')}"


def _words(place: Place) -> str:
    return f"ticket {place.id}"


def _subject(subject: Subject) -> str:
    """Return a subject that begins with what the ticket is found again by."""
    token = f"[{subject.id}] "
    return token + title(subject, TITLE_LONGEST - len(token))
