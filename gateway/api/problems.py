"""Refusals and failures over HTTP: ``application/problem+json`` (RFC 9457) with a stable code and the mend.

refused (ours, a validation's, the router's)  ->  4xx, an info line at most
store away                                    ->  503, a warning
anything else                                 ->  500 with a number that the log line has too; see ``onion``
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import ClassVar, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from services.domain.errors import AlreadyAcknowledgedError, InvalidError, RefusedError
from services.store.connection import StoreUnavailableError

MEDIA_TYPE: Final = "application/problem+json"

STATUSES: Final = {
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unknown": HTTPStatus.NOT_FOUND,
    "not_granted": HTTPStatus.NOT_FOUND,
    "not_permitted": HTTPStatus.FORBIDDEN,
    "sign_in_refused": HTTPStatus.UNAUTHORIZED,
    "weak_password": HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Of refusals by use cases, by their code; the others are conflicts with what is there (409)."""

RETRY_SECONDS: Final = 5

_UNREADABLE: Final = "The body is not JSON in UTF-8, or it is nested too deeply"

_CODES: Final = {HTTPStatus.NOT_FOUND: "unknown", HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed"}

_log = structlog.get_logger(__name__)


class Mistake(BaseModel):
    """What is wrong with one parameter."""

    parameter: str = Field(description="Its name; empty when it is about the parameters together.")
    problem: str


class Answered(BaseModel):
    """Who was first."""

    by: str = Field(description="The person.")
    organisation: str = Field(description="Its public name.")
    at: datetime


class Problem(BaseModel):
    """Why there is no answer, and what would mend it (RFC 9457)."""

    type: str = Field(default="about:blank", description="Always this: `code` tells problems apart.")
    title: str = Field(description="The status in words.")
    status: int
    code: str = Field(description="Stable; made for programs.")
    detail: str = Field(description="What is wrong, for people.")
    mend: str | None = Field(default=None, description="What would be right, where `detail` does not say it.")
    mistakes: list[Mistake] | None = Field(default=None, description="With code `invalid`: each mistake.")
    acknowledged: Answered | None = Field(
        default=None, description="With code `already_acknowledged`: by whom, and when."
    )
    instance: str | None = Field(default=None, description="With status 500: what to name in a report.")


class ApiRefusedError(RefusedError):
    """A refusal that only this interface knows."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    mend: str = ""
    headers: ClassVar[Mapping[str, str]] = {}


class NotHereError(ApiRefusedError):
    """There is no such thing for whoever asks: foreign, ended, or not there at all."""

    code = "unknown"
    status = HTTPStatus.NOT_FOUND

    def __init__(self, what: str, id_: str) -> None:
        self.what = what
        self.id = id_
        super().__init__(f"There is no {what} {id_[:80]!r} that you may know now")


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response."""
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status_code=problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have every refusal of an application answered as a problem."""
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(StoreUnavailableError, _store_away)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _no_such_route)


def unexpected(number: str) -> Response:
    """What is said of a mistake of ours: where to find it in the log, and nothing else."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return answer(
        Problem(
            title=status.phrase,
            status=status,
            code="unexpected",
            detail="Something went wrong here; it is in the log under this number",
            mend="report `instance` to whoever runs the hub",
            instance=f"urn:uuid:{number}",
        )
    )


def route_of(scope: Scope) -> str:
    """Which route a request came to, as a log may hold it: not what somebody has typed into its address."""
    return str(getattr(scope.get("route"), "path", ""))


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - registered for these; for the type checker
    status = STATUSES.get(error.code, HTTPStatus.CONFLICT)
    mend, mistakes, headers = None, None, {}
    if isinstance(error, ApiRefusedError):
        status, mend, headers = error.status, error.mend or None, dict(error.headers)
    if isinstance(error, InvalidError):
        mistakes = [Mistake(parameter=error.what, problem=str(error))]
    acknowledged = None
    if isinstance(error, AlreadyAcknowledgedError):
        acknowledged = Answered(by=error.by, organisation=error.organisation, at=error.at)
    problem = Problem(
        title=status.phrase,
        status=status,
        code=error.code,
        detail=str(error),
        mend=mend,
        mistakes=mistakes,
        acknowledged=acknowledged,
    )
    return answer(problem, headers)


def _store_away(request: Request, error: Exception) -> Response:
    _log.warning("store_unavailable", route=route_of(request.scope), reason=str(error))
    status = HTTPStatus.SERVICE_UNAVAILABLE
    problem = Problem(
        title=status.phrase,
        status=status,
        code="store_unavailable",
        detail="What is kept cannot be reached now",
        mend="try again in some seconds",
    )
    return answer(problem, {"Retry-After": str(RETRY_SECONDS)})


def _not_valid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for these
    mistakes = [
        Mistake(
            parameter=".".join(str(part) for part in found["loc"][1:]),
            problem=str(found["msg"]).removeprefix("Value error, "),
        )
        for found in error.errors()
    ]
    named = "; ".join(": ".join(filter(None, [one.parameter, one.problem])) for one in mistakes)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    problem = Problem(
        title=status.phrase,
        status=status,
        code="invalid",
        detail=f"Cannot use the parameters: {named}",
        mistakes=mistakes,
    )
    return answer(problem)


def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these
    status = HTTPStatus(error.status_code)
    problem = Problem(
        title=status.phrase,
        status=status,
        code=_CODES.get(status, "refused"),
        detail=_UNREADABLE
        if status is HTTPStatus.BAD_REQUEST
        else f"There is no {request.method} {request.url.path[:200]!r} here",
        mend="see /api/v1/openapi.json",
    )
    return answer(problem, error.headers)
