"""What is printed can be read by people and by programs, and steers no terminal."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.printing import one_line, show
from gateway.cli.quarantine import payload_text

AT = datetime(2026, 11, 23, 8, 15, 2, 120_000, tzinfo=UTC)


@given(text=st.text(max_size=60))
def test_any_text_becomes_one_line_of_printable_characters(text: str) -> None:
    assert one_line(text).isprintable()


def test_an_escape_sequence_from_a_home_is_shown_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"text": "\x1b[31mhi\x9b[bold]"}], ("text",), as_json=False)

    assert "\\x1b[31mhi\\x9b[bold]" in capsys.readouterr().out


def test_json_is_one_value_with_every_member(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"id": "å", "at": AT, "out": Path("x"), "none": None}], ("id",), as_json=True)

    said = capsys.readouterr()
    assert json.loads(said.out) == [{"id": "å", "at": "2026-11-23T08:15:02.120Z", "out": "x", "none": None}]
    assert "å" in said.out
    assert said.err == ""


def test_an_empty_list_is_empty_json_and_a_note_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    show([], ("id",), as_json=True)
    as_json = capsys.readouterr()
    show([], ("id",), as_json=False)
    as_table = capsys.readouterr()

    assert (json.loads(as_json.out), as_json.err) == ([], "")
    assert (as_table.out, as_table.err) == ("", "Nothing found.\n")


def test_a_pipe_gets_whole_values_without_colour_or_trailing_blanks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "x" * 300

    show([{"id": long, "status": "fail"}, {"id": "h", "status": "ok"}], ("id", "status"), as_json=False)

    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [long, "fail"]
    assert not any(line != line.rstrip() or "\x1b" in line for line in lines)


def test_bytes_are_shown_as_text_where_they_are_text_and_else_said_to_be_base64() -> None:
    assert payload_text("å".encode()) == ("å", "utf-8")
    assert payload_text(b"\xff\x00") == ("/wA=", "base64")
