"""The description of the interface, OpenAPI 3.1, made from the routes that run.

What refuses says so as a problem; what every route may refuse is written down here, the rest beside it.
"""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.api.problems import MEDIA_TYPE, Problem

PREFIX: Final = "/api/v1"

_PROBLEM: Final = {"$ref": f"#/components/schemas/{Problem.__name__}"}

DESCRIPTION: Final = """What an organisation may know of the homes that have granted it something.

Times are RFC 3339. Lists come in pages: hand `next` back as `cursor`. Refusals are
`application/problem+json` (RFC 9457) with a stable `code`. Unknown and repeated parameters are refused.
What is not granted is answered as if it did not exist. Every look is logged with its purpose."""

Responses = dict[int | str, dict[str, Any]]

REFUSALS: Final[Responses] = {
    401: {"model": Problem, "description": "`unauthorized`: no token that holds."},
    422: {"model": Problem, "description": "`invalid`: the query cannot be right."},
    500: {"model": Problem, "description": "`unexpected`: a mistake of ours."},
    503: {"model": Problem, "description": "`store_unavailable`: try again."},
}
"""What every route below the prefix may answer."""


def describe(app: FastAPI) -> None:
    """Have an application describe itself."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title,
                version=app.version,
                description=DESCRIPTION,
                routes=app.routes,
                tags=[{"name": "readings", "description": "Measured values."}],
            )
            app.openapi_schema = _with_problems(found)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way that FastAPI offers


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Say that refusals are problems; the library knows one media type for a route."""
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                if content.get("application/json", {}).get("schema") == _PROBLEM:
                    response["content"] = {MEDIA_TYPE: content["application/json"]}
    return document
