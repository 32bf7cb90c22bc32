"""The search attributes by which people find their processes (design §3)."""

from collections.abc import Iterable

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

INCIDENT_ID = SearchAttributeKey.for_keyword("IncidentId")
PHASE = SearchAttributeKey.for_keyword("IncidentPhase")
SEVERITY = SearchAttributeKey.for_keyword("Severity")
TEAM = SearchAttributeKey.for_keyword("Team")
ITEM_STATUS = SearchAttributeKey.for_keyword("ItemStatus")
SERVICES = SearchAttributeKey.for_keyword_list("Services")
REGIONS = SearchAttributeKey.for_keyword_list("Regions")
AWAITING = SearchAttributeKey.for_keyword_list("Awaiting")
OPENED_AT = SearchAttributeKey.for_datetime("OpenedAt")
DUE_AT = SearchAttributeKey.for_datetime("DueAt")

_KEYWORD, _LIST, _DATETIME = (
    IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
)
TYPES = {
    **{key.name: _KEYWORD for key in (INCIDENT_ID, PHASE, SEVERITY, TEAM, ITEM_STATUS)},
    **{key.name: _LIST for key in (SERVICES, REGIONS, AWAITING)},
    **{key.name: _DATETIME for key in (OPENED_AT, DUE_AT)},
}
"""Every attribute and its type. SQL visibility allows ten keywords and three of each other type."""

_WORDS = {_KEYWORD: "Keyword", _LIST: "KeywordList", _DATETIME: "Datetime"}
KEYWORD_LONGEST = 255
"""Characters a keyword may have on SQL visibility stores (facts: VARCHAR(255))."""


async def missing(client: Client) -> list[str]:
    """Return the attributes the namespace does not have yet."""
    found = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return [name for name in TYPES if name not in found.custom_attributes]


async def register(client: Client, names: Iterable[str] | None = None) -> None:
    """Add attributes to the namespace; those that exist already stay as they are."""
    for name in TYPES if names is None else names:
        try:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes={name: TYPES[name]})
            )
        except RPCError as error:
            if error.status != RPCStatusCode.ALREADY_EXISTS:
                raise


def how_to_add(names: Iterable[str], namespace: str) -> str:
    """Return the commands that add attributes: what a refused start tells its operator."""
    lines = [
        f"temporal operator search-attribute create --namespace {namespace} --name {name} --type {_WORDS[TYPES[name]]}"
        for name in names
    ]
    return "\n".join(lines)


def keywords(values: Iterable[str]) -> list[str]:
    """Return values as a keyword list takes them: short, and in a fixed order."""
    return [value[:KEYWORD_LONGEST] for value in values][:50]
