"""Tables of customers: a CSV file, or an address that signs its answer as a Standard Webhook."""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from activities import Failed
from activities.customers import Table
from activities.posting import Poster, refused, web_host
from model.text import Refused

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a table: fifty thousand customers in five regions take about twenty million."""
WITHIN: Final = timedelta(seconds=60)
"""How long a whole table may take to come."""

# The library reads what it can of a key that is none, and then no signature would ever hold.
_KEY: Final = re.compile(r"whsec_[A-Za-z0-9+/]{32,}={0,2}")


class FileTable(Table):
    """A CSV file."""

    def __init__(self, path: Path) -> None:
        """Read `path`."""
        self.name = str(path)
        self._path = path

    def stamp(self) -> tuple[int, ...]:
        """Return when and as what the file was last written."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino

    async def read(self) -> str:
        """Return the file's content.

        Raises:
            Failed: It cannot be read.
        """
        try:
            return await asyncio.to_thread(self._path.read_text, encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise Failed(f"{self.name} is not written in UTF-8") from None
        except OSError as error:
            raise Failed(f"{self.name} cannot be read: {error.strerror}") from None


class SignedTable(Table):
    """An address that is asked for the table. Question and answer are signed with the same keys.

    So nobody else is told who our customers are, and nobody else can say where messages to them go.
    """

    def __init__(
        self,
        url: str,
        keys: Sequence[str],
        poster: Poster | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Ask `url`.

        Args:
            url: https, or on this machine.
            keys: `whsec_…`; an answer may be signed with any, the question is with each.
            poster: How requests are sent.
            now: When a question is signed.

        Raises:
            Refused: There is no key, or one is none; it is not shown.
        """
        if not keys or not all(_KEY.fullmatch(key) for key in keys):
            raise Refused("ALLCLEAR_CUSTOMERS_KEYS: an address of customers signs with keys: whsec_ and base64")
        self._hooks = [Webhook(key) for key in keys]
        self.name = web_host(url)
        self._url = url
        self._keys = list(keys)
        self._poster = poster or Poster(within=WITHIN, largest=LARGEST + 1)
        self._now = now

    def stamp(self) -> tuple[int, ...]:
        """Return nothing: only asking shows whether it has changed."""
        return ()

    async def read(self) -> str:
        """Return the answer, once its signature holds.

        Raises:
            Failed: There was none, or it is not theirs.
        """
        id, at = f"customers/{uuid4()}", self._now()
        headers = {
            "webhook-id": id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(hook.sign(id, at, "") for hook in self._hooks),
        }
        answer = await self._poster.send(self.name, self._url, headers={**headers, "accept": "text/csv"}, method="GET")
        if answer.code != 200:
            raise refused(self.name, answer, (*self._keys, self._url))
        if len(answer.text.encode()) > LARGEST:
            raise Failed(f"{self.name}: the table is larger than {LARGEST // 1024**2} MiB", again=False)
        await asyncio.to_thread(self._verify, answer.text, dict(answer.headers))
        return answer.text

    def _verify(self, text: str, headers: dict[str, str]) -> None:
        why = "no key of ours made it"
        for hook in self._hooks:
            try:
                hook.verify(text, headers, json_parse=False)
                return
            except WebhookVerificationError as error:
                why = str(error)
            except ValueError:  # not two parts, not base64
                why = "it cannot be read"
        raise Failed(f"{self.name}: the signature of the answer does not hold ({why}); its table is not used")
