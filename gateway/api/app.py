"""Joins the interface to the application: routes, refusals, the onion around them, the description."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI, Security

from gateway import settings
from gateway.api import (
    accounts,
    alarms,
    consents,
    deliveries,
    devices,
    drafts,
    emergencies,
    events,
    grants,
    homes,
    log,
    openapi,
    organisations,
    problems,
    profiles,
    provider,
    readings,
    residents,
    security_txt,
    sessions,
    signing_in,
    subscriptions,
    templates,
    tokens,
    usage,
)
from gateway.api.callers import caller_of
from gateway.api.door import open_door
from gateway.api.gate import Gate
from gateway.api.live import routes as live
from gateway.api.live.hub import open_hub
from gateway.api.onion import Onion
from gateway.api.parts import open_parts
from gateway.data_folder import DataFolder
from services.domain.clock import Clock

VERSION: Final = "1"


def create(folder: DataFolder, clock: Clock) -> FastAPI:
    """An application that answers below ``/api/v1``, and is open to routes beside that."""
    chosen = settings.load(folder.path)

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncGenerator[None]:
        async with (
            open_parts(folder, clock) as parts,
            open_hub(folder, clock) as hub,
            open_door(folder, chosen) as door,
        ):
            app.state.parts = parts
            app.state.streams = hub
            app.state.door = door
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
    app.add_middleware(Gate, web=chosen.web, server_names=chosen.server_names)
    app.add_middleware(Onion)
    problems.install(app)
    openapi.describe(app)
    app.include_router(signing_in.router, prefix=openapi.PREFIX, responses=openapi.REFUSALS)
    app.include_router(provider.router)
    app.include_router(security_txt.router)
    app.include_router(_versioned())
    return app


def _versioned() -> APIRouter:
    """Every route of the version; each needs a token."""
    router = APIRouter(prefix=openapi.PREFIX, dependencies=[Security(caller_of)], responses=openapi.REFUSALS)
    for one in (homes, devices, profiles, organisations, residents, consents):
        router.include_router(one.router)
    for one in (grants, drafts, templates, emergencies):
        router.include_router(one.router)
    router.include_router(readings.router)
    router.include_router(live.router, prefix="/events")  # before /events/{event_id}
    router.include_router(events.router)
    router.include_router(alarms.router)
    router.include_router(deliveries.router)
    router.include_router(subscriptions.router)
    router.include_router(accounts.router)
    router.include_router(sessions.router)
    router.include_router(tokens.router)
    router.include_router(log.router)
    router.include_router(usage.router)
    return router
