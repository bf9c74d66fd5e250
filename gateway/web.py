"""The HTTP side: the API, and whether the hub lives and works, for load balancers and monitors.

GET /healthz    this process answers
GET /readyz     200: the alarm process runs, its lanes are open and the auditor looks; else 503 and why
GET /metrics    figures for Prometheus (``gateway.metrics``): from near, or with the permission

Readiness is about alarms from homes. What is amiss beside them is a warning, and the answer stays 200: a load
balancer or a monitor that took the hub away because readings wait would take the alarms away with them.
"""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response as PlainResponse
from starlette.routing import Match, Route
from starlette.types import Scope

from gateway import readiness, settings
from gateway.api import app as api
from gateway.api.callers import Caller, Needs
from gateway.api.openapi import REFUSALS
from gateway.asyncapi import document as asyncapi
from gateway.data_folder import DataFolder
from gateway.metrics.access import Network, is_near
from gateway.metrics.page import MEDIA_TYPE, Page
from services.domain.actors import Permission
from services.domain.clock import Clock

UNAVAILABLE: Final = 503
METRICS: Final = "/metrics"


class Health(BaseModel):
    """This process answers."""

    status: str


class Readiness(BaseModel):
    """Whether alarms are taken and carried."""

    status: str
    reasons: list[str]
    """What keeps it from being ready."""
    warnings: list[str]
    """What else somebody should look at."""


def create(folder: DataFolder, clock: Clock) -> FastAPI:
    """The application over one data folder."""
    app = api.create(folder, clock)
    chosen = settings.load(folder.path)
    _tell_health(app, folder, clock)
    _tell_metrics(app, Page(folder, chosen, clock), chosen.metrics.networks)
    app.add_route(asyncapi.PATH, _asyncapi(chosen.city), include_in_schema=False)
    return app


def _tell_health(app: FastAPI, folder: DataFolder, clock: Clock) -> None:
    @app.get("/healthz", tags=["health"], summary="Whether this process answers")
    async def healthz() -> Health:
        return Health(status="ok")

    @app.get(
        "/readyz",
        tags=["health"],
        summary="Whether alarms are taken and carried",
        responses={UNAVAILABLE: {"model": Readiness, "description": "Not now, and why."}},
    )
    def readyz(response: Response) -> Readiness:
        reasons = readiness.not_ready_because(folder, clock)
        if reasons:
            response.status_code = UNAVAILABLE
        return Readiness(
            status="not ready" if reasons else "ready", reasons=reasons, warnings=readiness.warnings(folder)
        )


def _tell_metrics(app: FastAPI, page: Page, networks: tuple[Network, ...]) -> None:
    """Answer who is near at once; ask all others who they are, as the API does."""

    def answer(_: Request | None = None) -> PlainResponse:
        return PlainResponse(page.text(), media_type=MEDIA_TYPE)

    app.router.routes.append(_NearRoute(METRICS, answer, networks))

    @app.get(
        METRICS,
        tags=["health"],
        summary="Figures for Prometheus",
        response_class=PlainResponse,
        responses=REFUSALS,
    )
    def metrics(_: Annotated[Caller, Depends(Needs(Permission.METRICS_READ))]) -> PlainResponse:
        return answer()


class _NearRoute(Route):
    """A route that is there only for whoever asks from some networks."""

    def __init__(self, path: str, endpoint: Callable[..., Any], networks: tuple[Network, ...]) -> None:
        super().__init__(path, endpoint, methods=["GET"], include_in_schema=False)
        self._networks = networks

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or not is_near(Request(scope), self._networks):
            return Match.NONE, {}
        return super().matches(scope)


def _asyncapi(city: str) -> Callable[[Request], PlainResponse]:
    @cache
    def text() -> bytes:
        return asyncapi.written(city)

    def answer(_: Request) -> PlainResponse:
        return PlainResponse(text(), media_type="application/json")

    return answer
