"""Settings of the customers port."""

from pydantic import Field, SecretStr

from worker.settings.base import Block


class CustomerSettings(Block):
    """Where the customers' contacts come from, beside those the catalogue names."""

    customers: str = Field(
        default="", description="A CSV file with customers, or an https address that answers with one, signed."
    )
    customers_keys: SecretStr = Field(
        default=SecretStr(""),
        description="Keys (whsec_…) that such an address signs with; several, with blanks between, while they change. "
        "Here or in the file `customers` of ALLCLEAR_KEYS_FOLDER.",
    )

    def customer_keys(self) -> list[str]:
        """Return the keys, those of the file behind those of the environment.

        Raises:
            Refused: The file cannot be read; what is in it is not said.
        """
        return list(dict.fromkeys(self.customers_keys.get_secret_value().split() + self.in_file("customers")))
