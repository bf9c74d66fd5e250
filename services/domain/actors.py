"""Who acts: a person or a machine, for an organisation, in roles; and what roles permit.

token, session, JWT, certificate  ──recognised──>  Actor  ──scope──>  rows that are its own
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.domain.errors import RefusedError
from services.domain.ids import OrganisationId


class Role(StrEnum):
    """What somebody is to the hub."""

    CITY_ADMIN = "city-admin"
    """Registers homes, residents and organisations, approves grants, makes accounts."""
    NETWORK_OPERATOR = "network-operator"
    """Keeps homes, devices and the way of messages running; sees technical alarms only."""
    INSTALLER = "installer"
    CARE_OPERATOR = "care-operator"
    """Hears and answers the alarms that its organisation may know of."""
    CARE_ADMIN = "care-admin"
    """A care operator who also keeps the organisation's subscriptions, tokens and accounts."""
    AUDITOR = "auditor"
    """Reads the log, and nothing that the log is about."""
    CATALOGUE_READER = "catalogue-reader"
    """Reads what can be public."""


class Permission(StrEnum):
    """One thing that somebody may do; also what a token can be narrowed to."""

    HOMES_READ = "homes:read"
    HOMES_WRITE = "homes:write"
    DEVICES_READ = "devices:read"
    DEVICES_WRITE = "devices:write"
    RESIDENTS_READ = "residents:read"
    RESIDENTS_WRITE = "residents:write"
    ORGANISATIONS_READ = "organisations:read"
    ORGANISATIONS_WRITE = "organisations:write"
    GRANTS_READ = "grants:read"
    GRANTS_PROPOSE = "grants:propose"
    GRANTS_APPROVE = "grants:approve"
    """Approve what somebody else has proposed, end a grant, keep templates."""
    GRANTS_EMERGENCY = "grants:emergency"
    CONSENTS_READ = "consents:read"
    CONSENTS_WRITE = "consents:write"
    ALARMS_READ = "alarms:read"
    """Alarms, the events behind them, and the live stream."""
    ALARMS_ANSWER = "alarms:answer"
    DELIVERIES_READ = "deliveries:read"
    DELIVERIES_REPLAY = "deliveries:replay"
    SUBSCRIPTIONS_READ = "subscriptions:read"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    READINGS_READ = "readings:read"
    AUDIT_READ = "audit:read"
    USAGE_READ = "usage:read"
    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    """Make and end accounts and tokens, and give them roles that oneself has."""
    METRICS_READ = "metrics:read"
    PROFILES_READ = "profiles:read"


_P = Permission

_CARE_OPERATOR: Final = frozenset(
    {
        _P.HOMES_READ,
        _P.DEVICES_READ,
        _P.ORGANISATIONS_READ,
        _P.GRANTS_READ,
        _P.GRANTS_EMERGENCY,
        _P.ALARMS_READ,
        _P.ALARMS_ANSWER,
        _P.DELIVERIES_READ,
        _P.READINGS_READ,
        _P.PROFILES_READ,
    }
)

PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.CITY_ADMIN: frozenset(Permission) - {_P.AUDIT_READ, _P.GRANTS_EMERGENCY},
    Role.NETWORK_OPERATOR: frozenset(
        {
            _P.HOMES_READ,
            _P.HOMES_WRITE,
            _P.DEVICES_READ,
            _P.DEVICES_WRITE,
            _P.ORGANISATIONS_READ,
            _P.ALARMS_READ,
            _P.ALARMS_ANSWER,
            _P.DELIVERIES_READ,
            _P.DELIVERIES_REPLAY,
            _P.SUBSCRIPTIONS_READ,
            _P.METRICS_READ,
            _P.PROFILES_READ,
        }
    ),
    Role.INSTALLER: frozenset({_P.HOMES_READ, _P.DEVICES_READ, _P.PROFILES_READ}),
    Role.CARE_OPERATOR: _CARE_OPERATOR,
    Role.CARE_ADMIN: _CARE_OPERATOR
    | {
        _P.GRANTS_PROPOSE,
        _P.CONSENTS_READ,
        _P.DELIVERIES_REPLAY,
        _P.SUBSCRIPTIONS_READ,
        _P.SUBSCRIPTIONS_WRITE,
        _P.USAGE_READ,
        _P.ACCOUNTS_READ,
        _P.ACCOUNTS_WRITE,
    },
    Role.AUDITOR: frozenset({_P.AUDIT_READ, _P.ORGANISATIONS_READ, _P.USAGE_READ, _P.PROFILES_READ}),
    Role.CATALOGUE_READER: frozenset({_P.PROFILES_READ}),
}
"""The auditor is not the one who is audited: no other role reads the log."""

CITY_ROLES: Final = frozenset({Role.CITY_ADMIN, Role.NETWORK_OPERATOR, Role.AUDITOR, Role.CATALOGUE_READER})
"""Only for people and machines of an organisation of kind city."""


class NotPermittedError(RefusedError):
    """Nobody of these roles may do this, whatever it is about."""

    code = "not_permitted"

    def __init__(self, permission: Permission) -> None:
        self.permission = permission
        super().__init__(f"This needs the permission {permission}, which you do not have")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, as one request or command has shown."""

    id: str
    """As the log names it: ``account:…``, ``token:…``, ``client:…``, ``certificate:…``, ``operator:…``."""
    principal: str
    """Who stands behind it: the account that made a token, else the ``id`` itself. Two ids of one principal
    are not two persons."""
    name: str
    """For people: what colleagues at other organisations may read."""
    organisation_id: OrganisationId
    is_city: bool
    """Whether the organisation is of kind city."""
    roles: frozenset[Role]
    narrowed_to: frozenset[Permission] | None = None
    """What a token was limited to; None: all that its roles permit."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """All that it may do."""
        roles = self.roles if self.is_city else self.roles - CITY_ROLES
        allowed = frozenset[Permission]().union(*(PERMISSIONS[role] for role in roles))
        return allowed if self.narrowed_to is None else allowed & self.narrowed_to

    @property
    def governs(self) -> bool:
        """Whether it acts for every organisation, and not only for its own: the city's care staff do not."""
        return self.is_city and not self.roles.isdisjoint({Role.CITY_ADMIN, Role.NETWORK_OPERATOR})

    def may(self, permission: Permission) -> bool:
        """Whether it may do something at all."""
        return permission in self.permissions

    def demand(self, permission: Permission) -> None:
        """Refuse what its roles do not permit.

        Raises:
            NotPermittedError: Names the permission.
        """
        if not self.may(permission):
            raise NotPermittedError(permission)
