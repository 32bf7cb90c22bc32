"""What one incident hands to another is made to fit: a signal of 2 MiB is refused, and its sender stopped for good.

What decides comes first: who is called and who has come, what is in alarm, what customers were told. Long words, old
pages and the fourth alarm of one service go first: the record of the incident they come from has them.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from model.catalogue.plan import Plan, PlannedPerson
from model.coordinate.desk import Desk
from model.incident import AlarmFact, Engagement, Responder, Statement
from model.text import cut

if TYPE_CHECKING:
    from model.absorption import Handover

MOST: Final = 512 * 1024
"""Bytes of JSON that travel at most: a quarter of what the server takes, for whoever gets it has a state as well."""
LEAST: Final = 64 * 1024
"""Bytes that an incident takes in even where it is full itself."""
FULL: Final = 1_750_000
"""Bytes an incident should not have after taking another in: at 1.9 million it could not be handed to its next run."""
_SHORT: Final = 200
_FEW: Final = 5
_MANY: Final = 100


def fitted(handover: "Handover", most: int = MOST) -> "Handover":
    """Return a handover of at most so many bytes, and in `left_out` whether something had to be left out."""
    for lessen in (_whole, _shorter, _fewer, _fewest, _names):
        found = lessen(handover)
        if len(found.model_dump_json().encode()) <= most:
            return found
    return _names(handover)


def fewer_alarms(facts: Iterable[AlarmFact], most: int = MOST // 2) -> list[AlarmFact]:
    """Return alarms of at most so many bytes: without words first, then fewer of each service in a region."""
    found = list(facts)
    if _size(found) > most:
        found = [_wordless(fact) for fact in found]
    for kept in (_FEW, 1):
        if _size(found) > most:
            found = _of_each(found, kept)
    while _size(found) > most:
        found = found[: len(found) // 2]
    return found


def _size(facts: list[AlarmFact]) -> int:
    return sum(len(fact.model_dump_json().encode()) + 1 for fact in facts)


def _wordless(fact: AlarmFact) -> AlarmFact:
    return fact.model_copy(update={"summary": cut(fact.summary, _SHORT), "link": "", "flapping": ""})


def _of_each(facts: list[AlarmFact], kept: int) -> list[AlarmFact]:
    """Return the worst of each service in a region: what is in ALARM, by severity."""
    seen: dict[tuple[str, str], int] = {}
    found = []
    for fact in sorted(facts, key=lambda it: (it.state != "ALARM", it.severity, it.since)):
        place = (fact.service, fact.region)
        seen[place] = seen.get(place, 0) + 1
        if seen[place] <= kept:
            found.append(fact)
    return found


def _whole(handover: "Handover") -> "Handover":
    return handover


def _shorter(handover: "Handover") -> "Handover":
    """Shorten words and leave out what is only for reading."""
    desk = handover.desk.model_copy(
        update={
            "questions": handover.desk.questions[-_FEW:],
            "feelings": [it.model_copy(update={"text": cut(it.text, _SHORT)}) for it in handover.desk.feelings[-_FEW:]],
            "contacts": {who: it.model_copy(update={"cases": []}) for who, it in handover.desk.contacts.items()},
            "drafts": [],
            "summary": None,
        }
    )
    return handover.model_copy(
        update={
            "alarms": fewer_alarms(handover.alarms, MOST // 4),
            "statements": [_said(it) for it in handover.statements],
            "reports": [it.model_copy(update={"text": cut(it.text, _SHORT)}) for it in handover.reports[-20:]],
            "engagements": [_row(it) for it in handover.engagements],
            "desk": desk,
            "left_out": True,
        }
    )


def _said(said: Statement) -> Statement:
    short = {"text": cut(said.text, _SHORT), "customers": cut(said.customers, _SHORT), "link": ""}
    return said.model_copy(update=short)


def _row(row: Engagement) -> Engagement:
    return row.model_copy(update={"reason": cut(row.reason, _SHORT), "called_for": row.called_for[:_FEW]})


def _fewer(handover: "Handover") -> "Handover":
    """Keep of each thing the newest, and of the plan what is called or impacted."""
    short = _shorter(handover)
    latest = {said.team: said for said in short.statements}
    return short.model_copy(
        update={
            "alarms": fewer_alarms(short.alarms, MOST // 8),
            "statements": list(latest.values()),
            "reports": short.reports[-_FEW:],
            "people": {who: _last_page(it) for who, it in short.people.items()},
            "desk": _promises(handover.desk),
            "plan": _planned(handover, {row.team for row in handover.engagements}) if handover.plan else None,
        }
    )


def _last_page(responder: Responder) -> Responder:
    return responder.model_copy(update={"pages": responder.pages[-1:]})


def _promises(desk: Desk) -> Desk:
    """Keep of a desk what binds: who was told, how it stood, what was promised."""
    told = {"told": desk.told[:_MANY], "said": desk.said, "first_at": desk.first_at, "last_at": desk.last_at}
    clock = {"next_at": desk.next_at, "unattended": desk.unattended, "heads_up_at": desk.heads_up_at}
    return Desk.model_validate({**told, **clock, "internal_at": desk.internal_at})


def _planned(handover: "Handover", teams: set[str]) -> Plan:
    plan = handover.plan or Plan()
    services = {name: it for name, it in plan.services.items() if name in handover.services}
    wanted = {*teams, plan.incident_response, plan.support, *(it.team for it in services.values())}
    kept = {name: it for name, it in plan.teams.items() if name in wanted}
    people = [p for team in kept.values() for p in (*(p for level in team.levels for p in level), team.manager)]
    named = {*people, *plan.call_leaders}
    everybody: dict[str, PlannedPerson] = {name: it for name, it in plan.people.items() if name in named}
    left_out = {"services": services, "teams": kept, "people": everybody}
    return plan.model_copy(update={**left_out, "customers_of": {}, "customers_in": {}, "account_teams": {}})


def _fewest(handover: "Handover") -> "Handover":
    """Keep who has come, and one alarm of each service."""
    fewer = _fewer(handover)
    rows = [row for row in fewer.engagements if row.acknowledged_at][:_MANY]
    come = {who: _come(it) for who, it in fewer.people.items() if it.acknowledged_at}
    return fewer.model_copy(
        update={
            "services": handover.services[:_MANY],
            "regions": handover.regions[:_MANY],
            "absorbed": handover.absorbed[:_MANY],
            "alarms": fewer_alarms(fewer.alarms, MOST // 16)[:_MANY],
            "engagements": rows,
            "people": dict(list(come.items())[:_MANY]),
            "reliefs": {},
            "statements": [],
            "reports": [],
            "plan": _planned(handover, {row.team for row in rows}) if handover.plan else None,
        }
    )


def _come(responder: Responder) -> Responder:
    return responder.model_copy(update={"pages": []})


def _names(handover: "Handover") -> "Handover":
    """Keep what is impacted; the catalogue says whom it means."""
    nothing: dict[str, object] = {"plan": None, "alarms": [], "engagements": [], "people": {}, "desk": Desk()}
    services = [name for name in handover.services if len(name) <= _SHORT][: _FEW * 10]
    update = {**nothing, "services": services, "regions": handover.regions[:_FEW], "absorbed": handover.absorbed[:_FEW]}
    return _fewest(handover).model_copy(update={**update, "customers_hit": cut(handover.customers_hit, _SHORT)})
