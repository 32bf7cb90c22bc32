"""An incident as the rooms are shown it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from activities.mirror import Guest, Subject
from model.catalogue.entries import Contact
from model.matter import Entry

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOSTILE = "@room <!channel> <@U1> @here &lt; <b>bold</b> [x](https://evil.test) *all*"


def subject(id: str = "INC-20260302-7F3A", **facts: Any) -> Subject:
    return Subject(
        **{
            "id": id,
            "kind": "incident",
            "title": "Payments fail",
            "body": "3 % of payments fail in eu-west",
            "severity": 2,
            "phase": "coordinate",
            "services": ["checkout-api"],
            "regions": ["eu-west"],
            "calls": {"tech": f"https://call.example.test/{id}"},
            **facts,
        }
    )


def guest(person: str, channel: str, address: str) -> Guest:
    mail = Contact(channel="email", address=f"{person}@example.test")
    return Guest(person=person, name=person.title(), contacts=[mail, Contact(channel=channel, address=address)])


def entry(what: Any, text: str, seq: int = 1, **facts: Any) -> Entry:
    at = NINE + timedelta(minutes=seq)
    return Entry(**{"seq": seq, "at": at, "what": what, "by": "allclear", "text": text, **facts})
