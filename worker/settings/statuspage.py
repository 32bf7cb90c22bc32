"""Settings of the public status page."""

from pydantic import Field, SecretStr

from worker.settings.base import Block


class StatusPageSettings(Block):
    """The public page: at Atlassian Statuspage where a page is named, else files in the data folder."""

    statuspage_page: str = Field(default="", description="Id of a page at Atlassian Statuspage.")
    statuspage_key: SecretStr = Field(
        default=SecretStr(""),
        description="A key of Statuspage's API. Here or in the file `statuspage` of ALLCLEAR_KEYS_FOLDER.",
    )
    statuspage_url: str = Field(default="https://api.statuspage.io", description="Where Statuspage's API is.")
    statuspage_notify: bool = Field(default=True, description="Its subscribers are told of every entry.")

    def the_statuspage_key(self) -> str:
        """Return the key, from the environment or its file; empty where there is none.

        Raises:
            Refused: The file cannot be read; what is in it is not said.
        """
        return next(iter([*self.statuspage_key.get_secret_value().split(), *self.in_file("statuspage")]), "")
