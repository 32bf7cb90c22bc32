"""One installation as an operator runs it: an embedded server, a worker, a gateway; and the outside world."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx2
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from temporalio.client import Client
from temporalio.service import RPCError

from link.client import connect
from model.catalogue.catalog import Catalog
from tests.acceptance.programs import Program, Server, Worker, eventually, free_ports
from worker.settings import Settings

NAMESPACE = "allclear"
REGION = "eu-west"
BOOT = 40.0
"""Seconds for everything to serve the first time."""
SENDER_WAITS = 12.0
"""Seconds a sender gives the gateway for an answer; it promises one within ten."""
SENDER_RESTS = 0.3
"""Seconds until a sender that got no 202 comes again."""
GIVES_UP = 100.0
"""Seconds after which a sender without a 202 is the test's failure: longer than all kills, and a boot, take."""


@dataclass(frozen=True)
class Letter:
    """What reached a person's provider."""

    at: float
    id: str
    to: str
    subject: str


@dataclass(frozen=True)
class Kill:
    """When a program was killed."""

    at: float
    program: Program


class PostOffice:
    """A mail server that keeps every letter, the second of the same page too."""

    def __init__(self, thinks: float) -> None:
        """Take a letter at once, and say so `thinks` seconds later, as real servers do.

        Who is killed meanwhile has sent it, and does not know.
        """
        self.letters: list[Letter] = []
        self.thinks = thinks

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        letter = message_from_bytes(content, policy=default)
        now = time.monotonic()
        self.letters += [Letter(now, letter["Message-ID"], to, letter["Subject"]) for to in envelope.rcpt_tos]
        await asyncio.sleep(self.thinks)
        return "250 taken"


class Installation:
    """Three programs in one folder, and what happened to them."""

    def __init__(self, folder: Path, services: int, thinks: float) -> None:
        self.began = time.monotonic()
        self.story: list[tuple[float, str]] = []
        self.accepted: dict[str, float] = {}
        self.kills: list[Kill] = []
        self.post = PostOffice(thinks)
        self.services = {f"service-{n:03}": f"p{n:03}@example.test" for n in range(1, services + 1)}
        temporal, ui, gateway, self._smtp = free_ports(4)
        self.address = f"127.0.0.1:{temporal}"
        self.gateway_url = f"http://127.0.0.1:{gateway}"
        self.data = folder / "data"
        catalog = folder / "catalog.yaml"
        catalog.write_text(json.dumps(organisation(self.services)))
        env = {
            **_ours(folder),
            "TEMPORAL_ADDRESS": self.address,
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "ALLCLEAR_DATA": str(self.data),
            "ALLCLEAR_CATALOG": str(catalog),
            "ALLCLEAR_GATEWAY_PORT": str(gateway),
            "ALLCLEAR_SMTP_HOST": "127.0.0.1",
            "ALLCLEAR_SMTP_PORT": str(self._smtp),
            "ALLCLEAR_SMTP_TLS": "none",
        }
        allclear = [sys.executable, "-m", "cli.main"]
        self.server = Server(NAMESPACE, (temporal, ui), env, folder)
        self.worker = Worker([*allclear, "worker"], self.address, env, folder)
        self.gateway = Program("gateway", [*allclear, "gateway"], env, folder, "Listening on")
        self.programs: list[Program] = [self.server, self.worker, self.gateway]

    @property
    def settings(self) -> Settings:
        return Settings(data=self.data)

    async def client(self) -> Client:
        """Return a client, once the server that was killed last answers."""

        async def connected() -> Client | None:
            try:
                return await connect(self.address, NAMESPACE, secret="of a reader")
            except (RPCError, RuntimeError):
                return None

        found: Client = await eventually(connected, "the server answers", BOOT)
        return found

    def tell(self, what: str) -> None:
        """Keep a line for whoever reads why it failed."""
        self.story.append((time.monotonic(), what))

    def letters(self, to: str) -> list[Letter]:
        return [letter for letter in list(self.post.letters) if letter.to == to]

    def told(self) -> str:
        """Return what happened, and the last words of every program."""
        paged = [(letter.at, f"paged {letter.to}: {letter.subject}") for letter in list(self.post.letters)]
        story = [f"{at - self.began:6.2f} s  {what}" for at, what in sorted([*self.story, *paged])]
        return "\n".join([*story, *(program.last_words() for program in self.programs)])

    async def is_paging(self) -> bool:
        """Whether a provider has a page that its sender does not know to be taken."""
        letters = self.post.letters
        return bool(letters) and time.monotonic() - letters[-1].at < self.post.thinks / 2

    async def kills_reached(self, number: int) -> None:
        """Wait until that many kills have been."""

        async def reached() -> bool:
            return len(self.kills) >= number

        await eventually(reached, f"{number} kills", GIVES_UP)

    async def killed(self, program: Program, *, keeper: bool = False) -> None:
        """Kill a program as soon as it is there."""

        async def hit() -> str:
            return program.kill_with_keeper() if keeper and isinstance(program, Server) else program.kill()

        what = await eventually(hit, f"{program.name} is there to be killed", BOOT)
        self.kills.append(Kill(time.monotonic(), program))
        self.tell(f"killed {what}")

    async def send(self, http: httpx2.AsyncClient, service: str) -> None:
        """Raise a service's alarm as a real sender does: again and again until it is accepted."""
        alarm = {"alarm": "errors", "service": service, "region": REGION, "state": "ALARM", "severity": 2}
        tries = 0

        async def taken() -> bool:
            nonlocal tries
            tries += 1
            try:
                answer = await http.post(f"{self.gateway_url}/alarms/allclear", json=alarm, timeout=SENDER_WAITS)
            except httpx2.TransportError:
                answer = None
            if answer is not None and answer.status_code == 202:
                return True
            assert answer is None or answer.status_code == 503, f"{answer.status_code}: {answer.text}"
            await asyncio.sleep(SENDER_RESTS)
            return False

        await eventually(taken, f"a 202 for the alarm of {service}", GIVES_UP)
        self.accepted[service] = time.monotonic()
        self.tell(f"accepted {service}" + (f", at the {tries}th try" if tries > 1 else ""))


@asynccontextmanager
async def installed(folder: Path, services: int, thinks: float = 0.0) -> AsyncIterator[Installation]:
    """Run an installation in this block, and end every process of it whatever happens."""
    it = Installation(folder, services, thinks)
    office = Controller(it.post, hostname="127.0.0.1", port=it._smtp)
    office.start()
    try:
        for program in it.programs:  # each waits for the one before, as its command asks for
            program.start()
            await eventually(program.serves, f"{program.name} serves", BOOT)
        it.tell("everything serves")
        yield it
    finally:
        await asyncio.gather(*(program.end() for program in it.programs), return_exceptions=True)
        office.stop()


def organisation(services: dict[str, str]) -> dict[str, Any]:
    """Return a catalogue in which every service has its own team of one person with one address.

    Nothing else wakes anybody within the first minutes: no event of many services, one level, one channel.
    """
    people = {address.partition("@")[0]: {"contact": [{"email": address}]} for address in services.values()}
    for name in ("boss", "kim", "sam"):
        people[name] = {"contact": [{"email": f"{name}@example.test"}]}
    teams = {f"team-{s}": {"on_call": [[a.partition("@")[0]]], "manager": "boss"} for s, a in services.items()}
    catalogue = {
        "organisation": "Killed",
        "partitions": {"public": [REGION]},
        "people": people,
        "teams": {
            **teams,
            "response": {"on_call": [["kim"]], "manager": "boss"},
            "support": {"on_call": [["sam"]], "manager": "boss"},
        },
        "services": {s: {"team": f"team-{s}", "regions": [REGION]} for s in services},
        "roles": {"incident_response": "response", "support": "support", "call_leaders": ["boss"]},
        "policy": {"aggregate_services": 1000, "aggregate_teams": 1000, "bundle_within": "0s"},
    }
    Catalog.load(catalogue)
    return catalogue


def _ours(folder: Path) -> dict[str, str]:
    """Return the environment without anybody's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ALLCLEAR_", "TEMPORAL_"))}
    return {**kept, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "PYTHONUNBUFFERED": "1"}
