"""What the machine gives: room on the disk, Mosquitto, running processes, open ports."""

import http.client
import json
import shutil
import socket
from pathlib import Path
from typing import Final

from broker import mosquitto as broker
from gateway.broker_keeper import ANYWHERE
from gateway.data_folder import READING_LOCK, DataFolder, holder
from gateway.doctor.check import Check, broken, watch, well
from gateway.readiness import OUTWARD_LOCK
from gateway.settings import Settings

MEBIBYTE: Final = 1024 * 1024
LITTLE_ROOM_BYTES: Final = 1024 * MEBIBYTE
NO_ROOM_BYTES: Final = 200 * MEBIBYTE
ANSWER_WITHIN_SECONDS: Final = 2.0
HTTP_OK: Final = 200

FREE_DISK: Final = "free some, or move the data folder to a larger disk: when it is full no alarm is taken"
START: Final = "start it with `stadsnav up`"


def disk(folder: DataFolder) -> Check:
    """Whether there is room for what is to come."""
    free = shutil.disk_usage(folder.path).free
    found = f"{free // MEBIBYTE} MiB free"
    if free < NO_ROOM_BYTES:
        return broken("disk", found, FREE_DISK)
    if free < LITTLE_ROOM_BYTES:
        return watch("disk", found, FREE_DISK)
    return well("disk", found)


def mosquitto(settings: Settings) -> list[Check]:
    """Whether the broker is there and new enough."""
    chosen = settings.broker
    if not chosen.manage:
        return [well("mosquitto", f"runs elsewhere, at {chosen.host}:{chosen.port} (broker.manage is false)")]
    try:
        executable = Path(chosen.executable) if chosen.executable else broker.find_executable()
        version = broker.installed_version(executable)
    except (broker.MosquittoMissingError, broker.MosquittoTooOldError) as error:
        return [broken("mosquitto", str(error), "install it: apt-get install mosquitto")]
    return [well("mosquitto", f"{'.'.join(map(str, version))} at {executable}")]


def is_running(folder: DataFolder) -> bool:
    """Whether the process that takes alarms is there."""
    return holder(folder, "alarm") is not None


def processes(folder: DataFolder) -> list[Check]:
    """Which of our processes hold their locks."""
    up, alarm = holder(folder, "up"), holder(folder, "alarm")
    if alarm is not None:
        return [well("running", f"the alarm process {alarm}, " + (f"supervised by {up}" if up else "alone"))]
    if up is not None:
        mend = "its log says why the alarm process ended; it is started again by itself"
        return [broken("running", f"the supervisor {up}, but no alarm process", mend)]
    return [watch("running", "no: nothing takes alarms on this folder", START)]


def reading_process(folder: DataFolder) -> list[Check]:
    """Whether readings are taken while alarms are."""
    reading = holder(folder, READING_LOCK)
    if reading is not None:
        return [well("reading process", f"{reading}")]
    if holder(folder, "up") is None and not is_running(folder):
        return []
    found = "it is away: readings wait in the broker, limits and other systems' alarms are not watched"
    return [broken("reading process", found, "its log says why it ended; `stadsnav up` starts it again")]


def outward_process(folder: DataFolder) -> list[Check]:
    """Whether what goes outside by itself leaves."""
    outward = holder(folder, OUTWARD_LOCK)
    if outward is not None:
        return [well("outward process", f"{outward}")]
    if holder(folder, "up") is None and not is_running(folder):
        return []
    found = "it is away: webhooks wait, and no mail and no dead-man call leaves"
    return [broken("outward process", found, "its log says why it ended; `stadsnav up` starts it again")]


def listeners(folder: DataFolder, settings: Settings) -> list[Check]:
    """Whether homes, partners and browsers can connect."""
    if not folder.ports_file.exists():
        return []
    ports: dict[str, int] = json.loads(folder.ports_file.read_text())
    host = "127.0.0.1" if settings.bind in ANYWHERE else settings.bind
    checks = [_accepts(name, host, port) for name, port in ports.items()]
    return [*checks, _is_ready(host, ports["http"])]


def _accepts(name: str, host: str, port: int) -> Check:
    check = f"port {name}"
    try:
        socket.create_connection((host, port), timeout=ANSWER_WITHIN_SECONDS).close()
    except OSError as error:
        found = f"{host}:{port} does not accept connections ({error.strerror or error})"
        return broken(check, found, "see `running` above and the log; a firewall may be in between")
    return well(check, f"{host}:{port} accepts connections")


def _is_ready(host: str, port: int) -> Check:
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_WITHIN_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        document = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return broken("readyz", f"no answer ({error})", "see the log of the web process")
    finally:
        connection.close()
    if answer.status == HTTP_OK:
        return well("readyz", "ready")
    return broken(
        "readyz", "; ".join(document.get("reasons", ["not ready"])), "see `running` above and the log"
    )
