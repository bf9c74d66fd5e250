"""Registering homes, devices and organisations, and granting them access to each other.

Each use case checks everything before it writes anything, inside the caller's transaction, and says
what would be right when it refuses.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from devices.kinds import DeviceId, HomeId
from services import audit
from services.domain.errors import ExistsError, InvalidError, RefusedError, UnknownError
from services.domain.granting import data_class
from services.domain.homes import Device, DeviceState, Grant, Home, Organisation, Position
from services.domain.ids import GrantId, PositionId, is_chosen_id, new_id
from services.store import certificates, deliveries, integrations
from services.store import registry as rows
from services.store.connection import Connection

if TYPE_CHECKING:  # reading the models takes longer than a whole command that needs none
    from devices.profiles import Profiles

ID_FORM: Final = "a-z, 0-9 and '-', at most 63, beginning with a letter or a digit"
TEXT_MAX: Final = 200

DEFAULT_WITHIN: Final = timedelta(seconds=60)
"""How long a step of the response chain has when a grant does not say."""

LONGEST_WITHIN: Final = timedelta(hours=24)


class PositionTakenError(RefusedError):
    """Two devices cannot hold one position: their alarms could not be told apart."""

    code = "position_taken"

    def __init__(self, position: str, home_id: str, device_id: str) -> None:
        self.device_id = device_id
        super().__init__(
            f"Position {position!r} of home {home_id!r} is held by device {device_id!r}; "
            "name another with --position, or retire that device first"
        )


class RetiredError(RefusedError):
    """A retired device does not come back; a new one takes its position."""

    code = "retired"

    def __init__(self, device_id: str) -> None:
        self.device_id = device_id
        super().__init__(f"Device {device_id!r} is retired for good; register its successor with a new id")


def add_home(connection: Connection, home: Home, *, actor: str, now: datetime) -> Home:
    """Register a home; the very same again changes nothing.

    Raises:
        InvalidError: The id or the address cannot be right.
        ExistsError: There is another home with this id.
    """
    check_home(home)
    known = rows.home(connection, home.id)
    if known == home:
        return home
    if known is not None:
        raise ExistsError("home", home.id)
    rows.add_home(connection, home)
    _log(connection, actor, "home_added", now, home_id=home.id, subject=home.id)
    return home


class HomeChange(StrEnum):
    """What becomes of the registry when a home is put into it."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


def put_home(connection: Connection, home: Home, *, actor: str, now: datetime) -> HomeChange:
    """Register a home, or bring the one with this id up to date.

    Raises:
        InvalidError: The id or the address cannot be right.
    """
    change = judge_home(connection, home)
    if change is not HomeChange.UNCHANGED:
        rows.add_home(connection, home)
        action = "home_added" if change is HomeChange.CREATED else "home_updated"
        _log(connection, actor, action, now, home_id=home.id, subject=home.id)
    return change


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeCorrection:
    """What is to be different about a home; what is None stays."""

    address: str | None = None
    co_id: str | None = None
    access_id: str | None = None
    node: str | None = None


def correct_home(
    connection: Connection, home_id: str, correction: HomeCorrection, *, actor: str, now: datetime
) -> Home:
    """Change what is known of a home.

    Raises:
        UnknownError: There is no such home.
        InvalidError: A value cannot be right.
    """
    known = rows.home(connection, home_id)
    if known is None:
        raise UnknownError("home", home_id, mend="see `stadsnav home list`")
    wanted = {name: value for name, value in asdict(correction).items() if value is not None}
    home = replace(known, **wanted)
    put_home(connection, home, actor=actor, now=now)
    return home


def judge_home(connection: Connection, home: Home) -> HomeChange:
    """What ``put_home`` would do; nothing is changed.

    Raises:
        InvalidError: The id or the address cannot be right.
    """
    check_home(home)
    known = rows.home(connection, home.id)
    if known is None:
        return HomeChange.CREATED
    return HomeChange.UNCHANGED if known == home else HomeChange.UPDATED


def check_home(home: Home) -> None:
    """Refuse a home that cannot be right.

    Raises:
        InvalidError: Says which member, and what would be right.
    """
    check_id("home id", home.id)
    check_text("address", home.address)
    for name, value in (("line", home.co_id), ("line", home.access_id), ("node", home.node)):
        if value:
            check_text(name, value)


def check_id(what: str, value: str) -> None:
    """Refuse what people cannot choose as an id.

    Raises:
        InvalidError: Says what would be right.
    """
    if not is_chosen_id(value):
        raise InvalidError(what, value, expected=ID_FORM)


def check_text(what: str, value: str) -> None:
    """Refuse what cannot be shown in a line.

    Raises:
        InvalidError: Says what would be right.
    """
    if not value.strip() or len(value) > TEXT_MAX or not value.isprintable():
        raise InvalidError(what, value, expected=f"1 to {TEXT_MAX} printable characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """What an installer says about a device."""

    id: str
    home_id: str
    profile: str
    position: str | None = None
    """None: the profile's usual name for its place."""


def add_device(
    connection: Connection, new: NewDevice, *, profiles: "Profiles", actor: str, now: datetime
) -> Device:
    """Register a device at a position of a home; the very same again changes nothing.

    Raises:
        RefusedError: The id, home, profile or position cannot be right, or is taken.
    """
    check_id("device id", new.id)
    if new.profile not in profiles:
        raise InvalidError("profile", new.profile, expected="one of " + ", ".join(profiles.names))
    profile = profiles[new.profile]
    if rows.home(connection, new.home_id) is None:
        raise UnknownError("home", new.home_id, mend="register it first with `stadsnav home add`")
    name = new.position or profile.position
    check_text("position", name)
    known = rows.device(connection, new.id)
    if known is not None:
        if (known.home_id, known.position, known.profile) == (new.home_id, name, profile.name):
            return known
        raise ExistsError("device", new.id)
    if integrations.get(connection, new.id) is not None:  # one name at the broker cannot be two clients
        raise ExistsError("integration", new.id)
    position = _position(connection, new.home_id, name)
    device = Device(
        id=DeviceId(new.id),
        home_id=HomeId(new.home_id),
        position_id=position.id,
        position=name,
        profile=profile.name,
        state=DeviceState.IN_SERVICE,
    )
    rows.add_device(connection, device)
    _log(connection, actor, "device_added", now, home_id=device.home_id, subject=device.id)
    return device


def set_device_state(
    connection: Connection, device_id: str, state: DeviceState, *, actor: str, now: datetime
) -> Device:
    """Suspend, resume or retire a device; retiring ends its certificates too.

    Raises:
        UnknownError: There is no such device.
        RetiredError: It is retired, and stays so.
    """
    device = rows.device(connection, device_id)
    if device is None:
        raise UnknownError("device", device_id, mend="see `stadsnav device list`")
    if device.state is state:
        return device
    if device.state is DeviceState.RETIRED:
        raise RetiredError(device_id)
    rows.set_device_state(connection, device_id, state)
    if state is DeviceState.RETIRED:
        certificates.revoke_of(connection, "homes", device_id, at=now)
    _log(connection, actor, f"device_{state}", now, home_id=device.home_id, subject=device.id)
    return replace(device, state=state)


def add_organisation(
    connection: Connection, organisation: Organisation, *, actor: str, now: datetime
) -> Organisation:
    """Register an organisation; the very same again changes nothing.

    Raises:
        InvalidError: The id or name cannot be right.
        ExistsError: There is another one with this id.
    """
    check_id("organisation id", organisation.id)
    check_text("name", organisation.name)
    known = rows.organisation(connection, organisation.id)
    if known == organisation:
        return organisation
    if known is not None:
        raise ExistsError("organisation", organisation.id)
    rows.add_organisation(connection, organisation)
    _log(connection, actor, "organisation_added", now, subject=organisation.id)
    return organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """What an operator says about a grant."""

    organisation_id: str
    home_id: str
    data_class: str
    purpose: str
    legal_basis: str
    position: str | None = None
    valid_from: datetime | None = None
    """None: from now."""
    valid_until: datetime | None = None
    """None: until it is revoked."""
    step: int = 1
    within: timedelta = DEFAULT_WITHIN


def add_grant(connection: Connection, new: NewGrant, *, actor: str, now: datetime) -> Grant:
    """Let an organisation know facts of one class about a home, or one position of it.

    Raises:
        RefusedError: Something that it names does not exist, or cannot be right.
    """
    grant = check_grant(connection, new, now=now)
    rows.add_grant(connection, grant)
    entry = audit.Entry(
        actor=actor,
        action="granted",
        organisation_id=grant.organisation_id,
        home_id=grant.home_id,
        subject=grant.id,
        purpose=grant.purpose,
        details=f"{grant.data_class} step {grant.step} basis {grant.legal_basis}",
    )
    audit.note(connection, entry, at=now)
    return grant


def revoke_grant(connection: Connection, grant_id: str, *, actor: str, now: datetime) -> Grant:
    """End a grant now. What waits under it is judged again at once, by the grants that remain.

    Raises:
        UnknownError: There is no such grant.
    """
    grant = rows.grant(connection, grant_id)
    if grant is None:
        raise UnknownError("grant", grant_id, mend="see `stadsnav grant list`")
    if grant.revoked_at is not None:
        return grant
    rows.revoke_grant(connection, grant_id, now)
    deliveries.reconsider(connection, grant_id, now=now)
    entry = audit.Entry(
        actor=actor,
        action="grant_revoked",
        organisation_id=grant.organisation_id,
        home_id=grant.home_id,
        subject=grant.id,
        purpose=grant.purpose,
    )
    audit.note(connection, entry, at=now)
    return replace(grant, revoked_at=now)


def check_terms(new: NewGrant, *, now: datetime) -> None:
    """Refuse what cannot be right about a grant, whatever is registered.

    Raises:
        InvalidError: Says what, and what would be right.
    """
    data_class(new.data_class)
    check_text("purpose", new.purpose)
    check_text("basis", new.legal_basis)
    if not 1 <= new.step <= 99:  # noqa: PLR2004 - said in the message
        raise InvalidError("step", new.step, expected="a number from 1 to 99")
    if not timedelta(0) < new.within <= LONGEST_WITHIN:
        raise InvalidError("within", new.within, expected="more than 0 and at most 86400 seconds")
    valid_from = new.valid_from or now
    if new.valid_until is not None and new.valid_until <= valid_from:
        raise InvalidError("until", new.valid_until, expected=f"a time after {valid_from.isoformat()}")


def check_grant(connection: Connection, new: NewGrant, *, now: datetime) -> Grant:
    """The grant that would be added; nothing is changed.

    Raises:
        RefusedError: Something that it names does not exist, or cannot be right.
    """
    organisation = rows.organisation(connection, new.organisation_id)
    if organisation is None:
        raise UnknownError("organisation", new.organisation_id, mend="register it with `stadsnav org add`")
    if rows.home(connection, new.home_id) is None:
        raise UnknownError("home", new.home_id, mend="register it with `stadsnav home add`")
    check_terms(new, now=now)
    position = rows.position(connection, new.home_id, new.position) if new.position else None
    if new.position and position is None:
        raise UnknownError("position", new.position, mend=f"see `stadsnav device list --home {new.home_id}`")
    return Grant(
        id=GrantId(new_id()),
        organisation_id=organisation.id,
        home_id=HomeId(new.home_id),
        position_id=position.id if position else None,
        data_class=data_class(new.data_class),
        purpose=new.purpose,
        legal_basis=new.legal_basis,
        valid_from=new.valid_from or now,
        valid_until=new.valid_until,
        step=new.step,
        within=new.within,
    )


def _position(connection: Connection, home_id: str, name: str) -> Position:
    known = rows.position(connection, home_id, name)
    if known is None:
        position = Position(id=PositionId(new_id()), home_id=HomeId(home_id), name=name)
        rows.add_position(connection, position)
        return position
    holder = rows.in_service_at(connection, known.id)
    if holder is not None:
        raise PositionTakenError(name, home_id, holder)
    return known


def _log(
    connection: Connection,
    actor: str,
    action: str,
    now: datetime,
    *,
    subject: str,
    home_id: str | None = None,
) -> None:
    entry = audit.Entry(actor=actor, action=action, home_id=home_id, subject=subject)
    audit.note(connection, entry, at=now)
