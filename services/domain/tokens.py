"""API tokens: what an organisation's machine shows to be known by."""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from services.domain.actors import Permission, Role
from services.domain.ids import OrganisationId

TokenId = NewType("TokenId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token, without its text: that is shown once, when it is made, and kept nowhere."""

    id: TokenId
    organisation_id: OrganisationId
    name: str
    """Which machine has it; for people."""
    digest: bytes
    created_at: datetime
    expires_at: datetime
    """The first moment at which it no longer holds."""
    roles: frozenset[Role] = frozenset()
    """None: those that machines of such an organisation have."""
    narrowed_to: frozenset[Permission] | None = None
    """None: all that its roles permit."""
    created_by: str = ""
    """The principal that made it; empty: whoever was on the machine."""
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    """To the hour; None: never."""

    def holds(self, at: datetime) -> bool:
        """Whether it lets somebody in at a moment."""
        return self.revoked_at is None and at < self.expires_at
