"""``stadsnav reading``: what the hub has stored, as an operator asks for it."""

import csv
import io
import json
import stat
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.integration.cli.stored import HOURS, SPIKE, Meters
from tests.support.product import PROGRAM, Product


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def who_looked(stadsnav: Product, home: str) -> list[str]:
    found = stadsnav.ask("audit", "list", "--home", home)
    return [entry["details"] for entry in found if entry["action"] == "looked"]


@pytest.mark.parametrize(
    "command",
    [
        ["now"],
        ["now", "--home", "h-1"],
        ["list", "--home", "h-1"],
        ["list", "--home", "h-9", "--since", "7d"],
    ],
)
def test_before_anything_was_stored_there_is_nothing_and_no_error(
    stadsnav: Product, command: list[str]
) -> None:
    assert stadsnav.ask("reading", *command) == []
    assert stadsnav.cli("reading", *command).stderr == "Nothing found.\n"


def test_before_anything_was_stored_an_export_is_empty_and_a_plot_is_nothing(stadsnav: Product) -> None:
    exported = said(stadsnav.cli("reading", "export", "--home", "h-1", "--format", "csv"))
    as_json = said(stadsnav.cli("reading", "export", "--home", "h-1", "--format", "json"))
    plotted = stadsnav.cli("reading", "plot", "--home", "h-1", "--name", "humidity")

    assert exported == "home,position,name,unit,at,received_at,value\r\n"
    assert json.loads(as_json) == []
    assert (plotted.returncode, plotted.stdout, plotted.stderr) == (0, "", "Nothing found.\n")


def test_now_is_the_last_value_of_each_series_with_its_age(stadsnav: Product, meters: Meters) -> None:
    found = stadsnav.ask("reading", "now")

    assert [(row["home"], row["position"], row["name"], row["unit"], row["value"]) for row in found] == [
        ("h-1", "=kitchen", "humidity", "%RH", 43.0),
        ("h-1", "bathroom", "humidity", "%RH", 43.0),
        ("h-1", "bathroom", "temperature", "Cel", 43.0),
        ("h-2", "hall", "temperature", "Cel", 43.0),
    ]
    assert all(3600 <= row["age_seconds"] < 3700 for row in found)
    assert found[0]["age"].startswith("1 h")
    assert datetime.fromisoformat(found[0]["at"]) == (meters.now - timedelta(hours=1)).replace(
        microsecond=meters.now.microsecond // 1000 * 1000
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--home", "h-1"], 3),
        (["--home", "h-1", "--name", "humidity"], 2),
        (["--home", "h-1", "--position", "bathroom"], 2),
        (["--home", "h-1", "--position", "bathroom", "--name", "humidity"], 1),
        (["--name", "temperature"], 2),
        (["--limit", "1"], 1),
        (["--name", "pressure"], 0),
    ],
)
@pytest.mark.usefixtures("meters")
def test_home_position_and_name_narrow_what_is_asked_for(
    stadsnav: Product, options: list[str], expected: int
) -> None:
    assert len(stadsnav.ask("reading", "now", *options)) == expected


@pytest.mark.usefixtures("meters")
def test_a_list_is_the_newest_first_over_all_series(stadsnav: Product) -> None:
    found = stadsnav.ask("reading", "list", "--home", "h-1", "--limit", "5")

    assert [row["at"] for row in found] == sorted((row["at"] for row in found), reverse=True)
    assert [row["value"] for row in found] == [43.0, 43.0, 43.0, 42.0, 42.0]
    assert found[0].keys() == {"home", "position", "name", "unit", "at", "received_at", "value"}


@pytest.mark.usefixtures("meters")
def test_since_and_until_bound_a_list(stadsnav: Product) -> None:
    one = ["--home", "h-1", "--position", "bathroom", "--name", "humidity"]

    last_ten = stadsnav.ask("reading", "list", *one, "--since", "630m")
    the_first = stadsnav.ask("reading", "list", *one, "--until", "2790m")
    of_a_time = stadsnav.ask("reading", "list", *one, "--since", last_ten[9]["at"], "--until", "570m")

    assert len(last_ten) == 10
    assert len(the_first) == 2
    assert len(of_a_time) == 1


def test_a_clock_a_little_ahead_is_in_the_list_without_an_end(stadsnav: Product, meters: Meters) -> None:
    meters.say("m-1", "humidity", "%RH", [(timedelta(minutes=-4), 77.0)])

    assert stadsnav.ask("reading", "list", "--home", "h-1", "--limit", "1")[0]["value"] == 77.0
    assert stadsnav.ask("reading", "now", "--home", "h-1", "--position", "bathroom")[0]["age_seconds"] == 0.0


@pytest.mark.usefixtures("meters")
def test_an_export_has_every_reading_in_csv_and_json_on_stdout(stadsnav: Product) -> None:
    from_csv = csv_rows(said(stadsnav.cli("reading", "export", "--home", "h-1", "--format", "csv")))
    from_json = json.loads(said(stadsnav.cli("reading", "export", "--home", "h-1", "--format", "json")))

    assert len(from_csv) == len(from_json) == 3 * HOURS
    assert {row["position"] for row in from_csv} == {"'=kitchen", "bathroom"}
    assert {row["position"] for row in from_json} == {"=kitchen", "bathroom"}
    assert [float(row["value"]) for row in from_csv] == [row["value"] for row in from_json]
    moments = [(row["position"], row["name"], row["at"]) for row in from_json]
    assert moments == sorted(moments)


@pytest.mark.usefixtures("meters")
def test_an_export_to_a_file_is_whole_and_private(stadsnav: Product, tmp_path: Path) -> None:
    out = tmp_path / "readings.parquet"

    done = stadsnav.cli("reading", "export", "--home", "h-1", "--format", "parquet", "--out", str(out))

    assert (done.returncode, done.stdout) == (0, "")
    assert pq.read_table(out).num_rows == 3 * HOURS
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("meters")
def test_a_spike_survives_in_few_buckets(stadsnav: Product) -> None:
    options = [
        "--home",
        "h-1",
        "--name",
        "humidity",
        "--position",
        "bathroom",
        "--since",
        "3d",
        "--points",
        "4",
    ]

    found = json.loads(said(stadsnav.cli("reading", "export", *options, "--format", "json")))

    assert len(found) == 3
    assert sum(row["count"] for row in found) == HOURS
    assert max(row["max"] for row in found) == SPIKE
    assert found[-1]["last"] == 43.0


@pytest.mark.usefixtures("meters")
def test_a_plot_in_a_pipe_is_plain_text_with_its_limits(stadsnav: Product) -> None:
    options = ["--home", "h-1", "--name", "humidity", "--position", "bathroom"]

    text = said(stadsnav.cli("reading", "plot", *options))

    assert "bathroom · humidity" in text
    assert "damp above 75 %RH" in text
    assert "last 43 %RH, 1 h ago" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG\r\n"), ("a.svg", b"<?xml")])
@pytest.mark.usefixtures("meters")
def test_a_plot_in_a_file_is_a_picture(stadsnav: Product, tmp_path: Path, name: str, start: bytes) -> None:
    out = tmp_path / name
    options = ["--home", "h-1", "--name", "humidity", "--position", "bathroom", "--since", "3d"]

    done = stadsnav.cli("reading", "plot", *options, "--out", str(out))

    assert (done.returncode, done.stdout) == (0, "")
    assert out.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["plot", "--home", "h-1", "--name", "humidity"], "name one of them with --position"),
        (["list", "--home", "h-1", "--position", "attic"], "stadsnav device list --home h-1"),
        (["list", "--home", "h-1", "--since", "soon"], "expected how long ago, such as 24h or 7d"),
        (["list", "--home", "h-1", "--since", "1h", "--until", "2h"], "expected a time after 1h"),
    ],
)
@pytest.mark.usefixtures("meters")
def test_a_refusal_says_what_mends_it(stadsnav: Product, arguments: list[str], mend: str) -> None:
    done = stadsnav.cli("reading", *arguments)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert mend in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["now", "--position", "bathroom"],
        ["list"],
        ["export", "--home", "h-1"],
        ["export", "--home", "h-1", "--format", "xls"],
        ["export", "--home", "h-1", "--format", "parquet"],
        ["export", "--home", "h-1", "--format", "csv", "--points", "5"],
        ["plot", "--home", "h-1", "--name", "humidity", "--out", "a.gif"],
        ["plot", "--home", "h-1", "--name", "humidity", "--points", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2_and_makes_nothing(stadsnav: Product, arguments: list[str]) -> None:
    done = stadsnav.cli("reading", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert not stadsnav.folder.exists()


@pytest.mark.usefixtures("meters")
def test_every_look_is_logged_for_each_home_that_was_seen(stadsnav: Product) -> None:
    one = ["--home", "h-1", "--name", "humidity", "--position", "bathroom"]
    stadsnav.cli("reading", "now")
    stadsnav.cli("reading", "list", *one)
    stadsnav.cli("reading", "export", *one, "--format", "csv")
    stadsnav.cli("reading", "plot", *one)

    looks = who_looked(stadsnav, "h-1")
    assert [look.split(" ")[:2] for look in looks] == [
        ["reading", "plot"],
        ["reading", "export"],
        ["reading", "list"],
        ["reading", "now"],
    ]
    assert all("home=h-1" in look and "position=bathroom" in look for look in looks[:3])
    assert len(who_looked(stadsnav, "h-2")) == 1


def test_a_history_that_goes_on_while_it_is_exported_is_no_hindrance(
    program: Product, meters: Meters
) -> None:
    meters.say(
        "m-1", "humidity", "%RH", [(timedelta(seconds=second), 1.0) for second in range(200_000, 0, -1)]
    )
    words = [str(PROGRAM), "reading", "export", "--home", "h-1", "--format", "csv"]
    with subprocess.Popen(
        [*words, "--data", str(program.folder)], stdout=subprocess.PIPE, text=True
    ) as export:
        assert export.stdout is not None
        first = export.stdout.readline()
        meters.say("m-1", "humidity", "%RH", [(timedelta(), 2.0)])
        rest = export.stdout.read()

    assert export.returncode == 0
    assert first.startswith("home,")
    assert rest.count("\n") >= 200_000


@pytest.mark.usefixtures("meters")
def test_a_file_that_cannot_be_written_is_refused(stadsnav: Product, tmp_path: Path) -> None:
    out = tmp_path / "missing" / "a.csv"

    done = stadsnav.cli("reading", "export", "--home", "h-1", "--format", "csv", "--out", str(out))

    assert (done.returncode, done.stdout) == (1, "")
    assert "mend that, or name another" in done.stderr
