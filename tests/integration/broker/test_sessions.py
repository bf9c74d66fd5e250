"""What the broker keeps for a client that is away, and what it must not keep."""

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from tests.integration.broker.client import PROTOCOLS, MqttClient
from tests.integration.broker.running import RunningBroker

by_both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS, ids=["3.1.1", "5"])


@by_both_protocols
def test_an_alarm_waits_for_a_hub_that_is_away(broker: RunningBroker, protocol: MQTTProtocolVersion) -> None:
    hub = _subscribed(broker.hub_client(protocol=protocol, keeps_session=True), "up/+/+/alarm")

    with broker.home_client("p7") as home:
        home.publish("up/p7/p7/alarm", "while the hub was away")

    with hub:
        hub.wait_for_payload("while the hub was away")


def test_an_alarm_waits_for_a_hub_that_is_away_while_the_broker_reloads(broker: RunningBroker) -> None:
    hub = _subscribed(broker.hub_client(keeps_session=True), "up/+/+/alarm")
    _reload_and_see(broker)

    with broker.home_client("p7") as home:
        home.publish("up/p7/p7/alarm", "after the reload")

    with hub:
        hub.wait_for_payload("after the reload")


@by_both_protocols
def test_sessions_and_their_rights_outlive_a_killed_broker(
    broker: RunningBroker, protocol: MQTTProtocolVersion
) -> None:
    hub = _subscribed(
        broker.hub_client(protocol=protocol, keeps_session=True), "up/+/+/alarm", "care/+/action"
    )
    kept = {"protocol": protocol, "keeps_session": True, "client_id": "kept"}
    home = _subscribed(broker.home_client("p7", **kept), "#")
    kept["client_id"] = "kept by a partner"
    partner = _subscribed(broker.partner_client("acme", **kept), "#")
    broker.save_state()

    broker.kill()
    broker.start()

    with broker.home_client("h8") as other:
        other.publish("up/h8/h8/alarm", "before the hub is back")
    with hub:
        hub.wait_for_payload("before the hub is back")
        hub.publish("down/p7/p7/receipt", "before the home is back")
        hub.publish("down/h8/h8/receipt", "not for p7")
        with home, partner:
            home.wait_for_payload("before the home is back")
            home.publish("up/p7/p7/alarm", "its own")
            home.publish("up/h8/h8/alarm", "another's")
            partner.publish("care/acme/action", "its own action")
            hub.publish("care/beta/event", "not for acme")
            hub.publish("care/acme/event", "for acme")
            partner.wait_for_payload("for acme")
            home.unsubscribe("nothing")
    assert (hub.session_was_kept, home.session_was_kept, partner.session_was_kept) == (True, True, True)
    assert hub.payloads() == ["before the hub is back", "its own", "its own action"]
    assert home.payloads() == ["before the home is back"]
    assert partner.payloads() == ["for acme"]


@by_both_protocols
def test_an_event_of_qos_0_is_not_kept_for_a_partner_that_is_away(
    broker: RunningBroker, protocol: MQTTProtocolVersion
) -> None:
    partner = broker.partner_client("acme", protocol=protocol, keeps_session=True, client_id="kept")
    _subscribed(partner, "care/acme/event", "care/acme/reply")
    with broker.hub_client() as hub:
        hub.publish("care/acme/event", "while it was away", qos=0)
        hub.publish("care/acme/reply", "QoS 1 is kept, so the session is", qos=1)

    with partner:
        partner.wait_for_payload("QoS 1 is kept, so the session is")
        partner.unsubscribe("nothing")

    assert partner.session_was_kept
    assert partner.payloads() == ["QoS 1 is kept, so the session is"]


def test_a_packet_above_the_limit_costs_its_sender_the_connection_and_nobody_else(
    broker: RunningBroker,
) -> None:
    with broker.hub_client() as hub, broker.home_client("p7") as home:
        hub.subscribe("up/#")
        home.publish("up/p7/p7/reading", "x" * 60_000)

        home.send("up/p7/p7/reading", "x" * 65_536)
        home.wait_until_lost()

    assert [len(payload) for payload in hub.payloads()] == [60_000]


def test_a_burst_larger_than_mosquittos_own_queue_reaches_a_hub_that_was_away(broker: RunningBroker) -> None:
    hub = _subscribed(broker.hub_client(keeps_session=True), "up/+/+/alarm")
    with broker.home_client("p7") as home:
        home.publish_all([("up/p7/p7/alarm", str(number)) for number in range(3_000)])

    with hub:
        hub.wait_for_payload("2999")

    assert sorted(map(int, hub.payloads())) == list(range(3_000))


def _subscribed(client: MqttClient, *filters: str) -> MqttClient:
    """The client after it has subscribed and gone away."""
    with client:
        client.subscribe(*filters)
    return client


def _reload_and_see(broker: RunningBroker) -> None:
    """Reload, and return when the broker has: it then knows an organisation that it did not know."""
    broker.write_organisations(["acme", "beta", "newcomer"])
    broker.reload()
    with broker.partner_client("newcomer") as partner, broker.hub_client(client_id="witness") as witness:
        partner.subscribe("care/newcomer/event")
        while "known" not in partner.payloads():
            witness.publish("care/newcomer/event", "known")
            partner.unsubscribe("nothing")
