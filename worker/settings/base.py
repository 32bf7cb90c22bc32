"""What every block of settings has: where the environment's names begin, and the folder of secrets."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from model.text import Refused


class Block(BaseSettings):
    """Settings of one kind of system. Every field is an environment variable with the prefix `ALLCLEAR_`."""

    model_config = SettingsConfigDict(env_prefix="ALLCLEAR_", extra="ignore")

    keys_folder: Path | None = Field(
        default=None,
        description="Folder with files named like what they are for (`grafana`, `webhook`), an entry a line: further "
        "keys, as secrets are mounted.",
    )

    def in_file(self, name: str) -> list[str]:
        """Return the words of a file of the folder of secrets; none where there is no such file.

        Raises:
            Refused: The file cannot be read; what is in it is not said.
        """
        if self.keys_folder is None:
            return []
        path = self.keys_folder / name
        try:
            return path.read_text(encoding="utf-8").split()
        except FileNotFoundError:
            if self.keys_folder.is_dir():
                return []
            raise Refused(f"ALLCLEAR_KEYS_FOLDER: there is no folder {self.keys_folder}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"{path}: the keys cannot be read ({type(error).__name__})") from None
