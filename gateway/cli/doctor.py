"""``stadsnav doctor``: every check with what was found and what mends it."""

from dataclasses import asdict

import typer

from gateway.cli import printing
from gateway.cli.desk import chosen_folder
from gateway.cli.options import AsJson, Data, single
from gateway.doctor import Check, Status, examine
from services.domain.clock import SystemClock
from services.domain.errors import RefusedError

app = single()


class UnwellError(RefusedError):
    """Some checks failed."""

    def __init__(self, failed: list[Check]) -> None:
        self.failed = failed
        names = ", ".join(check.check for check in failed)
        super().__init__(f"Failed: {names}; the last column says what mends each")


@app.command()
def doctor(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> None:
    """Check everything that alarms depend on; say what is wrong and what mends it."""
    checks = examine(chosen_folder(context, data).absolute(), now=SystemClock().now())
    printing.show([asdict(check) for check in checks], ("check", "status", "found", "mend"), as_json=as_json)
    failed = [check for check in checks if check.status is Status.FAIL]
    if failed:
        raise UnwellError(failed)
