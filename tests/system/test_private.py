"""The daemon's memory and environment hold keys: no core dump, no look into them for other processes of its user; and its
own metrics are there all the same, whoever it runs as."""

import os
import resource
import shutil
import signal
import subprocess

import pytest

from parts.daemon import Daemon, environment, free_port
from parts.needs import need

NOBODY = 65534


@pytest.fixture
def as_nobody(rig, tmp_path):
    """Starts the daemon as a user without any privilege."""
    need("root")
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    binary = shutil.copy(rig.binary, tmp_path)
    place = tmp_path / "place"
    place.mkdir()
    os.chown(place, NOBODY, NOBODY)
    started = []

    def start() -> Daemon:
        port = free_port()
        settings = {"METRICS_PORT": str(port), "SENTINEL__METRICS__BIND": "127.0.0.1", "STATE_DIRECTORY": str(place)}
        args = ["--reuid", str(NOBODY), "--clear-groups", binary, "run", "--cycles", "1", "--eodhd-base-url", rig.market.url]
        # The core dump of a process that may make one would be of any size.
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        try:
            started.append(Daemon("setpriv", args, environment(**settings), tmp_path / "nobody", port))
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, limits)
        return started[-1].wait_serving()

    yield start
    for daemon in started:
        daemon.close()


def test_another_process_of_its_user_sees_neither_its_environment_nor_its_memory(as_nobody):
    daemon = as_nobody()
    for name in ("environ", "mem", "maps"):
        look = ["setpriv", "--reuid", str(NOBODY), "--clear-groups", "head", "-c", "1", f"/proc/{daemon.pid}/{name}"]
        done = subprocess.run(look, capture_output=True, text=True)
        assert done.returncode != 0 and "Permission denied" in done.stderr, (name, done)


def test_its_own_metrics_are_there(as_nobody):
    daemon = as_nobody()
    metrics = daemon.after_cycles(1)
    for name in ("resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds", "threads"):
        assert metrics.values[f"process_{name}", frozenset()] > 0, name
    assert metrics.values["process_start_time_seconds", frozenset()] > 1e9


def test_it_leaves_no_core(as_nobody):
    daemon = as_nobody()
    # A core would be written there.
    daemon.out.parent.chmod(0o777)
    daemon.process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(daemon.pid, 0)
    daemon.process.returncode = -os.WTERMSIG(status)
    assert os.WTERMSIG(status) == signal.SIGABRT and not os.WCOREDUMP(status)


def test_verify_inf_still_says_what_it_can_and_root_sees_all(as_nobody, rig):
    daemon = as_nobody()
    command = [rig.binary, "verify", "inf", "--url", f"http://127.0.0.1:{daemon.port}", "--hub", "127.0.0.1", "--wait", "1"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30)
    assert f"pid {daemon.pid}, user nobody" in done.stdout, done.stdout
