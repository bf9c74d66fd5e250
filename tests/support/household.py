"""Who acts in tests of access; and residents, their consents and what rests on them, in a town."""

from dataclasses import replace
from functools import partial
from typing import Any, Final

from services import consents, granting, residents
from services.consents import NewConsent, Withdrawn
from services.domain.actors import Actor, Role
from services.domain.homes import Grant
from services.domain.ids import OrganisationId
from services.domain.residents import Consent, How
from services.registry import NewGrant
from services.residents import NewResident, Settled
from tests.support.town import Town

PURPOSE: Final = "answers alarms"


def actor(name: str, organisation_id: str, *roles: Role, is_city: bool = False) -> Actor:
    """A person of an organisation."""
    id_ = f"account:{name}"
    return Actor(
        id=id_,
        principal=id_,
        name=name,
        organisation_id=OrganisationId(organisation_id),
        is_city=is_city,
        roles=frozenset(roles),
    )


CITY: Final = actor("city-1", "the-city", Role.CITY_ADMIN, is_city=True)
CITY_TOO: Final = actor("city-2", "the-city", Role.CITY_ADMIN, is_city=True)
CITY_TOKEN: Final = replace(CITY, id="token:1")
"""A token that ``CITY`` made: another id of the same person."""
ACME: Final = actor("acme-1", "acme", Role.CARE_ADMIN)
ACME_OPERATOR: Final = actor("acme-2", "acme", Role.CARE_OPERATOR)
BETA: Final = actor("beta-1", "beta", Role.CARE_ADMIN)
CITY_MACHINE: Final = actor("machine-1", "the-city", Role.CARE_OPERATOR, Role.CARE_ADMIN, is_city=True)
"""Of the city, and does not run it."""
NETWORK: Final = actor("net-1", "the-city", Role.NETWORK_OPERATOR, is_city=True)


class PlainSealer:
    """A ``services.residents.Sealer`` that hides nothing but checks whom it is about."""

    def seal(self, text: bytes, *, about: str) -> bytes:
        return about.encode() + b"|" + text

    def unseal(self, sealed: bytes, *, about: str) -> bytes:
        whose, _, text = sealed.partition(b"|")
        assert whose == about.encode()
        return text


SEALER: Final = PlainSealer()


class Household:
    """Residents, their consents and what rests on them; each call is one transaction."""

    def __init__(self, town: Town) -> None:
        self.town = town

    def add(self, resident_id: str, home_id: str = "h-1", **more: Any) -> Settled:
        new = NewResident(home_id=home_id, id=resident_id, name=f"Name of {resident_id}", **more)
        return self.town.write(partial(residents.add, new=new, sealer=SEALER, actor=CITY, now=self.town.now))

    def consent(
        self, resident_id: str, data_class: str = "safety", purpose: str = PURPOSE, **more: Any
    ) -> Consent:
        new = NewConsent(
            resident_id=resident_id,
            data_class=data_class,
            purpose=purpose,
            how=more.pop("how", How.IN_WRITING),
            **more,
        )
        return self.town.write(partial(consents.record, new=new, actor=CITY, now=self.town.now))

    def withdraw(self, consent: Consent) -> Withdrawn:
        return self.town.write(
            partial(consents.withdraw, consent_id=consent.id, actor=CITY, now=self.town.now)
        )

    def grant(
        self,
        organisation_id: str = "acme",
        home_id: str = "h-1",
        data_class: str = "safety",
        *,
        basis: str = "consent: form 12",
        **more: Any,
    ) -> Grant:
        new = NewGrant(
            organisation_id=organisation_id,
            home_id=home_id,
            data_class=data_class,
            purpose=more.pop("purpose", PURPOSE),
            legal_basis=basis,
            **more,
        )
        return self.town.write(partial(granting.add_now, new=new, actor=CITY, now=self.town.now))
