"""An account of a Matrix homeserver: each call within a limit, none twice."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import aiohttp
import nio  # type: ignore[import-untyped]

from activities import Failed
from activities.posting import LONGEST_PAUSE, WITHIN, cause, web_host
from model.text import clean, cut, one_line
from model.times import short

_LATER: Final = frozenset({"M_LIMIT_EXCEEDED", "M_RESOURCE_LIMIT_EXCEEDED"})
# It would log what people say, and repeats every answer that it did not expect.
logging.getLogger("nio").setLevel(logging.ERROR)


class Said(Failed):
    """The homeserver said no; `code` is its word for why."""

    def __init__(self, what: str, code: str, words: str = "", **how: Any) -> None:
        super().__init__(f"Matrix refused {what}: {one_line(code)}{f' ({one_line(words)})' if words else ''}", **how)
        self.code = code


class Matrix:
    """One account of a homeserver: each call within a limit, none twice."""

    def __init__(self, url: str, token: str, within: timedelta = WITHIN) -> None:
        """Use an account.

        Args:
            url: The homeserver's own address, as clients reach it.
            token: The account's access token.
            within: How long one answer may take.

        Raises:
            Failed: `url` is no web address, or the token would travel in the clear.
        """
        web_host(url)
        self._url = url.rstrip("/")
        self._token = token
        self._within = within
        self._user = ""

    @property
    def key(self) -> str:
        """What tells this account from others, in the name of a file."""
        return hashlib.sha256(f"{self._url}\n{self._user}".encode()).hexdigest()[:16]

    async def user(self) -> str:
        """Return the account's id.

        Raises:
            Failed: The homeserver does not say.
        """
        if not self._user:
            async with self.talking(known=False) as it:
                self._user = str((await self.ask("who we are", it.whoami())).user_id)
        return self._user

    @asynccontextmanager
    async def talking(self, *, known: bool = True) -> AsyncIterator[Any]:
        """Yield nio's client, without its own patience."""
        user = await self.user() if known else ""
        config = nio.AsyncClientConfig(
            max_limit_exceeded=0, max_timeouts=0, request_timeout=self._within.total_seconds()
        )
        client = nio.AsyncClient(self._url, user, config=config)
        client.access_token = self._token
        client.user_id = user
        try:
            yield client
        finally:
            await client.close()

    async def ask(self, what: str, asked: Awaitable[Any], within: timedelta | None = None) -> Any:
        """Return what the homeserver answered.

        Raises:
            Failed: There was no answer; as `Said`, where it said no.
        """
        patience = within or self._within
        try:
            async with asyncio.timeout(patience.total_seconds()):
                answer = await asked
        except TimeoutError:
            raise Failed(f"Matrix gave no answer about {what} within {short(patience)}") from None
        except (aiohttp.ClientError, OSError) as error:
            why = cause(error) or type(error).__name__
            raise Failed(f"Matrix cannot be reached: {one_line(why)}") from None
        except (AttributeError, KeyError, TypeError, ValueError):  # what nio makes of an answer that is none
            raise Failed(f"this is not Matrix: its answer about {what} cannot be read") from None
        if isinstance(answer, nio.ErrorResponse):
            raise self._refused(what, answer)
        return answer

    def _refused(self, what: str, answer: Any) -> Failed:
        status = getattr(answer.transport_response, "status", 0)
        code = str(answer.status_code or "")
        if status == 429 or code in _LATER:
            pause = timedelta(milliseconds=answer.retry_after_ms) if answer.retry_after_ms else None
            return Said(what, code or "too many requests", retry_after=min(pause, LONGEST_PAUSE) if pause else None)
        if not code:
            return Failed(f"this is not Matrix: it answered {what} with {status} and no reason")
        words = cut(clean(str(answer.message)).replace(self._token, "***"), 120)
        return Said(what, code, words, again=status >= 500)
