"""The chats: which ones the settings configure, whether they would work now, and who hears what is said there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from temporalio.client import Client

from activities import Failed
from activities.mirror import Mirror, Readable
from link import catalog as live
from link.guard import proven
from link.send import Unreachable, send_update
from model.catalogue.catalog import Catalog
from model.coordinate.spoken import meant, speaker
from model.messages import Answer
from model.text import NAME_LIMIT, Refused
from worker.settings import Settings

if TYPE_CHECKING:
    from activities.comms.matrix.account import Matrix
    from activities.comms.matrix.ears import Heard
    from activities.comms.slack.voice import SlackVoice
    from activities.comms.slack.workspace import Slack

SEND_WITHIN: Final = timedelta(seconds=8)
"""How long it is tried to send what a person said; then the message is taken up again from the room, and meanwhile what
is said in other rooms is heard."""

Trial: TypeAlias = Callable[[], Awaitable[str]]
"""Tries something harmless; returns how it is, raises `Refused` or `Failed` with what to mend."""
Send: TypeAlias = Callable[[str, str, dict[str, Any]], Awaitable[Answer]]
"""Sends an update to an incident, in the proven name of who says it."""


def mirrors_of(settings: Settings) -> list[Mirror]:
    """Return the configured chats, as mirrors of incidents.

    Raises:
        Refused: The settings cannot work; secrets in them are not said.
    """
    found: list[Mirror] = []
    if slack := _slack(settings):
        from activities.comms.slack.channels import SlackRooms

        found.append(SlackRooms(slack, private=settings.slack_private, archive=settings.chat_archive))
    if matrix := _matrix(settings):
        from activities.comms.matrix.rooms import MatrixRooms

        found.append(MatrixRooms(matrix, archive=settings.chat_archive))
    return found


def readers_of(settings: Settings) -> dict[str, Readable]:
    """Return what reads back the rooms of configured chats, by the chat's name; Slack's are not read.

    Raises:
        Refused: The settings cannot work.
    """
    matrix = _matrix(settings)
    if matrix is None:
        return {}
    from activities.comms.matrix.reader import MatrixReader

    return {"matrix": MatrixReader(matrix)}


def slack_side(settings: Settings) -> "tuple[list[str], SlackVoice] | None":
    """Return what the gateway needs to hear people in Slack: the secrets it signs with, and how they are answered.

    Raises:
        Refused: The settings cannot work.
    """
    slack, secrets = _slack(settings), settings.slack_signing()
    if slack is None or not secrets:
        return None
    from activities.comms.slack.voice import SlackVoice

    return secrets, SlackVoice(slack)


def trials(settings: Settings, catalog: Catalog) -> dict[str, Trial]:
    """Return what `allclear doctor` tries: every configured chat, and who of the catalogue can be invited there.

    Raises:
        Refused: The settings cannot work.
    """
    return {mirror.name: partial(_try, mirror, settings, catalog) for mirror in mirrors_of(settings)}


async def _try(mirror: Mirror, settings: Settings, catalog: Catalog) -> str:
    proved = await mirror.check()
    if mirror.name == "slack" and not settings.slack_signing():
        raise Refused(f"{proved}, but people cannot speak to it: set ALLCLEAR_SLACK_SIGNING_SECRET")
    people = [p for p in catalog.people.values() if any(it.channel == mirror.name for it in p.contact)]
    if not people:
        raise Refused(f"{proved}, and nobody in the catalogue has a contact `{mirror.name}`, so nobody is invited")
    return f"{proved}; {len(people)} of {len(catalog.people)} people can be invited and may speak there"


def _slack(settings: Settings) -> "Slack | None":
    token = settings.chat_token("slack")
    if not token:
        return None
    # Imported here: an installation without Slack is spared it.
    try:
        from activities.comms.slack.workspace import Slack
    except ModuleNotFoundError:
        raise Refused("ALLCLEAR_SLACK_TOKEN: install its client: pip install 'allclear-incidents[slack]'") from None
    try:
        return Slack(token, settings.slack_url)
    except Failed as failed:
        raise Refused(f"ALLCLEAR_SLACK_URL: {failed.reason}") from None


def _matrix(settings: Settings) -> "Matrix | None":
    if not settings.matrix_url:
        return None
    token = settings.chat_token("matrix")
    if not token:
        raise Refused("ALLCLEAR_MATRIX_TOKEN: the homeserver needs the access token of AllClear's account")
    try:
        from activities.comms.matrix.account import Matrix
    except ModuleNotFoundError:
        raise Refused("ALLCLEAR_MATRIX_URL: install its client: pip install 'allclear-incidents[matrix]'") from None
    try:
        return Matrix(settings.matrix_url, token)
    except Failed as failed:
        raise Refused(f"ALLCLEAR_MATRIX_URL: {failed.reason}") from None


class Hearing:
    """Makes updates of what people say in rooms: each in the name of whose account it was, which the chat proved."""

    def __init__(self, send: Send, catalog: Callable[[], Catalog | None], channel: str) -> None:
        """Send by `send` what accounts of `channel` say that people of `catalog` have."""
        self._send = send
        self._catalog = catalog
        self._channel = channel

    async def hear(self, heard: "Heard") -> bool:
        """Send what was said, if it was meant for the incident.

        Returns:
            Whether it was.

        Raises:
            Refused: It was, and was not taken; the text is for who said it.
            Failed: Nobody could be asked: it is to be told again.
        """
        said = meant(heard.text, heard.at, reply=heard.reply)
        if said is None:
            return False
        catalog = self._catalog()
        if catalog is None:
            raise Failed("the catalogue is not read yet")
        person = speaker(catalog, self._channel, heard.account)
        payload = said.payload(person.id, heard.event[:NAME_LIMIT], heard.at, heard.link)
        try:
            await self._send(heard.incident, said.update, payload)
        except Unreachable as error:
            raise Failed(f"{heard.incident}: {error}") from None
        return True


@asynccontextmanager
async def hearing(client: Client, settings: Settings, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Hear what is said in Matrix rooms, in this block; Slack calls the gateway instead.

    Args:
        client: Whose incidents are spoken to; made by `link.client.connect`, which signs what people say.
        settings: This installation's.
        say: Hears what an operator should know.

    Raises:
        Refused: The settings cannot work.
    """
    matrix = _matrix(settings)
    if matrix is None:
        yield
        return
    from activities.comms.matrix.ears import MatrixEars
    from activities.comms.matrix.events import CHANNEL

    async def send(incident: str, name: str, payload: dict[str, Any]) -> Answer:
        with proven():
            return await send_update(client, incident, name, payload, deadline=SEND_WITHIN)

    ears = MatrixEars(matrix, settings.data / "chat", say)
    listening = asyncio.create_task(ears.listen(Hearing(send, live.live, CHANNEL).hear))
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
