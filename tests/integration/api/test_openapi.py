"""The interface describes itself, completely; and nothing is open but what is meant to be."""

from typing import Any, Final

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.integration.api.conftest import Api

DESCRIPTION: Final = "/api/v1/openapi.json"
PUBLIC: Final = {"/healthz", "/readyz", DESCRIPTION}


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of every route, also of those in routers within routers."""
    return {
        (method, context.path or "")
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
        if method != "HEAD"
    }


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


async def test_the_description_is_valid_and_open_to_all(api: Api, document: dict[str, Any]) -> None:
    answer = await api.client.get(DESCRIPTION)

    assert answer.json() == document
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


async def test_every_route_is_public_on_purpose_or_needs_a_token(app: FastAPI, api: Api) -> None:
    found = routes(app)
    answers = {
        (method, path): await api.client.request(method, path) for method, path in found if path not in PUBLIC
    }

    assert {path for _, path in found} >= {*PUBLIC, "/api/v1/readings", "/api/v1/readings/last"}
    assert len(answers) == len(found) - len(PUBLIC)
    assert {answer.status_code for answer in answers.values()} == {401}


def test_every_route_is_described(app: FastAPI, document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}

    assert described == {(method, path) for method, path in routes(app) if path != DESCRIPTION}
    assert len({operation["operationId"] for operation in operations(document)}) == len(described)
    assert all(operation["summary"] and operation["tags"] for operation in operations(document))


def test_every_parameter_and_every_member_of_an_answer_that_needs_words_has_some(
    document: dict[str, Any],
) -> None:
    parameters = [
        parameter for operation in operations(document) for parameter in operation.get("parameters", [])
    ]

    assert parameters
    assert all(parameter.get("description") for parameter in parameters)
    assert all("description" in schema for schema in document["components"]["schemas"].values())


def test_a_token_is_asked_for_wherever_it_is_needed(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation.get("security") == (None if path in PUBLIC else [{"token": []}])


def test_refusals_are_described_as_problems(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            refusals = {
                status: set(response["content"])
                for status, response in operation["responses"].items()
                if int(status) >= 400 and path not in PUBLIC
            }
            assert all(content == {"application/problem+json"} for content in refusals.values())
            assert refusals.keys() >= ({"401", "422", "500", "503"} if path not in PUBLIC else set())
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_answers_are_what_the_description_says(api: Api, acme: str, document: dict[str, Any]) -> None:
    answer = await api.get("/series", token=acme)

    assert set(answer.json()) == set(document["components"]["schemas"]["SeriesPage"]["properties"])
