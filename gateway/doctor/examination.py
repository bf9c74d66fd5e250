"""The examination: every check in its order, each guarded, so that one broken part hides no other."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from gateway import data_folder
from gateway.data_folder import DataFolder
from gateway.doctor import certificates, contents, exports, machine, readings
from gateway.doctor.check import Check, Status, broken, watch, well
from gateway.settings import Settings, SettingsError, load
from services.domain.errors import RefusedError
from services.store.connection import StoreUnavailableError
from services.store.migrations import NEWEST, schema_version
from services.store.sqlite import SqliteConnection


def examine(path: Path, *, now: datetime) -> list[Check]:
    """Look at everything that belongs to a data folder.

    Args:
        path: The folder; not made when it is missing.
        now: The time.
    """
    if not path.exists():
        mend = "run `stadsnav up`, or name another folder with --data"
        return [broken("data folder", f"there is nothing at {path}", mend)]
    try:
        folder = data_folder.open_folder(path)
    except RefusedError as error:
        return [broken("data folder", str(error), "as it says")]
    checks = [well("data folder", f"{folder.path}, for its owner alone"), machine.disk(folder)]
    settings = _settings(folder, checks)
    for look in (
        lambda: machine.mosquitto(settings),
        lambda: machine.processes(folder),
        lambda: machine.reading_process(folder),
        lambda: machine.outward_process(folder),
        lambda: machine.listeners(folder, settings),
        lambda: certificates.authorities(folder, now=now),
        lambda: certificates.of_server(folder, now=now),
        lambda: certificates.revocation_lists(folder, now=now),
    ):
        checks += _guarded(look)
    checks += _of_store(folder, now=now)
    checks += _of_readings(folder, now=now)
    checks += _guarded(lambda: exports.targets(folder, settings.export, now=now))
    return checks


def _settings(folder: DataFolder, checks: list[Check]) -> Settings:
    try:
        settings = load(folder.path)
    except SettingsError as error:
        checks.append(
            broken("settings", str(error), f"correct them in {folder.path}/stadsnav.toml or STADSNAV_*")
        )
        return Settings.model_construct()
    checks.append(well("settings", f"city {settings.city}"))
    return settings


def _of_store(folder: DataFolder, *, now: datetime) -> list[Check]:
    if not folder.database.exists():
        return [watch("store", "there is none yet", "register something, or run `stadsnav up`")]
    try:
        with closing(SqliteConnection(folder.database)) as store:
            version = schema_version(store)
            found = f"SQLite {contents.sqlite_version()}, schema {version}"
            if version > NEWEST:
                return [broken("store", f"{found}, this program knows {NEWEST}", "install the newer program")]
            if version < NEWEST:
                return [watch("store", f"{found}, this program has {NEWEST}", "run `stadsnav up`")]
            return [well("store", found), *_contents(folder, store, now=now)]
    except StoreUnavailableError as error:
        return [broken("store", str(error), "free the disk, or restore the file from a backup")]


def _of_readings(folder: DataFolder, *, now: datetime) -> list[Check]:
    if not folder.readings.exists():
        return [well("readings store", "there is none yet")]
    try:
        with closing(SqliteConnection(folder.readings)) as store:
            state = readings.store_state(folder, store)
            return [state, *_readings(folder, store, now=now)] if state.status is Status.OK else [state]
    except StoreUnavailableError as error:
        mend = "free the disk, or restore the file from a backup; alarms go on meanwhile"
        return [broken("readings store", str(error), mend)]


def _readings(folder: DataFolder, store: SqliteConnection, *, now: datetime) -> list[Check]:
    checks: list[Check] = []
    is_running = machine.is_running(folder)
    for look in (
        lambda: readings.last_reading(store, now=now, is_running=is_running),
        lambda: readings.unflushed(store),
        lambda: _handed_over(folder, store, now=now, is_running=is_running),
        lambda: contents.quarantine(store, now=now, name="quarantine readings"),
        lambda: contents.counters(store),
        lambda: readings.erasures_waiting(store, now=now),
    ):
        checks += _guarded(look)
    return checks


def _handed_over(
    folder: DataFolder, store: SqliteConnection, *, now: datetime, is_running: bool
) -> list[Check]:
    if not folder.database.exists():
        return []
    with closing(SqliteConnection(folder.database)) as alarm_path:
        return readings.handed_over(store, alarm_path, now=now, is_running=is_running)


def _contents(folder: DataFolder, store: SqliteConnection, *, now: datetime) -> list[Check]:
    checks: list[Check] = []
    for look in (
        lambda: contents.auditor_is_fresh(store, now=now, is_running=machine.is_running(folder)),
        lambda: contents.next_steps(store, now=now),
        lambda: contents.faults(store),
        lambda: contents.unanswered(store, now=now),
        lambda: contents.deliveries(store, now=now),
        lambda: contents.webhooks(store, now=now),
        lambda: contents.quarantine(store, now=now),
        lambda: contents.counters(store),
        lambda: contents.city(store),
        lambda: contents.homes_without_grant(store, now=now),
        lambda: certificates.issued(store, now=now),
    ):
        checks += _guarded(look)
    return checks


def _guarded(look: Callable[[], list[Check]]) -> list[Check]:
    try:
        return look()
    except (RefusedError, OSError) as error:
        return [broken("examination", str(error), "mend that and run doctor again")]
