"""What it takes to let people and machines in: joined once, when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final

import anyio
from fastapi import Depends, Request

from gateway.api.buckets import Buckets
from gateway.data_folder import DataFolder
from gateway.identity.code_flow import CodeFlow
from gateway.identity.documents import open_documents
from gateway.identity.issuer import Issuer
from gateway.identity.jwts import Expected
from gateway.sealing import ResidentSealer
from gateway.setting_tables.identity import IdentitySettings
from gateway.setting_tables.web import WebSettings
from gateway.settings import Settings
from services.identity.codes import Sealer
from services.identity.provided import GroupRights
from services.identity.sessions import SessionLimits

PASSWORDS_AT_ONCE: Final = 2
"""Each takes 64 MiB and a tenth of a second of a core that alarms need too."""
PASSWORDS_WAITING: Final = 20
"""More are told to come again."""
STRANGERS_PER_SECOND: Final = 5.0
STRANGERS_BURST: Final = 100
"""Requests of one address that show nothing that holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who is let in, how, and how often."""

    web: WebSettings
    identity: IdentitySettings
    city: str
    sealer: Sealer
    callers: Buckets
    strangers: Buckets
    passwords: anyio.CapacityLimiter
    issuer: Issuer | None
    flow: CodeFlow | None
    """People sign in at the provider; None: they do not."""

    @property
    def limits(self) -> SessionLimits:
        """How long sessions last."""
        return SessionLimits(idle=self.identity.idle, longest=self.identity.longest)

    @property
    def machine_tokens(self) -> Expected | None:
        """What JWTs of machines must say; None: there are none."""
        if self.identity.issuer is None or not self.identity.audience:
            return None
        return Expected(
            issuer=self.identity.issuer,
            audience=self.identity.audience,
            algorithms=self.identity.algorithms,
        )

    @property
    def group_rights(self) -> dict[str, GroupRights]:
        """What groups at the provider are here."""
        return {
            name: GroupRights(organisation_id=group.org, roles=group.roles)
            for name, group in self.identity.groups.items()
        }


@asynccontextmanager
async def open_door(folder: DataFolder, chosen: Settings) -> AsyncGenerator[Door]:
    """Open what lets people in."""
    async with AsyncExitStack() as stack:
        issuer, flow = None, None
        if chosen.identity.issuer is not None:
            documents = await stack.enter_async_context(open_documents(chosen.identity.ca_file))
            issuer = Issuer(chosen.identity.issuer, documents)
            flow = CodeFlow(issuer, documents, chosen.identity) if chosen.identity.client_id else None
        yield Door(
            web=chosen.web,
            identity=chosen.identity,
            city=chosen.city,
            sealer=ResidentSealer(folder),
            callers=Buckets(per_second=chosen.web.requests_per_second, burst=chosen.web.burst),
            strangers=Buckets(per_second=STRANGERS_PER_SECOND, burst=STRANGERS_BURST),
            passwords=anyio.CapacityLimiter(PASSWORDS_AT_ONCE),
            issuer=issuer,
            flow=flow,
        )


def door_of(request: Request) -> Door:
    """The door of the application that a request came to."""
    door: Door = request.app.state.door
    return door


DoorHere = Annotated[Door, Depends(door_of)]
