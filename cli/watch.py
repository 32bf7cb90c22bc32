"""`allclear watch`: what is watched from the outside, and how a detector would have judged the past (D2, D4)."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli import here
from cli.say import OK, as_json, console, count, line, table
from cli.talk import Json
from model.detect.watch import Watch
from model.times import iso, short

_SERIES = Annotated[Path, typer.Argument(metavar="FILE.csv", help="Two columns: timestamp,value.")]
_DETECTOR = Annotated[
    Literal["shortfall", "uptick"],
    typer.Option(help="`shortfall`: traffic that goes missing; `uptick`: reports."),
]
_ZONE = Annotated[str, typer.Option(help="The time zone in whose days and weeks customers live.")]
_MISSING = Annotated[
    Literal["breaching", "not_breaching", "ignore", "missing"], typer.Option(help="What an absent sample means.")
]


def add(app: typer.Typer) -> None:
    """Add `watch` with `list`, `replay` and `plot`."""
    watch = typer.Typer(
        help="See what is watched from the outside, and tune a detector on the past.", no_args_is_help=True
    )
    app.add_typer(watch, name="watch", rich_help_panel="Look")
    watch.command("list", epilog="Example: allclear watch list --json")(_list)
    watch.command("replay", epilog="Example: allclear watch replay orders.csv --out scores.csv")(_replay)
    watch.command("plot", epilog="Example: allclear watch plot orders.csv --out orders.svg")(_plot)


def _list(json: Json = False) -> int:
    """List every canary and series, and how each stands."""
    states = here.in_loop(_states())
    if json:
        as_json([state.model_dump(mode="json", include={"region", "seen", "error"}) for state in states])
        return OK
    out = console()
    rows: list[list[Any]] = []
    for state in states:
        if state.error:
            rows.append([state.region, "", "cannot watch", "", state.error])
        for seen in state.seen:
            firing = [name for name, said in seen.alarms.items() if said == "ALARM"]
            looked = iso(seen.at) if seen.at else ""
            rows.append([state.region, seen.name, ", ".join(firing) or "ok", looked, seen.why])
    if not rows:
        line(out, "Nothing is watched: name `canaries:` or `traffic:` in the catalogue.")
        return OK
    table(out, ["region", "watcher", "in alarm", "looked at", "what it saw"], rows)
    return OK


async def _states() -> list[Watch]:
    client = await here.connected(here.settings())
    found: list[Watch] = []
    async for run in client.list_workflows('WorkflowType="Watch" AND ExecutionStatus="Running"'):
        found.append(await client.get_workflow_handle(run.id).query("snapshot", result_type=Watch))
    return sorted(found, key=lambda state: state.region)


def _replay(
    file: _SERIES,
    out: Annotated[Path, typer.Option(metavar="SCORES.csv", help="Where the scores go.")],
    detector: _DETECTOR = "shortfall",
    zone: _ZONE = "UTC",
    missing: _MISSING = "breaching",
    json: Json = False,
) -> int:
    """Judge a series of the past: what was expected, how much spoke for an alarm, and where one would have begun.

    Writes `timestamp,value,expected,score,alarm`; `alarm` is 1 where a page begins, 2 where a partial shortfall does.
    The first half of the series only teaches what is usual.
    """
    from worker.watches import replay  # numpy takes a quarter of a second, which no other command should pay

    told = replay(file, out, detector, zone=zone, missing=missing)
    return _say(told, out, json)


def _plot(
    file: _SERIES,
    out: Annotated[Path, typer.Option(metavar="PICTURE.svg|.png", help="Where the picture goes.")],
    detector: _DETECTOR = "shortfall",
    zone: _ZONE = "UTC",
    missing: _MISSING = "breaching",
    json: Json = False,
) -> int:
    """Draw a series with what was expected of it, and where it would have alarmed; the ending says SVG or PNG."""
    from worker.watches import draw_series

    told = draw_series(file, out, detector, zone=zone, missing=missing)
    return _say(told, out, json)


def _say(told: Any, out: Path, json: bool) -> int:
    if json:
        as_json(
            {
                "samples": told.samples,
                "absent": told.absent,
                "unjudged": told.unjudged,
                "interval_seconds": told.interval.total_seconds(),
                "pages": told.pages,
                "partial": told.partial,
                "onsets": told.words,
                "out": str(out),
            }
        )
        return OK
    page = console()
    line(page, f"{count(told.samples, 'sample')}, one every {short(told.interval)}; {told.absent} absent.")
    if told.unjudged:
        line(page, f"{count(told.unjudged, 'sample')} out of order or twice in a tick were not judged.")
    partial = count(told.partial, "partial shortfall")
    line(page, f"{count(told.pages, 'page')}, {partial} (a stuck one counts again every 12 h).")
    for word in told.words:
        line(page, f"  {word}")
    line(page, f"Written: {out}")
    return OK
