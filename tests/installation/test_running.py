"""The processes of docker-compose.yml, with its commands, its environment and its jobs, without containers.

PostgreSQL is a real one, Temporal the embedded server in the cluster's place; hosts and paths are this machine's.
"""

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from store import open_store
from tests.acceptance.programs import Program, Worker, eventually, free_ports
from tests.installation.compose import ROOT, Here, composed
from tests.store.postgres import Postgres, postgres
from worker.binaries import binary
from worker.embedded import Embedded
from worker.files import EXAMPLE_CATALOG
from worker.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.heavy, pytest.mark.timeout(180)]

BOOT = 60.0
"""Seconds for everything to serve, on a machine that is busy with other tests."""
TAKEN_OVER = 60.0
"""Seconds until the other worker has taken over from one that was killed: Temporal waits ten for a lost task."""
OURS = ("ALLCLEAR_", "TEMPORAL_", "PG")


class Installation:
    """The services of the file as processes of this machine."""

    def __init__(self, folder: Path, server: Postgres, temporal: str) -> None:
        self.folder = folder
        self.here = Here(folder, temporal=temporal, postgres=server.port)
        self._server = server
        self._mounts()
        gateway, *metrics = free_ports(3)
        self.url = f"http://127.0.0.1:{gateway}"
        allclear = [sys.executable, "-m", "cli.main"]
        services = composed()["services"]
        # Containers have ports of their own, processes of one machine have not.
        self.workers = [
            Worker(
                [*allclear, *services["worker"]["command"]],
                temporal,
                self.env("worker", ALLCLEAR_METRICS_PORT=str(port)),
                self._own(f"worker-{number}"),
            )
            for number, port in enumerate(metrics, start=1)
        ]
        self.gateway = Program(
            "gateway",
            [*allclear, *services["gateway"]["command"]],
            self.env("gateway", ALLCLEAR_GATEWAY_PORT=str(gateway), ALLCLEAR_PUBLIC_URL=self.url),
            self._own("gateway"),
            "Listening on",
        )
        self.programs: list[Program] = [*self.workers, self.gateway]
        self.migrate = [*allclear, *services["migrate"]["command"]]

    def _mounts(self) -> None:
        """Write what an operator writes: secrets, and the catalogue."""
        kept = self.folder / "secrets"
        for name in composed()["secrets"]:
            kept.mkdir(exist_ok=True)
            (kept / name).write_text(
                f"{secrets.token_urlsafe(24)} '%@/\n" if "password" in name else "token-or-secret\n"
            )
        (kept / "postgres_password").write_text(f"{self._server.admin_password}\n")
        (kept / "keys").mkdir()
        (self.folder / "config").mkdir()
        shutil.copy(EXAMPLE_CATALOG, self.folder / "config" / "catalog.yaml")
        (self.folder / "data").mkdir()

    def _own(self, name: str) -> Path:
        folder = self.folder / "logs" / name
        folder.mkdir(parents=True)
        return folder

    def env(self, service: str, **instead: str) -> dict[str, str]:
        """Return the environment of a service: the file's, and nothing of whoever runs the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        nobody = {"HOME": str(self.folder / "home"), "XDG_CONFIG_HOME": str(self.folder / "home")}
        return {**kept, **nobody, "PYTHONUNBUFFERED": "1", **self.here.environment(service), **instead}

    async def job(self, service: str, command: list[str], **instead: str) -> str:
        """Run a job of the file to its end."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env=self.env(service, **instead),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), BOOT)
        assert process.returncode == 0, f"{service}: {said.decode(errors='replace')}"
        return said.decode(errors="replace")

    async def prepare(self) -> None:
        """Run the jobs on which everything waits; Temporal's again, as with every `docker compose up`."""

        async def tables() -> None:
            await self.databases()
            await self.job("migrate", self.migrate)

        await asyncio.gather(tables(), self.namespace())
        await self.namespace()

    async def databases(self) -> None:
        """Make the roles and the databases."""
        path = f"{self._server.programs}:{os.environ['PATH']}"
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(self._server.port)}
        await self.job("databases", self.here.script("databases"), **where, PATH=path)

    async def namespace(self) -> None:
        """Make the namespace and its search attributes."""
        path = f"{Path(binary('temporal')).parent}:{os.environ['PATH']}"
        await self.job("namespace", self.here.script("namespace"), PATH=path)

    async def healthy(self, program: Program) -> bool:
        """Whether the container's own check says that a process works."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(ROOT / "deploy" / "healthy.py"), env=program._env, stderr=subprocess.DEVNULL
        )
        return await process.wait() == 0

    async def alarm(self, service: str, token: str | None = None) -> int:
        """Raise an alarm over HTTP and return the answer's status."""
        alarm = {"alarm": "errors", "service": service, "region": "eu-west", "state": "ALARM", "severity": 3}
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx2.AsyncClient() as http:
            answer = await http.post(f"{self.url}/alarms/allclear", json=alarm, headers=headers, timeout=15)
        return answer.status_code

    async def recorded(self, service: str) -> str:
        """Return the id of a service's incident, once the record in PostgreSQL has it, and who was paged."""
        password = SecretStr((self.folder / "secrets" / "store_password").read_text().strip())
        settings = Settings(store=self.here.environment("worker")["ALLCLEAR_STORE"], store_password=password)
        store = open_store(settings.store_url)
        try:

            async def there() -> str:
                for row in await store.incidents():
                    if service in row.services and any(line.what == "paged" for line in await store.timeline(row.id)):
                        return row.id
                return ""

            found: str = await eventually(there, f"the record has an incident of {service}, and its page", TAKEN_OVER)
            return found
        finally:
            await store.close()

    def token(self) -> str:
        return (self.folder / "secrets" / "token").read_text().strip()


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[Installation]:
    """Run the services in this block, and end every process of them whatever happens."""
    with postgres() as server:
        temporal = Embedded(folder / "temporal", "somebody-elses")
        await temporal.start()
        it: Installation | None = None
        try:
            it = Installation(folder, server, temporal.address)
            await it.prepare()
            for program in it.programs:
                program.start()
            for program in it.programs:
                await eventually(program.serves, f"{program.name} serves", BOOT)
            yield it
        finally:
            if it is not None:
                await asyncio.gather(*(program.end() for program in it.programs), return_exceptions=True)
                print("\n".join(program.last_words() for program in it.programs))
            await temporal.stop()


async def test_an_alarm_becomes_an_incident_and_a_killed_worker_is_not_missed(tmp_path: Path) -> None:
    async with installed(tmp_path) as it:
        for program in it.programs:
            await eventually(partial(it.healthy, program), f"{program.name} is healthy", BOOT)

        assert await it.alarm("checkout-api") == 401
        assert await it.alarm("checkout-api", "another token") == 401
        assert await it.alarm("checkout-api", it.token()) == 202
        first = await it.recorded("checkout-api")

        gone = it.workers[0]
        await gone.end()  # kill -9, and nobody starts it again
        assert not await it.healthy(gone)
        assert await it.alarm("search", it.token()) == 202
        second = await it.recorded("search")
        assert first != second

        doctor = [sys.executable, "-c", _DOCTOR]
        found = json.loads(await it.job("worker", doctor, ALLCLEAR_PUBLIC_URL="https://allclear.example.test"))
        wrong = {check["name"]: check["text"] for check in found if not check["ok"]}
        assert wrong == {}


_DOCTOR = """
import asyncio, json, logging
from cli.doctor import doctor
from worker.settings import Settings
print(json.dumps([vars(check) for check in asyncio.run(doctor(Settings()))]))
"""


async def test_the_databases_are_made_once_and_take_a_changed_password(tmp_path: Path) -> None:
    with postgres() as server:
        it = Installation(tmp_path, server, "127.0.0.1:1")
        await it.databases()
        (tmp_path / "secrets" / "store_password").write_text("another one")
        await it.databases()
        await it.job("migrate", it.migrate)
        connection = await server.connect("postgres")
        rows = await connection.fetch("SELECT datname, pg_get_userbyid(datdba) FROM pg_database ORDER BY datname")
        await connection.close()
    owners = {name: owner for name, owner in rows if not name.startswith("template")}
    ours = {"allclear": "allclear", "temporal": "temporal", "temporal_visibility": "temporal"}
    assert owners == {**ours, "postgres": "postgres"}
