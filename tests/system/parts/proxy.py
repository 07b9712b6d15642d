"""A TCP proxy that can drop everything."""

import socket
import threading
import time
from collections.abc import Callable


class Proxy:
    """A port that leads to another one. While `is_cut`, no byte passes in either direction, and no connection is closed."""

    def __init__(self, port: int, listener: socket.socket | None = None, connect: Callable[[], socket.socket] | None = None):
        """`listener` and `connect`, if they are not of this machine's loopback."""
        self.is_cut, self._is_closed = False, False
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self._connect = connect or (lambda: socket.create_connection(("127.0.0.1", port), 5))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self._is_closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket):
        self._wait_open()
        try:
            far = self._connect()
        except OSError:
            near.close()
            return
        back = threading.Thread(target=self._pass, args=(far, near), daemon=True)
        back.start()
        self._pass(near, far)
        back.join(30)
        near.close()
        far.close()

    def _pass(self, source: socket.socket, to: socket.socket):
        try:
            while data := source.recv(65_536):
                self._wait_open()
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _wait_open(self):
        while self.is_cut and not self._is_closed:
            time.sleep(0.02)

    def close(self):
        """No more connections."""
        self._is_closed = True
        self._listener.close()
