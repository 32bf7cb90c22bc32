"""Runs canaries (D2): each step as a customer's machine would take it, with a connection of its own."""

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import dns.asyncresolver
import dns.exception
import dns.resolver
import httpx2

from model.detect.canaries import EXCERPT, Canary, Dns, Http, Run, Step, StepTaken, Tcp, Tls, address_of
from model.text import clean, cut, one_line
from model.times import short

LARGEST: Final = 256 * 1024
"""Bytes of an answer that are read: what a step looks for stands nearer to the beginning."""
AGENT: Final = "AllClear-canary/1"
"""So that the service's owner can tell canaries from customers."""


class _Wrong(Exception):
    """The step did not find what it should; the text says what it found."""


class Canaries:
    """Runs canaries with the certificates this machine trusts, or those of a context of its own."""

    def __init__(self, trusted: ssl.SSLContext | None = None) -> None:
        """Trust what the machine trusts, unless another context is given."""
        self._trusted = trusted or ssl.create_default_context()

    async def run(self, canary: Canary, at: datetime) -> Run:
        """Take a canary's steps in order, until one fails; a failure is a result, never an exception.

        Args:
            canary: What to do.
            at: The moment of the run, against which certificates are checked.
        """
        taken: list[StepTaken] = []
        kept: dict[str, str] = {}
        for step in canary.steps:
            taken.append(await self._take(step, kept, at))
            if not taken[-1].ok:
                break
        return Run(canary=canary.id, at=at, steps=taken)

    async def _take(self, step: Step, kept: dict[str, str], at: datetime) -> StepTaken:
        did, doing = self._what(step, kept, at)
        began = time.perf_counter()
        ok = False
        try:
            async with asyncio.timeout(step.within.total_seconds()):
                said = await doing()
            ok = True
        except _Wrong as wrong:
            said = str(wrong)
        except TimeoutError:
            said = f"no answer within {short(step.within)}"
        except ssl.SSLCertVerificationError as error:
            said = f"the certificate does not hold: {error.verify_message}"
        except OSError as error:
            said = f"no connection: {error.strerror or error}"
        except Exception as error:  # a canary must never end the others
            said = f"{type(error).__name__}: {error}"
        return StepTaken(did=did, ok=ok, seconds=round(time.perf_counter() - began, 4), said=_excerpt(said))

    def _what(self, step: Step, kept: dict[str, str], at: datetime) -> tuple[str, Callable[[], Awaitable[str]]]:
        if isinstance(step, Http):
            return f"http {step.target}", lambda: self._http(step, kept)
        if isinstance(step, Dns):
            return f"dns {step.target}", lambda: _dns(step)
        if isinstance(step, Tls):
            return f"tls {step.target}", lambda: self._tls(step, at)
        assert isinstance(step, Tcp)
        return f"tcp {step.target}", lambda: _tcp(step)

    async def _http(self, step: Http, kept: dict[str, str]) -> str:
        headers = {"User-Agent": AGENT, **step.headers}
        # `within` is the step's own limit, over everything: httpx2's would begin anew with each redirect.
        async with httpx2.AsyncClient(verify=self._trusted, follow_redirects=True, timeout=None) as client:
            body = _filled(step.body, kept) or None
            try:
                async with client.stream(
                    step.method, _filled(step.http, kept), headers=headers, content=body
                ) as answer:
                    text = await _text(answer)
            except httpx2.HTTPError as error:
                raise _Wrong(_broken(error)) from None
        if answer.status_code not in step.status:
            wanted = " or ".join(map(str, step.status))
            raise _Wrong(f"answered {answer.status_code}, {wanted} expected: {text}")
        if step.contains and step.contains not in text:
            raise _Wrong(f"{step.contains!r} is not in the answer: {text}")
        if step.matches and not re.search(step.matches, text):
            raise _Wrong(f"nothing in the answer matches {step.matches!r}: {text}")
        for name, expression in step.keep.items():
            found = re.search(expression, text)
            if not found:
                raise _Wrong(f"there is no {name} in the answer, by {expression!r}: {text}")
            kept[name] = found[1]
        return f"{answer.status_code}: {text}"

    async def _tls(self, step: Tls, at: datetime) -> str:
        host, port = address_of(step.tls)
        _, writer = await asyncio.open_connection(host, port, ssl=self._trusted, server_hostname=host)
        try:
            certificate: Mapping[str, Any] = writer.get_extra_info("peercert")
        finally:
            writer.transport.abort()  # a goodbye that nobody answers must not fail the step
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
        words = f"the certificate ends {ends:%Y-%m-%d %H:%M} UTC"
        if ends - at < step.left:
            raise _Wrong(f"{words}, in less than {short(step.left)}")
        return words


async def _tcp(step: Tcp) -> str:
    host, port = address_of(step.tcp)
    _, writer = await asyncio.open_connection(host, port)
    writer.transport.abort()
    return "open"


async def _dns(step: Dns) -> str:
    resolver = dns.asyncresolver.Resolver(configure=not step.server)
    if step.server:
        host, port = address_of(step.server)
        resolver.nameservers, resolver.port = [host], port
    try:
        answer = await resolver.resolve(step.dns, step.type, lifetime=step.within.total_seconds(), search=False)
    except dns.resolver.NXDOMAIN:
        raise _Wrong("there is no such name") from None
    except dns.resolver.NoAnswer:
        raise _Wrong(f"the name has no {step.type} record") from None
    except dns.resolver.LifetimeTimeout:
        raise _Wrong(f"no answer within {short(step.within)}") from None
    except dns.exception.DNSException as error:
        raise _Wrong(str(error)) from None
    found = sorted(str(record).removesuffix(".") for record in answer)
    absent = [wanted for wanted in step.answers if wanted.removesuffix(".") not in found]
    if absent:
        raise _Wrong(f"{', '.join(absent)} is not among the answers: {', '.join(found)}")
    return ", ".join(found)


async def _text(answer: httpx2.Response) -> str:
    read = bytearray()
    async for part in answer.aiter_bytes():
        read += part
        if len(read) >= LARGEST:
            break
    return bytes(read[:LARGEST]).decode(answer.charset_encoding or "utf-8", errors="replace")


def _broken(error: httpx2.HTTPError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate does not hold: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return f"no answer: {str(error) or type(error).__name__}"


def _filled(text: str, kept: Mapping[str, str]) -> str:
    return re.sub(r"\{([a-z][a-z0-9_]*)\}", lambda match: kept.get(match[1], match[0]), text)


def _excerpt(text: str) -> str:
    return cut(one_line(clean(text)), EXCERPT)
