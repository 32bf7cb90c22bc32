"""Settings of what wakes people, and of the mail server."""

import re
from typing import Literal

from pydantic import Field, SecretStr

from model.text import Refused
from worker.settings.base import Block


class PagingSettings(Block):
    """The pagers."""

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

    def paging_keys(self, kind: Literal["webhook", "pagerduty", "apprise"]) -> list[str]:
        """Return what a kind of pager was given, what is in its file behind what is in the environment.

        Raises:
            Refused: The file cannot be read; what is in it is not said.
        """
        given = {"webhook": self.webhook_keys, "pagerduty": self.pagerduty_keys, "apprise": self.apprise_urls}[kind]
        return list(dict.fromkeys(given.get_secret_value().split() + self.in_file(kind)))

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
