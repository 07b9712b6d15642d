"""Fixtures of the system tests: the binary, and a harness of scripted parts around it."""

import os
from pathlib import Path

import pytest

from parts import image as images
from parts.certificates import CertificateAuthority
from parts.compose import Compose
from parts.engine import Engine
from parts.harness import Harness
from parts.paths import ROOT
from parts.requirements import require
from parts.sandbox import Sandbox
from parts.secured_daemon import SecuredDaemon

# About a minute and more each, by their length, but those of etcd, which mostly wait, not all at once: the others need the cores.
LONGEST_FILES = """cluster_faults shared console_page alerts cluster alerts_delivery answer_matching own_model cluster_machines flood
    container_network compose dashboard console_api study pnl verify_hub demo""".split()
HOW = "CARGO_TARGET_DIR=target/curve cargo --config docker/curve.toml build"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]):
    """The longest files first: side by side, the run then ends when all of its work has ended. A test that needs a binary of its
    own is a long one: building it takes minutes."""
    places = {f"test_{name}": place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
    for item in items:
        if {"curve_binary", "failpoints_binary"} & set(item.fixturenames):
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def binary() -> Path:
    """The binary under test: SENTINEL_BIN, or the debug build."""
    path = Path(os.environ.get("SENTINEL_BIN", ROOT / "target/debug/sentinel")).resolve()
    assert path.is_file(), f"no binary at {path}: cargo build"
    return path


@pytest.fixture(scope="session")
def curve_binary() -> Path:
    """The binary that links Debian's libzmq: SENTINEL_CURVE_BIN, or where tests/run.sh builds it."""
    require("curve")
    path = Path(os.environ.get("SENTINEL_CURVE_BIN", ROOT / "target/curve/debug/sentinel")).resolve()
    assert path.is_file(), f"no binary at {path}: {HOW}"
    return path


@pytest.fixture(scope="session")
def failpoints_binary() -> Path:
    """The binary with fail points: SENTINEL_FAILPOINTS_BIN, or where tests/run.sh builds it."""
    require("curve")
    path = Path(os.environ.get("SENTINEL_FAILPOINTS_BIN", ROOT / "target/curve/debug/sentinel")).resolve()
    assert path.is_file(), f"no binary at {path}: {HOW} --features failpoints"
    return path


@pytest.fixture
def harness(binary, tmp_path):
    """A healthy market and model, and gateways on demand. All of it ends with the test."""
    harness = Harness(binary, tmp_path)
    yield harness
    harness.close()


@pytest.fixture
def reachable_folder(tmp_path) -> Path:
    """The test's folder, which other users can reach but not write to."""
    require("root")
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    return tmp_path


@pytest.fixture
def sandbox(binary, tmp_path):
    """The binary's own market, model and gateway, as three processes."""
    sandbox = Sandbox(binary, tmp_path / "sandbox")
    yield sandbox
    sandbox.close()


@pytest.fixture
def authority(tmp_path) -> CertificateAuthority:
    """A certificate authority of the test's own."""
    return CertificateAuthority(tmp_path, "ours")


@pytest.fixture
def secured(harness, tmp_path) -> SecuredDaemon:
    """A daemon behind a web-config file. Only its authority and its certificate exist; the test writes the file and starts it."""
    return SecuredDaemon(harness, tmp_path)


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory):
    """A real MLflow server; one for all tests of a file, because it takes seconds to start."""
    from parts.mlflow_server import MlflowServer

    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def image() -> str:
    """The image of docker/Dockerfile: SENTINEL_IMAGE, or built from a clean checkout over stand-in base images."""
    return images.build()


@pytest.fixture
def compose(image, tmp_path):
    """A project of docker/compose.yaml, removed after the test."""
    compose = Compose(image, tmp_path)
    yield compose
    compose.close()


@pytest.fixture
def engine():
    """A Docker engine. Everything that the test creates there is removed after it."""
    engine = Engine()
    yield engine
    engine.close()
