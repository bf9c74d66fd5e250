"""The database that gets every reading stops and comes back, and we die: it has every one in the end."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from devices.simulator.load import LoadPlan, LoadProcess
from gateway.data_folder import open_folder
from gateway.export.pseudonyms import pseudonyms
from services.domain.readings import SeriesId
from services.store.readings import series as series_rows
from services.store.sqlite import SqliteConnection
from tests.acceptance.conftest import ProductFactory
from tests.support import victoria
from tests.support.meters import credentials_of, meters
from tests.support.product import Product, wait_until
from tests.support.raw_readings import raw
from tests.support.victoria import Victoria

pytestmark = pytest.mark.timeout(180)

PACKS_PER_SECOND = 200.0
SECONDS = 10.0
CAUGHT_UP_WITHIN_SECONDS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Victoria]:
    if not victoria.is_installed():
        pytest.skip("THE EXPORT IS NOT TESTED AGAINST A REAL SERVER. apt install victoria-metrics")
    with Victoria(tmp_path / "victoria") as started:
        yield started


def test_every_reading_arrives_though_server_and_export_process_stop_under_load(
    make_product: ProductFactory, server: Victoria, tmp_path: Path
) -> None:
    product = make_product()
    hubs = meters(product.folder, hubs=2, per_hub=20)
    (product.folder / "stadsnav.toml").write_text(
        f'[export.history]\nurl = "{server.url}"\nbucket = "readings"\n'
    )
    product.start()
    plan = LoadPlan(
        host="localhost",
        port=product.ports["mqtt"],
        hubs=hubs,
        packs_per_second=PACKS_PER_SECOND,
        seconds=SECONDS,
        credentials=str(credentials_of(product.folder)),
    )
    troubles = threading.Thread(target=trouble, args=(product, server), name="trouble")

    with LoadProcess(plan, tmp_path) as load:
        troubles.start()
        report = load.run()
    troubles.join()
    wait_until(lambda: is_behind(product) == 0, "the server has all", within_seconds=CAUGHT_UP_WITHIN_SECONDS)
    [status] = product.ask("export", "status")
    [check] = [check for check in product.checks() if check["check"] == "export history"]
    product.stop()

    assert report.acknowledged > PACKS_PER_SECOND * SECONDS / 2
    assert (status["lag_seconds"], status["lost"], status["set_aside"], status["problem"]) == (0, 0, 0, "")
    assert (check["status"], check["found"]) == ("ok", "has every reading")
    assert arrived(server) == stored(product)
    assert len(stored(product)) == 2 * report.acknowledged


def trouble(product: Product, server: Victoria) -> None:
    """The server is away for a while, the export process is killed twice; the lag is shown meanwhile."""
    time.sleep(2.0)
    server.stop()
    product.kill("export")
    try:
        wait_until(lambda: is_behind(product) > 0, "the lag is shown")
        wait_until(lambda: product.ask("export", "status")[0]["problem"], "the reason is shown")
    finally:
        server.start()
    time.sleep(0.5)
    product.kill("export")


def is_behind(product: Product) -> int:
    return int(product.ask("export", "status")[0]["readings_behind"])


def arrived(server: Victoria) -> set[tuple[str, str, int, float]]:
    """Name, tag, milliseconds and value of every point."""
    return {
        (tags["__name__"], tags["position"], at, value)
        for labels, points in server.series().items()
        for tags in [dict(labels)]
        for at, value in points
    }


def stored(product: Product) -> set[tuple[str, str, int, float]]:
    """The same of every reading that the product holds."""
    known_as = pseudonyms(open_folder(product.folder))
    file = product.folder / "readings.db"
    with closing(SqliteConnection(file)) as readings:
        series = {one.id: one for one in series_rows.find(readings, limit=1_000)}
    named = {id_: (f"{one.name}_value", known_as.tag(one.position_id)) for id_, one in series.items()}
    return {(*named[SeriesId(id_)], at // 1_000, value) for id_, at, _, value in raw(file).rows()}
