"""What a test may require besides Rust and Python. Code that uses it calls `require("prometheus")`, and the test is skipped where
it is missing. If everything must run (SENTINEL_ALL_TESTS), the test continues, and fails by itself."""

import functools
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from parts.paths import ROOT


def programs(*names: str) -> bool:
    """Whether all of these programs are on the path."""
    return all(shutil.which(name) for name in names)


def has_curve() -> bool:
    """The build with CURVE and fail points."""
    return Path(os.environ.get("SENTINEL_CURVE_BIN", ROOT / "target/curve/debug/sentinel")).is_file()


def has_alertmanager() -> bool:
    """With its templates, which Debian's Alertmanager looks for in only one place."""
    return programs("amtool", "prometheus-alertmanager") and Path("/usr/share/prometheus/alertmanager/default.tmpl").is_file()


def has_engine() -> bool:
    """A Docker engine that answers."""
    return programs("docker") and subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def has_namespaces() -> bool:
    """Whether root may create namespaces: in a container root may not be allowed to."""
    if not is_root() or not programs("unshare", "nsenter"):
        return False
    return subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode == 0


def has_machines() -> bool:
    """Whether root may connect network namespaces with each other."""
    if not has_namespaces() or not programs("ip"):
        return False
    commands = ("link add name one type bridge", "link add name two type veth peer name three")
    made = [subprocess.run(["unshare", "--net", "ip", *command.split()], capture_output=True, check=False) for command in commands]
    return not any(done.returncode for done in made)


def is_root() -> bool:
    """Whether this process runs as root."""
    return os.geteuid() == 0


def has_open_files() -> bool:
    """Whether this process may have thousands of files and sockets open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard == resource.RLIM_INFINITY or hard >= 8_192


# Any other name is a program on the path.
PROBES = {
    "alertmanager": has_alertmanager,
    "curve": has_curve,
    "engine": has_engine,
    "machines": has_machines,
    "open files": has_open_files,
    "prometheus": lambda: programs("promtool", "prometheus"),
    "root": is_root,
    "systemd": lambda: has_namespaces() and programs("systemd-analyze") and Path("/lib/systemd/systemd").is_file(),
}


@functools.cache
def is_here(name: str) -> bool:
    """Whether this requirement is met."""
    return PROBES[name]() if name in PROBES else programs(name)


def require(*names: str):
    """Skips the running test unless all of these are present."""
    absent = [name for name in names if not is_here(name)]
    if absent and not os.environ.get("SENTINEL_ALL_TESTS"):
        pytest.skip(f"not here: {', '.join(absent)}")
