"""Fixtures of the system tests: the binary, and a rig of scripted parts around it."""

import os
from pathlib import Path

import pytest

from parts import image as images
from parts.engine import Engine
from parts.needs import need
from parts.rig import Rig

ROOT = Path(__file__).resolve().parents[2]
HOW = "CARGO_TARGET_DIR=target/curve cargo --config docker/curve.toml build"


@pytest.fixture(scope="session")
def binary() -> Path:
    """The binary under test: SENTINEL_BIN, or the debug build."""
    path = Path(os.environ.get("SENTINEL_BIN", ROOT / "target/debug/sentinel")).resolve()
    assert path.is_file(), f"no binary at {path}: cargo build"
    return path


@pytest.fixture(scope="session")
def curve_binary() -> Path:
    """The binary that links Debian's libzmq: SENTINEL_CURVE_BIN, or where tests/run.sh builds it."""
    need("curve")
    path = Path(os.environ.get("SENTINEL_CURVE_BIN", ROOT / "target/curve/debug/sentinel")).resolve()
    assert path.is_file(), f"no binary at {path}: {HOW}"
    return path


@pytest.fixture(scope="session")
def failpoints_binary() -> Path:
    """The binary that can be told where to die: SENTINEL_FAILPOINTS_BIN, or where tests/run.sh builds it."""
    need("curve")
    path = Path(os.environ.get("SENTINEL_FAILPOINTS_BIN", ROOT / "target/curve/debug/sentinel")).resolve()
    assert path.is_file(), f"no binary at {path}: {HOW} --features failpoints"
    return path


@pytest.fixture
def rig(binary, tmp_path):
    """A healthy market and model, gateways on demand; all of it ends with the test."""
    rig = Rig(binary, tmp_path)
    yield rig
    rig.close()


@pytest.fixture(scope="session")
def image() -> str:
    """The image of docker/Dockerfile: SENTINEL_IMAGE, or built from a clean checkout over stand-in base images."""
    return images.build()


@pytest.fixture
def engine():
    """A Docker engine; what the test makes there is removed after it."""
    engine = Engine()
    yield engine
    engine.close()
