"""A real Alertmanager as a child process: starts it with a configuration, reads its alerts, and adds alerts with amtool."""

import json
import subprocess
import time
import urllib.request
from pathlib import Path

from parts.daemon import free_port, wait_until
from parts.requirements import require


class Alertmanager:
    """One running `prometheus-alertmanager`, without a cluster. Its data and log are in a directory of its own."""

    def __init__(self, config: Path, directory: Path):
        require("alertmanager")
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / "alertmanager.log"
        self.command = ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={directory / 'data'}"]
        self.command += [f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="]
        self.start()

    def start(self):
        """Starts it. After `close` it starts again, with its stored data."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until("Alertmanager is ready", self._is_ready, 30)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"Alertmanager ended: {self.log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    def alerts(self) -> list[dict]:
        """All alerts, including inhibited ones."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as answer:
            return json.load(answer)

    def add(self, annotations: dict[str, str], **labels: str):
        """Adds an alert that lasts for an hour, whatever the configuration says."""
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        command = ["amtool", f"--alertmanager.url={self.url}", "alert", "add", f"--end={end}"]
        command += [f"--annotation={key}={value}" for key, value in annotations.items()]
        command += [f"{key}={value}" for key, value in labels.items()]
        subprocess.run(command, check=True, capture_output=True, timeout=30)

    def add_all(self, alerts: list[dict[str, str]]):
        """Adds alerts by their labels, all at once. They last for minutes."""
        body = json.dumps([{"labels": labels} for labels in alerts]).encode()
        request = urllib.request.Request(f"{self.url}/api/v2/alerts", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10):
            pass

    def reload(self):
        """Makes it read its configuration again. Raises if it refuses the configuration."""
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")
        with urllib.request.urlopen(request, timeout=10):
            pass

    def close(self):
        """Ends it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
