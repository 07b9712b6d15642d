"""The image of docker/Dockerfile: its contents, its metadata, and what must not be in it."""

import json
import re
import subprocess
import tomllib

import pytest

from parts.engine import docker
from parts.image import CANARY, REVISION, Saved, inspect, size, stand_ins
from parts.paths import ROOT

pytestmark = pytest.mark.engine
# Of the binary, 1.1 MB is libstdc++, linked statically. A few percent above what it has, so that a library too much is noticed.
BINARY_BYTES_MAX, ADDED_BYTES_MAX = 14_600_000, 30_000_000


@pytest.fixture(scope="module")
def binary_inside(image, tmp_path_factory) -> bytes:
    """The binary, copied out of the image."""
    path = tmp_path_factory.mktemp("image") / "sentinel"
    name = docker("create", image).stdout.strip()
    try:
        docker("cp", f"{name}:/usr/local/bin/sentinel", str(path))
    finally:
        docker("rm", "-v", name)
    return path.read_bytes()


def test_it_adds_little_to_its_base(image, binary_inside):
    base, _ = stand_ins()
    added = size(image) - size(base)
    print(f"binary {len(binary_inside) / 1e6:.2f} MB, added to the base {added / 1e6:.1f} MB")
    assert inspect(image)["RootFS"]["Layers"][0] == inspect(base)["RootFS"]["Layers"][0]
    assert len(binary_inside) < BINARY_BYTES_MAX
    assert b".symtab" not in binary_inside, "the binary is not stripped"
    assert len(binary_inside) < added < ADDED_BYTES_MAX


def test_its_labels_describe_it(image):
    config = inspect(image)["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())
    workspace = package["workspace"]["package"]
    assert labels["version"] == workspace["version"]
    assert labels["licenses"] == workspace["license"]
    assert labels["title"] == package["package"]["name"]
    assert labels["description"] == package["package"]["description"]
    assert labels["revision"] == REVISION


def test_it_starts_with_the_settings_of_inf(image):
    config = inspect(image)["Config"]
    assert (config["User"], config["StopSignal"]) == ("65532:65532", "SIGINT")
    assert config["WorkingDir"] == "/var/lib/sentinel" and list(config["Volumes"]) == ["/var/lib/sentinel"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    assert config["Entrypoint"] == ["sentinel"]
    assert config["Cmd"] == ["run", "--config", "/etc/sentinel/production.toml"]
    assert config["Healthcheck"]["Test"][:3] == ["CMD", "sentinel", "healthcheck"]


def test_its_settings_are_those_of_the_repository(image, engine):
    for name in ("base.toml", "production.toml"):
        read = engine.once(image, f"/etc/sentinel/{name}", options=["--entrypoint=cat"])
        assert read.stdout == (ROOT / "config" / name).read_text()


def test_it_contains_the_licence_texts(image, engine):
    read = engine.once(image, "/usr/share/doc/sentinel/THIRD-PARTY-NOTICES", options=["--entrypoint=cat"])
    assert read.stdout.count("\nOf ") > 50 and "As a special exception, copyright holders" in read.stdout
    for crate in ("actix-web", "rusqlite", "rustls", "zmq"):
        assert re.search(rf"^{crate} \d\S*  \S", read.stdout, re.MULTILINE), crate


def test_its_demo_is_reachable_by_a_published_port(image):
    assert "SENTINEL_DEMO_BIND=0.0.0.0" in inspect(image)["Config"]["Env"]


def test_both_base_images_can_be_named_by_digest():
    """Each FROM is only an argument, so NAME@sha256:... works like NAME:TAG."""
    text = (ROOT / "docker/Dockerfile").read_text()
    assert re.findall(r"^FROM (.*)$", text, re.MULTILINE) == ["${RUST_IMAGE} AS builder", "${DEBIAN_IMAGE}"]


def test_it_has_root_certificates(image, engine):
    read = engine.once(image, "/etc/ssl/certs/ca-certificates.crt", options=["--entrypoint=cat"])
    assert read.stdout.count("BEGIN CERTIFICATE") > 50


def test_it_builds_the_dependencies_first():
    text = (ROOT / "docker/Dockerfile").read_text()
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    assert f"ARG RUST_IMAGE=rust:{version}-bookworm\n" in text and "ARG DEBIAN_IMAGE=debian:bookworm-slim\n" in text
    assert text.index("build --profile dist --locked") < text.index("COPY src/ src/")
    assert text.count("--locked") == 2


def test_it_contains_no_secret(image, tmp_path):
    assert Saved(image, tmp_path).secrets() == []


def test_a_secret_that_a_later_layer_removes_would_be_found(image, tmp_path):
    context = tmp_path / "context"
    context.mkdir()
    (context / "token").write_text(CANARY)
    lines = [f"FROM {image}", "COPY token /etc/sentinel/token", "USER 0", 'RUN ["/bin/rm", "/etc/sentinel/token"]']
    (context / "Dockerfile").write_text("\n".join(lines))
    tag = "sentinel-test/leaky:built"
    docker("build", "--force-rm", "-t", tag, ".", cwd=context)
    try:
        assert Saved(tag, tmp_path).secrets() == ["etc/sentinel/token: the canary"]
    finally:
        docker("image", "rm", tag)


def test_it_has_curve(image, engine):
    checked = engine.once(image, "check", options=["-e", "EODHD_API_TOKEN=test-token"])
    assert checked.returncode == 0, checked.stderr
    assert ", with CURVE." in checked.stdout


@pytest.mark.parametrize(
    "setting, words",
    [
        ("LANG=C", "api_token"),
        (f"SENTINEL__DATA__TYPO={CANARY}", "data.typo"),
        ("METRICS_PORT=99999", "metrics.port"),
    ],
    ids=["no token", "a key that does not exist", "a port that does not exist"],
)
def test_unusable_settings_end_it_with_64(image, engine, setting, words):
    ended = engine.once(image, options=["--read-only", "--cap-drop=ALL", "-e", setting])
    assert ended.returncode == 64
    assert words in ended.stderr and CANARY not in ended.stderr


def test_it_can_verify_inf_and_hub(image, engine):
    demo = engine.run(image, "demo", "--cycle-seconds", "1", options=["--tmpfs=/tmp:mode=1777"])
    metrics = demo.after_cycles(200, 60)
    [built] = metrics.all("build_info")
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert dict(built) | {"rustc": ""} == {"version": version, "revision": REVISION, "rustc": ""}
    verdict = demo.exec("sentinel", "verify", "inf", "--hub", "127.0.0.1", "--wait", "30", "--json", check=False)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    checks = {check["name"] for check in json.loads(verdict.stdout)["checks"]}
    assert {"process", "port", "metrics", "families", "cycles"} <= checks
    helped = engine.once(image, "verify", "hub", "--help")
    assert helped.returncode == 0 and "Prometheus" in helped.stdout


def test_the_build_uses_only_files_from_git():
    """Every file that the Dockerfile copies is in the build context, and no other file is."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    listed = subprocess.run(["git", "ls-files", *allowed], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    names = listed.stdout.split()
    for name in allowed:
        assert any(found == name or found.startswith(f"{name}/") for found in names), f"{name} is let through for nothing"
