"""config/model/README.md, read and run: its commands, its settings file, its examples."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from parts.daemon import ALONE, free_port, wait_until
from parts.paths import ROOT

PAGE = ROOT / "config/model/README.md"
BARS = ROOT / "src/sandbox/data/eurusd_h1.csv"


def section(title: str) -> str:
    """The text below this heading, up to the next one."""
    _, rest = PAGE.read_text().split(f"\n## {title}\n")
    return rest.split("\n## ")[0]


def blocks(kind: str, text: str) -> list[str]:
    """What stands between ``` of this kind; "" is a block without one."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [content.strip() if kind == "sh" else content for name, content in found if name == kind]


class Walk:
    """Types commands of the page: the home is a folder of its own, the binary is in its PATH, the page's ports become free ones.
    Servers go on in the background."""

    def __init__(self, binary: Path, home: Path):
        self.directory, self.servers, self._said = home / "own-model", [], {}
        (home / "bin").mkdir(parents=True)
        (home / "bin/sentinel").symlink_to(binary)
        self.ports = {page: free_port() for page in ("5001", "5002", "8081")}
        path = f"{home / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        quiet = {"PYTHONDONTWRITEBYTECODE": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        self.env = ALONE | {"PATH": path, "HOME": str(home)} | quiet

    def type(self, command: str, cwd: Path | None = None, timeout_s: float = 300) -> str:
        """Runs it to its end, which is to be a good one; what it said."""
        print(f"$ {command}")
        done = subprocess.run(
            ["bash", "-e", "-c", self._own(command)], cwd=cwd or self.directory, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s,
        )  # fmt: skip
        print(done.stdout)
        assert done.returncode == 0, f"{command}: exit {done.returncode}: {done.stdout[-4000:]}"
        self._said[command] = done.stdout
        return done.stdout

    def said(self, begin: str) -> str:
        """What the first command that begins so has said."""
        return next(said for command, said in self._said.items() if command.startswith(begin))

    def serve(self, command: str, timeout_s: float = 120):
        """Starts it and waits until it listens on its port."""
        print(f"$ {command} &")
        [port] = [port for page, port in self.ports.items() if page in command]
        log = self.directory / f"server-{port}"
        with log.open("wb") as out:
            server = subprocess.Popen(
                ["bash", "-c", f"exec {self._own(command)}"], cwd=self.directory, env=self.env, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        self.servers.append(server)

        def listens() -> bool:
            assert server.poll() is None, log.read_text()[-4000:]
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(f"{command} to listen", listens, timeout_s)

    def write(self, name: str, text: str):
        """A file that the page wants to be written."""
        (self.directory / name).write_text(self._own(text))

    def close(self):
        """Ends the servers with all their workers."""
        for server in self.servers:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)

    def _own(self, text: str) -> str:
        for page, port in self.ports.items():
            text = text.replace(page, str(port))
        return text
