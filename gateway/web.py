"""The HTTP side: whether the hub lives and whether it works, for load balancers and monitors.

GET /healthz    this process answers
GET /readyz     200: the alarm process runs, its lanes are open and the auditor looks; else 503 and why

Readiness is about alarms from homes. What is amiss beside them is a warning, and the answer stays 200: a load
balancer or a monitor that took the hub away because readings wait would take the alarms away with them.
"""

from datetime import timedelta
from typing import Final

from fastapi import FastAPI, Response
from pydantic import BaseModel

from gateway.alarm_process import LOCK
from gateway.api import app as api
from gateway.data_folder import READING_LOCK, DataFolder, holder
from services.domain.clock import Clock
from services.store import events
from services.store.connection import StoreUnavailableError, from_micros
from services.store.sqlite import SqliteConnection
from services.supervision.auditor import AUDITED_AT
from services.supervision.silence import ALIVE

FRESH: Final = timedelta(seconds=30)
UNAVAILABLE: Final = 503


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
        reasons = not_ready_because(folder, clock)
        if reasons:
            response.status_code = UNAVAILABLE
        return Readiness(
            status="not ready" if reasons else "ready", reasons=reasons, warnings=warnings(folder)
        )

    return app


def not_ready_because(folder: DataFolder, clock: Clock) -> list[str]:
    """What keeps alarms from being taken and carried; nothing when all is well."""
    if holder(folder, LOCK) is None:
        return ["the alarm process is not running"]
    try:
        connection = SqliteConnection(folder.database)
        try:
            looked_at = from_micros(events.counter(connection, AUDITED_AT))
            listened_at = from_micros(events.counter(connection, ALIVE))
        finally:
            connection.close()
    except StoreUnavailableError as error:
        return [str(error)]
    reasons = []
    for what, at in (("the lanes were last open", listened_at), ("the auditor last looked", looked_at)):
        age = clock.now() - at
        if age > FRESH:
            reasons.append(f"{what} {age.total_seconds():.0f} s ago")
    return reasons


def warnings(folder: DataFolder) -> list[str]:
    """What is amiss while alarms from homes are carried; nothing when all is well."""
    if holder(folder, READING_LOCK) is None:
        return ["the reading process is not running: readings wait in the broker, and limits are not watched"]
    return []
