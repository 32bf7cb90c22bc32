"""Words for two audiences, and the wall between them (C8, design §6.6).

`InternalText` may say anything and stays in the house. `ExternalText` is what customers read: nothing but this
module makes one, of words a person answers for or of a template, and both pass the names check first.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from model.catalogue.catalog import Catalog
from model.catalogue.plan import Plan
from model.text import Refused, clean
from model.times import Moment

ExternalKind = Literal[
    "first", "update", "unattended", "mitigated", "resolved", "again", "correction", "narrowed", "promise"
]  # fmt: skip
"""What customers are told: something is probably wrong; more; still working; normal again; over; back; corrected;
not you after all; what was promised comes at another time, or not (R10)."""
InternalKind = Literal["status", "heads_up", "joining"]
"""What the house is told: the live status, what account teams hear before their customers, the joining screen."""

UNNAMED = "one of our services"
"""A service without a name that customers know."""
NAMED = 5
"""Services a message names; the rest is a number."""
_DASHES = re.compile(r"[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]")


class InternalText(BaseModel):
    """Words for the house: they may name anything, and never leave."""

    model_config = ConfigDict(frozen=True)

    internal: str


class ExternalText(BaseModel):
    """Words for customers. Only `reviewed` and `from_template` build one (a test reads the code for it).

    Attributes:
        external: The words.
        source: Who answers for them: a person's id, or the template they come from.
    """

    model_config = ConfigDict(frozen=True)

    external: str
    source: str


class Moved(BaseModel):
    """A promise to customers that moves, or is not kept (R10).

    Attributes:
        item: The action item's number; nothing a template says.
        promised: For when it was promised.
        due: When it comes now; none where it does not come.
    """

    item: int
    promised: Moment
    due: Moment | None = None


class ExternalFacts(BaseModel):
    """All that a template for customers ever sees: no alarm, no title, no statement, no name of ours.

    Attributes:
        services: As customers call them.
        since: When it began.
        hit: Customers are known to be hit.
        clear_since: Since when everything has been normal.
        last_at: When they were told last.
        next_at: When the next message comes; none after the last.
        account_by: By when the full account of the causes is promised, where one is.
        words: What a person says in this message.
        moved: Promises it tells about.
    """

    audience: Literal["external"] = "external"
    kind: ExternalKind
    at: datetime
    services: list[str] = []
    regions: list[str] = []
    since: datetime
    hit: bool = False
    clear_since: datetime | None = None
    last_at: datetime | None = None
    next_at: datetime | None = None
    account_by: datetime | None = None
    words: ExternalText | None = None
    seeing: ExternalText | None = None
    workaround: ExternalText | None = None
    takes: ExternalText | None = None
    moved: list[Moved] = []


class InternalFacts(BaseModel):
    """What a template for the house sees: anything, one line each."""

    audience: Literal["internal"] = "internal"
    kind: InternalKind
    at: datetime
    incident: str
    title: str = ""
    state: str = ""
    services: list[str] = []
    regions: list[str] = []
    since: datetime
    lead: str = ""
    event_manager: str = ""
    customers_hit: str = ""
    known: list[str] = []
    trying: list[str] = []
    customers: list[str] = []
    asked: list[str] = []
    feeling: str = ""
    told: list[str] = []
    told_next: datetime | None = None
    state_within: str = ""
    tech_call: str = ""
    support_call: str = ""


@dataclass(frozen=True)
class Names:
    """Words that never reach customers, and the names customers know.

    Attributes:
        internal: Internal names, components, technical ids.
        public: What customers call our services: never internal, even where one contains the other.
    """

    internal: tuple[str, ...] = ()
    public: tuple[str, ...] = ()

    @classmethod
    def of_plan(cls, plan: Plan) -> "Names":
        """Return the names an incident froze."""
        services = plan.services.values()
        unknown = [s.id for s in services if not s.known and re.search(r"[0-9-]", s.id)]
        known = [name for s in services for name in s.internal_names]
        return cls(tuple(dict.fromkeys([*known, *unknown])), tuple(s.customer_name for s in services))

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> "Names":
        """Return the names of a whole catalogue."""
        return cls(tuple(catalog.internal_names()), tuple(s.customer_name for s in catalog.services.values()))

    def found(self, text: str) -> list[str]:
        """Return the internal names that occur in a text as whole words, however they are written."""
        plain = _plain(text)
        excused = [span for name in self.public for span in _spans(name, plain)]
        return [name for name in self.internal if any(not _inside(s, excused) for s in _spans(name, plain))]


def _plain(text: str) -> str:
    """Return a text as the eye reads it: no invisible characters, one kind of dash and blank, one case."""
    folded = unicodedata.normalize("NFKC", clean(text)).casefold()
    return " ".join(_DASHES.sub("-", folded).split())


def _spans(name: str, plain: str) -> list[tuple[int, int]]:
    wanted = _plain(name)
    # The plain search first: a pattern for each name over a quarter of a megabyte, an RCA's, would take seconds.
    if not wanted or wanted not in plain:
        return []
    # An underscore ends a word here, as a hyphen does: `old_chk-router` names chk-router. The lookahead also finds
    # what overlaps.
    found = re.finditer(rf"(?<![^\W_])(?={re.escape(wanted)}(?![^\W_]))", plain)
    return [(match.start(), match.start() + len(wanted)) for match in found]


def _inside(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in others)


def refuse_internal(text: str, names: Names) -> None:
    """Let only a text pass that customers may read.

    Raises:
        Refused: It names internals; the text says which.
    """
    found = names.found(text)
    if found:
        raise Refused(f"customers must not read {', '.join(found)}: say it in words they know")


def reviewed(text: str, names: Names, by: str) -> ExternalText:
    """Return a person's words as words for customers: sending them is the review (design §3).

    Raises:
        Refused: They name internals.
    """
    refuse_internal(text, names)
    return ExternalText(external=text, source=by)


def from_template(text: str, names: Names, kind: ExternalKind) -> ExternalText:
    """Return what a template made of external facts as words for customers.

    Raises:
        Refused: The catalogue calls a word of it internal.
    """
    refuse_internal(text, names)
    return ExternalText(external=text, source=f"template {kind}")


def heading(services: list[str], names: Names) -> ExternalText:
    """Return what a public entry is about."""
    text = listed(services) if services else UNNAMED
    return ExternalText(external=UNNAMED if names.found(text) else text, source="template heading")


def listed(names: list[str], most: int = NAMED) -> str:
    """Return names as people write a list: 'Checkout, Payments and 3 more'."""
    shown, more = names[:most], len(names) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def clock(at: datetime, day_of: datetime) -> str:
    """Return a moment as customers read it: '09:40 UTC', with its date where that is another day's."""
    return f"{at:%H:%M} UTC" if at.date() == day_of.date() else f"{at:%H:%M} UTC on {at.day} {at:%B %Y}"
