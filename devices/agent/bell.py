"""Wakes the courier's thread while it waits on a socket or sleeps.

any thread: ring()        the courier: wait(), or poll fileno() beside the broker's socket
"""

import select
import socket
from contextlib import suppress
from typing import Final

_ENOUGH: Final = 4096


class Bell:
    """A pair of sockets rather than a bare descriptor: ringing one that is closed can wake nobody else."""

    def __init__(self) -> None:
        self._ear, self._rope = socket.socketpair()
        self._ear.settimeout(0)
        self._rope.settimeout(0)

    def fileno(self) -> int:
        """To be polled for reading."""
        return self._ear.fileno()

    def ring(self) -> None:
        """Wake whoever waits, or whoever waits next."""
        with suppress(OSError):  # full: it rings already; closed: nobody waits any more
            self._rope.send(b"\0")

    def hush(self) -> None:
        """Forget the rings so far."""
        with suppress(BlockingIOError):
            self._ear.recv(_ENOUGH)

    def wait(self, seconds: float) -> bool:
        """Wait for a ring; whether there was one."""
        poller = select.poll()
        poller.register(self._ear, select.POLLIN)
        has_rung = bool(poller.poll(max(0.0, seconds) * 1000))
        self.hush()
        return has_rung

    def close(self) -> None:
        """Ringing is allowed still; waiting is not."""
        self._ear.close()
        self._rope.close()
