"""A broker, a hub played by the test, and settings for an agent; each test has its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devices.agent import AgentSettings
from tests.integration.devices.home_kit import QUICK, Authority, Broker, Hub, SilentBroker


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def broker(tmp_path: Path, authority: Authority) -> Iterator[Broker]:
    broker = Broker(tmp_path, authority)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def hub(broker: Broker, authority: Authority) -> Iterator[Hub]:
    hub = Hub(broker, authority.credentials("hub"))
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def silent_broker(authority: Authority) -> Iterator[SilentBroker]:
    broker = SilentBroker(authority.credentials("server"))
    yield broker
    broker.close()


@pytest.fixture
def settings_for(tmp_path: Path, authority: Authority, broker: Broker) -> Callable[[str], AgentSettings]:
    def settings(name: str) -> AgentSettings:
        return AgentSettings(
            host="localhost",
            port=broker.port,
            credentials=authority.credentials(name),
            store_file=tmp_path / f"{name}.db",
            repeat=QUICK,
            reconnect=QUICK,
        )

    return settings


@pytest.fixture
def settings(settings_for: Callable[[str], AgentSettings]) -> AgentSettings:
    return settings_for("home-1")
