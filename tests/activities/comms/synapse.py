"""A real homeserver for the tests of Matrix: Synapse, in a process and a Python of its own, on a free loopback port."""

import asyncio
import base64
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2 as httpx
import pytest
import yaml

PYTHON = "ALLCLEAR_TEST_SYNAPSE_PYTHON"
"""Names a Python that has `matrix-synapse`; without it, `synapse_homeserver` is looked for on the path."""
MISSING = f"no Synapse: {PYTHON} names no Python with `matrix-synapse`, and there is no synapse_homeserver"
SHARED = "a shared secret of the tests"
HIGH = {"per_second": 1000, "burst_count": 1000}


def program() -> list[str]:
    """Return how Synapse is started, or skip."""
    python = os.environ.get(PYTHON, "")
    if python and Path(python).exists():
        return [python, "-m", "synapse.app.homeserver"]
    found = shutil.which("synapse_homeserver")
    if not found:
        pytest.skip(MISSING)
    return [found]


@dataclass
class Account:
    """Somebody who chats, by the client-server API itself."""

    url: str
    id: str
    token: str
    device: str = ""
    sent: int = field(default=0)

    async def call(self, method: str, path: str, **json: Any) -> Any:
        async with httpx.AsyncClient(base_url=self.url, timeout=20) as http:
            answer = await http.request(
                method,
                f"/_matrix/client/v3{path}",
                headers={"authorization": f"Bearer {self.token}"},
                json=json if method != "GET" else None,
            )
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"
        return answer.json()

    async def join(self, room: str) -> None:
        await self.call("POST", f"/join/{quote(room)}")

    async def leave(self, room: str) -> None:
        await self.call("POST", f"/rooms/{quote(room)}/leave")

    async def say(self, room: str, text: str, **content: Any) -> str:
        self.sent += 1
        path = f"/rooms/{quote(room)}/send/m.room.message/{self.token[-6:]}{self.sent}"
        return str((await self.call("PUT", path, **{"msgtype": "m.text", "body": text, **content}))["event_id"])

    async def events(self, room: str) -> list[dict[str, Any]]:
        """Return what the room holds, oldest first."""
        page = await self.call("GET", f"/rooms/{quote(room)}/messages?dir=f&limit=500")
        return list(page["chunk"])

    async def bodies(self, room: str) -> list[str]:
        said = await self.events(room)
        return [e["content"]["body"] for e in said if e["type"] == "m.room.message" and "body" in e["content"]]

    async def state(self, room: str, type: str, key: str = "") -> Any:
        return await self.call("GET", f"/rooms/{quote(room)}/state/{type}/{quote(key)}")


@dataclass
class Homeserver:
    url: str
    command: list[str]
    folder: Path
    people: dict[str, Account] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Begin, or go on with what was there; returns when it answers."""
        with (self.folder / "log").open("ab") as log:
            run = subprocess.Popen
            self._process = await asyncio.to_thread(run, self.command, cwd=self.folder, stdout=log, stderr=log)
        await _up(self.url, self._process, self.folder)

    async def stop(self) -> None:
        """End in order."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, 10)
        except subprocess.TimeoutExpired:
            self._process.kill()

    async def kill(self) -> None:
        """Be gone at once."""
        assert self._process
        self._process.kill()
        await asyncio.to_thread(self._process.wait, 10)

    async def account(self, name: str) -> Account:
        """Return somebody's account, made when they are first asked for."""
        if name in self.people:
            return self.people[name]
        path = "/_synapse/admin/v1/register"
        async with httpx.AsyncClient(base_url=self.url, timeout=20) as http:
            nonce = (await http.get(path)).json()["nonce"]
            signed = "\0".join((nonce, name, "password", "notadmin"))
            mac = hmac.new(SHARED.encode(), signed.encode(), hashlib.sha1).hexdigest()
            asked = {"nonce": nonce, "username": name, "password": "password", "admin": False, "mac": mac}
            said = (await http.post(path, json=asked)).json()
        self.people[name] = Account(self.url, said["user_id"], said["access_token"], said["device_id"])
        return self.people[name]


@asynccontextmanager
async def synapse(folder: Path) -> AsyncIterator[Homeserver]:
    """Run a homeserver in this block."""
    start = program()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    seed = base64.b64encode(os.urandom(32)).decode().rstrip("=")
    (folder / "signing.key").write_text(f"ed25519 a_test {seed}\n")
    config = {
        "server_name": "localhost",
        "report_stats": False,
        "pid_file": str(folder / "pid"),
        "listeners": [
            {"port": port, "bind_addresses": ["127.0.0.1"], "type": "http", "resources": [{"names": ["client"]}]}
        ],
        "database": {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}},
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
        "registration_shared_secret": SHARED,
        "macaroon_secret_key": SHARED,
        "form_secret": SHARED,
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        # Else a listener that begins hears what the one before it began with.
        "caches": {"sync_response_cache_duration": "0s"},
        # A password takes bcrypt four rounds and no second.
        "bcrypt_rounds": 4,
        "rc_message": HIGH,
        "rc_joins": {"local": HIGH, "remote": HIGH},
        "rc_invites": {"per_room": HIGH, "per_user": HIGH, "per_issuer": HIGH},
        "rc_room_creation": HIGH,
    }
    (folder / "homeserver.yaml").write_text(yaml.safe_dump(config))
    command = [*start, "--config-path", str(folder / "homeserver.yaml")]
    server = Homeserver(f"http://127.0.0.1:{port}", command, folder)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


async def _up(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    async with httpx.AsyncClient(timeout=2) as http:
        for _ in range(300):
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            try:
                if (await http.get(f"{url}/health")).status_code == 200:
                    return
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
    raise AssertionError("Synapse does not come up: " + (folder / "log").read_text()[-2000:])
