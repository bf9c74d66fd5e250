"""What an InfluxDB may answer, and what that means: try again, tell an operator, or it is the points."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from gateway.export.influx import InfluxTarget
from gateway.export.sending import send
from gateway.export.target import PointsRefusedError, TargetRefusesError, TargetUnavailableError
from gateway.settings import ExportSettings
from tests.support.influx_like import OK, Answer, InfluxLike, said

LINES = [f"m,position=p value={number}.5 {number}" for number in range(10)]
SECRET = "hush-4711"  # noqa: S105 - the test's own


@pytest.fixture
def influx() -> Iterator[InfluxLike]:
    with InfluxLike() as server:
        yield server


def target_of(influx: InfluxLike, **changes: object) -> InfluxTarget:
    chosen = ExportSettings.model_validate(
        {"url": influx.url, "bucket": "b", "org": "city", "token": SECRET, **changes}
    )
    return InfluxTarget(chosen, deadline=timedelta(seconds=1))


async def test_points_go_to_the_bucket_with_the_token_and_times_in_microseconds(influx: InfluxLike) -> None:
    assert await target_of(influx).write(LINES) == 0

    assert influx.kept == LINES
    assert influx.tokens == [f"Token {SECRET}"]
    assert influx.queries == [{"bucket": ["b"], "org": ["city"], "precision": ["us"]}]


async def test_the_same_points_arrive_when_they_are_compressed(influx: InfluxLike) -> None:
    await target_of(influx, gzip=True).write(LINES)

    assert influx.kept == LINES


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 405])
async def test_a_target_that_wants_something_else_of_us_is_for_an_operator(
    influx: InfluxLike, status: int
) -> None:
    influx.judge = lambda _: said(status, "code", "bucket not found", Location="http://127.0.0.1:9/x")

    with pytest.raises(TargetRefusesError, match=str(status)) as caught:
        await target_of(influx).write(LINES)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_target_that_cannot_now_is_tried_again_when_it_asks(influx: InfluxLike, status: int) -> None:
    influx.judge = lambda _: said(status, "unavailable", Retry_After="40")

    with pytest.raises(TargetUnavailableError) as caught:
        await target_of(influx).write(LINES)
    assert caught.value.asked == timedelta(seconds=40)
    assert caught.value.is_alive


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_points_that_are_refused_are_told_without_their_values(influx: InfluxLike, status: int) -> None:
    influx.judge = lambda lines: said(status, "invalid", f"unable to parse '{lines[0]}'")

    with pytest.raises(PointsRefusedError) as caught:
        await target_of(influx).write(LINES)
    assert str(caught.value) == f"it answered {status} invalid"


@pytest.mark.parametrize("status", [400, 422])
async def test_points_that_were_left_out_of_a_partial_write_are_counted(
    influx: InfluxLike, status: int
) -> None:
    message = "failure writing points to database: partial write: field type conflict dropped=3"
    influx.judge = lambda _: said(status, "invalid", message, keeps=True)

    assert await target_of(influx).write(LINES) == 3


async def test_an_answer_that_is_no_json_is_understood_by_its_status(influx: InfluxLike) -> None:
    influx.judge = lambda _: Answer(502, b"<html>bad gateway")

    with pytest.raises(TargetUnavailableError, match="502"):
        await target_of(influx).write(LINES)


async def test_one_poisonous_point_does_not_keep_the_others_back(influx: InfluxLike) -> None:
    influx.judge = lambda lines: said(400, "invalid") if LINES[7] in lines else OK

    assert await send(target_of(influx), LINES, at_once=10) == 1
    assert influx.kept == [line for line in LINES if line != LINES[7]]


async def test_an_answer_without_end_is_left_alone_at_the_deadline_and_only_one_such(
    influx: InfluxLike,
) -> None:
    target = target_of(influx)
    influx.hangs.set()
    started = time.monotonic()

    with pytest.raises(TargetUnavailableError, match="within 1 s"):
        await target.write(LINES)
    with pytest.raises(TargetUnavailableError, match="earlier request"):
        await target.write(LINES)
    assert time.monotonic() - started < 3.0
    assert len(influx.queries) == 1


async def test_nobody_there_is_unavailable() -> None:
    chosen = ExportSettings(url="http://127.0.0.1:1", bucket="b")

    with pytest.raises(TargetUnavailableError, match="no answer") as caught:
        await InfluxTarget(chosen).write(LINES)
    assert not caught.value.is_alive
