"""What of the registry the broker must know, read from the registry."""

from functools import partial

from gateway.broker_keeper import access_list
from services import integrations
from services.domain.homes import DeviceState, Dialect, Integration
from services.domain.ids import IntegrationId
from tests.support.town import TESTER, Town


def add_integration(town: Town, integration_id: str, state: DeviceState) -> None:
    integration = Integration(
        id=IntegrationId(integration_id), name="x", dialect=Dialect.WMBUSMETERS, home_id=None
    )
    town.write(partial(integrations.add, integration=integration, actor=TESTER, now=town.now))
    town.write(
        partial(
            integrations.set_state,
            integration_id=integration_id,
            state=state,
            actor=TESTER,
            now=town.now,
        )
    )


def test_only_an_integration_in_service_is_let_in_and_the_others_are_shut_out_by_name(town: Town) -> None:
    before = access_list(town.connection, town.clock)
    for state in DeviceState:
        add_integration(town, state.replace("_", "-"), state)

    after = access_list(town.connection, town.clock)

    assert (before.integrations, before.shut_out) == ((), ())
    assert after.integrations == ("in-service",)
    assert after.shut_out == ("retired", "suspended")
    assert after.organisations == before.organisations == ("acme", "beta")
