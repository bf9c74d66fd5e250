"""What acceptance tests share: a product of their own, from outside."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.mosquitto import MosquittoMissingError, find_executable
from tests.acceptance.programs import missing_programs
from tests.acceptance.town import Town
from tests.support.product import Product

ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "tests" / "support" / "faults"

ProductFactory = Callable[..., Product]


@pytest.fixture(scope="session", autouse=True)
def _needs_mosquitto() -> None:
    try:
        find_executable()
    except MosquittoMissingError as error:
        pytest.skip(f"NOTHING OF THE PRODUCT IS TESTED HERE. {error}")


@pytest.fixture(scope="session")
def _needs_the_clients() -> None:
    if missing := missing_programs():
        pytest.skip(
            f"NOT TESTED WITH FOREIGN CLIENTS: {', '.join(missing)} missing; apt install mosquitto-clients"
        )


@pytest.fixture
def make_product(tmp_path: Path) -> Iterator[ProductFactory]:
    """Makes products, not started; each is ended with the test."""
    with ExitStack() as stack:

        def make(name: str = "data", *, environment: Mapping[str, str] | None = None) -> Product:
            product = Product(tmp_path / name, environment=environment)
            stack.callback(product.end)
            return product

        yield make


@pytest.fixture
def product(make_product: ProductFactory) -> Product:
    """A product that runs on a fresh data folder."""
    made = make_product()
    made.start()
    return made


@pytest.fixture
def town(product: Product) -> Town:
    """Nothing is registered yet."""
    return Town(product)


def with_faults(**faults: str) -> dict[str, str]:
    """The environment in which the fault kit is active."""
    return {"PYTHONPATH": f"{FAULTS}:{ROOT}", **faults}
