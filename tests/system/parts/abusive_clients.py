"""Clients that try to do harm: they send a MiB of requests at once, or never read the answers. They run in a separate process,
so that they do not slow down the test, and end by themselves.

    python abusive_clients.py '{"port": 8000, "kind": "pipeline", "tls": false, "header": "", "clients": 250, "seconds": 3}'

The last line of the output has the number of connections and of bytes sent."""

import json
import os
import select
import socket
import ssl
import subprocess
import sys
import threading
import time

BYTES = 1 << 20
REQUESTS = 400


class AbusiveClients:
    """The clients, each in a thread."""

    def __init__(self, port: int, kind: str, tls: bool, header: str, clients: int, seconds: float):
        self.port, self.clients, self.end = port, clients, time.monotonic() + seconds
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.request = f"GET /metrics HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode()
        self.behave = {"pipeline": self.pipeline, "deaf": self.deaf}[kind]
        self.connections = self.sent = 0

    def run(self):
        """Runs until the time is over."""
        threads = [threading.Thread(target=self._run) for _ in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(json.dumps({"connections": self.connections, "sent": self.sent}))

    def _run(self):
        while (left := self.end - time.monotonic()) > 0:
            # At most a thousand connections a second: the test is about the daemon, not about who gets the processor.
            time.sleep(0.25)
            try:
                with socket.socket() as raw:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    raw.settimeout(min(left, 5))
                    raw.connect(("127.0.0.1", self.port))
                    self.connections += 1
                    self.behave(self.context.wrap_socket(raw) if self.context else raw)
            except OSError:
                # The daemon closed the connection; try again.
                pass

    def pipeline(self, line: socket.socket):
        """Sends as much as the daemon accepts, up to a MiB, and then reads the answers."""
        requests = self.request * (BYTES // len(self.request))
        for at in range(0, len(requests), 1 << 14):
            line.sendall(requests[at : at + (1 << 14)])
            self.sent += 1 << 14
        while line.recv(1 << 16):
            pass

    def deaf(self, line: socket.socket):
        """Sends more requests than the kernel can buffer answers for, and reads none until the daemon closes the connection."""
        line.sendall(self.request * REQUESTS)
        self.sent += len(self.request) * REQUESTS
        poll = select.poll()
        poll.register(line, select.POLLRDHUP)
        while time.monotonic() < self.end and not poll.poll(200):
            pass


def start(port: int, kind: str, tls: bool, header: str, clients: int, seconds: float) -> subprocess.Popen:
    """Starts the clients as a process. Its output is the sum."""
    how = {"port": port, "kind": kind, "tls": tls, "header": header, "clients": clients, "seconds": seconds}
    return subprocess.Popen([sys.executable, __file__, json.dumps(how)], stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    os.nice(10)
    AbusiveClients(**json.loads(sys.argv[1])).run()
