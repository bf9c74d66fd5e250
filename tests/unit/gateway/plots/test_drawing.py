"""Plots as characters and as pictures: the spike is there, the gap is empty, the words stand beside them."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from gateway.plots import pictures
from gateway.plots.plot import LimitLine, Plot
from gateway.plots.terminal import terminal_text

SVG = "{http://www.w3.org/2000/svg}"
BAND = "░"


def drawing(plot: Plot, *, columns: int = 100, lines: int = 30) -> list[str]:
    """The lines between the frame, without the frame."""
    text = terminal_text(plot, columns=columns, lines=lines, is_colour=False)
    return re.findall(r"[│┤]([^│\n]*)│", text)


def test_the_spike_stands_out_of_the_band_in_a_terminal(week: Plot) -> None:
    rows = drawing(week)

    column = next(row.index(BAND) for row in rows if BAND in row)
    assert sum(row[column] == BAND for row in rows) > len(rows) / 2


def test_the_gap_is_empty_in_a_terminal_but_for_the_one_reading_in_it(week: Plot) -> None:
    rows = drawing(week)
    width = len(rows[0])

    gap = [row[round(width * 3 / 7) + 2 : round(width * 4 / 7) - 2] for row in rows]
    drawn = {character for part in gap for character in part} - {" ", "╌"}
    columns = {position for part in gap for position, character in enumerate(part) if character in drawn}
    assert len(columns) == 1


def test_the_words_stand_around_the_plot_in_a_terminal(week: Plot) -> None:
    text = terminal_text(week, columns=100, lines=30, is_colour=False)

    for words in (
        week.title,
        week.span_text,
        week.value_label,
        week.time_label,
        week.last_text,
        "damp above 75",
    ):
        assert words in text
    assert "\x1b" not in text
    assert len(text.splitlines()) <= 30
    assert max(map(len, text.splitlines())) <= 100


def test_colours_are_for_terminals_alone(week: Plot) -> None:
    assert "\x1b" in terminal_text(week, columns=100, lines=30, is_colour=True)


def test_a_second_plot_shows_nothing_of_the_first(week: Plot, silence: Plot) -> None:
    assert any(BAND in row for row in drawing(week))

    limits = tuple(LimitLine(label="at", value=value) for value in (55, 95))
    second = drawing(replace(week, buckets=silence.buckets, limits=limits))

    assert set("".join(second)) == {" ", "╌"}


@pytest.mark.parametrize(("columns", "lines"), [(0, 0), (20, 5), (400, 100)])
def test_any_terminal_gets_a_plot(week: Plot, columns: int, lines: int) -> None:
    assert len(terminal_text(week, columns=columns, lines=lines, is_colour=False).splitlines()) >= 10


def test_a_png_is_a_picture_of_its_size_with_more_than_paper_on_it(week: Plot) -> None:
    content = pictures.png(week)

    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(content[16:20]) == 1440
    assert int.from_bytes(content[20:24]) == 720
    assert len(set(content)) > 200


def test_an_svg_has_its_text_as_text_and_says_it_all_to_those_who_do_not_see_it(week: Plot) -> None:
    root = ET.fromstring(pictures.svg(week))  # noqa: S314 - our own

    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "title desc"
    assert [root[0].tag, root[0].text] == [f"{SVG}title", week.title]
    assert [root[1].tag, root[1].text] == [f"{SVG}desc", week.description]
    texts = {"".join(element.itertext()).strip() for element in root.iter(f"{SVG}text")}
    assert texts >= {week.title, week.last_text, week.value_label, week.time_label, "damp above 75 %RH"}
    assert "far above 1000 %RH" not in texts


def test_the_line_of_an_svg_is_cut_at_the_gap(week: Plot) -> None:
    drawn = pictures.svg(week).decode()

    means = re.findall(r'<path d="([^"]*)"[^>]*stroke: #0072b2; stroke-width: 1\.3', drawn)
    assert len(means) == 2


def test_the_same_plot_gives_the_same_file(week: Plot) -> None:
    assert pictures.svg(week) == pictures.svg(week)
    assert pictures.png(week) == pictures.png(week)


def test_an_empty_plot_says_that_it_is_empty(silence: Plot) -> None:
    assert "No readings in this time" in pictures.svg(silence).decode()
    assert pictures.png(silence)


def test_names_are_never_taken_for_formulas_or_markup(week: Plot) -> None:
    odd = replace(week, position="a $x^$ <b> & \\frac", name="%s {0}")

    root = ET.fromstring(pictures.svg(odd))  # noqa: S314 - our own

    assert root[0].text == "a $x^$ <b> & \\frac · %s {0}"
