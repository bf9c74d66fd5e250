"""Two care providers, an installer and the city, over homes that they know in part; and what belongs to whom.

    home-of-acme: acme alone     home-of-both: acme knows safety of all of it, beta care in its bedroom,
    home-of-beta: beta alone                   fixit technical of all of it

Every text that somebody wrote carries a canary, a word that names those who may read it, and every thing that
has an id knows to whom it is no secret. So a test can say of any answer whether it holds what is not for
whoever asked. ``access_content`` fills it; without beta, all that is beta's own is not there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from services import tokens
from services.domain.actors import Actor, Role
from services.domain.homes import OrganisationKind
from services.tokens import Limits
from tests.support.town import TESTER, Town

ACME, BETA, FIXIT, CITY = "acme", "beta", "fixit", "the-city"
ACME_HOME, BETA_HOME, BOTH_HOME = "home-of-acme", "home-of-beta", "home-of-both"

KINDS: Final = {
    ACME: OrganisationKind.CARE,
    BETA: OrganisationKind.CARE,
    FIXIT: OrganisationKind.INSTALLER,
    CITY: OrganisationKind.CITY,
}

CAST: Final = (
    (CITY, Role.CITY_ADMIN),
    (CITY, Role.NETWORK_OPERATOR),
    (CITY, Role.AUDITOR),
    (CITY, Role.CATALOGUE_READER),
    (FIXIT, Role.INSTALLER),
    (ACME, Role.CARE_OPERATOR),
    (ACME, Role.CARE_ADMIN),
    (BETA, Role.CARE_OPERATOR),
    (BETA, Role.CARE_ADMIN),
)
"""Every role; those of care providers at both of them."""

LASTS: Final = timedelta(days=365)

_CANARY: Final = re.compile(r"kanarie-[a-z-]+-\d{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """To whom something is no secret; the city's administrators know all."""

    organisations: frozenset[str]
    roles: frozenset[Role] = frozenset()
    """Of the city, beside its administrators."""

    def to(self, somebody: "Somebody") -> bool:
        """The rule once more, as plainly as it can be said."""
        if somebody.role in {Role.CITY_ADMIN, *self.roles}:
            return True
        return somebody.organisation in self.organisations


def known(*organisations: str, roles: Iterable[Role] = ()) -> Known:
    """To these organisations, and to these roles of the city."""
    return Known(organisations=frozenset(organisations), roles=frozenset(roles))


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that a request can name."""

    kind: str
    id: str
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """One of the cast, as it comes to the hub."""

    role: Role
    actor: Actor
    token: str

    @property
    def organisation(self) -> str:
        """Whose they are."""
        return self.actor.organisation_id

    def __str__(self) -> str:
        return f"{self.role} of {self.organisation}"


class World:
    """Everything, and to whom it is no secret."""

    def __init__(self, town: Town, *, has_beta: bool = True) -> None:
        self.town = town
        self.has_beta = has_beta
        self.things: list[Thing] = []
        self.cast: list[Somebody] = []
        self._words: dict[str, Known] = {}
        self._ids: dict[str, Known] = {}

    def word(self, whose: Known) -> str:
        """A new canary."""
        named = "-".join(sorted({*whose.organisations, *whose.roles})) or "nobody"
        word = f"kanarie-{named}-{sum(whose == other for other in self._words.values()):03}"
        self._words[word] = whose
        return word

    def add(self, kind: str, id_: str, whose: Known) -> str:
        """Note to whom something is no secret; returns its id."""
        self.things.append(Thing(kind=kind, id=id_, known=whose))
        self._ids[id_] = whose
        return id_

    def own(self, kind: str, somebody: Somebody) -> list[str]:
        """The ids of a kind that somebody may know; whoever reads the log may know them all."""
        is_auditor = somebody.role is Role.AUDITOR
        return [one.id for one in self.things if one.kind == kind and (is_auditor or one.known.to(somebody))]

    def foreign(self, kind: str, somebody: Somebody) -> list[str]:
        """The ids of a kind that somebody may not know."""
        own = self.own(kind, somebody)
        return [one.id for one in self.things if one.kind == kind and one.id not in own]

    def leaked(self, answer: str, somebody: Somebody) -> set[str]:
        """What stands in an answer that is not for whoever asked."""
        found = {word for word in _CANARY.findall(answer) if not self._words[word].to(somebody)}
        if somebody.role is Role.AUDITOR:  # the log names the things that it is about by their ids
            return found
        return found | {
            id_
            for id_, whose in self._ids.items()
            if id_ not in KINDS and not whose.to(somebody) and id_ in answer
        }

    def cast_members(self) -> None:
        """Give each of the cast a token."""
        town = self.town
        for organisation, role in CAST:
            limits = Limits(roles=(role,))
            issue = partial(tokens.issue, organisation_id=organisation, limits=limits, lifetime=LASTS)
            issued = town.write(partial(issue, actor=TESTER, now=town.now))
            actor = tokens.actor_of(town.connection, issued.token.id, at=town.now)
            assert actor is not None
            self.cast.append(Somebody(role=role, actor=actor, token=issued.text))
            self.add("token", issued.token.id, known(organisation))
            if role is Role.CITY_ADMIN:
                self.add("actor", issued.token.id, known(*KINDS))  # by whom a consent was recorded

    def one(self, role: Role, organisation: str) -> Somebody:
        """A member of the cast."""
        return next(one for one in self.cast if (one.role, one.organisation) == (role, organisation))
