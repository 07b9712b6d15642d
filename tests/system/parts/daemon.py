"""The real binary as a child process: starts it, reads its output and metrics, sends signals, and always ends it."""

import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from parts.exposition import Metrics

TOKEN = "test-token"
# pytest-xdist numbers its processes gw0, gw1, ...; each has 2,000 ports of its own. Another run on this machine starts elsewhere.
FIRST = 12_000 + 2_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = (FIRST + number % 2_000 for number in itertools.count(os.getpid()))
# What every child sees. The file is empty, and there instead of /etc/sentinel/production.toml, which the machine may have.
ALONE = {"PATH": os.environ["PATH"], "SENTINEL_CONFIG": "/dev/null"}


def free_port() -> int:
    """A port that is free and that only this process of the test run gives away. It lies below the ephemeral ports, so that
    no outgoing connection takes it before its listener does."""
    while True:
        port = next(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port


def wait_until(what: str, condition: Callable[[], object], timeout_s: float = 10.0):
    """Polls until the condition holds, and returns its value. Fails with `what` if it never holds."""
    deadline = time.monotonic() + timeout_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


def environment(**variables: str) -> dict[str, str]:
    """The child's environment: the search path, a token, and the test's variables. There is no HOME, so that nothing is written
    to the state directory of the person who runs the tests. There is no console, whose port all daemons of a machine share."""
    return ALONE | {"EODHD_API_TOKEN": TOKEN, "SENTINEL__CONSOLE__ENABLED": "false"} | variables


class Daemon:
    """One running `sentinel`. It has its own directory, which contains its output in two files. It is also its working
    directory and, unless the environment changes that, the folder of its journal and lock."""

    def __init__(self, binary: Path, args: list[str], env: dict[str, str], directory: Path, port: int | None = None):
        directory.mkdir(parents=True)
        env = {"STATE_DIRECTORY": str(directory), "TMPDIR": str(directory)} | env
        self.port = port
        self.out, self.err = directory / "stdout", directory / "stderr"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.started_at = time.monotonic()
            self.process = subprocess.Popen(
                [binary, *args], env=env, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    def output(self) -> str:
        """All output so far, both streams."""
        return self.out.read_text(errors="replace") + self.err.read_text(errors="replace")

    def logs(self) -> list[dict]:
        """The log lines, parsed; other lines are skipped."""
        lines = []
        for line in self.output().splitlines():
            try:
                parsed = json.loads(line)
            except ValueError:
                continue
            if isinstance(parsed, dict):
                lines.append(parsed)
        return lines

    def get(self, path: str, timeout_s: float = 5.0) -> tuple[int, dict[str, str], str]:
        """Status, headers in lower case, and body of an answer. Raises OSError if there is no answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout_s) as answer:
                found = answer
                body = answer.read()
        except urllib.error.HTTPError as error:
            found, body = error, error.read()
        except http.client.HTTPException as error:
            # A daemon that is killed breaks off in the middle of its answer.
            raise OSError(f"no whole answer: {error!r}") from None
        headers = {name.lower(): value for name, value in found.headers.items()}
        return found.status, headers, body.decode()

    def serves(self) -> bool:
        """Whether /metrics answers 200."""
        try:
            return self.get("/metrics")[0] == 200
        except OSError:
            return False

    def wait_serving(self, timeout_s: float = 10.0) -> "Daemon":
        """Returns once /metrics answers 200."""
        wait_until("an answer of /metrics", lambda: self.serves() or self._must_live(), timeout_s)
        return self

    def metrics(self) -> Metrics:
        """The exposition, parsed."""
        return Metrics(self.get("/metrics")[2])

    def wait_metrics(self, what: str, condition: Callable[[Metrics], object], timeout_s: float = 10.0) -> Metrics:
        """The first exposition for which the condition holds."""
        self.wait_serving(timeout_s)
        seen: list[Metrics] = []

        def holds() -> bool:
            self._must_live()
            seen[:] = [self.metrics()]
            return bool(condition(seen[0]))

        wait_until(what, holds, timeout_s)
        return seen[0]

    def after_cycles(self, count: int = 1, timeout_s: float = 15.0) -> Metrics:
        """The exposition once this many cycles have ended."""
        return self.wait_metrics(f"{count} cycles", lambda m: m("trading_cycles_total") >= count, timeout_s)

    def send(self, number: int = signal.SIGINT):
        """Sends a signal."""
        self.process.send_signal(number)

    def wait_exit(self, timeout_s: float = 10.0) -> tuple[int, float]:
        """Exit code, and how long this call waited in seconds. Fails if the process does not exit."""
        began = time.monotonic()
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not exit within {timeout_s} s") from None
        return code, time.monotonic() - began

    def stop(self, number: int = signal.SIGINT, timeout_s: float = 10.0) -> tuple[int, float]:
        """Signals, then waits: exit code and seconds."""
        self.send(number)
        return self.wait_exit(timeout_s)

    def close(self):
        """Ends the process if it still runs. Under pytest it prints the output, which pytest shows if the test failed."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if "PYTEST_CURRENT_TEST" not in os.environ:
            return
        print(f"--- exit {self.process.returncode}: {' '.join(map(str, self.process.args[1:]))}")
        print(self.output()[-6000:])

    def _must_live(self):
        assert self.process.poll() is None, f"exited with {self.process.returncode}: {self.output()[-2000:]}"
