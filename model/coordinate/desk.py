"""The support desk of an incident: what customers were told, what they say, and what was promised to them (C3-C10).

Data only. Rules over it: `model.coordinate.support` (the clock), `model.coordinate.drafts` (from a draft to a message),
`model.coordinate.support_rules` (what people tell the desk), `model.coordinate.statements`, `model.coordinate.forks`.
"""

from typing import Literal

from pydantic import BaseModel

from model.coordinate.wording import ExternalKind, ExternalText, InternalText, Moved
from model.text import one_line
from model.times import Moment

Stage = Literal["wrong", "mitigated", "resolved"]
"""How an event stands, as customers would call it."""
Tendency = Literal["worse", "same", "better"]

CASES_KEPT = 10
"""Cases kept per customer; the count goes on."""
CUSTOMERS_KEPT = 1000
"""Customers counted one by one; the state stays small."""
QUESTIONS_KEPT = 50
FEELINGS_KEPT = 100
DRAFTS_KEPT = 10


class Fork(BaseModel):
    """A call of a team's own beside the bridge (C5).

    Attributes:
        stays: Who of the team stays on the bridge.
        parent: The fork this one left from; 0 is the bridge.
    """

    n: int
    team: str
    topic: str
    by: str
    stays: str
    link: str = ""
    parent: int = 0
    opened_at: Moment
    ended_at: Moment | None = None


class Draft(BaseModel):
    """A message to customers on its way.

    Attributes:
        to: Customers' ids.
        text: As it would read now; composed anew, with its times, when it goes.
        goes_at: When it goes unless held; none where it takes a person.
        clock: The clock asked for it: unanswered, "still working" goes in its place.
        by: Who sent it; nobody where the clock did.
        words: What a person says in it.
        takes: How long they say the next steps take; it ages, so no other message says it again.
        public: It goes to the public page too.
        moved: Promises it tells about, until the first customer has read it.
    """

    n: int = 0
    kind: ExternalKind
    at: Moment
    to: list[str] = []
    text: ExternalText | None = None
    goes_at: Moment | None = None
    clock: bool = False
    status: Literal["waiting", "held", "going", "sent", "dropped", "blocked"] = "waiting"
    by: str = ""
    claimed: bool = False
    words: ExternalText | None = None
    seeing: ExternalText | None = None
    workaround: ExternalText | None = None
    takes: ExternalText | None = None
    public: bool = False
    moved: list[Moved] = []


class Contacts(BaseModel):
    """How often a customer turned to us about this event (C7)."""

    count: int = 0
    cases: list[str] = []
    last_at: Moment


class Question(BaseModel):
    """What customers ask, once for all who ask it (C10)."""

    text: str
    answer: ExternalText | None = None
    customers: list[str] = []
    count: int = 0
    first_at: Moment
    last_at: Moment


class Feeling(BaseModel):
    """What customers say about how it goes (C7)."""

    at: Moment
    by: str
    tendency: Tendency
    text: str
    source: str = ""


class Asked(BaseModel):
    """A missing impact statement that is chased (C3).

    Attributes:
        due: For which due time; a later one starts anew.
    """

    due: Moment
    chased_at: Moment | None = None
    told_at: Moment | None = None


class Desk(BaseModel):
    """The support desk.

    Attributes:
        event_manager: Who runs the support call (C6).
        service_leader: The leader of an impacted service who sits there too (E5).
        seeing: What customers were told they see; later messages say it again, so that each is deeper than the last.
        workaround: Likewise.
        narrowed: Whom a person narrowed the messages to; none where the catalogue decides.
        narrowed_for: The services this was about; customers of later ones are told as well.
        told: Every customer who was told something and not let go since.
        said: How the event stood in the last message; empty before the first.
        next_at: When customers were promised the next message.
        unattended: Messages that went by themselves since a person last sent one.
        asked_at: When support was asked last.
        asked_for: For which promise.
        answered_at: When a person last held one.
        rounds: How often support's next level and a call leader were paged because nobody answered.
        held_at: In which stage a person held the message of that stage.
        heads_up_at: When account teams first heard.
        internal_at: When they heard last.
        welcomed: Who got the joining screen, by when they joined.
        asked: Missing statements, by team.
        contradicted: Statements of "no impact" that customers contradict, by team.
    """

    event_manager: str = ""
    service_leader: str = ""
    forks: list[Fork] = []
    drafts: list[Draft] = []
    next_draft: int = 1
    seeing: ExternalText | None = None
    workaround: ExternalText | None = None
    narrowed: list[str] | None = None
    narrowed_for: list[str] = []
    told: list[str] = []
    said: Stage | Literal[""] = ""
    first_at: Moment | None = None
    last_at: Moment | None = None
    next_at: Moment | None = None
    unattended: int = 0
    asked_at: Moment | None = None
    asked_for: Moment | None = None
    answered_at: Moment | None = None
    rounds: int = 0
    held_at: Stage | Literal[""] = ""
    heads_up_at: Moment | None = None
    internal_at: Moment | None = None
    internal_open: bool = False
    summary: InternalText | None = None
    contacts: dict[str, Contacts] = {}
    more_contacts: int = 0
    questions: list[Question] = []
    feelings: list[Feeling] = []
    welcomed: dict[str, Moment] = {}
    asked: dict[str, Asked] = {}
    contradicted: dict[str, Moment] = {}

    @property
    def waiting(self) -> Draft | None:
        """The draft that waits for a person, or for its time; there is one at most."""
        return next((draft for draft in self.drafts if draft.status == "waiting"), None)

    @property
    def open_forks(self) -> list[Fork]:
        """Forks that have not ended."""
        return [fork for fork in self.forks if fork.ended_at is None]

    def draft(self, number: int) -> Draft | None:
        """Return a draft by its number."""
        return next((draft for draft in self.drafts if draft.n == number), None)

    def heard_of(self, customer: str, case: str, count: int, at: Moment) -> bool:
        """Count a contact of a customer; one case counts once.

        Returns:
            Whether it is new.
        """
        known = self.contacts.get(customer)
        if known is None and len(self.contacts) >= CUSTOMERS_KEPT:
            self.more_contacts += count
            return True
        known = known or Contacts(last_at=at)
        if case and case in known.cases:
            return False
        known.count += count
        known.last_at = max(known.last_at, at)
        if case:
            known.cases = [*known.cases, case][-CASES_KEPT:]
        self.contacts[customer] = known
        return True

    def question(self, text: str) -> Question | None:
        """Find a question that was asked already, however it was typed."""
        wanted = _plain(text)
        return next((known for known in self.questions if _plain(known.text) == wanted), None)


def _plain(text: str) -> str:
    kept = "".join(c if c.isalnum() else " " for c in text.casefold())
    return one_line(kept)
