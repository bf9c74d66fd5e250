"""A simulated care provider: hears of alarms, confirms, sometimes answers, later closes; hears readings.

It is a client like any other, written against the public contract, with aiomqtt.
"""

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import aiomqtt

ANSWERS: Final = 0.8
"""How often somebody is free to answer; the rest goes to the next step of the chain."""

READING_SECONDS: Final = (1.0, 4.0)
VISIT_SECONDS: Final = (5.0, 15.0)
RECONNECT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A partner was told something for the first time."""

    organisation_id: str
    document: dict[str, Any]
    """The CloudEvent."""


class Partner:
    """One organisation's receiving system."""

    def __init__(
        self,
        organisation_id: str,
        *,
        credentials: Path,
        port: int,
        chance: Random,
        on_told: Callable[[Told], None],
        on_readings: Callable[[Told], None] | None = None,
    ) -> None:
        self._id = organisation_id
        self._port = port
        self._chance = chance
        self._on_told = on_told
        self._on_readings = on_readings
        """None: it does not ask for readings."""
        self._seen: set[str] = set()
        self._tls = ssl.create_default_context(cafile=str(credentials / "ca.pem"))
        self._tls.load_cert_chain(credentials / "cert.pem", credentials / "key.pem")

    async def run(self) -> None:
        """Receive until cancelled; connect again when the broker was away."""
        while True:
            try:
                async with (
                    aiomqtt.Client(
                        "localhost",
                        self._port,
                        tls_context=self._tls,
                        identifier=f"{self._id}-demo",
                        protocol=aiomqtt.ProtocolVersion.V5,
                        clean_start=False,
                    ) as client,
                    asyncio.TaskGroup() as group,
                ):
                    await client.subscribe(f"care/{self._id}/event", qos=1)
                    if self._on_readings is not None:
                        await client.subscribe(f"care/{self._id}/reading")
                    async for message in client.messages:
                        document = json.loads(bytes(message.payload))
                        if message.topic.value.endswith("/event"):
                            await self._hear(client, group, document)
                        elif self._on_readings is not None:
                            self._on_readings(Told(organisation_id=self._id, document=document))
            except* aiomqtt.MqttError:
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _hear(self, client: aiomqtt.Client, group: asyncio.TaskGroup, document: dict[str, Any]) -> None:
        await self._act(client, {"action": "received", "event": document["id"]})
        if document["id"] in self._seen:
            return
        self._seen.add(document["id"])
        self._on_told(Told(organisation_id=self._id, document=document))
        what = document["type"].split(".")[-2]
        if what in {"raised", "escalated"} and (what == "escalated" or self._chance.random() < ANSWERS):
            group.create_task(self._deal_with(client, document["subject"]), name="visit")

    async def _deal_with(self, client: aiomqtt.Client, alarm_id: str) -> None:
        by = f"operator-{self._chance.randint(1, 20)}"
        await asyncio.sleep(self._chance.uniform(*READING_SECONDS))
        await self._act(client, {"action": "acknowledge", "alarm": alarm_id, "by": by})
        await asyncio.sleep(self._chance.uniform(*VISIT_SECONDS))
        await self._act(client, {"action": "close", "alarm": alarm_id, "by": by, "note": "visited, all well"})

    async def _act(self, client: aiomqtt.Client, action: dict[str, str]) -> None:
        request = f"{self._chance.getrandbits(64):016x}"
        await client.publish(f"care/{self._id}/action", json.dumps({"request": request, **action}), qos=1)
