"""Reads series from Prometheus, or anything that speaks its HTTP API."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2

from activities import Failed
from activities.watch import Metrics, Sample
from model.text import clean, cut, one_line
from model.times import short

WITHIN: Final = timedelta(seconds=10)
MOST_POINTS: Final = 11_000
"""Prometheus refuses a range with more (api/v1 `exceeded maximum resolution`); a longer one is asked for in parts."""
EXCERPT: Final = 160
LARGEST: Final = 8 * 1024 * 1024
"""Bytes of an answer: 11,000 points take less than one megabyte."""


class Prometheus(Metrics):
    """Asks one server."""

    def __init__(
        self,
        url: str,
        step: timedelta,
        *,
        within: timedelta = WITHIN,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Ask `url`, for a point per `step`.

        Args:
            url: Of the server, with its path prefix where it has one.
            step: Between two points; whole seconds.
            within: How long one answer may take.
            headers: Sent along, for example an `Authorization`.
        """
        self._url = url.rstrip("/") + "/api/v1/query_range"
        self._step = step
        self._within = within
        self._headers = dict(headers or {})

    async def read(self, query: str, since: datetime, until: datetime) -> Sequence[Sample]:
        """Return the points of the one series a query names, oldest first, both ends included; absent ones are absent.

        Raises:
            Failed: Nobody answered, the answer is none of Prometheus', the query is refused (`again` is False), or it
                names several series. No series at all is an empty answer: a service that never had traffic has none.
        """
        samples: list[Sample] = []
        async with httpx2.AsyncClient(timeout=self._within.total_seconds(), headers=self._headers) as client:
            while since <= until:
                last = min(until, since + (MOST_POINTS - 1) * self._step)
                samples += await self._part(client, query, since, last)
                since = last + self._step
        return samples

    async def _part(self, client: httpx2.AsyncClient, query: str, since: datetime, until: datetime) -> list[Sample]:
        asked = {
            "query": query,
            "start": f"{since.timestamp():.3f}",
            "end": f"{until.timestamp():.3f}",
            "step": f"{self._step.total_seconds():g}",
        }
        try:
            answer = await client.post(self._url, data=asked)  # a query may be longer than a URL
        except httpx2.TimeoutException:
            raise Failed(f"Prometheus gave no answer within {short(self._within)}") from None
        except httpx2.HTTPError as error:
            raise Failed(f"Prometheus cannot be reached: {str(error) or type(error).__name__}") from None
        except httpx2.InvalidURL as error:
            raise Failed(f"the address of Prometheus cannot be read: {error}", again=False) from None
        return _samples(_read(answer), query)


def _read(answer: httpx2.Response) -> Mapping[str, Any]:
    """Return the data of a good answer; tell apart who said what in a bad one."""
    if len(answer.content) > LARGEST:
        raise Failed(f"the answer has {len(answer.content)} bytes, more than any range of points", again=False)
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, Mapping) or "status" not in body:
        # A proxy's sign-in page answers 200, its error page 502: neither is Prometheus.
        kind = answer.headers.get("content-type", "no content type").split(";")[0]
        said = cut(one_line(clean(answer.text)), EXCERPT)
        raise Failed(f"this is not Prometheus: {answer.status_code}, {kind}: {said}", again=answer.status_code >= 500)
    if body["status"] != "success":
        said = cut(one_line(clean(str(body.get("error", "no reason given")))), EXCERPT)
        busy = answer.status_code in (408, 429) or answer.status_code >= 500
        raise Failed(f"Prometheus refused the query ({body.get('errorType', answer.status_code)}): {said}", again=busy)
    data = body.get("data")
    if not isinstance(data, Mapping) or data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
        raise Failed("Prometheus answered with something that is no range of points", again=False)
    return data


def _samples(data: Mapping[str, Any], query: str) -> list[Sample]:
    series = data["result"]
    if len(series) > 1:
        raise Failed(f"{len(series)} series answer to {query!r}; add them up, for example with sum(...)", again=False)
    try:
        points = series[0]["values"] if series else []
        return [_sample(float(at), float(value)) for at, value in points]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Failed(f"a point of Prometheus cannot be read: {error}", again=False) from None


def _sample(at: float, value: float) -> Sample:
    # 0/0 is NaN: there is a point, and nothing was measured.
    return Sample(datetime.fromtimestamp(at, UTC), value if math.isfinite(value) else None)
