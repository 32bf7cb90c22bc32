"""Settings: from the environment (`ALLCLEAR_…`), else from files, else sensible for one machine."""

import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from model.text import Refused
from worker.files import EXAMPLE_CATALOG

SOURCES = ("allclear", "alertmanager", "eventbridge", "grafana", "datadog", "cloudevents")
"""Senders of alarms that prove themselves with keys; CloudWatch's are signed by Amazon (`sns_topics`)."""


def _keys(who: str) -> Any:
    return Field(default=SecretStr(""), description=f"Keys of {who}; several, with blanks between, while they change.")


class Settings(BaseSettings):
    """How this installation runs. Every field is an environment variable with the prefix `ALLCLEAR_`."""

    model_config = SettingsConfigDict(env_prefix="ALLCLEAR_", extra="ignore")

    data: Path = Field(default=Path("data"), description="Folder of the embedded server, the store and the tickets.")
    catalog: Path = Field(default=EXAMPLE_CATALOG, description="The organisation's catalogue.")
    namespace: str = Field(default="allclear", description="Temporal namespace of the embedded server.")
    store: str = Field(default="", description="Database URL; default: SQLite in the data folder.")
    gateway_host: str = Field(default="127.0.0.1", description="Where the gateway listens.")
    gateway_port: int = Field(default=8600, description="0 takes a free port.")
    temporal_port: int = Field(default=7243, description="Port of the embedded server; 0 takes a free one.")
    ui_port: int = Field(default=8243, description="Port of its Web UI; 0 takes a free one.")
    public_url: str = Field(default="", description="How people's phones reach the gateway; default: its own address.")
    secret: SecretStr = Field(
        default=SecretStr(""), description="Signs links and proofs; default: kept in the data folder."
    )
    token: SecretStr = Field(
        default=SecretStr(""),
        description="What senders of alarms show as bearer token; empty: loopback senders need none.",
    )
    keys_allclear: SecretStr = _keys("senders of AllClear's own format, shown as bearer token, or whsec_… to sign")
    keys_alertmanager: SecretStr = _keys("Alertmanager, shown as bearer token")
    keys_eventbridge: SecretStr = _keys("EventBridge's API destination, shown as bearer token")
    keys_grafana: SecretStr = _keys("Grafana: secrets of its HMAC signature, or shown as bearer token")
    keys_datadog: SecretStr = _keys("Datadog, shown as bearer token")
    keys_cloudevents: SecretStr = _keys("CloudEvents, shown as bearer token, or whsec_… to sign")
    keys_folder: Path | None = Field(
        default=None,
        description="Folder with files named like the sources (`grafana`), a key a line: further keys, as secrets are "
        "mounted.",
    )
    sns_topics: str = Field(
        default="", description="ARNs of SNS topics whose CloudWatch alarms are taken, with blanks between."
    )
    gateways: int = Field(
        default=0,
        ge=0,
        description="How many gateways take alarms; 1: every repeat is absorbed there. 0: one with `allclear up`, "
        "several with `allclear gateway`.",
    )
    smtp_host: str = Field(default="", description="Mail server; empty: e-mail goes to the outbox.")
    smtp_port: int = Field(default=25)
    smtp_user: str = Field(default="")
    smtp_password: SecretStr = Field(default=SecretStr(""))
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is encrypted."
    )
    smtp_sender: str = Field(default="allclear@localhost")
    webhook_keys: SecretStr = Field(
        default=SecretStr(""),
        description="Keys (whsec_…) that sign webhook pages; several, with blanks between, while they change. Here or "
        "in the file `webhook` of ALLCLEAR_KEYS_FOLDER.",
    )
    pagerduty_keys: SecretStr = Field(
        default=SecretStr(""),
        description="PagerDuty's routing keys as name=key, with blanks between; contacts use the names. Here or in the "
        "file `pagerduty` of ALLCLEAR_KEYS_FOLDER.",
    )
    pagerduty_url: str = Field(
        default="https://events.pagerduty.com", description="In the EU service region: https://events.eu.pagerduty.com"
    )
    apprise_urls: SecretStr = Field(
        default=SecretStr(""),
        description="Apprise's addresses as channel=address, with blanks between, {address} for the contact's. Here or "
        "in the file `apprise` of ALLCLEAR_KEYS_FOLDER.",
    )
    deployments: Path | None = Field(default=None, description="File with a JSON line per deployment (M2).")
    prometheus: str = Field(
        default="", description="Prometheus (or what speaks its API) with the traffic watched (D4)."
    )
    metrics_port: int = Field(
        default=0, description="Port of Temporal's metrics for Prometheus, on this machine only; 0: none."
    )
    user: str = Field(default="", description="Who you are to the command line, as the catalogue knows you.")

    @property
    def store_url(self) -> str:
        """Return the database URL."""
        return self.store or f"sqlite+aiosqlite:///{self.data / 'allclear.db'}"

    @property
    def gateway_url(self) -> str:
        """Return how the gateway is reached: by people's phones where that is set, else on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.gateway_host, self.gateway_host)
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.gateway_port}"

    @property
    def tickets(self) -> Path:
        """Return the folder of tickets."""
        return self.data / "tickets"

    @property
    def topics(self) -> list[str]:
        """Return the SNS topics whose alarms are taken."""
        return re.split(r"[\s,]+", self.sns_topics.strip()) if self.sns_topics.strip() else []

    def source_keys(self) -> dict[str, list[str]]:
        """Return each source's keys, those of its file behind those of the environment.

        Raises:
            Refused: A file cannot be read; what is in it is not said.
        """
        found: dict[str, list[str]] = {}
        for source in SOURCES:
            given: SecretStr = getattr(self, f"keys_{source}")
            keys = given.get_secret_value().split() + self._keys_in_file(source)
            if keys:
                found[source] = list(dict.fromkeys(keys))
        return found

    def paging_keys(self, kind: Literal["webhook", "pagerduty", "apprise"]) -> list[str]:
        """Return what a kind of pager was given, what is in its file behind what is in the environment.

        Raises:
            Refused: The file cannot be read; what is in it is not said.
        """
        given = {"webhook": self.webhook_keys, "pagerduty": self.pagerduty_keys, "apprise": self.apprise_urls}[kind]
        return list(dict.fromkeys(given.get_secret_value().split() + self._keys_in_file(kind)))

    def paging_names(self, kind: Literal["pagerduty", "apprise"]) -> dict[str, str]:
        """Return what a kind of pager was given as name=value.

        Raises:
            Refused: It is not of that form, or a name has two values; values are not said.
        """
        setting = {"pagerduty": "ALLCLEAR_PAGERDUTY_KEYS", "apprise": "ALLCLEAR_APPRISE_URLS"}[kind]
        found: dict[str, str] = {}
        for number, entry in enumerate(self.paging_keys(kind), start=1):
            name, equals, value = entry.partition("=")
            if not equals or not value or not re.fullmatch(r"[\w.-]+", name):
                raise Refused(f"{setting}: entry {number} is not name=value")
            if name in found:
                raise Refused(f"{setting}: {name} has two values")
            found[name] = value
        return found

    def _keys_in_file(self, source: str) -> list[str]:
        if self.keys_folder is None:
            return []
        path = self.keys_folder / source
        try:
            return path.read_text(encoding="utf-8").split()
        except FileNotFoundError:
            if self.keys_folder.is_dir():
                return []
            raise Refused(f"ALLCLEAR_KEYS_FOLDER: there is no folder {self.keys_folder}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"{path}: the keys cannot be read ({type(error).__name__})") from None

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
