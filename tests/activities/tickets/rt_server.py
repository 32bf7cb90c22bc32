"""A real Request Tracker 5 on SQLite, on a port of its own, with an account that has just the rights it needs."""

import asyncio
import contextlib
import os
import quopri
import shutil
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

LIBRARY = Path("/usr/share/request-tracker5")
SETUP, SERVER, PERL = shutil.which("rt-setup-database-5"), LIBRARY / "libexec" / "rt-server", shutil.which("perl")
PACKAGES = [Path(f"/var/lib/dpkg/info/{name}.list") for name in ("rt5-db-sqlite", "rt5-standalone")]
HERE = bool(SETUP and PERL and SERVER.exists() and all(listed.exists() for listed in PACKAGES))
QUEUE = "Incidents"
ROOT = ("root", "password")
RIGHTS = "SeeQueue CreateTicket ShowTicket ModifyTicket CommentOnTicket ShowTicketComments"
"""What docs/connectors.md tells people to grant."""

CONFIG = """
Set($rtname, 'example.test');
Set($Organization, 'example.test');
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '{folder}/rt.db');
Set($WebDomain, '127.0.0.1');
Set($WebPort, {port});
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'error');
Set($BcryptCost, 4);
Set($SendmailPath, '/bin/true');
Set($MasonDataDir, '{folder}/mason');
Set($MasonSessionDir, '{folder}/session');
Set(%GnuPG, Enable => 0);
Set(%SMIME, Enable => 0);
1;
"""
# What RT does behind each comment (mails to whoever watches, and here nobody does) takes two thirds of its time.
PEOPLE = """
use strict; use warnings;
use RT; RT::LoadConfig(); RT::Init();
use RT::User; use RT::Queue; use RT::AuthToken; use RT::Scrips;
my $user = RT::User->new(RT->SystemUser);
my ($id, $why) = $user->Create(Name => 'allclear', Privileged => 1);
die $why unless $id;
for my $name (qw(Incidents Readable)) {
    my $queue = RT::Queue->new(RT->SystemUser);
    ($id, $why) = $queue->Create(Name => $name);
    die $why unless $id;
    for my $right ($name eq 'Incidents' ? qw(%s) : qw(SeeQueue)) {
        ($id, $why) = $user->PrincipalObj->GrantRight(Right => $right, Object => $queue);
        die $why unless $id;
    }
}
my $scrips = RT::Scrips->new(RT->SystemUser);
$scrips->UnLimit;
while (my $scrip = $scrips->Next) {
    ($id, $why) = $scrip->SetDisabled(1);
    die $why unless $id;
}
my ($done, $how, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->Id, Description => 'tests');
die $how unless $done;
print "$token\\n";
"""


@dataclass
class RequestTracker:
    url: str
    token: str
    folder: Path
    environment: dict[str, str]
    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Begin, or go on with what was there; returns when it answers."""
        port = self.url.rpartition(":")[2]
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(SERVER), "--server", "Standalone", "--host", "127.0.0.1", "--port", port,
                env=self.environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        await _up(f"{self.url}/REST/2.0/rt", self.folder / "log")

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End in order; with SIGKILL at once."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, how)
            await self._process.wait()

    def comments(self, ticket: str) -> list[str]:
        """Return the comments of a ticket, oldest first, as its database has them: by REST that is a request each."""
        asked = """
            SELECT Content, ContentEncoding FROM Transactions JOIN Attachments ON TransactionId = Transactions.id
            WHERE ObjectType = 'RT::Ticket' AND ObjectId = ? AND Type = 'Comment' ORDER BY Transactions.id"""
        with contextlib.closing(sqlite3.connect(f"file:{self.folder / 'rt.db'}?mode=ro", uri=True)) as database:
            return [_text(content, encoding) for content, encoding in database.execute(asked, [int(ticket)])]

    async def root(self, method: str, path: str, body: object = None) -> httpx2.Response:
        async with httpx2.AsyncClient(auth=ROOT, timeout=20) as client:
            answer = await client.request(method, f"{self.url}/REST/2.0{path}", json=body)
            assert answer.is_success, answer.text
            return answer


@asynccontextmanager
async def request_tracker(folder: Path) -> AsyncIterator[RequestTracker]:
    """Set one up in a folder, and run it; takes some eight seconds."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name in ("mason", "session", "none"):
        (folder / name).mkdir()
    config = folder / "RT_SiteConfig.pm"
    config.write_text(CONFIG.replace("{folder}", str(folder)).replace("{port}", str(port)))
    environment = {**os.environ, "RT_SITE_CONFIG": str(config), "RT_SITE_CONFIG_DIR": str(folder / "none")}
    assert SETUP
    assert PERL
    await _run(environment, SETUP, "--action", "init", "--skip-create")
    (folder / "people.pl").write_text(PEOPLE % RIGHTS)
    token = (await _run(environment, PERL, f"-I{LIBRARY / 'lib'}", str(folder / "people.pl"))).strip().split("\n")[-1]
    there = RequestTracker(f"http://127.0.0.1:{port}", token, folder, environment)
    try:
        await there.start()
        yield there
    finally:
        await there.stop()


def _text(content: str | bytes, encoding: str) -> str:
    raw = content.encode() if isinstance(content, str) else content
    return (quopri.decodestring(raw) if encoding == "quoted-printable" else raw).decode()


async def _run(environment: dict[str, str], *command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()[-2000:]
    return said.decode()


async def _up(url: str, log: Path) -> None:
    async with asyncio.timeout(60), httpx2.AsyncClient(auth=ROOT, timeout=20) as client:
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if (await client.get(url)).is_success:
                    return
            assert "critical" not in log.read_text(errors="replace"), log.read_text()[-2000:]
            await asyncio.sleep(0.1)
