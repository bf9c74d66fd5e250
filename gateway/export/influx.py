"""The target behind ``influxdb-client``: one request at a time, in a thread, under a total deadline.

The client waits without end for a target that sends its answer byte by byte. Such a request is left alone
after the deadline, in its thread that nobody waits for, and until it has ended there is no other.
"""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import timedelta
from http import HTTPStatus
from threading import Thread
from typing import Any, Final

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException
from urllib3 import disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from gateway.export.target import PointsRefusedError, TargetRefusesError, TargetUnavailableError
from gateway.settings import ExportSettings

CONNECT_WITHIN: Final = timedelta(seconds=5)
ANSWER_WITHIN: Final = timedelta(seconds=20)
DEADLINE: Final = timedelta(seconds=30)
LONGEST_REASON: Final = 200
MICROSECONDS: Final[Any] = WritePrecision.US
"""A plain text, which the library's own types deny."""

_ABOUT_THE_POINTS: Final = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
_LATER: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_PARTLY: Final = "partial write"
"""InfluxDB kept what it could and will never keep the rest, such as another type under the same name."""

_DROPPED: Final = re.compile(r"dropped=(\d{1,9})", re.ASCII)


class InfluxTarget:
    """A bucket of an InfluxDB 2 or VictoriaMetrics."""

    def __init__(self, chosen: ExportSettings, *, deadline: timedelta = DEADLINE) -> None:
        self._bucket = chosen.bucket
        self._deadline = deadline
        self._request: Future[int] | None = None
        if chosen.insecure:
            disable_warnings(InsecureRequestWarning)  # the operator has decided
        self._client = InfluxDBClient(
            url=chosen.url,
            token=chosen.token.get_secret_value() if chosen.token else "",
            org=chosen.org,
            timeout=(CONNECT_WITHIN.total_seconds() * 1000, ANSWER_WITHIN.total_seconds() * 1000),
            enable_gzip=chosen.gzip,
            verify_ssl=not chosen.insecure,
            ssl_ca_cert=str(chosen.ca_file) if chosen.ca_file else None,
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    async def write(self, lines: Sequence[str]) -> int:
        """As ``gateway.export.target.Target``."""
        if self._request is not None and not self._request.done():
            raise TargetUnavailableError("it has not ended its answer to an earlier request")
        self._request = _in_a_thread(lambda: self._post("\n".join(lines).encode()))
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                return await asyncio.wrap_future(self._request)
        except TimeoutError:
            raise TargetUnavailableError(f"no answer within {self._deadline.total_seconds():g} s") from None

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()  # type: ignore[no-untyped-call] # the library's

    def _post(self, body: bytes) -> int:
        try:
            self._api.write(bucket=self._bucket, record=body, write_precision=MICROSECONDS)
        except ApiException as error:
            return _dropped(error)
        except (HTTPError, OSError) as error:
            raise TargetUnavailableError(f"no answer ({type(error).__name__})") from error
        return 0


def _dropped(error: ApiException) -> int:
    """How many points were kept out of what was otherwise taken.

    Raises:
        Exception: Nothing was taken; which error says what to do, as the port names them.
    """
    status, code, message = int(error.status or 0), *_explanation(error.body)
    if status in _ABOUT_THE_POINTS:
        if _PARTLY in message:
            found = _DROPPED.search(message)
            return int(found[1]) if found else 1
        raise PointsRefusedError(f"it answered {status} {code}".strip()) from error
    if status == 0:
        raise TargetUnavailableError("no trusted connection (TLS)") from error
    reason = f"it answered {status} {message or code}"[:LONGEST_REASON].strip()
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TargetUnavailableError(reason, asked=_asked(error), is_alive=True) from error
    raise TargetRefusesError(reason) from error


def _explanation(body: object) -> tuple[str, str]:
    """InfluxDB's code and message; what it says of points holds their values and is not shown."""
    try:
        document = json.loads(str(body))
        return str(document.get("code", "")), str(document.get("message", ""))
    except (ValueError, AttributeError):
        return "", ""


def _asked(error: ApiException) -> timedelta:
    headers: Any = error.headers or {}
    seconds = str(headers.get("Retry-After", ""))
    return timedelta(seconds=int(seconds)) if re.fullmatch(r"\d{1,6}", seconds, re.ASCII) else timedelta()


def _in_a_thread(work: Callable[[], int]) -> Future[int]:
    """Run in a thread of its own that the process does not wait for when it ends."""
    future: Future[int] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - carried to whoever waits
            future.set_exception(error)

    Thread(target=run, name="export request", daemon=True).start()
    return future
