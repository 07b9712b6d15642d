"""A Docker engine, used by its command line. Everything that a test creates there has the test's label and is removed with it.

Containers are reached by their own addresses. No ports are published on this machine.
"""

import json
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable

from parts.daemon import wait_until
from parts.exposition import Metrics
from parts.requirements import require

PORT = 8000
# As docker/compose.yaml runs it on INF.
HARDENED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true", "--ipc=none"]
HARDENED += ["--tmpfs=/dev/mqueue:ro", "--memory=256m", "--cpus=0.5", "--pids-limit=64"]


def docker(*args: str, check: bool = True, timeout_s: float = 120.0, **kwargs) -> subprocess.CompletedProcess:
    """Runs one command: exit code and both streams as text. Fails with the command's output unless `check` is off."""
    command = ["docker", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout_s, **kwargs)
    said = (done.stdout[-3000:] + done.stderr[-3000:]) if check and done.returncode else ""
    assert not check or done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}: {said}"
    return done


def must_answer():
    """Fails if no engine runs."""
    require("engine")
    asked = docker("version", "--format", "{{.Server.Version}}", check=False)
    assert asked.returncode == 0, f"no Docker engine answers (see tests/README.md): {asked.stderr.strip()}"


class Container:
    """One container, started or not, until its engine is closed."""

    def __init__(self, name: str):
        self.name = name

    def inspect(self) -> dict:
        """The output of `docker inspect`."""
        return json.loads(docker("container", "inspect", self.name).stdout)[0]

    @property
    def pid(self) -> int:
        """Process id of its first process, on this machine; 0 if it does not run."""
        return self.inspect()["State"]["Pid"]

    @property
    def exit_code(self) -> int | None:
        """The exit code; `None` while it runs."""
        state = self.inspect()["State"]
        return None if state["Running"] or state["Status"] == "created" else state["ExitCode"]

    def address(self, network: str | None = None) -> str:
        """Its address, in this network if it is in several."""
        networks = self.inspect()["NetworkSettings"]["Networks"]
        return (networks[network] if network else next(iter(networks.values())))["IPAddress"]

    def logs(self) -> str:
        """The output of all its starts, both streams."""
        said = docker("logs", self.name)
        return said.stdout + said.stderr

    def json_logs(self) -> list[dict]:
        """The log lines, parsed; other lines are skipped."""
        lines = [line for line in self.logs().splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines]

    def exec(self, *command: str, check: bool = True, options: list[str] | None = None) -> subprocess.CompletedProcess:
        """Runs a command in the container."""
        return docker("exec", *(options or []), self.name, *command, check=check)

    def start(self):
        """Starts it again after it has ended."""
        docker("start", self.name)

    def stop(self, grace_s: int = 20) -> tuple[int, float]:
        """`docker stop`: the stop signal, then SIGKILL after the grace period. Exit code and seconds."""
        began = time.monotonic()
        docker("stop", "-t", str(grace_s), self.name)
        return self.inspect()["State"]["ExitCode"], time.monotonic() - began

    def kill(self, signal: str = "KILL"):
        """`docker kill -s`: this signal to its first process."""
        docker("kill", "-s", signal, self.name)

    def wait_exit(self, timeout_s: float = 20.0) -> int:
        """Its exit code, once it has ended."""
        wait_until(f"the end of {self.name}", lambda: self.exit_code is not None, timeout_s)
        return self.exit_code

    def health(self) -> str:
        """`starting`, `healthy` or `unhealthy`, by its HEALTHCHECK."""
        return self.inspect()["State"]["Health"]["Status"]

    def wait_health(self, wanted: str, timeout_s: float = 30.0):
        """Returns once its health is this."""
        wait_until(f"{self.name} {wanted}", lambda: self.health() == wanted or self._must_live(), timeout_s)

    def get(self, path: str, port: int = PORT, timeout_s: float = 5.0) -> tuple[int, str]:
        """Status and body of an answer. Raises OSError if there is no answer."""
        try:
            with urllib.request.urlopen(f"http://{self.address()}:{port}{path}", timeout=timeout_s) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> Metrics:
        """The exposition, parsed."""
        status, text = self.get("/metrics")
        assert status == 200, f"/metrics answers {status}"
        return Metrics(text)

    def wait_metrics(self, what: str, condition: Callable[[Metrics], object], timeout_s: float = 30.0) -> Metrics:
        """The first exposition for which the condition holds."""
        seen: list[Metrics] = []

        def holds() -> bool:
            self._must_live()
            try:
                seen[:] = [self.metrics()]
            except OSError:
                return False
            return bool(condition(seen[0]))

        wait_until(f"{self.name}: {what}", holds, timeout_s)
        return seen[0]

    def after_cycles(self, count: int = 1, timeout_s: float = 30.0) -> Metrics:
        """The exposition once this many cycles have ended."""
        return self.wait_metrics(f"{count} cycles", lambda m: m("trading_cycles_total") >= count, timeout_s)

    def _must_live(self):
        assert self.exit_code is None, f"{self.name} ended with {self.exit_code}: {self.logs()[-3000:]}"


def writable_places(container: Container) -> list[str]:
    """Directories and files, outside /proc and /sys, that its process may write to. The contents of a writable directory are
    not listed."""
    search = "find / ( -path /proc -o -path /sys ) -prune -o ( -type d -o -type f ) -writable -print -prune"
    return container.exec(*search.split(), check=False).stdout.split()


class Engine:
    """The containers, networks and volumes of one test, with unique names."""

    def __init__(self):
        must_answer()
        self.run_id = f"sentinel-test-{uuid.uuid4().hex[:8]}"
        self._label = f"--label={self.run_id}"
        self._made = 0
        self.containers: list[Container] = []

    def name(self, kind: str) -> str:
        """A unique name."""
        self._made += 1
        return f"{self.run_id}-{kind}-{self._made}"

    def network(self, subnet: str | None = None, *options: str) -> str:
        """A new network, with this subnet if given."""
        name = self.name("network")
        docker("network", "create", self._label, *([f"--subnet={subnet}"] if subnet else []), *options, name)
        return name

    def connect(self, container: Container, network: str, *options: str):
        """Connects a container, for example after `disconnect`. Options are for example `--ip` and `--alias`."""
        docker("network", "connect", *options, network, container.name)

    def disconnect(self, container: Container, network: str):
        """Disconnects a container: its address is gone, and packets on their way are lost."""
        docker("network", "disconnect", "-f", network, container.name)

    def volume(self) -> str:
        """An empty volume."""
        name = self.name("volume")
        docker("volume", "create", self._label, name)
        return name

    def volume_path(self, volume: str) -> str:
        """The path of a volume on this machine."""
        return json.loads(docker("volume", "inspect", volume).stdout)[0]["Mountpoint"]

    def run(self, image: str, *command: str, options: list[str] | None = None, name: str | None = None) -> Container:
        """`docker run -d`, with these options."""
        container = Container(name or self.name("container"))
        self.containers.append(container)
        docker("run", "-d", self._label, f"--name={container.name}", *(options or []), image, *command)
        return container

    def once(self, image: str, *command: str, options: list[str] | None = None) -> subprocess.CompletedProcess:
        """`docker run --rm` until it ends: exit code and both streams."""
        name = self.name("once")
        args = ["run", "--rm", self._label, f"--name={name}", *(options or []), image, *command]
        return docker(*args, check=False)

    def close(self):
        """Removes everything. Under pytest it prints the containers' output, which pytest shows if the test failed."""
        for container in self.containers:
            said = docker("logs", "--tail=60", container.name, check=False)
            print(f"--- {container.name}\n{said.stdout[-4000:]}{said.stderr[-4000:]}")
        label = f"label={self.run_id}"
        for kind, list_all in [("container", ["-a"]), ("network", []), ("volume", [])]:
            found = docker(kind, "ls", "-q", *list_all, "--filter", label).stdout.split()
            if found:
                force = ["-f"] if kind != "network" else []
                docker(kind, "rm", *force, *(["-v"] if kind == "container" else []), *found)
