"""Pages through Apprise: SMS, push and voice of some 170 providers, by an address per channel in the settings.

Apprise says whether a provider took a page, seldom why not, and takes no key of ours unless the address has a place
for one. Where a connector of its own exists, that one is better.
"""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from typing import Any, Final
from urllib.parse import quote, unquote

import apprise

from activities import Failed
from activities.paging import Pager
from activities.posting import LATER, WITHIN
from model.effects import Page
from model.text import Refused, one_line
from model.times import short

ADDRESS, KEY = "{address}", "{key}"
AT_ONCE: Final = 8
"""Pages under way at the same time: each holds a thread, for eight seconds at most (Apprise's 4 to connect, 4 to
read)."""

_ERROR: Final = re.compile(r"\berror=(\d{3})\b")


class ApprisePager(Pager):
    """Pages over one channel, whose address has a place for the person's."""

    proves = "Apprise takes every address; nothing was sent, so page yourself once"

    def __init__(self, channel: str, url: str, within: timedelta = WITHIN) -> None:
        """Take a channel.

        Args:
            channel: As contacts call it.
            url: Apprise's address of the provider, with `{address}` where the contact's goes, and `{key}` where the
                provider takes something by which it recognises a repetition.
            within: How long one page may take.

        Raises:
            Refused: The address is none; it is not shown, because it holds secrets.
        """
        if ADDRESS not in url:
            raise Refused(f"ALLCLEAR_APPRISE_URLS, {channel}: {ADDRESS} is missing, so all would page the same one")
        if url.partition("://")[0].lower() not in _schemes():
            raise Refused(f"ALLCLEAR_APPRISE_URLS, {channel}: Apprise knows no such address; see its list of services")
        self._channel = channel
        self._url = url
        self._within = within
        # Of our own: a provider that hangs must not use up the threads that others need.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="apprise")

    async def page(self, order: Page, text: str, key: str) -> None:
        """Hand over one page; a repetition reaches the person again, unless the address has a `{key}`.

        Raises:
            Failed: It was not taken.
        """
        provider = self._provider(order.contact.address, key)
        sending = asyncio.get_running_loop().run_in_executor(self._threads, _notify, provider, text)
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                await sending
        except TimeoutError:
            raise Failed(f"{provider.service_name} gave no answer within {short(self._within)}") from None

    async def check(self, address: str) -> None:
        """Ask Apprise whether it would page this address; nothing is sent, for there is nothing harmless to send.

        Raises:
            Failed: It would not.
        """
        self._provider(address, "allclear/doctor")

    def _provider(self, address: str, key: str) -> Any:
        found = self._instantiate(address, key)
        if found is None:
            reason = f"ALLCLEAR_APPRISE_URLS, {self._channel}: Apprise cannot use it with this contact"
            raise Failed(reason, again=False)
        # A provider leaves out what it takes for no address, and Twilio then calls our own number.
        nobody = self._instantiate("", key)
        lost = nobody is not None and nobody.url() == found.url()
        if lost or len(found) != 1 or _letters(address) not in _letters(unquote(found.url())):
            name = f"'{one_line(address)}' is no address of {found.service_name}"
            raise Failed(f"{name}: the page would reach nobody, or somebody else", again=False)
        return found

    def _instantiate(self, address: str, key: str) -> Any:
        url = self._url.replace(ADDRESS, quote(address, safe="")).replace(KEY, quote(key, safe=""))
        found: Any = apprise.Apprise.instantiate(url, asset=_asset())
        if found is not None:
            found.retry = 0  # whatever the settings say: who owes the page decides
        return found


def _notify(provider: apprise.NotifyBase, text: str) -> None:
    """Send, in a thread of ours.

    Raises:
        Failed: It was not taken.
    """
    everybody = apprise.Apprise(asset=_asset())
    everybody.add(provider)
    result = everybody.notify(body=text, notify_type=apprise.NotifyType.FAILURE, body_format=apprise.NotifyFormat.TEXT)
    if result:
        return
    # What Apprise logs may hold parts of its address; the number does not.
    said = [entry.message for one in result.results for entry in one.logs()]
    code = next((int(found[1]) for line in said if (found := _ERROR.search(line))), 0)
    answered = f"answered {code}" if code else "did not take it; why is in the worker's log"
    raise Failed(f"{provider.service_name} {answered}", again=not 400 <= code < 500 or code in LATER)


def _asset() -> apprise.AppriseAsset:
    return apprise.AppriseAsset(app_id="AllClear", async_mode=False, storage_mode="memory")


@cache
def _schemes() -> set[str]:
    names: set[str] = set()
    for service in apprise.Apprise().details()["schemas"]:
        for kind in ("protocols", "secure_protocols"):
            names |= set(service[kind] or ())
    return names


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
