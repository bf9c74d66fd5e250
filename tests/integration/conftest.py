"""What integration tests share: a real broker, set up as the product sets it up."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from broker.mosquitto import MosquittoMissingError
from tests.integration.broker.running import RunningBroker

BrokerFactory = Callable[[Path], AbstractContextManager[RunningBroker]]


@pytest.fixture(scope="session")
def broker_factory() -> BrokerFactory:
    """Sets a broker up below a directory; the test starts it, and its end stops it."""

    @contextmanager
    def make(directory: Path) -> Iterator[RunningBroker]:
        try:
            broker = RunningBroker(directory)
        except MosquittoMissingError as error:
            pytest.skip(f"NOTHING OF THE BROKER IS TESTED HERE. {error}")
        try:
            yield broker
        finally:
            if hasattr(broker, "process") and broker.process.poll() is None:
                broker.stop()

    return make


@pytest.fixture
def broker(tmp_path: Path, broker_factory: BrokerFactory) -> Iterator[RunningBroker]:
    """A broker that runs, with the organisations ``acme`` and ``beta``."""
    with broker_factory(tmp_path) as made:
        made.start()
        yield made
