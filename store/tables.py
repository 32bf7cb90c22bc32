"""The tables. A change here needs a further revision in `migrations/versions`; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, MetaData, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no time zone, so it is taken off there, and put back when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC; one without a zone could mean anything."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Plain(TypeDecorator[str]):
    """Text without NUL, which PostgreSQL refuses: one in a provider's answer would hold up the record."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text without NUL."""
        return value.replace("\0", "") if value else value


class Base(DeclarativeBase):
    """What the tables have in common: named constraints, so that a migration can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment, str: Plain, dict[str, Any]: JSON, list[str]: JSON}


class IncidentRow(Base):
    """An incident as it stands.

    Attributes:
        state: The whole `Record.incident`; the other columns are those that are asked for.
        upto: The last timeline entry that existed when these facts were taken.
    """

    __tablename__ = "incident"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    severity: Mapped[int]
    phase: Mapped[str]
    title: Mapped[str]
    test: Mapped[bool]
    detection: Mapped[str]
    detected_by: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(index=True)
    mitigated_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    close_reason: Mapped[str]
    all_clear_at: Mapped[datetime | None]
    absorbed_into: Mapped[str]
    linked_to: Mapped[str]
    services: Mapped[list[str]]
    regions: Mapped[list[str]]
    state: Mapped[dict[str, Any]]
    upto: Mapped[int]


class EntryRow(Base):
    """A line of an incident's timeline; written once."""

    __tablename__ = "entry"

    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    what: Mapped[str]
    by: Mapped[str]
    text: Mapped[str]
    claimed: Mapped[bool]
    link: Mapped[str]


class MatterRow(Base):
    """What follows from incidents, as it stands: COEs, RCAs, action items, campaigns, weekly reviews.

    Attributes:
        kind: What its id says it is: `coe`, `rca`, `action`, `campaign`, `ops_review`, or the word it begins with.
        incident_id: Where it comes from; empty, or a review's id, where that is no incident. Hence no foreign key: it
            may also be written before its incident's first batch.
        ended: Its process is over.
        state: The whole `Record.incident`; the other columns are those that are asked for.
        upto: The last timeline entry that existed when these facts were taken.
    """

    __tablename__ = "matter"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    incident_id: Mapped[str] = mapped_column(index=True)
    status: Mapped[str]
    owner: Mapped[str]
    team: Mapped[str]
    title: Mapped[str]
    horizon: Mapped[str]
    promised: Mapped[bool]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    promised_due_at: Mapped[datetime | None]
    validated_at: Mapped[datetime | None]
    test: Mapped[bool]
    ended: Mapped[bool]
    state: Mapped[dict[str, Any]]
    upto: Mapped[int]


class MatterEntryRow(Base):
    """A line of such a matter's timeline; written once."""

    __tablename__ = "matter_entry"

    matter_id: Mapped[str] = mapped_column(ForeignKey("matter.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    what: Mapped[str]
    by: Mapped[str]
    text: Mapped[str]
    claimed: Mapped[bool]
    link: Mapped[str]


class PlaceRow(Base):
    """Where a matter is shown outside, and how far it was brought there.

    Without a foreign key: what follows from incidents has a table of its own.

    Attributes:
        system: As the settings name it.
        place: How the system knows it.
        upto: The last line of the timeline that was brought.
    """

    __tablename__ = "place"

    matter_id: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str]
    url: Mapped[str]
    upto: Mapped[int]


class OutboxRow(Base):
    """A page or message that went no further.

    Without a foreign key: pages go first, the record comes after (design §6.1).
    """

    __tablename__ = "outbox"

    key: Mapped[str] = mapped_column(primary_key=True)
    incident_id: Mapped[str] = mapped_column(index=True)
    lane: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)
    person: Mapped[str]
    channel: Mapped[str]
    address: Mapped[str]
    audience: Mapped[str]
    to: Mapped[list[str]]
    text: Mapped[str]
    test: Mapped[bool]
