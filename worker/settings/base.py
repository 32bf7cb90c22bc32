"""What every block of settings has: where the environment's names begin, files instead, and the folder of secrets."""

import os
from pathlib import Path
from typing import Any, Final

from pydantic import Field
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from model.text import Refused

PREFIX: Final = "ALLCLEAR_"
IN_FILE: Final = "_FILE"
"""Behind a variable's name: the value is in the file named there, as containers mount secrets."""


class Files(PydanticBaseSettingsSource):
    """Values in files: `ALLCLEAR_TOKEN_FILE=/run/secrets/token` instead of `ALLCLEAR_TOKEN=…`."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the content of a field's file, without the blanks around it; None where no file is named.

        Raises:
            Refused: It is there twice, cannot be read, or is empty; what is in it is not said.
        """
        name = f"{PREFIX}{field_name.upper()}"
        path = os.environ.get(f"{name}{IN_FILE}")
        if not path:
            return None, field_name, False
        if os.environ.get(name):
            raise Refused(f"{name} and {name}{IN_FILE} are both set: keep one")
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except UnicodeDecodeError:
            raise Refused(f"{name}{IN_FILE}: {path} is not text") from None
        except OSError as error:
            raise Refused(f"{name}{IN_FILE}: {path} cannot be read ({error.strerror})") from None
        if not value:
            raise Refused(f"{name}{IN_FILE}: {path} is empty")
        return value, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values of all fields whose files are named."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Block(BaseSettings):
    """Settings of one kind of system. Every field is an environment variable with the prefix `ALLCLEAR_`.

    Or, with `_FILE` behind its name, the path of a file with its value.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    keys_folder: Path | None = Field(
        default=None,
        description="Folder with files named like what they are for (`grafana`, `webhook`), an entry a line: further "
        "keys, as secrets are mounted.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what is given, then the environment, then the files it names."""
        return init_settings, env_settings, Files(settings_cls)

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
