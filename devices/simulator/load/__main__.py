"""The load as a process: a plan as JSON in a file, a report a second as a line of JSON on stdout.

    python -m devices.simulator.load PLAN.json

It ends in order on SIGTERM or Ctrl-C: nothing more is sent, and the last PUBACKs are waited for.
"""

import signal
import sys
from pathlib import Path
from threading import Event

import msgspec

from devices.simulator.load.generator import Generator, NotConnectedError
from devices.simulator.load.plan import LoadPlan, LoadPlanError, LoadReport, write_ledger


def main(plan_file: Path) -> int:
    """Run a plan; 1 when it cannot be, with a sentence on stderr."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        plan = msgspec.json.decode(plan_file.read_bytes(), type=LoadPlan)
        generator = Generator(plan, tell=_tell, stop=stop)
        generator.run()
    except (LoadPlanError, NotConnectedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if plan.ledger_file is not None:
        write_ledger(Path(plan.ledger_file), generator.ledger())
    return 0


def _tell(report: LoadReport) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
