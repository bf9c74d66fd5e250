"""What one look found: well, to be watched, or broken, and then what mends it."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    check: str
    status: Status
    found: str
    mend: str = ""


def well(name: str, found: str) -> Check:
    """Nothing to do."""
    return Check(check=name, status=Status.OK, found=found)


def watch(name: str, found: str, mend: str) -> Check:
    """Alarms are carried, but somebody should look."""
    return Check(check=name, status=Status.WARN, found=found, mend=mend)


def broken(name: str, found: str, mend: str) -> Check:
    """Alarms are lost, late or told to nobody, or soon will be."""
    return Check(check=name, status=Status.FAIL, found=found, mend=mend)
