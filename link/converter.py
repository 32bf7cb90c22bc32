"""Payloads as pydantic models; a message that cannot be read is refused with a sentence, not a stack trace."""

from collections.abc import Sequence
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
from temporalio.exceptions import ApplicationError, FailureError

from model.message import Message, sentence

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


_JSON = _Json()
_CONVERTERS = [
    _JSON if isinstance(converter, JSONPlainPayloadConverter) else converter
    for converter in DefaultPayloadConverter.default_encoding_payload_converters
]
"""Shared: the SDK makes a data converter anew for every workflow, activity and client call."""


class _Payloads(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(*_CONVERTERS)

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        hints: list[Any] = type_hints or [None] * len(payloads)
        return [self._one(payload, hint) for payload, hint in zip(payloads, hints, strict=False)]

    def _one(self, payload: Payload, hint: Any) -> Any:
        """Return what a payload says; a signal that cannot be read becomes its text, which its handler shows.

        Without it the SDK drops such a signal, before any handler or interceptor sees it (facts-temporal §0.2).
        """
        try:
            [value] = super().from_payloads([payload], [hint] if hint is not None else None)
            return value
        except FailureError:
            raise
        except Exception:
            if message := _message_of(hint):
                example = message.example_json()
                raise refusal(f"this cannot be read as JSON (json/plain); send for example {example}") from None
            if hint is None or hint is Any:
                return payload.data.decode(errors="replace")
            raise


DATA_CONVERTER = DataConverter(payload_converter_class=_Payloads)
"""What clients, workers and replayers use."""
