"""The image of docker/Dockerfile, built unmodified from two base images; and a search through its contents.

`python -m parts.image FILE` builds it and writes its tag into the file.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from parts.engine import docker, must_answer
from parts.paths import ROOT
from parts.tables import keep

TAG = "sentinel-test/sentinel:built"
REVISION = "0ff1c1a"
# A fake secret, in the environment of every build and in every file that may contain a secret.
CANARY = "CANARY-2c9d41e7"
SECRET_FILES = [".env", ".git/config", "docker/.env", "docker/secrets/eodhd_api_token"]
SECRET_FILES += ["config/sentinel.key_secret", "config/local.toml"]


def stand_ins() -> tuple[str, str]:
    """The Debian and the Rust base image: SENTINEL_DEBIAN_IMAGE and SENTINEL_RUST_IMAGE, or the stand-ins."""
    named = os.environ.get("SENTINEL_DEBIAN_IMAGE"), os.environ.get("SENTINEL_RUST_IMAGE")
    if all(named):
        return named
    made = subprocess.run(["bash", ROOT / "tests/engine/stand_ins.sh"], stdout=subprocess.PIPE, text=True)
    assert made.returncode == 0, "the stand-in images cannot be made"
    debian, rust = made.stdout.split()
    return named[0] or debian, named[1] or rust


def checkout(directory: Path):
    """A clean checkout of the working tree, with secrets in files that must not get into the image."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if not (ROOT / name).is_file():
            continue
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, directory / name)
    # As with a strict umask. The daemon runs as another user and must be able to read the file in the image.
    (directory / "config/production.toml").chmod(0o600)
    for name in SECRET_FILES:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(CANARY)


def build() -> str:
    """The tag of the image. SENTINEL_IMAGE names an existing image."""
    must_answer()
    if image := os.environ.get("SENTINEL_IMAGE"):
        return image
    began = time.monotonic()
    debian, rust = stand_ins()
    ready = time.monotonic()
    with tempfile.TemporaryDirectory() as context:
        checkout(Path(context))
        args = [f"RUST_IMAGE={rust}", f"DEBIAN_IMAGE={debian}", f"REVISION={REVISION}"]
        command = ["build", "--force-rm", "-f", "docker/Dockerfile", "-t", TAG, *(f"--build-arg={arg}" for arg in args), "."]
        env = os.environ | {"DOCKER_BUILDKIT": "0", "EODHD_API_TOKEN": CANARY}
        docker(*command, timeout_s=1800, cwd=context, env=env)
    took = f"stand-in images {ready - began:.0f} s, docker build {time.monotonic() - ready:.0f} s"
    keep("image", f"{took}, image {size(TAG) / 1e6:.1f} MB of which the base is {size(debian) / 1e6:.1f} MB")
    return TAG


def inspect(image: str) -> dict:
    """The output of `docker image inspect`."""
    return json.loads(docker("image", "inspect", image).stdout)[0]


def size(image: str) -> int:
    """The size of all its layers in bytes."""
    return inspect(image)["Size"]


class Saved:
    """`docker save`: the image as it would be sent to another machine, with every layer and all metadata."""

    def __init__(self, image: str, directory: Path):
        self.path = directory / "image.tar"
        docker("save", "-o", str(self.path), image)

    def texts(self) -> Iterator[tuple[str, bytes]]:
        """Its configuration and history."""
        with tarfile.open(self.path) as outer:
            for member in outer:
                if member.isfile() and not member.name.endswith("layer.tar"):
                    yield member.name, outer.extractfile(member).read()

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The name and content of every file of every layer, including files that a later layer removes."""
        with tarfile.open(self.path) as outer:
            layers = json.load(outer.extractfile("manifest.json"))[0]["Layers"]
            for layer in layers:
                with tarfile.open(fileobj=io.BytesIO(outer.extractfile(layer).read())) as inner:
                    for member in inner:
                        yield member.name, inner.extractfile(member).read() if member.isfile() else b""

    def secrets(self) -> list[str]:
        """The places of the canary, of private keys, and of files with a suspicious name."""
        found = [f"{name}: the canary" for name, text in self.texts() if CANARY.encode() in text]
        for name, content in self.files():
            if CANARY.encode() in content:
                found.append(f"{name}: the canary")
            # A library may contain keys for its self-test; Debian's GnuTLS does.
            is_library = re.search(r"\.so(\.|$)", name)
            if not is_library and re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}", content):
                found.append(f"{name}: a private key")
            if re.search(r"(^|/)(\.git|\.ssh|secrets)(/|$)|\.key(_secret)?$|(^|/)id_[a-z0-9]+$|(^|/)\.env$", name):
                found.append(f"{name}: its name")
        return found


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(build())
