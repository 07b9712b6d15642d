"""Machines of a test: network namespaces on one switch, each with an address of its own. A machine can be cut off from all others,
as by a pulled cable: packets vanish, and no connection is closed. The test reaches its ports all the same.

Nobody else sees these namespaces. They are held open by this process only, so nothing is left of them after it."""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from parts.proxy import Proxy
from parts.requirements import require

CLONE_NEWNET = 0x4000_0000
LIBC = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace, with a loopback of its own."""

    def __init__(self):
        # Only the thread that asks for it gets into the new namespace.
        made = threading.Thread(target=self._make)
        made.start()
        made.join()
        self.path = f"/proc/{os.getpid()}/fd/{self._fd}"
        self.before = ["nsenter", f"--net={self.path}", "--"]
        self.ip("link set dev lo up")

    def _make(self):
        called("unshare", LIBC.unshare(CLONE_NEWNET))
        self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def ip(self, command: str):
        """Runs `ip` in it."""
        done = subprocess.run([*self.before, "ip", *command.split()], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"ip {command}: {done.stderr}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that this thread makes within this context belong to the namespace, and stay in it."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            called("setns", LIBC.setns(self._fd, CLONE_NEWNET))
            try:
                yield
            finally:
                called("setns", LIBC.setns(own, CLONE_NEWNET))
        finally:
            os.close(own)

    def close(self):
        """It ends with the last process in it."""
        os.close(self._fd)


def called(name: str, result: int):
    """Fails if a call of the C library failed."""
    assert result == 0, f"{name}: {os.strerror(ctypes.get_errno())}"


class Machine(Namespace):
    """One on the network, not cut off."""

    def __init__(self, network: "Network", number: int):
        super().__init__()
        self._switch, self._port, self._is_cut = network.switch, f"port{number}", False
        self.address = f"10.77.0.{number}"
        self._proxies: dict[tuple[str, int], Proxy] = {}
        self._switch.ip(f"link add {self._port} type veth peer name eth0 netns {self.path}")
        self._switch.ip(f"link set dev {self._port} master switch up")
        self.ip(f"addr add {self.address}/24 dev eth0")
        self.ip("link set dev eth0 up")

    @property
    def is_cut(self) -> bool:
        """Whether no other machine can be reached from it, nor it from them."""
        return self._is_cut

    @is_cut.setter
    def is_cut(self, is_cut: bool):
        self._switch.ip(f"link set dev {self._port} {'nomaster' if is_cut else 'master switch'}")
        self._is_cut = is_cut

    def offer(self, port: int):
        """This port of the test is reached on the same port of the machine's loopback, also while it is cut off."""
        if ("offer", port) not in self._proxies:
            with self.entered():
                listener = socket.create_server(("127.0.0.1", port))
            self._proxies["offer", port] = Proxy(port, listener)

    def publish(self, port: int):
        """This port of the machine's loopback is reached on the same port of the test, also while it is cut off."""

        def connect() -> socket.socket:
            with self.entered():
                return socket.create_connection(("127.0.0.1", port), 5)

        if ("publish", port) not in self._proxies:
            self._proxies["publish", port] = Proxy(port, socket.create_server(("127.0.0.1", port)), connect)

    def close(self):
        """No more ways into it."""
        for proxy in self._proxies.values():
            proxy.close()
        super().close()


class Network:
    """A switch, and machines on it."""

    def __init__(self):
        require("machines")
        self.switch = Namespace()
        self.switch.ip("link add name switch type bridge")
        self.switch.ip("link set dev switch up")
        self._machines: list[Machine] = []

    def machine(self) -> Machine:
        """One more."""
        machine = Machine(self, len(self._machines) + 1)
        self._machines.append(machine)
        return machine

    def close(self):
        """After the processes on them have ended."""
        for machine in self._machines:
            machine.close()
        self.switch.close()
