"""`allclear actions`: what was promised, by whom, by when; from the record, so it works when Temporal is down."""

import csv
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.text import Text
from temporalio.client import Client

from cli import here
from cli.say import OK, UNUSABLE, Cell, Stop, as_json, console, count, line, table
from cli.talk import As, Json
from link import attributes
from model.catalogue.catalog import Catalog
from model.times import ago, iso
from store import MatterSummary, Store, StoreError, open_store
from store.connect import read_url, sqlite_file
from store.engine import SHORTEST_NAME
from store.facts import INCIDENT
from worker.settings import Settings

LIVE: Final = 'WorkflowType="ActionItem" AND ExecutionStatus="Running"'
"""Every open item; a manager's overdue list adds `AND DueAt<"<now>"` (design §3)."""
MOST: Final = 1000
"""Items asked of Temporal at most; the record knows them all."""
HORIZONS: Final = ("short", "mid", "long")
WIDE: Final = 130
"""Columns from which on a terminal has room for whole ids."""

_EPILOG = (
    "Example: allclear actions --overdue --mine\n\n"
    "in the Web UI: "
    'WorkflowType="ActionItem" AND ExecutionStatus="Running" AND DueAt<"2026-04-01T00:00:00Z"'
)


def add(app: typer.Typer) -> None:
    """Add `actions`."""
    app.command("actions", rich_help_panel="Learn and scale", epilog=_EPILOG)(_actions)


def _actions(
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is past its date and not in place.")] = False,
    mine: Annotated[bool, typer.Option("--mine", help="Only yours, and those of the teams you manage.")] = False,
    owner: Annotated[str | None, typer.Option("--owner", metavar="PERSON", help="Only this person's.")] = None,
    team: Annotated[str | None, typer.Option("--team", metavar="TEAM", help="Only this team's.")] = None,
    horizon: Annotated[
        str | None, typer.Option("--horizon", metavar="|".join(HORIZONS), help="Only of this horizon.")
    ] = None,
    incident: Annotated[
        str | None, typer.Option("--incident", metavar="ID", help="Only of this incident: its last four characters.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that are done or withdrawn, too.")] = False,
    live: Annotated[bool, typer.Option("--live", help="As Temporal knows them now, not from the record.")] = False,
    by: As = None,
    json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV, for a spreadsheet.")] = False,
) -> int:
    """List action items, the longest overdue first."""
    if horizon and horizon not in HORIZONS:
        raise Stop(f"--horizon: {horizon!r} is none; it is {', '.join(HORIZONS)}", UNUSABLE)
    if live and every:
        raise Stop("--live lists what is open; without it, --all lists what the record has", UNUSABLE)
    settings, now = here.settings(), datetime.now(UTC)
    wanted = _Wanted(settings, owner=owner, team=team, horizon=horizon, mine=mine, by=by)
    rows = here.in_loop(_found(settings, every=every, live=live, due_before=now if overdue else None))
    rows = _of_incident(rows, incident) if incident else rows
    rows = [row for row in rows if wanted.fits(row) and (not overdue or is_overdue(row, now))]
    if json:
        as_json([as_data(row, now) for row in rows])
    elif as_csv:
        _write_csv(rows, now)
    else:
        _show(rows, now, overdue=overdue)
    return OK


class _Wanted:
    """Whose items are meant."""

    def __init__(
        self,
        settings: Settings,
        *,
        owner: str | None,
        team: str | None,
        horizon: str | None,
        mine: bool,
        by: str | None,
    ) -> None:
        catalog = _catalog(settings, needed=mine)
        self._owner = _id(catalog, owner) if owner else None
        self._horizon = horizon
        self._teams = [team] if team else []
        self._people = list(catalog.teams[team].members) if catalog and team in catalog.teams and team else []
        self._me = here.person(settings, by) if mine else None
        managed = [it for it in catalog.teams.values() if it.manager == self._me] if catalog and mine else []
        self._managed = [it.id for it in managed]
        self._reports = [person for it in managed for person in it.members]
        if team and catalog and team not in catalog.teams:
            raise Stop(f"the catalogue has no team {team}; it has {', '.join(sorted(catalog.teams))}", UNUSABLE)

    def fits(self, row: MatterSummary) -> bool:
        """Whether an item is meant; one without a team belongs to its owner's."""
        if self._owner and row.owner != self._owner:
            return False
        if self._horizon and row.horizon != self._horizon:
            return False
        if self._teams and not _of(row, self._teams, self._people):
            return False
        return not self._me or row.owner == self._me or _of(row, self._managed, self._reports)


def _of_incident(rows: Sequence[MatterSummary], said: str) -> list[MatterSummary]:
    """Return the items of the incident, or of the weekly review, that somebody means by the end of its id.

    Raises:
        Stop: Too few characters, or several are meant.
    """
    wanted = said.strip().casefold()
    if len(wanted) < SHORTEST_NAME:
        raise Stop(f"{said!r} names no incident; give its id, or its last four characters, such as 7F3A", UNUSABLE)
    found = [row for row in rows if row.incident_id.casefold().endswith(wanted)]
    names = sorted({row.incident_id for row in found})
    if len(names) > 1:
        raise Stop(f"{said} may be {' or '.join(names)}: give more of it", UNUSABLE)
    return found


def _of(row: MatterSummary, teams: Sequence[str], people: Sequence[str]) -> bool:
    return row.team in teams if row.team else row.owner in people


def _catalog(settings: Settings, *, needed: bool) -> Catalog | None:
    """Return the catalogue; a list for somebody named needs none."""
    try:
        return here.catalog(settings)
    except Stop:
        if needed:
            raise
        return None


def _id(catalog: Catalog | None, said: str) -> str:
    """Return a person's id; somebody who has left the catalogue may still own items."""
    found = catalog.person_by(said) if catalog else None
    return found.id if found else said


def is_overdue(row: MatterSummary, now: datetime) -> bool:
    """Whether an item is past its date and not in place."""
    return days_overdue(row, now) is not None


def days_overdue(row: MatterSummary, now: datetime) -> int | None:
    """Return for how many days an open item has been overdue; None where it is not."""
    settled = row.ended or row.status in ("validated", "in_force", "done", "withdrawn")
    if settled or row.due_at is None or row.due_at >= now:
        return None
    return (now - row.due_at) // timedelta(days=1)


# --- where they come from --------------------------------------------------------------------------------


async def _found(settings: Settings, *, every: bool, live: bool, due_before: datetime | None) -> list[MatterSummary]:
    """Return items from the record, or from Temporal with what the record knows besides."""
    store = _store(settings, needed=not live)
    kept: list[MatterSummary] = []
    try:
        if store:
            kept = await store.matters("action", open_only=not every)
    except StoreError:
        if not live:
            raise
    finally:
        if store:
            await store.close()
    if not live:
        return kept
    return await _live(await here.connected(settings), {row.id: row for row in kept}, due_before)


def _store(settings: Settings, *, needed: bool) -> Store | None:
    """Open the record, which is not made by looking for it."""
    path = sqlite_file(read_url(settings.store_url))
    if path is None or path.exists():
        return open_store(settings.store_url)
    if needed:
        raise Stop(f"there is no record at {path}; ALLCLEAR_DATA or ALLCLEAR_STORE says where it is")
    return None


async def _live(client: Client, kept: dict[str, MatterSummary], due_before: datetime | None) -> list[MatterSummary]:
    """Return what Temporal lists: no worker is needed for it. What it does not list comes from the record."""
    query = f'{LIVE} AND DueAt<"{iso(due_before)}"' if due_before else LIVE
    rows = []
    async for it in client.list_workflows(query, limit=MOST):
        known = it.typed_search_attributes
        now_so = {
            "incident_id": known.get(attributes.INCIDENT_ID),
            "team": known.get(attributes.TEAM),
            "status": known.get(attributes.ITEM_STATUS),
            "due_at": known.get(attributes.DUE_AT),
        }
        row = kept.get(it.id) or MatterSummary(id=it.id, kind="action")
        rows.append(row.model_copy(update={name: value for name, value in now_so.items() if value}))
    return sorted(rows, key=lambda row: (row.due_at is None, row.due_at or datetime.max.replace(tzinfo=UTC), row.id))


# --- how they look ---------------------------------------------------------------------------------------


def as_data(row: MatterSummary, now: datetime) -> dict[str, Any]:
    """Return an item as JSON and CSV have it."""
    return {
        "id": row.id,
        "incident": row.incident_id,
        "title": row.title,
        "horizon": row.horizon,
        "owner": row.owner,
        "team": row.team,
        "status": row.status,
        "promised": row.promised,
        "due_at": iso(row.due_at) if row.due_at else None,
        "promised_due_at": iso(row.promised_due_at) if row.promised_due_at else None,
        "validated_at": iso(row.validated_at) if row.validated_at else None,
        "days_overdue": days_overdue(row, now),
    }


def _write_csv(rows: Sequence[MatterSummary], now: datetime) -> None:
    heads = list(as_data(MatterSummary(id=""), now))
    writer = csv.DictWriter(sys.stdout, heads, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _plain(value) for name, value in as_data(row, now).items()})


def _plain(value: Any) -> Any:
    """Return a cell that a spreadsheet shows and does not run: a title may begin like a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _show(rows: Sequence[MatterSummary], now: datetime, *, overdue: bool) -> None:
    out = console()
    if not rows:
        line(out, "No action item is overdue." if overdue else "There is no action item.", "good" if overdue else "")
        return
    is_short = out.is_terminal and out.width < WIDE
    heads = ("due", "overdue", "action", "owner", "team", "horizon", "status", "promised", "what")
    table(out, heads, [_cells(row, now, is_short=is_short) for row in rows])
    late = [row for row in rows if is_overdue(row, now)]
    promised = sum(row.promised for row in late)
    if (late and not overdue) or promised:
        said = f"{count(len(late), 'action item')} overdue"
        line(out, f"{said}, {promised} of them promised to customers" if promised else said, "bad")


def _cells(row: MatterSummary, now: datetime, *, is_short: bool) -> tuple[Cell, ...]:
    late = days_overdue(row, now)
    style = "" if late is None else ("bad" if row.promised or late > 0 else "warn")
    since = ago(now - row.due_at) if late is not None and row.due_at else ""
    return (
        Text(f"{row.due_at:%Y-%m-%d}" if row.due_at else "", style=style),
        Text(since, style=style),
        row.id.rpartition("-")[2] if is_short and row.id.startswith(INCIDENT) else row.id,
        row.owner,
        row.team,
        row.horizon,
        row.status.replace("_", " "),
        f"{row.promised_due_at:%Y-%m-%d}" if row.promised_due_at else ("yes" if row.promised else ""),
        row.title,
    )
