"""Settings: from the environment (`ALLCLEAR_…`), else from files, else sensible for one machine."""

import contextlib
import os
import secrets
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import Field, IPvAnyAddress, SecretStr

from model.text import Refused
from worker.files import EXAMPLE_CATALOG
from worker.settings.chat import ChatSettings
from worker.settings.customers import CustomerSettings
from worker.settings.intake import IntakeSettings
from worker.settings.paging import PagingSettings
from worker.settings.statuspage import StatusPageSettings
from worker.settings.tickets import TicketSettings


class Settings(IntakeSettings, PagingSettings, ChatSettings, TicketSettings, StatusPageSettings, CustomerSettings):
    """How this installation runs. Every field is an environment variable with the prefix `ALLCLEAR_`."""

    data: Path = Field(default=Path("data"), description="Folder of the embedded server, the store and the tickets.")
    catalog: Path = Field(default=EXAMPLE_CATALOG, description="The organisation's catalogue.")
    namespace: str = Field(default="allclear", description="Temporal namespace of the embedded server.")
    store: str = Field(default="", description="Database URL; default: SQLite in the data folder.")
    store_password: SecretStr = Field(
        default=SecretStr(""), description="Password of the database, where its URL has none; a file is safer."
    )
    gateway_host: str = Field(default="127.0.0.1", description="Where the gateway listens.")
    gateway_port: int = Field(default=8600, description="0 takes a free port.")
    temporal_port: int = Field(default=7243, description="Port of the embedded server; 0 takes a free one.")
    ui_port: int = Field(default=8243, description="Port of its Web UI; 0 takes a free one.")
    public_url: str = Field(default="", description="How people's phones reach the gateway; default: its own address.")
    mode: Literal["live", "shadow"] = Field(
        default="live",
        description="`shadow` decides and records everything, and sends nothing out of the house: pages and messages "
        "stay in the outbox, to be compared with your pager's (`allclear outbox`).",
    )
    secret: SecretStr = Field(
        default=SecretStr(""), description="Signs links and proofs; default: kept in the data folder."
    )
    deployments: Path | None = Field(default=None, description="File with a JSON line per deployment (M2).")
    prometheus: str = Field(
        default="", description="Prometheus (or what speaks its API) with the traffic watched (D4)."
    )
    metrics_port: int = Field(
        default=0, description="Port of Temporal's metrics for Prometheus, at `metrics_host`; 0: none."
    )
    metrics_host: IPvAnyAddress = Field(
        default=IPv4Address("127.0.0.1"),
        description="Address at which the metrics are served: this machine only, unless set; 0.0.0.0 is every network. "
        "Nobody has to prove who they are to read them.",
    )
    user: str = Field(default="", description="Who you are to the command line, as the catalogue knows you.")

    @property
    def store_url(self) -> str:
        """Return the database URL, with the password that it may have apart.

        Raises:
            Refused: There is no place for it.
        """
        password = self.store_password.get_secret_value()
        if not password:
            return self.store or f"sqlite+aiosqlite:///{self.data / 'allclear.db'}"
        kind, found, rest = self.store.partition("://")
        user, at, where = rest.partition("@")
        if not found or not user or not at or ":" in user or "/" in user:
            raise Refused(
                "ALLCLEAR_STORE_PASSWORD: ALLCLEAR_STORE has no place for it; postgresql://user@host/database"
            )
        return f"{kind}://{user}:{quote(password, safe='')}@{where}"

    @property
    def gateway_url(self) -> str:
        """Return how the gateway is reached: by people's phones where that is set, else on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.gateway_host, self.gateway_host)
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.gateway_port}"

    @property
    def tickets(self) -> Path:
        """Return the folder of tickets."""
        return self.data / "tickets"

    def the_secret(self) -> str:
        """Return the secret, making and keeping one on first use.

        Raises:
            Refused: It can neither be read nor kept.
        """
        given = self.secret.get_secret_value()
        if given:
            return given
        path = self.data / "secret"
        try:
            if not path.exists():
                self.data.mkdir(0o700, parents=True, exist_ok=True)
                _make_once(path, secrets.token_hex(32))
            kept = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Refused(f"{path}: the secret cannot be kept ({error.strerror}); set ALLCLEAR_SECRET") from None
        if not kept:
            raise Refused(f"{path} is empty: remove it, and a new secret is made")
        return kept


def _make_once(path: Path, text: str) -> None:
    """Make a file for our eyes only, whole at once, unless another process has just made it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
