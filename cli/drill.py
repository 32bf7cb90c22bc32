"""`allclear drill`: a rehearsal of minutes to months, played in seconds."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import _AsyncGeneratorContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Protocol

import typer
from pydantic import ValidationError

from cli import outcome
from cli.here import settings
from cli.hush import hushed
from cli.say import FAILED, OK, UNUSABLE, Stop, as_json, console, line
from cli.timeline import Timeline
from model.catalogue.catalog import Catalog, CatalogError
from model.drill import Drill
from model.text import Refused
from store import StoreError
from worker.drill.connected import Reach
from worker.drill.drivers import DRIVERS, Driver
from worker.drill.player import Connection, Played, play
from worker.files import catalog_of, load_drill

LOG = "drill.log"
"""What the servers of a drill said; it also marks a folder as a drill's."""

_EXAMPLES = (
    "Example: allclear drill scenarios/one-bad-host.yaml\n\n"
    "for a program: allclear drill scenarios/one-bad-host.yaml --json --keep out\n\n"
    "through your mail server, chat and tickets: allclear drill scenarios/one-bad-host.yaml --connected "
    "--to email=you@example.com"
)


def add(app: typer.Typer) -> None:
    """Add `drill`."""
    app.command("drill", rich_help_panel="Play", epilog=_EXAMPLES)(_drill)


def _drill(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A scenario, such as scenarios/one-bad-host.yaml.")],
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object: docs/schemas/drill.json.")] = False,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Where tickets and record go; else a temporary folder.")
    ] = None,
    driver: Annotated[
        str, typer.Option("--driver", metavar="|".join(DRIVERS), help="Virtual time, or the wall's.")
    ] = "skipping",
    connected: Annotated[
        bool, typer.Option("--connected", help="Reach the mail server, chats and ticket systems that are configured.")
    ] = False,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="CHANNEL=ADDRESS|catalogue",
            help="Whom a connected drill may reach: one address for everybody's, or those in its catalogue.",
        ),
    ] = None,
) -> int:
    """Play a scenario with the real rules, workflows and tickets, in virtual time; nobody is paged.

    Connected, it also goes through the mail server, chats and ticket systems of this installation's settings. All of it
    says that it is a drill; it reaches whom you name, and neither customers nor the public status page by itself.

    Ends with status 1 where something did not go as the scenario expects, 2 where it cannot be played.
    """
    if driver not in DRIVERS:
        raise Stop(f"--driver: there is no {driver!r}; it is {' or '.join(DRIVERS)}", UNUSABLE)
    drill, catalog = _read(file)
    connection = _connection(to or [], connected=connected)
    with _folder(keep, forget=json) as folder:
        if json:
            played = _quietly(drill, catalog, folder, driver, connection)
            as_json(played.result.model_dump_json(indent=2))
        else:
            played = _shown(drill, catalog, folder, driver, connection)
            outcome.show(console(), drill, played.result)
            outcome.show_next(console(), file, played)
    return FAILED if played.result.problems else OK


def _connection(to: list[str], *, connected: bool) -> Connection | None:
    """Return what a drill is connected to.

    Raises:
        Stop: It is not said whom it may reach, or the settings cannot be read.
    """
    if not connected:
        if to:
            raise Stop("--to says whom a connected drill may reach: add --connected", UNUSABLE)
        return None
    try:
        return Connection(settings(), Reach.read(to))
    except Refused as error:
        raise Stop(str(error), UNUSABLE) from None


def _read(file: Path) -> tuple[Drill, Catalog]:
    """Read everything that may be wrong in a drill before a server is started for it.

    Raises:
        Stop: It cannot be played.
    """
    try:
        drill = load_drill(file)
        catalog = catalog_of(drill, file)
        catalog.policy.overridden(drill.policy)
    except Refused as error:
        raise Stop(str(error), UNUSABLE) from None
    except CatalogError as error:
        raise Stop(f"{file}: its catalogue cannot be used:\n{error}", UNUSABLE) from None
    except ValidationError as error:
        said = "; ".join(_policy_words(item) for item in error.errors(include_url=False, include_context=False))
        raise Stop(f"{file}: policy: {said}", UNUSABLE) from None
    return drill, catalog


def _policy_words(item: object) -> str:
    assert isinstance(item, dict)
    where = ".".join(str(part) for part in item["loc"])
    return f"{where}: {item['msg']}" if where else str(item["msg"])


@contextlib.contextmanager
def _folder(keep: Path | None, *, forget: bool) -> Iterator[Path]:
    """Give the drill a folder: the one named, else a temporary one, which goes again when nobody is told of it."""
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix="allclear-drill-"))
        yield folder
        if forget:
            shutil.rmtree(folder, ignore_errors=True)
        return
    if (keep / "allclear.db").exists() and not (keep / LOG).exists():
        raise Stop(f"{keep} holds the record of an installation: drills go to another folder", UNUSABLE)
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Stop(f"--keep: {keep} cannot be made ({error.strerror})", UNUSABLE) from None
    yield keep


def _quietly(drill: Drill, catalog: Catalog, folder: Path, driver: str, connection: Connection | None) -> Played:
    with hushed(folder / LOG):
        return _play(drill, catalog, folder, driver, None, connection)


def _shown(drill: Drill, catalog: Catalog, folder: Path, driver: str, connection: Connection | None) -> Played:
    with hushed(folder / LOG) as stream:
        out = console(stream)
        line(out, f"{drill.title}", "head")
        line(out, f"begins {drill.start:%A %d %B %Y, %H:%M} UTC, {len(drill.steps)} steps; times are UTC", "note")
        if not out.is_terminal:
            return _play(drill, catalog, folder, driver, Timeline(out), connection)
        status = out.status("starting a Temporal server …")
        with status, _progress(driver, _words(drill, status.update)) as name:
            return _play(drill, catalog, folder, name, Timeline(out), connection)


def _play(
    drill: Drill,
    catalog: Catalog,
    folder: Path,
    driver: str,
    timeline: Timeline | None,
    connection: Connection | None,
) -> Played:
    async def work() -> Played:
        if timeline is None:
            return await play(drill, catalog, folder, driver=driver, connection=connection)
        played = await play(drill, catalog, folder, driver=driver, watch=timeline.hear, connection=connection)
        timeline.end(played.result)
        return played

    try:
        return asyncio.run(work())
    except Refused as error:
        raise Stop(str(error), UNUSABLE) from None
    except StoreError:
        raise
    except (RuntimeError, TimeoutError) as error:
        raise Stop(f"the drill could not be played: {error}; what the server said is in {folder / LOG}") from error


Progress = Callable[[int, timedelta], None]
"""Hears before each step how many were taken, and which moment of the story is next."""


def _words(drill: Drill, update: Callable[[str], None]) -> Progress:
    def tell(taken: int, offset: timedelta) -> None:
        story: datetime = drill.start + offset
        step = f"step {taken + 1} of {len(drill.steps)}" if taken < len(drill.steps) else "to the end"
        update(f"{step}, {story:%a %d %H:%M:%S}")

    return tell


@contextlib.contextmanager
def _progress(driver: str, tell: Progress) -> Iterator[str]:
    """Offer the driver under another name, under which it says how far it is.

    The player tells of what happened; while nothing happens, only the driver knows where the story is.
    """
    name = f"{driver}, watched"
    DRIVERS[name] = _watched(DRIVERS[driver], tell)
    try:
        yield name
    finally:
        del DRIVERS[name]


class Server(Protocol):
    """Starts a server; as `DRIVERS` holds them."""

    def __call__(self, secret: str) -> _AsyncGeneratorContextManager[Driver]:
        """Start it."""
        ...


def _watched(driver: Server, tell: Progress) -> Server:
    @asynccontextmanager
    async def watched(secret: str) -> AsyncIterator[Driver]:
        async with driver(secret) as inner:
            yield _Watched(inner, tell)

    return watched


class _Watched:
    """A driver that says where it goes."""

    def __init__(self, inner: Driver, tell: Progress) -> None:
        self.client = inner.client
        self._inner = inner
        self._tell = tell
        self._base: datetime | None = None
        self._taken = 0

    async def now(self) -> datetime:
        now = await self._inner.now()
        self._base = self._base or now
        return now

    async def until(self, moment: datetime) -> None:
        self._tell(self._taken, moment - (self._base or moment))
        self._taken += 1
        await self._inner.until(moment)
