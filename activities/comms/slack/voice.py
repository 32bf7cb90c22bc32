"""How people are answered in Slack: AllClear speaks to one person, and asks one question."""

from collections.abc import Mapping
from typing import Any

from activities.comms.slack.blocks import escaped, plain
from activities.comms.slack.workspace import Said, Slack
from model.coordinate.spoken import incident_of


class SlackVoice:
    """What the gateway needs of Slack to answer people: it speaks to one person, and asks one question."""

    def __init__(self, slack: Slack) -> None:
        """Speak by `slack`."""
        self._slack = slack

    async def room(self, channel: str) -> str:
        """Return whose channel it is, also under a name it had before; nothing where it is no incident's.

        Raises:
            Failed: Slack did not say.
        """
        asked = self._slack.web.conversations_info(channel=channel)
        info = (await self._slack.call("conversations.info", asked)).get("channel", {})
        names = [str(info.get("name", "")), *map(str, info.get("previous_names", []))]
        return next((incident for name in names if (incident := incident_of(name))), "")

    async def ask(self, trigger: str, view: Mapping[str, Any]) -> None:
        """Show a dialog to whoever pressed a button.

        Raises:
            Failed: It was not shown.
        """
        await self._slack.call("views.open", self._slack.web.views_open(trigger_id=trigger, view=dict(view)))

    async def whisper(self, channel: str, account: str, text: str, thread: str = "") -> None:
        """Say something that one person sees.

        Raises:
            Failed: It was not said.
        """
        asked = self._slack.web.chat_postEphemeral(
            channel=channel,
            user=account,
            text=escaped(text),
            blocks=[plain(text)],
            thread_ts=thread or None,
        )
        await self._slack.call("chat.postEphemeral", asked)

    async def mark(self, channel: str, message: str) -> None:
        """Put a sign on a message that it was taken.

        Raises:
            Failed: It could not be.
        """
        try:
            asked = self._slack.web.reactions_add(channel=channel, timestamp=message, name="white_check_mark")
            await self._slack.call("reactions.add", asked)
        except Said as said:
            if said.code != "already_reacted":
                raise
