"""Payloads as pydantic models; a message that cannot be read is refused with a sentence, not a stack trace."""

from types import NoneType
from typing import Any, get_args

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)
from temporalio.exceptions import ApplicationError

from model.messages import Message, sentence

REFUSED = "Refused"
"""The type of the failure a refused update carries."""


def refusal(text: str) -> ApplicationError:
    """Return the failure that tells a sender what was wrong and what would be accepted."""
    return ApplicationError(text, type=REFUSED, non_retryable=True)


class _Json(PydanticJSONPlainPayloadConverter):
    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        try:
            return super().from_payload(payload, type_hint)
        except ValidationError as error:
            message = _message_of(type_hint)
            if message is None:
                raise
            raise refusal(sentence(error, message)) from None


def _message_of(hint: Any) -> type[Message] | None:
    for option in get_args(hint) or (hint,):
        if option is not NoneType and isinstance(option, type) and issubclass(option, Message):
            return option
    return None


class _Payloads(CompositePayloadConverter):
    def __init__(self) -> None:
        json = _Json()
        converters = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(json if isinstance(c, JSONPlainPayloadConverter) else c for c in converters))


DATA_CONVERTER = DataConverter(payload_converter_class=_Payloads)
"""What clients, workers and replayers use."""
