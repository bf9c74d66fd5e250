"""Who and what is registered: homes, positions, devices, organisations, grants, integrations.

home --has--> position --held by--> device
organisation --grant(class, purpose, from, until, step)--> home | position
integration --knows as(external id)--> device
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from devices.kinds import DataClass, DeviceId, HomeId
from services.domain.ids import GrantId, IntegrationId, OrganisationId, PositionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A dwelling on the fibre."""

    id: HomeId
    address: str
    co_id: str = ""
    """The access line's communication operator."""
    access_id: str = ""
    """The access line at that operator."""
    node: str = ""
    """The fibre node that serves the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A role at a home. Hardware comes and goes; the position and its history stay."""

    id: PositionId
    home_id: HomeId
    name: str


class DeviceState(StrEnum):
    """Whether a device, or an integration, is heard."""

    IN_SERVICE = "in_service"
    SUSPENDED = "suspended"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The hardware in a position, or the home hub that carries others."""

    id: DeviceId
    home_id: HomeId
    position_id: PositionId
    position: str
    """The position's name."""
    profile: str
    state: DeviceState


class OrganisationKind(StrEnum):
    """What an organisation is to the city."""

    CARE = "care"
    ALARM_CENTRE = "alarm-centre"
    LANDLORD = "landlord"
    INSTALLER = "installer"
    CITY = "city"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """Somebody who may be told, or who answers for the whole (the city)."""

    id: OrganisationId
    name: str
    """Its public name: what a resident is told when somebody is coming."""
    kind: OrganisationKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An organisation may know facts of one class about a home, or one position of it."""

    id: GrantId
    organisation_id: OrganisationId
    home_id: HomeId
    position_id: PositionId | None
    """None: every position of the home."""
    data_class: DataClass
    purpose: str
    legal_basis: str
    valid_from: datetime
    valid_until: datetime | None
    """The first moment at which it no longer holds."""
    step: int
    """Its place in the response chain, from 1."""
    within: timedelta
    """How long this step may take to acknowledge before the next one is told too."""
    revoked_at: datetime | None = None


class Dialect(StrEnum):
    """How an integration words what it publishes below ``in/{integration}/``."""

    ZIGBEE2MQTT = "zigbee2mqtt"
    CHIRPSTACK = "chirpstack"
    """Events of ChirpStack 4, in JSON."""
    WMBUSMETERS = "wmbusmeters"
    SPARKPLUG_B = "sparkplug-b"
    """Readings only: its messages are QoS 0, so no alarm may rest on them."""
    HOME_ASSISTANT = "home-assistant"
    """State topics in the style of Home Assistant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """An account under which another system says what its devices say."""

    id: IntegrationId
    name: str
    dialect: Dialect
    state: DeviceState = DeviceState.IN_SERVICE
    home_id: HomeId | None = None
    """The one home whose devices it may bring; None: city-wide, such as a LoRaWAN server."""

    def may_bring(self, home_id: str) -> bool:
        """Whether devices of a home can be behind it."""
        return self.home_id is None or self.home_id == home_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignDevice:
    """A device of ours, and what an integration calls it."""

    integration_id: IntegrationId
    external_id: str
    device_id: DeviceId
