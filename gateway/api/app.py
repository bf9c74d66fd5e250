"""Joins the interface to the application: routes, refusals, the onion around them, the description."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI, Security

from gateway.api import openapi, problems, readings
from gateway.api.callers import caller_of
from gateway.api.onion import Onion
from gateway.api.parts import open_parts
from gateway.data_folder import DataFolder
from services.domain.clock import Clock

VERSION: Final = "1"


def create(folder: DataFolder, clock: Clock) -> FastAPI:
    """An application that answers below ``/api/v1``, and is open to routes beside that."""

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncGenerator[None]:
        async with open_parts(folder, clock) as parts:
            app.state.parts = parts
            yield

    app = FastAPI(
        title="Stadsnav",
        version=VERSION,
        openapi_url=f"{openapi.PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would build an address of what the caller calls us
        generate_unique_id_function=lambda route: route.name,
        lifespan=opened,
    )
    app.add_middleware(Onion)
    problems.install(app)
    openapi.describe(app)
    app.include_router(_versioned())
    return app


def _versioned() -> APIRouter:
    """Every route of the version; each needs a token."""
    router = APIRouter(prefix=openapi.PREFIX, dependencies=[Security(caller_of)], responses=openapi.REFUSALS)
    router.include_router(readings.router)
    return router
