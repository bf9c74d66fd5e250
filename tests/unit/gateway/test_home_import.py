"""What becomes of each row of an import."""

from gateway.home_file import read
from gateway.home_import import Report, Verdict, bring_in, refused_rows, try_out
from services.domain.homes import Home
from services.store import audit as audit_rows
from services.store import registry
from services.store.sqlite import SqliteConnection
from tests.support import log
from tests.support.clock import START

HEADER = "id,address,line,node\n"


def homes_in(store: SqliteConnection) -> list[Home]:
    return registry.homes(store, limit=10_000)


def imported(store: SqliteConnection, text: str, pauses: list[float] | None = None) -> Report:
    pause = (pauses if pauses is not None else []).append
    file = read(text, name="homes.csv")
    return bring_in(store, file, actor="tester", now=START, on_progress=lambda _: None, pause=pause)


def verdicts(report: Report) -> list[tuple[int, str, Verdict]]:
    return [(item.row.line, item.row.id, item.verdict) for item in report.rows]


def test_a_new_home_is_created_a_changed_one_updated_the_same_one_unchanged(
    database: SqliteConnection,
) -> None:
    imported(database, HEADER + "h1,Storgatan 1,co/1,n1\nh2,Storgatan 2,co/2,n1\n")

    report = imported(database, HEADER + "h1,Storgatan 1,co/1,n1\nh2,Storgatan 2,co/2,n9\nh3,Ny,,\n")

    assert verdicts(report) == [
        (2, "h1", Verdict.UNCHANGED),
        (3, "h2", Verdict.UPDATED),
        (4, "h3", Verdict.CREATED),
    ]
    assert [home.node for home in homes_in(database)] == ["n1", "n9", ""]


def test_a_column_that_the_file_lacks_keeps_what_is_known(database: SqliteConnection) -> None:
    imported(database, HEADER + "h1,Storgatan 1,co/1,n1\n")

    imported(database, "id,address\nh1,Storgatan 1 B\n")

    home = homes_in(database)[0]
    assert (home.address, home.co_id, home.access_id, home.node) == ("Storgatan 1 B", "co", "1", "n1")


def test_an_empty_field_empties_what_is_known(database: SqliteConnection) -> None:
    imported(database, HEADER + "h1,Storgatan 1,co/1,n1\n")

    imported(database, HEADER + "h1,Storgatan 1,,\n")

    home = homes_in(database)[0]
    assert (home.co_id, home.access_id, home.node) == ("", "", "")


def test_refused_rows_say_why_and_the_good_ones_are_in(database: SqliteConnection) -> None:
    report = imported(database, HEADER + "H1,Storgatan 1,,\nh2,,,\nh3,Storgatan 3,,\nh4,a,,\nh4,b,,\n")

    reasons = {item.row.line: item.reason or "" for item in report.of(Verdict.REFUSED)}
    assert "home id" in reasons[2]
    assert "address" in reasons[3]
    assert "lines 5 and 6" in reasons[5]
    assert [home.id for home in homes_in(database)] == ["h3"]


def test_a_dry_run_gives_the_same_verdicts_and_changes_nothing(database: SqliteConnection) -> None:
    imported(database, HEADER + "h1,Storgatan 1,,\nh2,Storgatan 2,,\n")
    text = HEADER + "h1,Storgatan 1,,\nh2,Storgatan 2 B,,\nh3,Storgatan 3,,\nh4,,,\n"
    before = homes_in(database)

    tried = try_out(database, read(text, name="homes.csv"), on_progress=lambda _: None)
    after_trying = homes_in(database)
    done = imported(database, text)

    assert after_trying == before
    assert tried.is_dry_run
    assert verdicts(tried) == verdicts(done)


def test_the_lock_is_let_go_of_after_every_two_hundred_rows(database: SqliteConnection) -> None:
    pauses: list[float] = []

    imported(database, HEADER + "".join(f"h{number},Storgatan,,\n" for number in range(401)), pauses)

    assert len(pauses) == 2
    assert min(pauses) >= 0.01


def test_every_change_is_in_the_log_and_the_chain_is_whole(database: SqliteConnection) -> None:
    imported(database, HEADER + "h1,Storgatan 1,,\n")
    imported(database, HEADER + "h1,Storgatan 2,,\n")
    imported(database, HEADER + "h1,Storgatan 2,,\n")

    entries = list(audit_rows.entries(database))

    assert [(entry.actor, entry.action, entry.home_id) for entry in entries] == [
        ("tester", "home_added", "h1"),
        ("tester", "home_updated", "h1"),
    ]
    assert log.verify(database).is_whole


def test_what_was_refused_can_be_mended_and_imported_again(database: SqliteConnection) -> None:
    file = read("id;address;line\nh1;;co/1\nh2\n", name="homes.csv")
    report = bring_in(
        database, file, actor="tester", now=START, on_progress=lambda _: None, pause=lambda _: None
    )

    again = read(refused_rows(file, report).replace("h1;;", "h1;Storgatan 1;"), name="mended.csv")

    assert [(row.id, row.problem) for row in again.rows] == [("h1", None), ("h2", None)]
    assert set(again.ignored) == {"refused_line", "reason"}


def test_progress_is_told_for_every_row(database: SqliteConnection) -> None:
    told: list[int] = []
    file = read(HEADER + "h1,a,,\nh2,,,\nh3,c,,\n", name="homes.csv")

    bring_in(database, file, actor="tester", now=START, on_progress=told.append, pause=lambda _: None)

    assert told == [1, 2, 3]
