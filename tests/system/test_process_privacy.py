"""The daemon's memory and environment contain keys: it leaves no core dump, and other processes of its user cannot read them.
Its own process metrics still work, whatever its user."""

import os
import resource
import shutil
import signal
import subprocess

import pytest

from parts.daemon import Daemon, environment, free_port

NOBODY = 65534


@pytest.fixture
def as_nobody(harness, reachable_folder):
    """Starts the daemon as an unprivileged user."""
    binary = shutil.copy(harness.binary, reachable_folder)
    place = reachable_folder / "place"
    place.mkdir()
    os.chown(place, NOBODY, NOBODY)
    started = []

    def start() -> Daemon:
        port = free_port()
        settings = {"METRICS_PORT": str(port), "SENTINEL__METRICS__BIND": "127.0.0.1", "STATE_DIRECTORY": str(place)}
        args = ["--reuid", str(NOBODY), "--clear-groups", binary, "run", "--cycles", "1", "--eodhd-base-url", harness.market.url]
        # Allows core dumps of any size.
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        try:
            started.append(Daemon("setpriv", args, environment(**settings), reachable_folder / "nobody", port))
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, limits)
        return started[-1].wait_serving()

    yield start
    for daemon in started:
        daemon.close()


def test_other_processes_cannot_read_its_environment_or_memory(as_nobody):
    daemon = as_nobody()
    for name in ("environ", "mem", "maps"):
        look = ["setpriv", "--reuid", str(NOBODY), "--clear-groups", "head", "-c", "1", f"/proc/{daemon.pid}/{name}"]
        done = subprocess.run(look, capture_output=True, text=True)
        assert done.returncode != 0 and "Permission denied" in done.stderr, (name, done)


def test_its_process_metrics_work(as_nobody):
    daemon = as_nobody()
    metrics = daemon.after_cycles(1)
    for name in ("resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds", "threads"):
        assert metrics.values[f"process_{name}", frozenset()] > 0, name
    assert metrics.values["process_start_time_seconds", frozenset()] > 1e9


def test_it_leaves_no_core_dump(as_nobody):
    daemon = as_nobody()
    # A core dump would be written there.
    daemon.out.parent.chmod(0o777)
    daemon.process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(daemon.pid, 0)
    daemon.process.returncode = -os.WTERMSIG(status)
    assert os.WTERMSIG(status) == signal.SIGABRT and not os.WCOREDUMP(status)


def test_verify_inf_works_for_its_user_and_for_root(as_nobody, harness):
    daemon = as_nobody()
    command = [harness.binary, "verify", "inf", "--url", f"http://127.0.0.1:{daemon.port}", "--hub", "127.0.0.1", "--wait", "1"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30)
    assert f"pid {daemon.pid}, user nobody" in done.stdout, done.stdout
