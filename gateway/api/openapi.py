"""The description of the interface, OpenAPI 3.1, made from the routes that run.

What refuses says so as a problem; what every route may refuse is written down here, the rest beside it.
"""

import json
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.api.pages import PageOf
from gateway.api.problems import MEDIA_TYPE, Problem

PREFIX: Final = "/api/v1"

_PROBLEM: Final = {"$ref": f"#/components/schemas/{Problem.__name__}"}

DESCRIPTION: Final = """What an organisation may know of the homes that have granted it something.

Times are RFC 3339. Lists come in pages: hand `next` back as `cursor`. Refusals are
`application/problem+json` (RFC 9457) with a stable `code`. Unknown and repeated parameters are refused.
What is not granted is answered as if it did not exist. Every look is logged with its purpose."""

Responses = dict[int | str, dict[str, Any]]

REFUSALS: Final[Responses] = {
    401: {"model": Problem, "description": "`unauthorized`: nothing was shown that holds."},
    403: {
        "model": Problem,
        "description": "`not_permitted`: your roles do not permit it, whatever it is about; "
        "`foreign_page`: a browser asks for it where it should not.",
    },
    421: {"model": Problem, "description": "`wrong_host`: this server does not answer under that name."},
    422: {"model": Problem, "description": "`invalid`: the query or the body cannot be right."},
    429: {"model": Problem, "description": "`too_often`, `too_many_tries`: wait as `Retry-After` says."},
    500: {"model": Problem, "description": "`unexpected`: a mistake of ours."},
    503: {
        "model": Problem,
        "description": "`store_unavailable`, `identity_provider_away`, `busy`: try again.",
    },
}
"""What every route below the prefix may answer."""

_MORE: Final = {
    404: "`unknown`: there is no such thing that you may know now.",
    409: "A conflict with what is there; `code` says which.",
    406: "`not_acceptable`: nothing is written in that format.",
    410: "It was there, and is gone for good.",
    429: "Too much at once or too often; `Retry-After` says when to try again.",
}


_OF_BODIES: Final = {
    "400": "`refused`: the body is not JSON; `two_lengths`: its length is said twice.",
    "408": "`too_slow`: the body did not come in time.",
    "413": "`too_large`: the body is longer than any that is read here.",
    "415": "`compressed_body`: send it as it is.",
}

TAGS: Final = {
    "homes": "Dwellings on the fibre, and the positions in them.",
    "devices": "The hardware in homes.",
    "profiles": "What device models can say.",
    "organisations": "Who may be told.",
    "residents": "Who lives in a home, under a pseudonym, and what they may ask of us.",
    "consents": "What residents have said yes to.",
    "grants": "Who may know what about whom: proposed, approved, in force, ended; taken in an emergency.",
    "alarms": "Cases: to be acknowledged, commented and closed.",
    "events": "What was told, as CloudEvents; the live stream.",
    "deliveries": "Who was told what, and whether it arrived.",
    "subscriptions": "How an organisation wants to be told.",
    "readings": "Measured values.",
    "audit": "Who looked at or changed what.",
    "usage": "What each organisation used, by month.",
    "accounts": "People's accounts and sessions, machines' tokens.",
    "session": "Signing in and out.",
    "health": "Whether it works.",
}


def problems(*statuses: int) -> Responses:
    """What a route may refuse besides, for its ``responses``; what every one may is known."""
    return {
        status: {"model": Problem, "description": _MORE[status]}
        for status in statuses
        if status not in REFUSALS
    }


def describe(app: FastAPI) -> None:
    """Have an application describe itself."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title,
                version=app.version,
                description=DESCRIPTION,
                routes=app.routes,
                tags=[{"name": name, "description": words} for name, words in TAGS.items()],
            )
            app.openapi_schema = _completed(_plainly_named(found))
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way that FastAPI offers


def _plainly_named(document: dict[str, Any]) -> dict[str, Any]:
    """Give models of one name in several modules short names that differ.

    The library puts the module's whole path before them and leaves their titles alike, on which generators of
    clients stumble.
    """
    schemas = document["components"]["schemas"]
    plain = {name: _plain(name) for name in schemas if "__" in name}
    for name, short in plain.items():
        schemas[name]["title"] = short
    text = json.dumps(document)
    for name, short in plain.items():
        text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{short}"')
        text = text.replace(f'"{name}": {{', f'"{short}": {{')
    named: dict[str, Any] = json.loads(text)
    return named


def _plain(name: str) -> str:
    *_, module, model = name.split("__")
    return module.title().replace("_", "") + model


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """Say what the library does not: that refusals are problems, what bodies are refused for, which id."""
    for path in document["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                _refuse_bodies(operation)
            for parameter in operation.get("parameters", []):
                _name_id(parameter)
            for response in operation["responses"].values():
                _say_problem(response)
    for name, schema in document["components"]["schemas"].items():
        if name.startswith(PageOf.__name__):  # a page that has no class of its own
            schema.setdefault("description", PageOf.__doc__)
    return document


def _say_problem(response: dict[str, Any]) -> None:
    """The library knows one media type for a route."""
    content = response.get("content", {})
    if content.get("application/json", {}).get("schema") == _PROBLEM:
        response["content"] = {MEDIA_TYPE: content["application/json"]}


def _refuse_bodies(operation: dict[str, Any]) -> None:
    for status, words in _OF_BODIES.items():
        operation["responses"].setdefault(
            status, {"description": words, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
        )


def _name_id(parameter: dict[str, Any]) -> None:
    if parameter["in"] == "path":
        noun = parameter["name"].removesuffix("_id").replace("_", " ")
        parameter.setdefault("description", f"Which {noun}, by its id or name.")
