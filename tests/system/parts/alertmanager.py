"""A real Alertmanager as a child process, with a receiver that sends nothing anywhere."""

import subprocess
import urllib.request
from pathlib import Path

from parts.daemon import free_port, wait_until

CONFIG = """
route: {receiver: nobody, group_wait: 1s}
receivers: [{name: nobody}]
"""


class Alertmanager:
    """One running `prometheus-alertmanager` on loopback, alone in its cluster."""

    def __init__(self, directory: Path, config: Path | None = None):
        directory.mkdir(parents=True, exist_ok=True)
        if config is None:
            config = directory / "alertmanager.yml"
            config.write_text(CONFIG)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / "alertmanager.log"
        command = ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={directory / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until("Alertmanager is ready", self._is_ready, 30)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"Alertmanager ended: {self.log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    def close(self):
        """Ends it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
