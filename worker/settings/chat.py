"""Settings of chat."""

from pydantic import Field, SecretStr

from worker.settings.base import Block


class ChatSettings(Block):
    """Rooms where an incident is talked about."""

    slack_token: SecretStr = Field(
        default=SecretStr(""),
        description="Slack's bot token (xoxb-…); with it every incident has a channel. Here or in the file `slack` of "
        "ALLCLEAR_KEYS_FOLDER.",
    )
    slack_signing_secret: SecretStr = Field(
        default=SecretStr(""),
        description="What Slack signs with what people say there; several, with blanks between, while it changes. Here "
        "or in the file `slack_signing` of ALLCLEAR_KEYS_FOLDER.",
    )
    slack_private: bool = Field(default=False, description="Only who is invited finds an incident's Slack channel.")
    slack_url: str = Field(default="https://slack.com/api/", description="Where Slack's Web API is.")
    matrix_url: str = Field(default="", description="The Matrix homeserver; with it every incident has a room.")
    matrix_token: SecretStr = Field(
        default=SecretStr(""),
        description="Access token of AllClear's account there. Here or in the file `matrix` of ALLCLEAR_KEYS_FOLDER.",
    )
    chat_archive: bool = Field(
        default=False,
        description="Once an incident is over, archive its Slack channel, and let only moderators write in its Matrix "
        "room.",
    )

    def chat_token(self, chat: str) -> str:
        """Return the token of `slack` or `matrix`, from the environment or its file; empty where there is none.

        Raises:
            Refused: The file cannot be read; what is in it is not said.
        """
        given: SecretStr = getattr(self, f"{chat}_token")
        return next(iter([*given.get_secret_value().split(), *self.in_file(chat)]), "")

    def slack_signing(self) -> list[str]:
        """Return the secrets Slack may sign with.

        Raises:
            Refused: Their file cannot be read; what is in it is not said.
        """
        given = self.slack_signing_secret.get_secret_value().split()
        return list(dict.fromkeys(given + self.in_file("slack_signing")))
