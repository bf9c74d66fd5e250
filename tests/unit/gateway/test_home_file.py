"""What a list of homes may look like, and what is said of one that cannot be read."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.home_file import HomeFile, HomeFileError, access_line, read
from services.domain.errors import InvalidError


def homes(text: str) -> HomeFile:
    return read(text, name="homes.csv")


def problems(file: HomeFile) -> dict[int, str | None]:
    return {row.line: row.problem for row in file.rows}


def test_commas_and_semicolons_are_told_apart_by_the_header() -> None:
    by_comma = homes("id,address,node\nh1,Storgatan 1; lgh 2,n1\n")
    by_semicolon = homes("id;address;node\nh1;Storgatan 1, lgh 2;n1\n")

    assert by_comma.rows[0].members == {"address": "Storgatan 1; lgh 2", "node": "n1"}
    assert by_semicolon.rows[0].members == {"address": "Storgatan 1, lgh 2", "node": "n1"}


def test_header_names_may_be_written_in_any_case_and_with_blanks() -> None:
    file = homes(" ID , Address \nh1,Storgatan 1\n")

    assert (file.rows[0].id, file.rows[0].members) == ("h1", {"address": "Storgatan 1"})


def test_an_access_line_is_one_column_or_two() -> None:
    one = homes("id,address,line\nh1,Storgatan 1,co7/4711\n")
    two = homes("id,address,co_id,access_id\nh1,Storgatan 1,co7,4711\n")

    assert one.rows[0].members == two.rows[0].members
    assert one.rows[0].members["access_id"] == "4711"


def test_a_column_that_is_not_there_says_nothing_about_the_home() -> None:
    file = homes("id,address\nh1,Storgatan 1\n")

    assert set(file.rows[0].members) == {"address"}


def test_columns_that_mean_nothing_are_named_and_ignored() -> None:
    file = homes("id,address,colour\nh1,Storgatan 1,red\n")

    assert file.ignored == ("colour",)
    assert "colour" not in file.rows[0].members


def test_rows_know_their_line_also_after_blank_lines_and_line_breaks_in_quotes() -> None:
    file = homes('\nid,address\n\nh1,"Storgatan 1\nlgh 2"\nh2,Storgatan 2\n')

    assert [(row.id, row.line) for row in file.rows] == [("h1", 4), ("h2", 6)]


def test_every_row_of_an_id_that_stands_twice_is_refused_with_all_its_lines() -> None:
    file = homes("id,address\nh1,a\nh2,b\nh1,c\nh1,d\n")

    assert problems(file)[3] is None
    for line in (2, 4, 5):
        assert problems(file)[line] == "its id stands on lines 2, 4 and 5; keep one of them"


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ("h1,Storgatan 1", "it has 2 fields, the header has 3"),
        ("h1,Storgatan 1,co/1,more", "it has 4 fields, the header has 3"),
        ("h1,Storgatan 1,co7", "CO/ACCESS"),
        ("h1,Storgatan 1,/4711", "CO/ACCESS"),
        ("h1,Storgatan 1,co7/", "CO/ACCESS"),
    ],
)
def test_a_row_that_cannot_be_right_keeps_its_problem_and_the_others_go_on(row: str, part: str) -> None:
    file = homes(f"id,address,line\n{row}\nh2,Storgatan 2,co7/4712\n")

    assert part in str(problems(file)[2])
    assert problems(file)[3] is None


@pytest.mark.parametrize("row", ["h1,a,co7,", "h1,a,,4711"])
def test_half_an_access_line_is_no_access_line(row: str) -> None:
    file = homes(f"id,address,co_id,access_id\n{row}\nh2,b,,\n")

    assert "CO/ACCESS" in str(problems(file)[2])
    assert problems(file)[3] is None


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("h1,Storgatan 1\n", "no column id and no address"),
        ("id,node\nh1,n1\n", "no column address"),
        ("id,address,ID\nh1,a,h1\n", "twice"),
        ("id,address,co_id\nh1,a,co\n", "either line, or co_id and access_id"),
        ("id,address,line,co_id,access_id\nh1,a,,,\n", "either line, or co_id and access_id"),
    ],
)
def test_a_file_whose_columns_cannot_be_right_is_refused_as_a_whole(text: str, part: str) -> None:
    with pytest.raises(HomeFileError, match=part):
        homes(text)


def test_an_open_quotation_mark_refuses_the_file_and_names_the_line_where_it_opens() -> None:
    with pytest.raises(HomeFileError) as refused:
        homes('id,address\nh1,a\nh2,"b\nh3,c\n')

    assert refused.value.line == 3


@given(text=st.text(max_size=80))
def test_any_text_is_a_list_of_homes_or_refused(text: str) -> None:
    with contextlib.suppress(HomeFileError):
        assert all(row.line > 0 for row in homes(text).rows)


@given(text=st.text(alphabet="abc/ ", max_size=8))
def test_an_access_line_has_both_parts_or_neither(text: str) -> None:
    try:
        co_id, access_id = access_line(text)
    except InvalidError:
        assert "/" not in text or not all(part.strip() for part in text.split("/", 1))
    else:
        assert bool(co_id) == bool(access_id) == bool(text.strip())
