"""How the gateway documents itself: it reads bodies by hand, so FastAPI is told their schemas here."""

from typing import Any

from fastapi import FastAPI

from gateway.bodies import MOST
from model.message import Message
from model.messages import Alarm, Report

ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "What was wrong, and what would be accepted."},
        "accepted": {"type": "integer", "description": "How many of the body are accepted nevertheless."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer", "description": "Which item of the body, counted from 0."},
                    "field": {"type": "string"},
                    "text": {"type": "string"},
                },
            },
        },
    },
}
ACCEPTED: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "unmapped"],
    "properties": {
        "accepted": {"type": "integer"},
        "absorbed": {
            "type": "integer",
            "description": "How many of them said what Temporal had already, and did not travel.",
        },
        "unmapped": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What the catalogue does not know. It wakes incident response.",
        },
        "ignored": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer"},
                    "fields": {"type": "array", "items": {"type": "string"}},
                    "text": {"type": "string"},
                },
            },
            "description": "Fields that nobody knows, and that were left out; or, with a text, what tells no change.",
        },
    },
}


def _answer(name: str, words: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": words, "content": {"application/json": {"schema": schema}}}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: _answer("Error", "The token was not shown, or is another one; or the signature does not hold."),
    403: _answer("Error", "No token is set, and this does not come from the gateway's own machine."),
    503: _answer("Error", "Not now: try again after `Retry-After` seconds."),
}
"""Answers any guarded route may give."""
QUESTIONS: dict[int | str, dict[str, Any]] = {
    404: _answer("Error", "The record has no such incident."),
    409: _answer("Error", "It may be any of several."),
    422: _answer("Error", "A parameter cannot be read."),
    **PROBLEMS,
}
"""Answers of what reads the record."""
ANSWERS: dict[int | str, dict[str, Any]] = {
    202: _answer("Accepted", "Temporal has everything in the body."),
    400: _answer("Error", "The body is not JSON, or nested too deeply."),
    408: _answer("Error", "The body did not arrive in time."),
    413: _answer("Error", "The body is larger than 5 MiB, or has more than 10,000 items."),
    422: _answer("Error", "Some items could not be read; the others are accepted."),
    **PROBLEMS,
}
"""Answers of an intake."""


def body(message: type[Message], plural: str) -> dict[str, Any]:
    """Return the documentation of a body with one message, or many."""
    one = {"$ref": f"#/components/schemas/{message.__name__}"}
    many = {"type": "array", "items": one, "maxItems": MOST}
    wrapped = {"type": "object", "required": [plural], "properties": {plural: many}}
    examples = {"one": {"value": message.example}, "many": {"value": {plural: [message.example]}}}
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": [one, many, wrapped]}, "examples": examples}},
        }
    }


SNS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/plain": {
                "schema": {"type": "string", "description": "SNS's message, as JSON, signed by it."},
            },
        },
    },
}
"""The documentation of what SNS delivers."""


class Documented(FastAPI):
    """An application whose documentation has our own schemas."""

    def openapi(self) -> dict[str, Any]:
        """Return the documentation."""
        if self.openapi_schema is None:
            found = super().openapi()
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            schemas |= {"Alarm": _lenient(Alarm), "Report": _lenient(Report)}
            schemas |= {"Error": ERROR, "Accepted": ACCEPTED}
            self.openapi_schema = found
        assert self.openapi_schema is not None
        return self.openapi_schema


def _lenient(message: type[Message]) -> dict[str, Any]:
    """Return a message's schema as the gateway takes it: unknown fields are left out, not refused."""
    schema = message.model_json_schema()
    return {**schema, "additionalProperties": True, "examples": [message.example]}
