"""Every route of the application, and what it needs: for tests that may skip none.

FastAPI keeps included routers as a tree, and pages that are not described are not in the OpenAPI document. So
a walk over ``app.routes``, or over the document, would miss some without a word.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from gateway.api.callers import Needs
from services.domain.actors import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method at one path."""

    method: str
    path: str
    name: str
    permission: Permission | None
    """None: nobody is asked who they are, or anybody who is known may."""
    is_described: bool
    """Whether it is in the OpenAPI document."""


def every_route(app: FastAPI) -> list[Route]:
    """The routes by path and method; HEAD and OPTIONS, which add nothing, left out."""
    found = [route for context in iter_route_contexts(app.routes) for route in _routes(context)]
    return sorted(found, key=lambda route: (route.path, route.method))


def _routes(context: Any) -> Iterator[Route]:
    dependant = getattr(context, "dependant", None)
    needed = set(_needed(dependant)) if dependant is not None else set()
    if len(needed) > 1:
        raise TwoPermissionsError(context.path, needed)
    for method in sorted((context.methods or set()) - {"HEAD", "OPTIONS"}):
        yield Route(
            method=method,
            path=str(context.path),
            name=str(context.name),
            permission=next(iter(needed), None),
            is_described=bool(context.include_in_schema),
        )


def _needed(dependant: Dependant) -> Iterator[Permission]:
    if isinstance(dependant.call, Needs):
        yield dependant.call.permission
    for one in dependant.dependencies:
        yield from _needed(one)


class TwoPermissionsError(Exception):
    """A route asks for two permissions, of which tests would know one: a mistake of whoever wrote it."""

    def __init__(self, path: str, needed: set[Permission]) -> None:
        self.needed = needed
        super().__init__(f"{path} needs {', '.join(sorted(needed))}; a route needs exactly one")
