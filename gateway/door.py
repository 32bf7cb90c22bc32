"""Who may come in: whoever shows a key, or, where none is set, this machine itself."""

import hmac
import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from fastapi import Request

from gateway.problems import Problem

SETTING = "ALLCLEAR_TOKEN"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


class Door:
    """A dependency of every route that is for machines."""

    def __init__(
        self, token: str, public_url: str, keys: Sequence[str] = (), setting: str = SETTING, *, signs: bool = False
    ) -> None:
        """Ask for `token`, or one of `keys`; without any, let loopback in, by a name that is ours.

        Args:
            token: The gateway's own, which opens every door.
            public_url: How others reach the gateway.
            keys: Further ones of this door: several, so that they can be changed one after the other.
            setting: Where they are set.
            signs: Whether a sender may also sign; then it has a key, and this machine is not let in without one either.
        """
        self._asks = signs
        self._keys = [key.encode() for key in (token, *keys) if key]
        self._setting = setting
        self._public_host = (urlsplit(public_url).hostname or "").casefold()

    async def __call__(self, request: Request) -> None:
        """Let a request pass.

        Raises:
            Problem: It may not: 401 where a key is asked for, 403 where none is set.
        """
        if self._keys or self._asks:
            self._ask_key(request)
        elif reason := self._stranger(request):
            raise Problem(
                403,
                f"without a token only this machine itself is let in, and {reason}: "
                f"set {self._setting} at the gateway and send it as `Authorization: Bearer ...`",
            )

    def _ask_key(self, request: Request) -> None:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        # latin-1 is how the header was decoded: this gives the bytes that were sent.
        if one_of(shown.strip().encode("latin-1", "replace"), self._keys) and scheme.lower() == "bearer":
            return
        why = "the token shown is not the one" if shown else "no token was shown"
        raise Problem(
            401,
            f"{why}: send the gateway's {self._setting} as the header `Authorization: Bearer ...`",
            headers={"WWW-Authenticate": 'Bearer realm="allclear"'},
        )

    def _stranger(self, request: Request) -> str:
        """Say why a request does not come from this machine's own programs; nothing when it does."""
        if request.client is None or not _loopback(request.client.host):
            return f"this came from {request.client.host if request.client else 'an unknown address'}"
        if any(name in request.headers for name in _FORWARDED):
            return "a proxy forwarded this for somebody else"
        # A web page in this machine's browser is a stranger too: it posts across origins, or rebinds a name.
        if not self._ours(_host(f"//{request.headers.get('host', '')}")):
            return f"it was asked for as {request.headers.get('host')}"
        origin = request.headers.get("origin")
        if origin is not None and not self._ours(_host(origin), dotless=False):
            return f"a web page of {origin} sent this"
        return ""

    def _ours(self, host: str | None, *, dotless: bool = True) -> bool:
        """Whether a host is this machine or the public one; a name without a dot is nobody's domain."""
        name = (host or "").casefold()
        if name == "localhost" or (name and name == self._public_host):
            return True
        return _loopback(name) if "." in name or ":" in name else dotless


def one_of(shown: bytes, right: Sequence[bytes]) -> bool:
    """Whether one is right, in the same time whichever it is."""
    return sum(hmac.compare_digest(shown, each) for each in right) > 0


# The same few senders ask thousands of times a second.
@lru_cache(maxsize=256)
def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # half an IPv6 address
        return "unreadable.invalid"


@lru_cache(maxsize=256)
def _loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
