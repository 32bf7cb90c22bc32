"""What goes wrong is said in a JSON sentence, `{"error": "..."}`, never in a stack trace."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from model.text import clean, cut
from store import StoreError

RETRY_AFTER = {"Retry-After": "5"}
"""Seconds after which a sender may try again."""
LONGEST = 1000
"""Bytes of a sentence: what a sender sent is echoed, but not at length."""


class Problem(Exception):
    """An answer that is not the one hoped for.

    Attributes:
        status: The HTTP status.
        text: The sentence.
        headers: Further headers.
        more: Further fields beside `error`.
    """

    def __init__(self, status: int, text: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(text)
        self.status, self.text = status, text
        self.headers, self.more = headers, more


def answer(problem: Problem) -> JSONResponse:
    """Return the response a problem is told with."""
    content = {"error": cut(clean(problem.text), LONGEST), **problem.more}
    return JSONResponse(content, problem.status, headers=problem.headers)


def tell_problems(app: FastAPI) -> None:
    """Let an application tell every problem in our way."""

    def of_ours(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return answer(error)

    def of_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return answer(Problem(error.status_code, _said(request, error), headers=error.headers))

    def of_parameters(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        said = "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in error.errors())
        return answer(Problem(422, said))

    def of_store(_: Request, error: Exception) -> JSONResponse:
        return answer(Problem(503, str(error), headers=RETRY_AFTER))

    def of_anything(_: Request, error: Exception) -> JSONResponse:
        name = type(error).__name__
        return answer(Problem(500, f"that failed in AllClear itself ({name}); its log says more"))

    app.add_exception_handler(Problem, of_ours)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_parameters)
    app.add_exception_handler(StoreError, of_store)
    app.add_exception_handler(Exception, of_anything)


def _said(request: Request, error: HTTPException) -> str:
    path = request.url.path
    if error.status_code == 404:
        return f"there is nothing at {path}; what there is: /openapi.json"
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{path} takes {allowed}, not {request.method}"
    return str(error.detail)
