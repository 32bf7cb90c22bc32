"""The outside ticket systems: which ones the settings configure, and whether they would work now."""

import os
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from activities import Failed
from activities.mirror import Mirror
from activities.tickets.jira import JiraTickets
from activities.tickets.request_tracker import RequestTrackerTickets
from activities.tickets.rest import encrypted
from model.text import Refused
from worker.pagers import Trial
from worker.settings import Settings

if TYPE_CHECKING:
    from github.Auth import Auth

REPOSITORY: Final = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def mirrors_of(settings: Settings) -> list[Mirror]:
    """Return the configured ticket systems.

    Raises:
        Refused: The settings cannot work; secrets in them are not said.
    """
    found: list[Mirror] = []
    if settings.jira_url:
        found.append(_jira(settings))
    if settings.github_repository:
        found.append(_github(settings))
    if settings.rt_url:
        found.append(_request_tracker(settings))
    return found


def trials(settings: Settings) -> dict[str, Trial]:
    """Return what `allclear doctor` tries: every configured system with a harmless real request.

    Raises:
        Refused: The settings cannot work.
    """
    return {mirror.name: partial(_try, mirror) for mirror in mirrors_of(settings)}


async def _try(mirror: Mirror) -> str:
    try:
        return await mirror.check()
    except Failed as failed:
        raise Refused(failed.reason) from None


def _jira(settings: Settings) -> Mirror:
    _need("ALLCLEAR_JIRA", settings.jira_url, user=settings.jira_user, token=settings.jira_token,
          project=settings.jira_project)  # fmt: skip
    return JiraTickets(
        settings.jira_url,
        settings.jira_user,
        settings.jira_token.get_secret_value(),
        settings.jira_project,
        issue_type=settings.jira_issue_type,
        action_type=settings.jira_action_type,
        link_type=settings.jira_link_type,
        done=settings.jira_done,
    )


def _request_tracker(settings: Settings) -> Mirror:
    _need("ALLCLEAR_RT", settings.rt_url, token=settings.rt_token, queue=settings.rt_queue)
    return RequestTrackerTickets(
        settings.rt_url,
        settings.rt_token.get_secret_value(),
        settings.rt_queue,
        done=settings.rt_done,
        reopened=settings.rt_reopened,
    )


def _github(settings: Settings) -> Mirror:
    # Imported here: it takes a third of a second, of which an installation without it is spared.
    try:
        from activities.tickets.github import GitHubTickets
    except ModuleNotFoundError:
        how = "pip install 'allclear-incidents[github]'"
        raise Refused(f"ALLCLEAR_GITHUB_REPOSITORY: PyGithub is not installed: {how}") from None
    if not REPOSITORY.fullmatch(settings.github_repository):
        raise Refused("ALLCLEAR_GITHUB_REPOSITORY is not owner/name")
    _need("ALLCLEAR_GITHUB", settings.github_url)
    secrets = (settings.github_token.get_secret_value(), settings.github_app_key.get_secret_value())
    return GitHubTickets(
        settings.github_repository,
        _github_auth(settings),
        url=settings.github_url,
        # As everywhere else; the library alone would not look there.
        trust=os.environ.get("SSL_CERT_FILE") or True,
        secrets=secrets,
    )


def _github_auth(settings: Settings) -> "Auth":
    from github import Auth

    token, key = settings.github_token.get_secret_value(), settings.github_app_key.get_secret_value()
    if token and settings.github_app:
        raise Refused("ALLCLEAR_GITHUB_TOKEN and ALLCLEAR_GITHUB_APP are both set: keep one")
    if token:
        return Auth.Token(token)
    if not settings.github_app:
        raise Refused("ALLCLEAR_GITHUB_TOKEN is missing (or ALLCLEAR_GITHUB_APP, _APP_KEY and _INSTALLATION)")
    _need("ALLCLEAR_GITHUB", settings.github_url, app_key=key, installation=str(settings.github_installation or ""))
    return Auth.AppInstallationAuth(Auth.AppAuth(settings.github_app, key), settings.github_installation)


def _need(prefix: str, url: str, **values: str | SecretStr) -> None:
    """Let go on if the address is fit for secrets and nothing is missing.

    Raises:
        Refused: It is not.
    """
    try:
        encrypted(url)
    except ValueError as error:
        raise Refused(f"{prefix}_URL {error}") from None
    missing = [f"{prefix}_{name.upper()}" for name, value in _plain(values).items() if not value]
    if missing:
        raise Refused(f"{', '.join(missing)} is missing")


def _plain(values: Mapping[str, str | SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()}
