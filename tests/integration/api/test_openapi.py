"""The interface describes itself, completely; and nothing is open but what is meant to be."""

from typing import Any, Final

import pytest
from fastapi import FastAPI
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.api.routes import Route, every_route
from gateway.data_folder import open_folder
from gateway.web import create
from tests.integration.api.conftest import Api
from tests.support.clock import FrozenClock

DESCRIPTION: Final = "/api/v1/openapi.json"

FEWEST_ROUTES: Final = 90
"""A walk that finds fewer has missed a router."""

WITHOUT_A_PERMISSION: Final = {
    "/.well-known/security.txt",
    "/api/v1/asyncapi.json",
    "/api/v1/openapi.json",
    "/api/v1/session",
    "/api/v1/session/password",
    "/auth/oidc/callback",
    "/auth/oidc/start",
    "/healthz",
    "/metrics",
    "/readyz",
}
"""What anybody may ask, or anybody who is known; everything else needs one permission."""

HIDDEN: Final = {
    "/.well-known/security.txt",
    "/api/v1/asyncapi.json",
    "/api/v1/openapi.json",
    "/auth/oidc/callback",
    "/auth/oidc/start",
    "/metrics",
}
"""For browsers and monitors, or a description itself."""

ANY_SHAPE: Final = {"export_audit", "stream_events"}
"""Answered in lines, of which the description says each."""

BESIDE_THE_VERSION: Final = {"/healthz", "/readyz", "/metrics", "/.well-known/security.txt"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The application, not started: to be looked at."""
    return create(open_folder(tmp_path_factory.mktemp("described") / "data"), FrozenClock())


@pytest.fixture(scope="module")
def document(made: FastAPI) -> dict[str, Any]:
    return made.openapi()


@pytest.fixture(scope="module")
def routes(made: FastAPI) -> list[Route]:
    return every_route(made)


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, operation) for path, item in document["paths"].items() for operation in item.values()]


async def test_the_description_is_valid_and_open_to_all(api: Api, document: dict[str, Any]) -> None:
    answer = await api.client.get(DESCRIPTION)

    assert answer.json() == document
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_needs_a_permission_or_is_open_on_purpose(routes: list[Route]) -> None:
    without = {route.path for route in routes if route.permission is None}

    assert len(routes) >= FEWEST_ROUTES
    assert without <= WITHOUT_A_PERMISSION


async def test_every_route_that_needs_a_permission_hears_nobody_without_a_token(
    api: Api, routes: list[Route]
) -> None:
    asked = [route for route in routes if route.permission and route.path not in BESIDE_THE_VERSION]

    answers = [await api.client.request(route.method, route.path) for route in asked]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(401, "unauthorized")}


def test_every_route_of_the_version_is_described_under_a_name_of_its_own(
    routes: list[Route], document: dict[str, Any]
) -> None:
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    names = [operation["operationId"] for _, operation in operations(document)]

    assert described >= {(route.method, route.path) for route in routes if route.is_described}
    assert {route.path for route in routes if not route.is_described} <= HIDDEN
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["tags"] for _, operation in operations(document))
    known = {tag["name"] for tag in document["tags"]}
    assert {tag for _, operation in operations(document) for tag in operation["tags"]} <= known


def test_every_parameter_and_every_member_of_an_answer_that_needs_words_has_some(
    document: dict[str, Any],
) -> None:
    parameters = [
        parameter
        for _, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if not parameter.get("description")
    ]
    enumerations = {"enum", "const"}

    assert parameters == []
    assert [
        name
        for name, schema in document["components"]["schemas"].items()
        if "description" not in schema and not enumerations & schema.keys()
    ] == []


def test_no_two_models_share_a_name(document: dict[str, Any]) -> None:
    """The library would tell them apart by their modules' names, on which generators of clients stumble."""
    assert [name for name in document["components"]["schemas"] if "__" in name] == []


def test_every_answer_has_a_model(document: dict[str, Any]) -> None:
    without = [
        operation["operationId"]
        for path, operation in operations(document)
        for status, response in operation["responses"].items()
        if status[0] == "2" and status != "204" and path not in BESIDE_THE_VERSION
        for content in response["content"].values()
        if content.get("schema", {}) == {}
    ]

    assert set(without) <= ANY_SHAPE


def test_refusals_are_described_as_problems(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        if path in BESIDE_THE_VERSION:
            continue
        refusals = {
            status: set(response.get("content", {}))
            for status, response in operation["responses"].items()
            if int(status) >= 400
        }
        assert all(content == {"application/problem+json"} for content in refusals.values()), path
        assert refusals.keys() >= {"401", "403", "421", "422", "500", "503"}, path
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_what_needs_a_permission_says_how_to_be_known(document: dict[str, Any], routes: list[Route]) -> None:
    needing = {(route.path, route.method.lower()) for route in routes if route.permission is not None}

    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, method in needing:
        if path not in BESIDE_THE_VERSION:
            assert {"token": []} in document["paths"][path][method]["security"]


async def test_answers_are_what_the_description_says(api: Api, acme: str, document: dict[str, Any]) -> None:
    answer = await api.get("/series", token=acme)

    assert set(answer.json()) == set(document["components"]["schemas"]["SeriesPage"]["properties"])
