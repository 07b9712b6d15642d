"""A real etcd: one node on loopback, or three nodes on three machines."""

import base64
import json
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from parts.daemon import free_port, wait_until
from parts.machines import Machine, Network
from parts.requirements import require


class Etcd:
    """One node. It keeps its data when it is stopped and started again. With `tls`, certificate and key of its server; with
    `clients`, the authority of the certificates that it then wants from everybody."""

    def __init__(self, directory: Path, tls: tuple[Path, Path] | None = None, clients: Path | None = None):
        require("etcd")
        self.directory, self.tls, self.clients = directory, tls, clients
        self.port, self.peer_port = free_port(), free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.peer_url = f"http://127.0.0.1:{self.peer_port}"
        self.process: subprocess.Popen | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """How it is started."""
        command = ["etcd", "--name", "one", "--initial-cluster", f"one={self.peer_url}"]
        return [*command, "--listen-client-urls", self.url, "--advertise-client-urls", self.url]

    def start(self) -> "Etcd":
        """Returns once it answers."""
        self.begin()
        wait_until("an answer of etcd", self.answers, 90)
        return self

    def begin(self):
        """Does not wait for an answer."""
        command = [*self.command(), "--data-dir", str(self.directory / "data")]
        command += ["--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url]
        if self.tls:
            command += ["--cert-file", str(self.tls[0]), "--key-file", str(self.tls[1])]
        if self.clients:
            command += ["--client-cert-auth", "--trusted-ca-file", str(self.clients)]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def answers(self) -> bool:
        """Whether it can be written to."""
        try:
            return "leader" in self.call("/v3/maintenance/status")
        except OSError:
            return False

    def call(self, path: str, token: str | None = None, **body) -> dict:
        """A request to the JSON gateway. Raises OSError if there is no 200."""
        return self.request(self.url + path, token, body)

    def request(self, url: str, token: str | None, body: dict) -> dict:
        """The same to this address of it."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
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


class Node(Etcd):
    """One of several, on a machine of its own. Daemons on other machines use `url`."""

    def __init__(self, directory: Path, number: int, machine: Machine):
        super().__init__(directory)
        self.number, self.machine = number, machine
        self.url, self.peer_url = f"http://{machine.address}:2379", f"http://{machine.address}:2380"
        self._here = f"http://127.0.0.1:{self.port}"
        self.all: list[Node] = []
        machine.publish(self.port)

    def command(self) -> list[str]:
        together = ",".join(f"node{node.number}={node.peer_url}" for node in self.all)
        command = [*self.machine.before, "etcd", "--name", f"node{self.number}", "--initial-cluster", together]
        return [*command, "--listen-client-urls", f"{self.url},{self._here}", "--advertise-client-urls", self.url]

    def call(self, path: str, token: str | None = None, **body) -> dict:
        return self.request(self._here + path, token, body)

    def leads(self) -> bool:
        """Whether it is the leader, as it says."""
        try:
            status = self.call("/v3/maintenance/status")
        except OSError:
            return False
        return status.get("leader") == status["header"]["member_id"]


class Quorum:
    """Three nodes, of which one may be gone. Used like one."""

    def __init__(self, directory: Path, network: Network):
        self.network = network
        self.nodes = [Node(directory / f"node{number}", number, network.machine()) for number in (1, 2, 3)]
        for node in self.nodes:
            node.all = self.nodes
        self.url = ",".join(node.url for node in self.nodes)

    def start(self) -> "Quorum":
        """Starts those that do not run. Returns once all answer."""
        for node in self.nodes:
            if not node.process:
                node.begin()
        for node in self.nodes:
            wait_until(f"an answer of node {node.number}", node.answers, 90)
        return self

    def leader(self) -> Node:
        """The node that the others follow. It may take some time until there is one."""
        return wait_until("a leader", lambda: next((node for node in self.nodes if node.process and node.leads()), None), 60)

    def call(self, path: str, token: str | None = None, **body) -> dict:
        """Asks the first node that can answer, for at most 60 s. A request that writes may then be made twice."""
        answers: list[dict] = []

        def is_answered() -> bool:
            for node in self.nodes:
                try:
                    answers.append(node.call(path, token, **body))
                    return True
                except OSError:
                    continue
            return False

        wait_until(f"an answer to {path}", is_answered, 60)
        return answers[0]

    def stop(self):
        """Ends all of them as a crash does."""
        for node in self.nodes:
            node.stop()

    close = stop
