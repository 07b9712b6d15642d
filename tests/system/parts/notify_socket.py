"""A fake notify socket of systemd: provides the address, and records the messages."""

import socket
import time
from pathlib import Path

from parts.daemon import wait_until


class NotifySocket:
    """A datagram socket, with a path or (if the name starts with `@`) in the abstract namespace."""

    def __init__(self, where: str | Path):
        self.where = str(where)
        self.heard: list[str] = []
        # When each message was read, by the monotonic clock.
        self.heard_at: list[float] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("\0" + self.where[1:] if self.where.startswith("@") else self.where)

    def environment(self, watchdog_s: float | None = None, **more: str) -> dict[str, str]:
        """The environment that systemd gives to the process that it starts."""
        env = {"NOTIFY_SOCKET": self.where} | more
        return env if watchdog_s is None else env | {"WATCHDOG_USEC": str(int(watchdog_s * 1e6))}

    def read(self) -> list[str]:
        """All messages so far, one per datagram."""
        while True:
            try:
                said = self._socket.recv(4096).decode()
            except BlockingIOError:
                return self.heard
            self.heard.append(said)
            self.heard_at.append(time.monotonic())

    def wait(self, said: str, count: int = 1, timeout_s: float = 10.0) -> list[str]:
        """Returns all messages once this one has been received `count` times."""
        wait_until(f"{count} of {said}", lambda: sum(said in one.split("\n") for one in self.read()) >= count, timeout_s)
        return self.heard

    def close(self):
        """Closes the socket."""
        self._socket.close()
