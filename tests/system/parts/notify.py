"""A stand-in for systemd's notify socket: says where to write to, and keeps what was written."""

import socket
import time
from pathlib import Path

from parts.daemon import wait_until


class NotifySocket:
    """A datagram socket, by path or (a name that starts with `@`) in the abstract namespace."""

    def __init__(self, where: str | Path):
        self.where = str(where)
        self.heard: list[str] = []
        # When each was read, by the monotonic clock.
        self.heard_at: list[float] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("\0" + self.where[1:] if self.where.startswith("@") else self.where)

    def environment(self, watchdog_s: float | None = None, **more: str) -> dict[str, str]:
        """What a supervisor gives the process it starts."""
        env = {"NOTIFY_SOCKET": self.where} | more
        return env if watchdog_s is None else env | {"WATCHDOG_USEC": str(int(watchdog_s * 1e6))}

    def read(self) -> list[str]:
        """All that was said so far, a datagram each."""
        while True:
            try:
                said = self._socket.recv(4096).decode()
            except BlockingIOError:
                return self.heard
            self.heard.append(said)
            self.heard_at.append(time.monotonic())

    def wait(self, said: str, count: int = 1, timeout_s: float = 10.0) -> list[str]:
        """Returns all once this was said so often."""
        wait_until(f"{count} of {said}", lambda: sum(said in one.split("\n") for one in self.read()) >= count, timeout_s)
        return self.heard

    def close(self):
        """Listens no more."""
        self._socket.close()
