"""What stands in the world of ``access_world``: each thing made as the product makes it, by its use case."""

from datetime import timedelta
from functools import partial
from typing import Any, Final

from devices.kinds import DataClass, HomeId
from gateway.data_folder import DataFolder
from gateway.sealing import ResidentSealer
from services import consents, emergencies, granting, registry, residents, subscriptions, templates
from services.consents import NewConsent
from services.domain.actors import Role
from services.domain.alarms import Alarm
from services.domain.granting import BasisKind, LegalBasis, Template, TemplateItem
from services.domain.homes import Grant, Home, Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.domain.residents import How
from services.domain.subscriptions import ChannelName
from services.emergencies import Taking
from services.granting import Proposal
from services.identity import accounts
from services.identity.accounts import NewAccount
from services.residents import NewResident
from services.subscriptions import NewSubscription
from tests.support.access_world import (
    ACME,
    ACME_HOME,
    BETA,
    BETA_HOME,
    BOTH_HOME,
    CITY,
    FIXIT,
    KINDS,
    Known,
    World,
    known,
)
from tests.support.town import TESTER

OPERATOR: Final = (Role.NETWORK_OPERATOR,)
LOG: Final = (Role.AUDITOR,)
HEARD: Final = {ACME_HOME: (ACME,), BETA_HOME: (BETA,), BOTH_HOME: (ACME, BETA, FIXIT)}
"""Which organisations have a grant for a home."""

DEVICES: Final = (
    ("pendant", "safety-alarm", "hall"),
    ("bed", "bed-sensor", "bedroom"),
    ("meter", "humidity-meter", "bathroom"),
)
KNOWN_DEVICES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    (ACME_HOME, "pendant"): (ACME,),
    (ACME_HOME, "bed"): (),
    (ACME_HOME, "meter"): (ACME,),
    (BETA_HOME, "pendant"): (BETA,),
    (BETA_HOME, "bed"): (),
    (BETA_HOME, "meter"): (BETA,),
    (BOTH_HOME, "pendant"): (ACME, BETA, FIXIT),
    (BOTH_HOME, "bed"): (BETA, FIXIT),
    (BOTH_HOME, "meter"): (ACME, FIXIT),
}
"""A device is known to who is granted, where it stands, a class of what it can say."""

CONSENTS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    ACME_HOME: {"safety": (ACME,)},
    BETA_HOME: {"safety": (BETA,)},
    BOTH_HOME: {"safety": (ACME, BETA), "care": (BETA,)},
}
"""A consent is known to who has a grant of its class and purpose."""


def fill(world: World, folder: DataFolder) -> None:
    """Everything. Beta's own comes between what acme has, so that whatever is counted through would tell."""
    _organisations(world)
    for home_id in (ACME_HOME, BETA_HOME, BOTH_HOME):
        if world.has_beta or home_id != BETA_HOME:
            _home(world, home_id)
            _residents(world, home_id, folder)
    _alarm(world, "pendant-of-both", "safety.fall", known())  # before anybody may know
    world.town.clock.advance(timedelta(hours=1))
    _grants(world)
    world.town.clock.advance(timedelta(hours=1))
    _alarms(world)
    _proposals(world)
    _people(world)
    _subscriptions(world, folder)


def _organisations(world: World) -> None:
    town = world.town
    for id_, kind in KINDS.items():
        world.add("organisation", id_, known(*(KINDS if id_ == CITY else (id_, CITY))))
        organisation = Organisation(id=OrganisationId(id_), name=f"{id_.title()} AB", kind=kind)
        town.write(partial(registry.add_organisation, organisation=organisation, actor=TESTER, now=town.now))
    world.cast_members()


def _home(world: World, home_id: str) -> None:
    town, whose = world.town, known(*HEARD[home_id], roles=OPERATOR)
    home = Home(id=HomeId(home_id), address=f"Storgatan {world.word(whose)}", node=world.word(whose))
    town.write(partial(registry.add_home, home=home, actor=TESTER, now=town.now))
    world.add("home", home_id, known(*HEARD[home_id], roles=(*OPERATOR, *LOG)))
    of = home_id.removeprefix("home-")
    for device, profile, position in DEVICES:
        whose_device = known(*KNOWN_DEVICES[home_id, device], roles=(*OPERATOR, *LOG))
        made = town.add_device(f"{device}-{of}", home_id, profile, position)
        world.add("device", made.id, whose_device)
        world.add("position", made.position_id, whose_device)


def _residents(world: World, home_id: str, folder: DataFolder) -> None:
    town, sealer = world.town, ResidentSealer(folder)
    actor = world.one(Role.CITY_ADMIN, CITY).actor
    new = NewResident(home_id=home_id, name=f"Ada {world.word(known())}", phone=f"040-{world.word(known())}")
    settled = town.write(partial(residents.add, new=new, sealer=sealer, actor=actor, now=town.now))
    asking = {one for whose in CONSENTS[home_id].values() for one in whose}
    world.add("resident", settled.resident.id, known(*asking))  # by a pseudonym, in consents
    for data_class, whose in CONSENTS[home_id].items():
        if whose == (BETA,) and not world.has_beta:
            continue
        said = NewConsent(
            resident_id=settled.resident.id,
            data_class=data_class,
            purpose="answers alarms",
            how=How.ORAL,
            reference=f"form {world.word(known(*whose))}",
        )
        consent = town.write(partial(consents.record, new=said, actor=actor, now=town.now))
        world.add("consent", consent.id, known(*whose))


def _grants(world: World) -> None:
    _grant(world, ACME, ACME_HOME, "safety")
    _grant(world, ACME, ACME_HOME, "climate")
    if world.has_beta:
        _grant(world, BETA, BETA_HOME, "safety")
        _grant(world, BETA, BETA_HOME, "climate")
        _grant(world, BETA, BOTH_HOME, "care", position="bedroom")
        _grant(world, BETA, BOTH_HOME, "climate", position="bedroom")
        _grant(world, BETA, BOTH_HOME, "safety", step=2)
    _grant(world, ACME, BOTH_HOME, "safety")
    _grant(world, ACME, BOTH_HOME, "climate", position="bathroom")
    _grant(world, FIXIT, BOTH_HOME, "technical")


def _grant(world: World, organisation: str, home_id: str, data_class: str, **more: Any) -> Grant:
    grant = world.town.grant(organisation, home_id, data_class, **more)
    technical = OPERATOR if data_class == "technical" else ()  # by its id, in deliveries
    world.add("grant", grant.id, known(organisation, roles=technical))
    return grant


def _alarms(world: World) -> None:
    _alarm(world, "pendant-of-acme", "safety.manual", known(ACME), is_answered_by=ACME)
    if world.has_beta:
        _alarm(world, "pendant-of-beta", "safety.manual", known(BETA), is_answered_by=BETA)
        _alarm(world, "pendant-of-beta", "technical.tamper", known(roles=OPERATOR))
        _alarm(world, "bed-of-both", "care.bed_exit", known(BETA))
        _alarm(world, "pendant-of-both", "care.door", known())  # nobody is granted care in the hall
    _alarm(world, "pendant-of-both", "safety.manual", known(ACME))
    _alarm(world, "pendant-of-both", "technical.battery_low", known(FIXIT, roles=OPERATOR))
    _alarm(world, "pendant-of-acme", "technical.battery_low", known(roles=OPERATOR))
    if world.has_beta:
        _alarm(world, "pendant-of-beta", "safety.fall", known(BETA))
    _alarm(world, "pendant-of-acme", "safety.fall", known(ACME))


def _alarm(
    world: World, device_id: str, kind: str, whose: Known, *, is_answered_by: str | None = None
) -> Alarm:
    town = world.town
    stored = town.say(
        device_id,
        kind,
        event_id=f"{device_id}-{kind}",
        text=f"help {world.word(whose)}",
        room=world.word(whose),
        voice=(f"sip:{world.word(whose)}@example.org",),
        data={"note": world.word(whose)},
    )
    alarm = town.alarm_of(stored)
    if is_answered_by:
        town.acknowledge(is_answered_by, alarm, note=f"on our way {world.word(whose)}")
        town.comment(is_answered_by, alarm, f"door code {world.word(whose)}")
        town.close(is_answered_by, alarm)
        town.confirm_all(is_answered_by)
    world.add("alarm", alarm.id, whose)
    for event in town.events(alarm_id=alarm.id):
        world.add("event", event.id, whose)
    technical = OPERATOR if alarm.data_class is DataClass.TECHNICAL else ()
    told = town.connection.rows(
        "SELECT id, notice_id, organisation_id FROM deliveries WHERE alarm_id = ?", alarm.id
    )
    for delivery_id, _, organisation in told:
        receivers = () if organisation == CITY else (organisation,)  # the city's by their roles, not as one
        world.add("delivery", delivery_id, known(*receivers, roles=technical))
    for notice_id in sorted({row[1] for row in told}):
        world.add("notice", notice_id, known(*whose.organisations, CITY, roles=technical))
    return alarm


def _proposals(world: World) -> None:
    for organisation in (ACME, BETA) if world.has_beta else (ACME,):
        own = known(organisation, roles=LOG)
        admin = world.one(Role.CARE_ADMIN, organisation).actor
        proposal = Proposal(
            organisation_id=organisation,
            home_id=BOTH_HOME,
            data_class="property",
            purpose=f"leaks {world.word(own)}",
            basis=LegalBasis(kind=BasisKind.DECISION, reference=world.word(own)),
        )
        town = world.town
        draft = town.write(partial(granting.propose, proposal=proposal, actor=admin, now=town.now))
        world.add("draft", draft.id, known(organisation))
        _template(world, f"patrol-of-{organisation}", organisation)
        taking = Taking(
            organisation_id=organisation,
            home_id=BOTH_HOME,
            classes=("fire",),
            reason=f"smoke {world.word(own)}",
        )
        taken = town.write(partial(emergencies.take, taking=taking, actor=admin, now=town.now))
        world.add("emergency", taken.id, known(organisation))
        for grant_id in taken.grant_ids:
            world.add("grant", grant_id, known(organisation))
    _template(world, "patrol", None)


def _template(world: World, id_: str, organisation: str | None) -> None:
    town, city = world.town, world.one(Role.CITY_ADMIN, CITY).actor
    whose = known(*([organisation] if organisation else (ACME, BETA)), roles=LOG)
    item = TemplateItem(
        data_class=DataClass.SAFETY,
        purpose=f"patrol {world.word(whose)}",
        basis_kind=BasisKind.DECISION,
        step=1,
        within=timedelta(seconds=60),
    )
    template = Template(
        id=id_,
        title=f"Patrol {world.word(whose)}",
        organisation_kind=None if organisation else OrganisationKind.CARE,
        organisation_id=OrganisationId(organisation) if organisation else None,
        items=(item,),
    )
    town.write(partial(templates.add, template=template, actor=city, now=town.now))
    world.add("template", id_, whose)


def _people(world: World) -> None:
    town = world.town
    for organisation in (ACME, BETA, CITY) if world.has_beta else (ACME, CITY):
        whose = known(organisation)
        role = Role.NETWORK_OPERATOR if organisation == CITY else Role.CARE_OPERATOR
        new = NewAccount(
            login=f"ada.{organisation}",
            organisation_id=organisation,
            roles=(role,),
            name=f"Ada {world.word(whose)}",
        )
        account = town.write(partial(accounts.add, new=new, by=None, actor=TESTER, now=town.now))
        world.add("account", account.id, whose)


def _subscriptions(world: World, folder: DataFolder) -> None:
    town, sealer = world.town, ResidentSealer(folder)
    for organisation in (ACME, BETA) if world.has_beta else (ACME,):
        url = f"https://hooks.example.org/{world.word(known(organisation, roles=OPERATOR))}"
        admin = world.one(Role.CARE_ADMIN, organisation).actor
        for channel, where in ((ChannelName.WEBHOOK, url), (ChannelName.STREAM, None)):
            new = NewSubscription(organisation_id=organisation, channel=channel, url=where)
            issued = town.write(partial(subscriptions.add, new=new, sealer=sealer, actor=admin, now=town.now))
            world.add("subscription", issued.subscription.id, known(organisation, roles=OPERATOR))
