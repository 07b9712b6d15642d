"""What a test may need beside Rust and Python. Whoever uses it says `need("prometheus")`, and the test is skipped where it is
not; where everything has to run (SENTINEL_ALL_TESTS) it goes on, and fails by itself."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def programs(*names: str) -> bool:
    """Whether all of them are on the path."""
    return all(shutil.which(name) for name in names)


def has_curve() -> bool:
    """The build with CURVE and fail points."""
    return Path(os.environ.get("SENTINEL_CURVE_BIN", ROOT / "target/curve/debug/sentinel")).is_file()


def has_alertmanager() -> bool:
    """With the templates, which Debian's looks for in one place only."""
    return programs("amtool", "prometheus-alertmanager") and Path("/usr/share/prometheus/alertmanager/default.tmpl").is_file()


def has_engine() -> bool:
    """A Docker engine that answers."""
    return programs("docker") and subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def has_namespaces() -> bool:
    """Root's own network and mounts: a container may be root and not be allowed any."""
    if not is_root() or not programs("unshare", "nsenter"):
        return False
    return subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode == 0


def is_root() -> bool:
    """Whether this process may do what root may."""
    return os.geteuid() == 0


# Anything else is a program on the path.
PROBES = {
    "alertmanager": has_alertmanager,
    "curve": has_curve,
    "engine": has_engine,
    "prometheus": lambda: programs("promtool", "prometheus"),
    "root": is_root,
    "systemd": lambda: has_namespaces() and programs("systemd-analyze") and Path("/lib/systemd/systemd").is_file(),
}


@functools.cache
def is_here(name: str) -> bool:
    """By its probe, or by its name."""
    return PROBES[name]() if name in PROBES else programs(name)


def need(*names: str):
    """Skips the test that runs unless all of these are here."""
    absent = [name for name in names if not is_here(name)]
    if absent and not os.environ.get("SENTINEL_ALL_TESTS"):
        pytest.skip(f"not here: {', '.join(absent)}")
