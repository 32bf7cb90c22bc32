"""The client every room uses: one converter, one prover."""

from typing import Any

from temporalio.client import Client

from link.converter import DATA_CONVERTER
from link.guard import Prover


async def connect(address: str, namespace: str, *, secret: str, **options: Any) -> Client:
    """Return a client of a namespace; what it sends inside `proven()` is signed with `secret`."""
    return await Client.connect(
        address, namespace=namespace, data_converter=DATA_CONVERTER, interceptors=[Prover(secret)], **options
    )
