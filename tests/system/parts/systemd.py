"""A real systemd as the first process of its own namespaces. It starts Sentinel with docker/sentinel.service."""

import os
import shutil
import subprocess
from pathlib import Path

from parts.daemon import TOKEN, Daemon, wait_until
from parts.paths import ROOT
from parts.requirements import require

UNIT = ROOT / "docker/sentinel.service"
BINARY = "/usr/local/bin/sentinel"
GROUPS = Path("/sys/fs/cgroup")
LOG = "/run/sentinel.log"


def as_root(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess:
    """Runs a command that only root may run."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
    return done


class Systemd:
    """A systemd with the binary, production.toml and the key installed as the unit expects. It uses the machine's network."""

    def __init__(self, binary: Path, directory: Path):
        require("systemd")
        self.directory, self.log = directory, directory / "systemd.log"
        self._groups = self._make_groups(f"sentinel-{os.getpid()}-{directory.name}")
        self._put(BINARY, binary, 0o755)
        self._put("/etc/sentinel/production.toml", ROOT / "config/production.toml", 0o644)
        self._put("/etc/systemd/system/sentinel.service", UNIT, 0o644)
        self._put("/etc/sentinel/eodhd_api_token", TOKEN, 0o600)
        as_root("chown", "-R", "root:root", directory / "files")
        enter = "".join(f"echo $$ > {group}/cgroup.procs; " for group in self._groups)
        apart = "unshare --pid --fork --kill-child --mount --uts --ipc --cgroup"
        script = Path(__file__).with_name("systemd.sh")
        with self.log.open("wb") as log:
            self._unshare = subprocess.Popen(
                ["sh", "-c", f"{enter} exec {apart} sh {script} {directory}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        wait_until("a systemd", lambda: (directory / "pid").exists() or self._must_live())
        self.pid = int((directory / "pid").read_text())
        wait_until("its answer", lambda: self.run("systemctl", "is-system-running", check=False).stdout == "running\n")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        """Runs a command inside, as root."""
        inside = ["nsenter", "-t", str(self.pid), "-m", "-p", "-u", "-i", "-C", "-r", "-w", "--"]
        return as_root(*inside, *command, check=check)

    def edit(self, settings: dict[str, object], *arguments: str, more: str = ""):
        """Like `systemctl edit sentinel`: settings as environment variables, more arguments of `run`, more lines."""
        lines = [f'Environment="{name}={value}"' for name, value in settings.items()]
        started = next(line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart="))
        lines += ["ExecStart=", " ".join([started, *arguments]), f"StandardOutput=append:{LOG}", "StandardError=inherit"]
        drop_in = "[Service]\n" + "\n".join(lines) + "\n" + more
        place = "/etc/systemd/system/sentinel.service.d"
        self.run("sh", "-c", f'mkdir -p {place} && printf %s "$0" > {place}/here.conf', drop_in)
        self.run("systemctl", "daemon-reload")

    def systemctl(self, what: str, check: bool = True) -> int:
        """Starts, stops or restarts Sentinel; the exit code."""
        return self.run("systemctl", what, "sentinel", check=check).returncode

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.run("systemctl", "show", "--value", "-p", name, "sentinel").stdout.strip()

    def output(self) -> str:
        """The output of the daemons."""
        return self.run("cat", LOG, check=False).stdout

    def close(self):
        """Ends systemd and everything that it started."""
        if hasattr(self, "pid"):
            print(f"--- systemd: {self.log.read_text()[-2000:]}\n--- daemon: {self.output()[-6000:]}")
            as_root("kill", "-9", str(self.pid), check=False)
        self._unshare.wait(10)
        for group in self._groups:
            empty = ["find", str(group), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]
            wait_until("an empty control group", lambda: as_root(*empty, check=False) and not group.exists())
        as_root("rm", "-rf", self.directory / "files")

    def _put(self, path: str, what: Path | str, mode: int):
        target = self.directory / "files" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, Path):
            shutil.copyfile(what, target)
        else:
            target.write_text(what)
        target.chmod(mode)

    def _make_groups(self, name: str) -> list[Path]:
        """Creates a control group in each hierarchy."""
        roots = [GROUPS] if (GROUPS / "cgroup.controllers").exists() else sorted(GROUPS.iterdir())
        # A new cpuset group has no processor yet, and accepts no process.
        groups = [root / name for root in roots if (root / "cgroup.procs").exists() and "cpuset" not in root.name]
        for group in groups:
            as_root("mkdir", "-p", group)
        return groups

    def _must_live(self):
        assert self._unshare.poll() is None, self.log.read_text()


class Unit(Daemon):
    """The daemon that systemd runs, seen through its port."""

    def __init__(self, port: int):
        self.port = port

    def _must_live(self):
        pass
