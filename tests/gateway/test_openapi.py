"""Whatever a machine sends that has read our OpenAPI, or has not: the answers are as documented."""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from gateway import delivery
from gateway.server import serve
from tests.gateway.house import House

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 12
"""Of each kind for each operation; more find nothing more, and take longer."""
OPERATIONS = [
    *(f"POST /alarms/{name}" for name in ("allclear", "alertmanager", "cloudwatch", "eventbridge")),
    *(f"POST /alarms/{name}" for name in ("grafana", "datadog", "cloudevents")),
    "POST /reports", "GET /api/incidents", "GET /api/incidents/{name}", "GET /api/health", "GET /healthz",
]  # fmt: skip


async def test_every_operation_is_tried(house: House) -> None:
    paths = house.app().openapi()["paths"]
    found = {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
    assert found - {"GET /metrics"} == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_every_answer_is_as_documented(house: House, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken(*_: Any) -> None:
        """Temporal takes everything: this is about answers."""

    monkeypatch.setattr(delivery, "signal_detection", taken)
    app = house.app()
    method, path = name.split()

    def attack(url: str) -> int:
        found = schemathesis.openapi.from_dict(app.openapi())[path][method]
        tried = 0

        def attempt(case: schemathesis.Case) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(base_url=url, checks=CHECKS)

        kinds = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
        for kind in kinds if found.body or path == "/api/incidents" else kinds[:1]:
            limits = settings(
                max_examples=EXAMPLES,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                database=None,
            )
            limits(given(case=found.as_strategy(generation_mode=kind))(attempt))()
        return tried

    async with serve(app, "127.0.0.1", 0) as address:
        assert await asyncio.to_thread(attack, address.url) > 0
