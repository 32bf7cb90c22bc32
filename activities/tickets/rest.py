"""JSON over HTTP to a ticket system: what its answers say, and what a ticket that is no more looks like."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import TypeAdapter, ValidationError

from activities import Failed
from activities.mirror import Gone
from activities.posting import Answer, Poster, refused

T = TypeVar("T")

LARGEST: Final = 8 * 1024 * 1024
"""Bytes of an answer that are read: a hundred comments as long as Jira lets people write them."""
NO_MORE: Final = frozenset({404, 410})
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class Rest:
    """Asks one ticket system."""

    def __init__(
        self, who: str, url: str, headers: Mapping[str, str], secrets: Sequence[str], poster: Poster | None = None
    ) -> None:
        """Ask at `url`.

        Args:
            who: Stands for the system in errors.
            url: What every path is added to.
            headers: Sent along, the proof of who we are among them.
            secrets: What no error may repeat.
            poster: How requests are sent.
        """
        self.who = who
        self._url = url.rstrip("/")
        self._headers = {"accept": "application/json", **headers}
        self._secrets = secrets
        self._poster = poster or Poster(largest=LARGEST)

    async def ask(
        self, shape: type[T], method: str, path: str, body: Any = None, *, place: str = "", **query: str
    ) -> T:
        """Return a 2xx answer as `shape`.

        Args:
            shape: What the answer must look like.
            method: As in HTTP.
            path: Behind the address, parts already quoted.
            body: Sent as JSON.
            place: The ticket that is talked about, in words: if the path is not found, it is no more.
            query: Parameters.

        Raises:
            Failed: It was not taken, or somebody else answered; `Gone` for a `place` that is no more.
        """
        answer = await self._send(method, path, body, place, query)
        try:
            return TypeAdapter(shape).validate_json(answer.text)
        except ValidationError:
            # A proxy's sign-in page answers 200; once it is out of the way, the next attempt gets through.
            raise Failed(f"this is not {self.who}: {answer.code}, {answer.excerpt(self._secrets)}") from None

    async def tell(self, method: str, path: str, body: Any, *, place: str = "") -> None:
        """Send what is answered with 2xx and nothing more.

        Raises:
            Failed: It was not taken, or somebody else answered; `Gone` for a `place` that is no more.
        """
        answer = await self._send(method, path, body, place, {})
        if answer.text.strip():
            raise Failed(f"this is not {self.who}: {answer.code}, {answer.excerpt(self._secrets)}")

    async def _send(self, method: str, path: str, body: Any, place: str, query: Mapping[str, str]) -> Answer:
        url = f"{self._url}{path}{'?' + urlencode(query, quote_via=quote) if query else ''}"
        raw = b"" if body is None else json.dumps(body).encode()
        answer = await self._poster.send(self.who, url, raw, self._headers, method)
        if place and answer.code in NO_MORE:
            raise Gone(f"{self.who} has no {place} any more, or does not show it to AllClear")
        if not 200 <= answer.code < 300:
            raise refused(self.who, in_words(answer), self._secrets)
        return answer


def in_words(answer: Answer) -> Answer:
    """Return an answer with what its JSON says, without the JSON: that is what people can act on."""
    words = "; ".join(_leaves(answer.json or {}))
    return replace(answer, text=words) if words else answer


def _leaves(said: Any) -> Iterator[str]:
    match said:
        case str() if said:
            yield said
        case list():
            for one in said:
                yield from _leaves(one)
        case dict():
            for name, one in said.items():
                plain = not isinstance(one, str) or name == "message"
                yield from _leaves(one if plain else f"{name}: {one}")


def unsure(failed: Failed, rest: timedelta) -> Failed:
    """Return a failure to make something, with the `rest` after which a search shows what was made all the same."""
    if not failed.again:
        return failed
    return Failed(failed.reason, retry_after=max(failed.retry_after or timedelta(), rest))


def encrypted(url: str) -> str:
    """Return the host of an address that a secret may be sent to: encrypted, or on this machine.

    Raises:
        ValueError: It is none; says what would be accepted.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no web address; write https://host or https://host/path") from None
    if not host or parts.username or parts.query or parts.fragment or url != url.strip() or " " in url:
        raise ValueError("is no web address; write https://host or https://host/path")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise ValueError("needs https: a token travels with every request")
    return host
