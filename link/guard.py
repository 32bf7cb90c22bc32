"""No input of a human or a machine wedges a workflow, and a name is believed only where it was proven.

A signal handler that raises loops its workflow task for ever, and so does an accepted update that raises
anything
but a failure (facts-temporal §0.1). The guard catches both. A sender that proved who speaks (gateway, CLI,
signed
link) signs the update; the signature is checked before the update is accepted, and not again on replay.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from itsdangerous import BadSignature, Signer
from pydantic import ValidationError
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.client import (
    OutboundInterceptor,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.exceptions import FailureError
from temporalio.worker import (
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from link import answers
from link.converter import refusal
from model.message import Message
from model.text import Refused, clean, one_line

HEADER = "allclear-proof"
_proven: ContextVar[bool] = ContextVar("allclear_proven", default=False)


@contextlib.contextmanager
def proven() -> Iterator[None]:
    """Send updates in this block as proven: the caller has checked that `by` is who it says."""
    token = _proven.set(True)
    try:
        yield
    finally:
        _proven.reset(token)


def _signed(secret: str, workflow_id: str, update: str, update_id: str, by: str) -> str:
    digest = hashlib.sha256(f"{workflow_id}\n{update}\n{update_id}\n{by}".encode()).hexdigest()
    return Signer(secret, salt=HEADER).sign(digest).decode()


def _speaker(args: Sequence[Any]) -> str:
    """Return in whose name a message is sent: a proof seen in a history must not serve anybody else."""
    said = args[0] if args else None
    by = said.by if isinstance(said, Message) else said.get("by") if isinstance(said, dict) else ""
    return one_line(clean(by)) if isinstance(by, str) else ""


class Prover(ClientInterceptor):
    """Signs updates sent inside `proven()`, and encloses the catalogue's answers."""

    def __init__(self, secret: str) -> None:
        """Use a secret that the workers share."""
        self._secret = secret

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """Put the signature on outgoing updates."""
        return _Proving(next, self._secret)


class _Proving(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, secret: str) -> None:
        super().__init__(next)
        self._secret = secret

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        input.headers = {**input.headers, **answers.enclosed()}
        return await super().start_workflow(input)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        if _proven.get() and input.update_id:
            token = _signed(self._secret, input.id, input.update, input.update_id, _speaker(input.args))
            payload = Payload(metadata={"encoding": b"binary/plain"}, data=token.encode())
            input.headers = {**input.headers, HEADER: payload}
        return await super().start_workflow_update(input)


class Guard(Interceptor):
    """Worker interceptor; takes the secret that proofs are signed with."""

    def __init__(self, secret: str) -> None:
        """Use the secret that the provers share."""
        self._secret = secret

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Return the inbound interceptor, bound to the secret."""
        secret = self._secret

        class Bound(_Inbound):
            _secret = secret

        return Bound


class _Inbound(WorkflowInboundInterceptor):
    _secret = ""

    async def handle_signal(self, input: HandleSignalInput) -> None:
        if len(input.args) > 1:
            self._unreadable(input, f"{len(input.args)} payloads were sent, one is taken")
            return
        answered = answers.answered(input.headers)
        if answered and (hear := getattr(workflow.instance(), "hear", None)):
            hear(answered)
        try:
            await super().handle_signal(input)
        except FailureError:
            raise
        except ValidationError as error:
            self._unreadable(input, _in_words(error))
        except Exception as error:
            self._unreadable(input, str(error))

    def _unreadable(self, input: HandleSignalInput, why: str) -> None:
        keep = getattr(workflow.instance(), "unreadable", None)
        if keep is None:
            workflow.logger.error("signal %s could not be taken: %s", input.signal, why)
            return
        keep(input.signal, why, list(input.args))

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        proof = input.headers.get(HEADER)
        if proof is not None and not self._fits(proof, input):
            raise refusal("the proof of who sends this does not fit; send it again through allclear")
        if len(input.args) > 1 or any(arg is not None and not isinstance(arg, Message) for arg in input.args):
            raise refusal("send one JSON object, or nothing")
        _mark(input, proof is not None)
        try:
            super().handle_update_validator(input)
        except FailureError:
            raise
        except Refused as error:
            raise refusal(str(error)) from None
        except Exception as error:
            workflow.logger.exception("update %s could not be checked", input.update)
            raise refusal(f"{input.update} could not be checked ({type(error).__name__}: {error})") from None

    def _fits(self, proof: Payload, input: HandleUpdateInput) -> bool:
        expected = _signed(self._secret, workflow.info().workflow_id, input.update, input.id, _speaker(input.args))
        try:
            Signer(self._secret, salt=HEADER).unsign(proof.data)
        except BadSignature:
            return False
        return proof.data.decode() == expected

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        _mark(input, HEADER in input.headers)
        try:
            return await super().handle_update_handler(input)
        except FailureError:
            raise
        except Refused as error:
            raise refusal(str(error)) from None
        except Exception as error:
            workflow.logger.exception("update %s failed", input.update)
            raise refusal(f"{input.update} could not be done ({type(error).__name__}: {error})") from None


def _in_words(error: ValidationError) -> str:
    items = error.errors(include_url=False, include_context=False)[:3]
    return "; ".join(f"{'.'.join(str(p) for p in item['loc']) or 'the message'}: {item['msg']}" for item in items)


def _mark(input: HandleUpdateInput, is_proven: bool) -> None:
    for arg in input.args:
        if is_proven and isinstance(arg, Message):
            arg.prove()
