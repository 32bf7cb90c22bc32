"""`allclear coe`, `rca` and `action`: what follows an incident, written, reviewed, delivered, validated (R1-R11)."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli import fields, find, here
from cli.say import FAILED, OK, UNUSABLE, Cell, Stop, as_json, console, count, line, table
from cli.talk import ID, As, Json, show
from model.coe.check import check
from model.coe.draft import draft
from model.coe.parser import parse
from model.message import Message
from model.messages import Answer
from model.policy import Policy
from model.reflect import after_messages as said
from model.text import Refused
from store import open_store
from worker.pages import coe_page

_FILE = Annotated[Path, typer.Argument(metavar="FILE", help="The COE, as docs/coe.md describes it.")]
_TEAM = Annotated[str, typer.Argument(metavar="TEAM[/SUBJECT]", help="Whose COE.")]
_NUMBER = Annotated[int, typer.Argument(metavar="N", help="The item's number in its incident.")]
_COE: Final[tuple[type[Message], ...]] = (said.Submit, said.Review)
_RCA: Final[tuple[type[Message], ...]] = (said.Submit, said.Approve, said.Recall)
_ITEM: Final[tuple[type[Message], ...]] = (
    said.Start,
    said.Replan,
    said.Agree,
    said.Implemented,
    said.Validated,
    said.HandOver,
    said.Withdraw,
)


def add(app: typer.Typer) -> None:
    """Add `coe`, `rca` and `action` with their commands."""
    _add_coe(app)
    rca = typer.Typer(help="The customers' RCA: hand it in, approve it, recall it.", no_args_is_help=True)
    app.add_typer(rca, name="rca", rich_help_panel="Learn and scale")
    for message in _RCA:
        _add(rca, message, "rca", {"incident": ID}, lambda typed: "rca")
    action = typer.Typer(help="One action item: done means tried against the failure.", no_args_is_help=True)
    app.add_typer(action, name="action", rich_help_panel="Learn and scale")
    for message in _ITEM:
        _add(action, message, "action", {"incident": ID, "n": _NUMBER}, lambda typed: f"action/{typed.pop('n')}")


def _add_coe(app: typer.Typer) -> None:
    coe = typer.Typer(help="A COE: begin it, check it, look at it, hand it in, review it.", no_args_is_help=True)
    app.add_typer(coe, name="coe", rich_help_panel="Learn and scale")
    coe.command("new", epilog="Example: allclear coe new 7F3A checkout --author ana > coe.md")(_new)
    coe.command("check", epilog="Example: allclear coe check coe.md")(_check)
    coe.command("page", epilog="Example: allclear coe page coe.md --out coe.html")(_page)
    for message in _COE:
        _add(coe, message, "coe", {"incident": ID, "team": _TEAM}, lambda typed: f"coe/{typed.pop('team')}")


def _add(
    app: typer.Typer,
    message: type[Message],
    group: str,
    arguments: dict[str, Any],
    path: Callable[[dict[str, Any]], str],
) -> None:
    """Add the command of a message to something that follows from an incident."""
    name = message.update_name()
    typed_name = name.replace("_", "-")

    def take(typed: dict[str, Any]) -> int:
        incident, by, json = (typed.pop(key) for key in ("incident", "by", "json"))
        where = path(typed)
        _read_file(typed)
        return _send(incident, where, name, fields.read(message, typed), by=by, json=json)

    made = fields.command(message, take, arguments, {"by": (As, None), "json": (Json, False)})
    shown = fields.example(f"allclear {group} {typed_name} 7F3A", message)
    app.command(typed_name, epilog=f"Example: {shown}")(made)


def _read_file(typed: dict[str, Any]) -> None:
    if typed.get("file"):
        typed["text"] = _text(Path(typed.pop("file")))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{path}: cannot be read ({error})", UNUSABLE) from None


def _send(incident: str, where: str, name: str, payload: dict[str, Any], *, by: str | None, json: bool) -> int:
    settings = here.settings()
    signed = {**payload, "by": here.person(settings, by)}

    async def send() -> Answer:
        client = await here.connected(settings)
        return await here.say_to(client, f"{await find.named(client, incident)}/{where}", name, signed)

    show(here.in_loop(send()), json=json)
    return OK


def _new(
    incident: ID,
    team: _TEAM,
    author: Annotated[str, typer.Option("--author", metavar="PERSON", help="Who writes it.")],
) -> int:
    """Write a COE's beginning: what was measured is filled in, what only people know is left to its author."""
    settings = here.settings()
    name, _, subject = team.partition("/")

    async def made() -> str:
        client = await here.connected(settings)
        it = await find.snapshot(client, await find.named(client, incident))
        store = open_store(settings.store_url)
        try:
            entries = {entry.seq: entry for entry in [*await store.timeline(it.id), *it.timeline]}
        finally:
            await store.close()
        return draft(it, name, subject, author, [entries[seq] for seq in sorted(entries)])

    typer.echo(here.in_loop(made()))
    return OK


def _policy() -> Policy:
    """Return the organisation's numbers; a catalogue that cannot be used hinders nobody's COE."""
    try:
        return here.catalog(here.settings()).policy
    except Stop:
        return Policy()


def _check(file: _FILE, json: Json = False) -> int:
    """Name what sends a COE back (errors), and what its review will ask (advice), line by line."""
    read, notes = parse(_text(file))
    findings = sorted(
        [*notes, *check(read, customers_hit=None, mitigated_by_hand=None, policy=_policy())], key=lambda f: f.line
    )
    errors = sum(finding.level == "error" for finding in findings)
    if json:
        as_json([finding.model_dump() for finding in findings])
        return FAILED if errors else OK
    rows: list[tuple[Cell, ...]] = [(str(f.line), f.level, f.code, f.text) for f in findings]
    if rows:
        table(console(), ("line", "", "code", ""), rows)
    advice = len(findings) - errors
    line(console(), f"{file}: {count(errors, 'error')}, {count(advice, 'hint')}.", "bad" if errors else "good")
    return FAILED if errors else OK


def _page(
    file: _FILE,
    out: Annotated[Path, typer.Option("--out", metavar="HTML", help="The page to write.")],
) -> int:
    """Write a COE as one HTML page with its tree of whys, for reading and printing."""
    read, notes = parse(_text(file))
    findings = [*notes, *check(read, customers_hit=None, mitigated_by_hand=None, policy=_policy())]
    try:
        out.write_text(coe_page(read, findings), encoding="utf-8")
    except OSError as error:
        raise Refused(f"{out}: cannot be written ({error.strerror})") from None
    line(console(), f"{out} written {datetime.now(UTC):%H:%M:%S} UTC")
    return OK
