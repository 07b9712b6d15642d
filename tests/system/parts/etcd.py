"""A real etcd on loopback, and a TCP proxy before it that can drop everything."""

import base64
import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from parts.daemon import free_port, wait_until
from parts.requirements import require


class Etcd:
    """One node. It keeps its data when it is stopped and started again. With `tls`, certificate and key of its server; with
    `clients`, the authority of the certificates that it then wants from everybody."""

    def __init__(self, directory: Path, tls: tuple[Path, Path] | None = None, clients: Path | None = None):
        require("etcd")
        self.directory, self.tls, self.clients = directory, tls, clients
        self.port, self.peer_port = free_port(), free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def start(self) -> "Etcd":
        """Returns once it answers."""
        peer = f"http://127.0.0.1:{self.peer_port}"
        command = ["etcd", "--name", "one", "--data-dir", str(self.directory / "data"), "--initial-cluster", f"one={peer}"]
        command += ["--listen-client-urls", self.url, "--advertise-client-urls", self.url]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        if self.tls:
            command += ["--cert-file", str(self.tls[0]), "--key-file", str(self.tls[1])]
        if self.clients:
            command += ["--client-cert-auth", "--trusted-ca-file", str(self.clients)]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until("an answer of etcd", self.answers, 90)
        return self

    def answers(self) -> bool:
        """Whether it can be written to."""
        try:
            return "leader" in self.call("/v3/maintenance/status")
        except OSError:
            return False

    def call(self, path: str, token: str | None = None, **body) -> dict:
        """A request to the JSON gateway. Raises OSError if there is no 200."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        context = ssl._create_unverified_context() if self.tls else None
        if self.clients:
            context.load_cert_chain(*self.tls)
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return json.loads(answer.read())

    def require_user(self, name: str, password: str, prefix: str):
        """Switches authentication on: root, and a user who may use the keys below the prefix only."""
        key, end = prefix + "/", prefix + "0"
        encoded = [base64.b64encode(text.encode()).decode() for text in (key, end)]
        for user, word in (("root", "root-password"), (name, password)):
            self.call("/v3/auth/user/add", name=user, password=word)
        self.call("/v3/auth/role/add", name="root")
        self.call("/v3/auth/role/add", name="keys")
        permission = {"permType": "READWRITE", "key": encoded[0], "range_end": encoded[1]}
        self.call("/v3/auth/role/grant", name="keys", perm=permission)
        self.call("/v3/auth/user/grant", user="root", role="root")
        self.call("/v3/auth/user/grant", user=name, role="keys")
        self.call("/v3/auth/enable")

    def stop(self):
        """Ends it as a crash does."""
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    close = stop


class Proxy:
    """A port that leads to another one. While `is_cut`, no byte passes in either direction, and no connection is closed."""

    def __init__(self, port: int):
        self.target, self.is_cut, self._is_closed = port, False, False
        self._listener = socket.create_server(("127.0.0.1", 0))
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
            far = socket.create_connection(("127.0.0.1", self.target), 5)
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
