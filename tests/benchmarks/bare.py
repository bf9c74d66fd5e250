"""Mosquitto alone, as small and fast as it can be: what everything is measured against."""

import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from broker.configuration import running_user
from broker.mosquitto import find_executable, free_port


class BareBroker:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        user = running_user()
        self._configuration = folder / "bare.conf"
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_type error\n"
            + (f"user {user}\n" if user else "")
        )

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [str(find_executable()), "-c", str(self._configuration)], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        message = "the bare broker did not start"
        raise TimeoutError(message)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
