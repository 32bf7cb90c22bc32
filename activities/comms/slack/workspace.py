"""A Slack workspace: each call within a limit, none twice."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from activities import Failed
from activities.posting import LONGEST_PAUSE, WITHIN, cause, web_host
from model.text import cut, one_line
from model.times import short

API: Final = "https://slack.com/api/"
_LATER: Final = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)

# It would log every answer.
logging.getLogger("slack_sdk").setLevel(logging.WARNING)


class Said(Failed):
    """Slack said no.

    Attributes:
        code: Its word for why.
        users: What it says of each account.
    """

    def __init__(self, method: str, code: str, answer: Mapping[str, Any], **how: Any) -> None:
        needs = f"; it needs {answer['needed']}" if code == "missing_scope" and answer.get("needed") else ""
        super().__init__(f"Slack refused {method}: {one_line(code)}{needs}", **how)
        self.code = code
        errors = answer.get("errors")
        self.users = {
            str(one.get("user", "")): str(one.get("error", ""))
            for one in (errors if isinstance(errors, list) else [])
            if isinstance(one, Mapping)
        }


class Slack:
    """Calls Slack's Web API: each within a limit, none twice."""

    def __init__(self, token: str, url: str = API, within: timedelta = WITHIN) -> None:
        """Use a bot token.

        Args:
            token: `xoxb-…`.
            url: Where the Web API is.
            within: How long one answer may take.

        Raises:
            Failed: `url` is no web address, or the token would travel in the clear.
        """
        web_host(url)
        self._token = token
        self._within = within
        seconds = max(int(within.total_seconds()), 1)
        self.web = AsyncWebClient(token=token, base_url=url, timeout=seconds, retry_handlers=[])

    async def call(self, method: str, asked: Awaitable[AsyncSlackResponse]) -> dict[str, Any]:
        """Return what Slack answered.

        Raises:
            Failed: There was no answer; as `Said`, where Slack said no.
        """
        answer = await self.ask(method, asked)
        return dict(answer.data) if isinstance(answer.data, dict) else {}

    async def ask(self, method: str, asked: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
        """Return Slack's whole answer, its headers too.

        Raises:
            Failed: There was no answer; as `Said`, where Slack said no.
        """
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                return await asked
        except TimeoutError:
            raise Failed(f"Slack gave no answer to {method} within {short(self._within)}") from None
        except SlackApiError as error:
            raise self._refused(method, error.response) from None
        except (aiohttp.ClientError, OSError) as error:
            why = cause(error) or type(error).__name__
            raise Failed(f"Slack cannot be reached: {one_line(why)}") from None
        except (SlackClientError, ValueError, AttributeError, TypeError):  # what it makes of an answer that is no JSON
            raise Failed(f"this is not Slack: its answer to {method} cannot be read") from None

    def _refused(self, method: str, response: Any) -> Failed:
        code = response.status_code if isinstance(response, AsyncSlackResponse) else getattr(response, "status", 0)
        headers = response.headers
        data = response.data if isinstance(response, AsyncSlackResponse) and isinstance(response.data, dict) else {}
        word = str(data.get("error", "")).replace(self._token, "***")
        if code == 429 or word in ("ratelimited", "rate_limited"):
            pause = _pause(headers)
            rest = f", and wants {short(pause)} of rest" if pause else ""
            return Said(method, "ratelimited" + rest, data, retry_after=pause)
        if not word:
            return Failed(f"this is not Slack: it answered {method} with {code} and no reason")
        return Said(method, cut(word, 100), data, again=word in _LATER or code >= 500)


def _pause(headers: Mapping[str, str]) -> timedelta | None:
    said = str(headers.get("Retry-After", headers.get("retry-after", ""))).strip()
    if not said.isascii() or not said.isdigit():
        return None
    return timedelta(seconds=min(int(said[:9]), LONGEST_PAUSE.total_seconds()))
