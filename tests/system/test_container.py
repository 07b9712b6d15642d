"""One container: what its process may do, its health, how it ends, and what it costs."""

import json
import os
import re
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from parts.engine import HARDENED, Container, writable_places
from parts.tables import keep

pytestmark = pytest.mark.engine
HOME = "/var/lib/sentinel"
JOURNAL = f"{HOME}/journal.db"
GRACE_S = 20


@pytest.fixture
def volume(engine) -> str:
    """A volume for the journal."""
    return engine.volume()


@pytest.fixture
def trading(image, engine, volume):
    """Starts a daemon that trades with its own sandbox and keeps its journal in the volume."""

    def start(*options: str, cycle_seconds: str = "0.2", cycles: str = "0") -> Container:
        command = ["demo", "--cycle-seconds", cycle_seconds, "--cycles", cycles, "--journal", JOURNAL]
        return engine.run(image, *command, options=[*HARDENED, f"-v={volume}:{HOME}", *options])

    return start


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_process_has_no_user_name_and_no_capability(trading):
    container = trading()
    container.after_cycles(1)
    status = status_of(container.pid)
    assert status["Uid"].split() == status["Gid"].split() == ["65532"] * 4
    assert set(status["Groups"].split()) <= {"65532"}
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_without_options_the_process_is_not_root(image, engine):
    container = engine.run(image, "demo")
    container.after_cycles(1)
    status = status_of(container.pid)
    assert status["Uid"].split() == status["Gid"].split() == ["65532"] * 4
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_it_can_write_only_to_its_volume(trading):
    container = trading()
    container.after_cycles(1)
    assert writable_places(container) == [HOME]
    for place in ("/", "/tmp", "/etc/sentinel", "/usr/local/bin", "/dev/shm", "/run", "/proc/sys/kernel"):
        assert container.exec("touch", f"{place}/file", check=False).returncode != 0, place
    container.exec("touch", f"{HOME}/file")


def test_its_health_follows_the_process(trading):
    container = trading("--health-interval=1s", "--health-retries=1", "--health-start-period=0s")
    container.wait_health("healthy")
    container.kill("STOP")
    container.wait_health("unhealthy")
    container.kill("CONT")
    container.wait_health("healthy")
    assert container.stop()[0] == 0


def ends_whole(container: Container, image: str, engine, volume: str):
    """Expects exit 0, and a journal that is closed, unlocked, and readable for the next daemon."""
    assert container.exit_code == 0, container.logs()[-2000:]
    assert container.json_logs()[-1]["message"] == "stopped"
    place = Path(engine.volume_path(volume))
    assert [path.name for path in place.glob("journal.db-*")] == [], "the journal was not closed"
    with sqlite3.connect(place / "journal.db", isolation_level=None) as journal:
        assert journal.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        journal.execute("PRAGMA locking_mode = EXCLUSIVE")
        journal.execute("BEGIN EXCLUSIVE")
        journal.execute("ROLLBACK")
    journal.close()
    for left in place.glob("journal.db-*"):
        os.chown(left, 65532, 65532)
    listed = engine.once(image, "orders", "--json", "--journal", JOURNAL, options=[*HARDENED, f"-v={volume}:{HOME}"])
    assert listed.returncode == 0, listed.stderr
    states = {order["state"] for order in json.loads(listed.stdout)}
    assert "filled" in states and "unknown" not in states, states


@pytest.mark.parametrize("how", ["docker stop", "docker kill -s INT", "docker kill -s TERM"])
def test_it_ends_cleanly_within_the_grace_period(trading, image, engine, volume, how):
    container = trading()
    container.wait_metrics("orders", lambda metrics: metrics("orders_total", outcome="filled") >= 3)
    began = time.monotonic()
    if how == "docker stop":
        container.stop(GRACE_S)
    else:
        container.kill(how.rpartition(" ")[2])
    assert container.wait_exit(GRACE_S) == 0
    assert time.monotonic() - began < GRACE_S
    ends_whole(container, image, engine, volume)


def test_a_stopped_process_is_killed_and_continues_from_its_journal(trading, image, engine, volume):
    """If a supervisor restarts an `unhealthy` container, nothing that was written is lost."""
    container = trading()
    container.wait_metrics("orders", lambda metrics: metrics("orders_total", outcome="filled") >= 3)
    container.kill("STOP")
    assert container.stop(1)[0] == 128 + signal.SIGKILL
    container.start()
    container.wait_metrics("orders", lambda metrics: metrics("orders_total", outcome="filled") >= 1)
    assert container.stop()[0] == 0
    ends_whole(container, image, engine, volume)


class Cgroup:
    """A container's counters, for both versions of cgroups."""

    def __init__(self, pid: int):
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        paths = {name: path for _, names, path in (line.split(":", 2) for line in lines) for name in names.split(",")}
        root = Path("/sys/fs/cgroup")
        self.is_v1 = "memory" in paths
        if self.is_v1:
            self.memory, self.cpu = root / f"memory{paths['memory']}", root / f"cpuacct{paths['cpuacct']}"
        else:
            self.memory = self.cpu = root / paths[""].lstrip("/")

    def cpu_s(self) -> float:
        """CPU time of all its processes so far."""
        if self.is_v1:
            return int((self.cpu / "cpuacct.usage").read_text()) / 1e9
        return int(re.search(r"usage_usec (\d+)", (self.cpu / "cpu.stat").read_text())[1]) / 1e6

    def memory_mib(self) -> float:
        """The memory in use without reclaimable file cache, as `docker stats` shows it."""
        used = int((self.memory / ("memory.usage_in_bytes" if self.is_v1 else "memory.current")).read_text())
        field = "total_inactive_file" if self.is_v1 else "inactive_file"
        cache = int(re.search(rf"^{field} (\d+)", (self.memory / "memory.stat").read_text(), re.MULTILINE)[1])
        return (used - cache) / 2**20


@pytest.mark.full
def test_cpu_and_memory_stay_within_their_bounds(trading):
    """200 demo cycles back to back, then 200 at five per second. The figures include the sandbox's three servers."""
    container = trading(cycle_seconds="0.2", cycles="400")
    cgroup, rows = Cgroup(container.pid), []
    cpu_before, since = 0.0, time.monotonic()
    for what, cycles in [("200 cycles back to back, including the start", 200), ("200 more, five per second", 400)]:
        # Scrapes seldom, because a scrape also costs CPU.
        while container.after_cycles(1)("trading_cycles_total") < cycles:
            assert time.monotonic() - since < 120, container.logs()[-2000:]
            time.sleep(1)
        cpu, now = cgroup.cpu_s(), time.monotonic()
        resident = int(status_of(container.pid)["VmHWM"].split()[0]) / 1024
        rows.append((what, now - since, (cpu - cpu_before) * 1e3 / 200, cgroup.memory_mib(), resident))
        cpu_before, since = cpu, now
    lines = [f"{'':42}{'s':>7}{'CPU ms/cycle':>14}{'memory MiB':>12}{'process peak MiB':>18}"]
    lines += [f"{what:42}{took:>7.1f}{cpu:>14.2f}{memory:>12.1f}{peak:>18.1f}" for what, took, cpu, memory, peak in rows]
    keep("container", "\n".join(lines))
    for _, _, cpu, memory, peak in rows:
        assert cpu < 50 and memory < 64 and peak < 64
