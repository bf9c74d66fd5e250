"""A hundred million stored readings: what a look costs, and whether the intake feels them.

Bulk-loaded as the store itself would have left them: a segment for each of 30 days, sorted and packed. Then
the product runs on an empty store and on the full one, in turns, with the same meters and the same load.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import numpy as np

from devices.simulator.load import LoadHub, LoadPlan, LoadProcess
from gateway.data_folder import open_folder
from services.domain.readings import Series, SeriesId
from services.readings.history import downsample
from services.store import registry
from services.store.migrations import READINGS, migrate
from services.store.readings import segments
from services.store.readings import series as series_rows
from services.store.readings.columns import Columns, columns_of, latest, pack
from services.store.readings.reader import ReadingsReader
from services.store.sqlite import SqliteConnection
from tests.benchmarks.figures import Figure, percentile
from tests.support.meters import credentials_of, meters
from tests.support.product import Product
from tests.support.raw_readings import counters

DAYS: Final = 30
PER_DAY: Final = 288
HUBS, PER_HUB = 20, 290
"""5,800 meters of two values each: 11,600 series, 100,224,000 readings."""

LOOKS: Final = 200
BUCKETS: Final = 500
DAY_US: Final = segments.DAY_MICROS
OFFERED: Final = 40_000.0
SECONDS: Final = 15.0
TURNS: Final = 2


def measure(folder: Path) -> Iterator[Figure]:
    full, empty = folder / "full", folder / "empty"
    hubs = meters(full, hubs=HUBS, per_hub=PER_HUB)
    shutil.copytree(full, empty)
    shutil.copytree(credentials_of(full), credentials_of(empty))
    started = time.perf_counter()
    today = int(time.time()) * 1_000_000 // DAY_US
    count = bulk_load(full, first_day=today - DAYS)
    size = (full / "readings.db").stat().st_size
    yield Figure(what="readings bulk-loaded", value=count / 1e6, unit="M")
    yield Figure(what="loading them", value=time.perf_counter() - started, unit="s")
    yield Figure(what="on disk, per reading", value=size / count, unit="bytes")
    yield from _looks(full, today)
    yield from _intake(full, empty, hubs)


def bulk_load(folder: Path, *, first_day: int) -> int:
    """Fill the readings of every meter for ``DAYS`` days; returns how many readings that is."""
    data = open_folder(folder)
    registered, store = SqliteConnection(data.database), SqliteConnection(data.readings)
    migrate(store, READINGS)
    meters_ = [d for d in registry.devices(registered, home_id=None, limit=10**6) if d.profile != "home-hub"]
    ids = 0
    with store.transaction():
        for device in meters_:
            for name, unit in (("humidity", "%RH"), ("temperature", "Cel")):
                ids += 1
                series = Series(
                    id=SeriesId(ids),
                    home_id=device.home_id,
                    position_id=device.position_id,
                    name=name,
                    unit=unit,
                    data_class="climate",  # type: ignore[arg-type]
                )
                series_rows.add(store, series)
    chance = np.random.default_rng(1)
    for day in range(first_day, first_day + DAYS):
        columns = _day(ids, day, chance)
        with store.transaction():
            segment = segments.begin(store, tier=segments.DAY_TIER, day=day)
            for page in segments.pages_in(columns):
                segments.add_page(store, segment, page, pack(page))
            segments.finish(store, segment)
        store.checkpoint()
    with store.transaction():
        series_rows.note_last(store, latest(columns).rows())
    registered.close()
    store.close()
    return ids * DAYS * PER_DAY


def _day(ids: int, day: int, chance: np.random.Generator) -> Columns:
    """A reading every five minutes of each series, each a little off the minute."""
    count = ids * PER_DAY
    series = np.repeat(np.arange(1, ids + 1), PER_DAY)
    at = np.tile(np.arange(PER_DAY) * (DAY_US // PER_DAY), ids) + day * DAY_US
    at += chance.integers(0, 2_000_000, count)
    rhythm = np.sin(np.tile(np.arange(PER_DAY) / PER_DAY * 2 * np.pi, ids))
    value = np.round(20 + 3 * rhythm + chance.normal(0, 0.3, count), 2)
    return columns_of(series, at, at + chance.integers(5_000, 80_000, count), value).sorted()


def _looks(folder: Path, today: int) -> Iterator[Figure]:
    chance = Random(1)  # noqa: S311 - repeatable, not secret
    ids = [SeriesId(chance.randrange(1, 2 * HUBS * PER_HUB)) for _ in range(LOOKS)]
    with ReadingsReader(folder / "readings.db") as reader:
        last_ms = [_timed_ms(lambda id_=id_: reader.last([id_])) for id_ in ids]  # type: ignore[misc]
        since, until = (today - DAYS) * DAY_US, today * DAY_US
        month_ms = [_timed_ms(lambda id_=id_: _month(reader, id_, since, until)) for id_ in ids]  # type: ignore[misc]
    yield Figure(what="last value of a series, p95", value=percentile(last_ms, 0.95), unit="ms", at_most=5.0)
    yield Figure(
        what=f"a month of a series in {BUCKETS} points, p95",
        value=percentile(month_ms, 0.95),
        unit="ms",
        at_most=200.0,
    )


def _month(reader: ReadingsReader, series_id: SeriesId, since: int, until: int) -> None:
    chunks = reader.points(series_id, since_us=since, until_us=until)
    found = downsample(chunks, since_us=since, until_us=until, buckets=BUCKETS)
    assert int(found.count.sum()) == DAYS * PER_DAY


def _timed_ms(look: object) -> float:
    started = time.perf_counter()
    look()  # type: ignore[operator]
    return (time.perf_counter() - started) * 1000


def _intake(full: Path, empty: Path, hubs: tuple[LoadHub, ...]) -> Iterator[Figure]:
    """In turns, so that whatever else the machine does falls on both."""
    speeds: dict[Path, list[tuple[float, float]]] = {full: [], empty: []}
    for _ in range(TURNS):
        for data in (empty, full):
            speeds[data].append(_stored_per_second(data, hubs))
    (empty_rate, empty_us), (full_rate, full_us) = (
        tuple(sum(column) / TURNS for column in zip(*speeds[data], strict=True)) for data in (empty, full)
    )
    yield Figure(what=f"stored into an empty store, {OFFERED:.0f} offered", value=empty_rate, unit="packs/s")
    yield Figure(what="the same beside a full one", value=full_rate, unit="packs/s")
    yield Figure(
        what="the second as a share of the first", value=full_rate / empty_rate, unit="x", at_least=0.8
    )
    yield Figure(what="CPU of the reading process per pack, empty store", value=empty_us, unit="µs")
    yield Figure(what="CPU of the reading process per pack, full store", value=full_us, unit="µs")


def _stored_per_second(data: Path, hubs: tuple[LoadHub, ...]) -> tuple[float, float]:
    """Packs stored per second until all are, and microseconds of CPU for each."""
    before = counters(data / "readings.db").get("reading_stored", 0)
    with Product(data) as product:
        reading = product.child("reading")
        used = sum(reading.cpu_times()[:2])
        plan = LoadPlan(
            host="localhost",
            port=product.ports["mqtt"],
            hubs=hubs,
            packs_per_second=OFFERED,
            seconds=SECONDS,
            credentials=str(credentials_of(data)),
        )
        started = time.perf_counter()
        with LoadProcess(plan, data.parent) as load:
            acknowledged = load.run().acknowledged
        deadline = time.monotonic() + 60
        while _stored(data, before) < acknowledged and time.monotonic() < deadline:
            time.sleep(0.05)
        took, stored = time.perf_counter() - started, _stored(data, before)
        used = sum(reading.cpu_times()[:2]) - used
    assert stored == acknowledged, f"{acknowledged - stored} packs are not stored"
    return stored / took, used / stored * 1e6


def _stored(data: Path, before: int) -> int:
    return counters(data / "readings.db").get("reading_stored", 0) - before
