"""What a load is told and what it tells: values that cross to its process and back as JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from devices.simulator.rhythm import Rhythm, daily, steady

WINDOW: Final = 2_000
"""Packs that one hub has sent and not yet seen acknowledged; more wait."""


class LoadPlanError(ValueError):
    """A load cannot be as it was planned."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"Cannot make this load: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadHub:
    """One connection and the devices that it speaks for, in turns."""

    client_id: str
    devices: tuple[str, ...]
    dark: tuple[tuple[float, float], ...] = ()
    """From and until, in seconds of the run: no line, and the packs of that time come late, all at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """One run of a load.

    Raises:
        LoadPlanError: Nobody speaks, or the ids have different lengths: packets are patched by columns.
    """

    host: str
    port: int
    hubs: tuple[LoadHub, ...]
    packs_per_second: float
    """On average over a day, of all hubs together; each device has the same share."""
    seconds: float
    seed: str = "1"
    credentials: str | None = None
    """A folder with one of key.pem, cert.pem and ca.pem for each client id; None: plain TCP."""
    day_seconds: float | None = None
    """How long a day is; None: no rhythm, the same pace all the time."""
    window: int = WINDOW
    ledger_file: str | None = None
    """Where to write down, at the end, every pack that was acknowledged."""

    def __post_init__(self) -> None:
        if not self.hubs or not all(hub.devices for hub in self.hubs):
            raise LoadPlanError("expected hubs, each with a device")
        for what, ids in (
            ("client", {len(hub.client_id) for hub in self.hubs}),
            ("device", {len(device) for hub in self.hubs for device in hub.devices}),
        ):
            if len(ids) > 1:
                raise LoadPlanError(f"expected {what} ids of one length, got {min(ids)} to {max(ids)}")

    def rhythm(self) -> Rhythm:
        """How the run passes."""
        return steady() if self.day_seconds is None else daily(self.day_seconds, length=self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """How far a load is. Packs are counted from the start of the run."""

    elapsed_seconds: float
    due: int
    """Packs that the plan has wanted so far."""
    sent: int
    """Different packs that were sent; one that was sent again after a lost connection counts once."""
    acknowledged: int
    connected: int
    """Hubs that have a connection now."""
    lost: int
    """Connections that ended and were not meant to, or could not be made."""
    cpu_seconds: float
    """Of this process, from the start of the run."""
    problem: str = ""
    """Why the last connection was lost or refused."""
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Every pack that was acknowledged to a home: columns of one length."""

    devices: tuple[str, ...]
    device: NDArray[np.int64]
    """Index into ``devices``."""
    at: NDArray[np.int64]
    """The pack's time in microseconds since 1970, UTC; no device has one twice."""


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Write a ledger as NumPy's ``.npz``, all at once."""
    draft = path.with_suffix(".tmp.npz")
    np.savez(draft, devices=np.array(ledger.devices), device=ledger.device, at=ledger.at)
    draft.replace(path)


def read_ledger(path: Path) -> Ledger:
    """Read what ``write_ledger`` wrote."""
    with np.load(path) as columns:
        devices = tuple(str(device) for device in columns["devices"])
        return Ledger(devices=devices, device=columns["device"], at=columns["at"])
