"""A real Prometheus as a child process: starts it with a configuration, and queries it."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from parts.daemon import free_port, wait_until
from parts.requirements import require


class Prometheus:
    """One running `prometheus`. It has its own directory with data and log, and listens on loopback."""

    def __init__(self, config: Path, directory: Path, *flags: str, port: int | None = None):
        require("prometheus")
        directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / "prometheus.log"
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'tsdb'}"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-lifecycle", *flags]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until("Prometheus is ready", self._is_ready, 30)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"Prometheus ended: {self.log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    def api(self, path: str, **parameters: str) -> dict | list:
        """The `data` of an answer of its API. Fails with the answer's text if the status is not success."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from None

    def query(self, expression: str) -> list[dict]:
        """The samples of an instant query."""
        return self.api("query", query=expression)["result"]

    def value(self, expression: str) -> float | None:
        """The value of a query with one sample; `None` if there is no sample."""
        result = self.query(expression)
        assert len(result) <= 1, f"{expression} gives {len(result)} samples"
        return float(result[0]["value"][1]) if result else None

    def reload(self):
        """Makes it read its configuration again, like `kill -HUP`."""
        os.kill(self.process.pid, signal.SIGHUP)

    def close(self):
        """Ends it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
