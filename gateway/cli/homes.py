"""``stadsnav home``: dwellings on the fibre."""

from pathlib import Path
from typing import Annotated, Any

import typer

from devices.kinds import HomeId
from gateway import home_import
from gateway.cli import printing
from gateway.cli.desk import Desk, desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, commands
from gateway.home_file import HomeFile, access_line, read_file
from gateway.home_import import Report, RowVerdict, Verdict
from services import registry
from services.domain.errors import RefusedError
from services.domain.homes import Home
from services.registry import HomeCorrection
from services.store import registry as rows

app = commands("Homes on the fibre.")


class RowsRefusedError(RefusedError):
    """Some rows of an import were refused; the others are in."""

    def __init__(self, refused: int, total: int, *, is_dry_run: bool) -> None:
        self.refused = refused
        fate = "would be imported" if is_dry_run else "are imported"
        super().__init__(
            f"{refused} of {total} rows refused, the others {fate}; mend them (see their reasons, "
            "or write them to a file with --refused FILE) and import again"
        )


@app.command("add")
def add(
    context: typer.Context,
    *,
    home_id: Annotated[str, typer.Argument(metavar="ID")],
    address: Annotated[str, typer.Option(help="Street, number, apartment.")],
    line: Annotated[str, typer.Option(metavar="CO/ACCESS", help="The access line.")] = "",
    node: Annotated[str, typer.Option(help="The fibre node that serves it.")] = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Register a home; the very same again changes nothing."""
    co_id, access_id = access_line(line)
    home = Home(id=HomeId(home_id), address=address, co_id=co_id, access_id=access_id, node=node)
    with desk(context, data) as at:
        added = at.write(lambda connection: registry.add_home(connection, home, actor=at.actor, now=at.now))
    printing.show(_row(added), as_json=as_json)


@app.command("change")
def change(
    context: typer.Context,
    *,
    home_id: Annotated[str, typer.Argument(metavar="ID")],
    address: Annotated[str | None, typer.Option(help="Street, number, apartment.")] = None,
    line: Annotated[
        str | None, typer.Option(metavar="CO/ACCESS", help="The access line; empty: none any more.")
    ] = None,
    node: Annotated[
        str | None, typer.Option(help="The fibre node that serves it; empty: not known any more.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Correct a home; what is not given stays."""
    co_id, access_id = (None, None) if line is None else access_line(line)
    correction = HomeCorrection(address=address, co_id=co_id, access_id=access_id, node=node)
    with desk(context, data) as at:
        home = at.write(
            lambda connection: registry.correct_home(
                connection, home_id, correction, actor=at.actor, now=at.now
            )
        )
    printing.show(_row(home), as_json=as_json)


@app.command("list")
def list_homes(
    context: typer.Context, *, limit: Limit = LIMIT, data: Data = None, as_json: AsJson = False
) -> None:
    """List homes by id."""
    with desk(context, data) as at:
        homes = rows.homes(at.store, limit=limit)
        at.note_look(home.id for home in homes)
    found = [_row(home) for home in homes]
    printing.show(found, ("id", "address", "line", "node"), as_json=as_json)


@app.command("import")
def import_homes(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be; change nothing.")] = False,
    refused: Annotated[
        Path | None, typer.Option("--refused", metavar="FILE", help="Write the refused rows there.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Register the homes of a CSV file, or bring them up to date: id, address, line, node.

    Each row gets a verdict: created, updated, unchanged or refused, with the reason. Good rows are
    imported even when others are refused. Interrupted, run it again.
    """
    homes = read_file(file)
    for name in homes.ignored:
        printing.note(f"Column {name!r} is ignored.")
    with desk(context, data) as at:
        report = _import(at, homes, is_dry_run=dry_run)
    if refused is not None:
        _write_refused(refused, homes, report)
    _show(report, as_json=as_json)
    if report.of(Verdict.REFUSED):
        raise RowsRefusedError(len(report.of(Verdict.REFUSED)), len(report.rows), is_dry_run=dry_run)


def _import(at: Desk, homes: HomeFile, *, is_dry_run: bool) -> Report:
    from gateway.cli.progress import progress  # noqa: PLC0415 - slow, and only here

    with progress("homes", total=len(homes.rows)) as on_progress:
        if is_dry_run:
            return home_import.try_out(at.store, homes, on_progress=on_progress)
        return home_import.bring_in(at.store, homes, actor=at.actor, now=at.now, on_progress=on_progress)


def _write_refused(path: Path, homes: HomeFile, report: Report) -> None:
    from broker.files import write_file  # noqa: PLC0415 - rarely asked for

    write_file(path, home_import.refused_rows(homes, report).encode())


def _show(report: Report, *, as_json: bool) -> None:
    counts = {verdict.value: len(report.of(verdict)) for verdict in Verdict}
    if as_json:
        verdicts = [_verdict(row) for row in report.rows]
        printing.print_json({**counts, "dry_run": report.is_dry_run, "rows": verdicts})
        return
    refused = [_verdict(row) for row in report.of(Verdict.REFUSED)]
    if refused:
        printing.show(refused, ("line", "id", "reason"), as_json=False)
    printing.show({**counts, "dry_run": report.is_dry_run}, as_json=False)


def _verdict(row: RowVerdict) -> dict[str, Any]:
    return {"line": row.row.line, "id": row.row.id, "verdict": row.verdict, "reason": row.reason}


def _row(home: Home) -> dict[str, Any]:
    return {
        "id": home.id,
        "address": home.address,
        "line": f"{home.co_id}/{home.access_id}" if home.co_id else None,
        "co_id": home.co_id,
        "access_id": home.access_id,
        "node": home.node,
    }
