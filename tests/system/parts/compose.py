"""A project of docker/compose.yaml, run by Debian's docker-compose as an operator runs it."""

import os
import subprocess
import uuid
from pathlib import Path

from parts.daemon import free_port
from parts.engine import Container, docker
from parts.paths import ROOT

# A model server for HUB, in addition to the deployed file. Sentinel requires TLS for a market on another machine, so the market
# runs as a second process in the daemon's container.
OUTSIDE = """
services:
  model:
    image: ${SENTINEL_IMAGE}
    profiles: [inf]
    command: ["sandbox", "model", "--bind", "0.0.0.0"]
"""
INF = """
SENTINEL__DATA__BASE_URL=http://127.0.0.1:8081
SENTINEL__MODEL__HOST=model
SENTINEL__MODEL__PORT=5001
SENTINEL__SCHEDULE__CLOCK=bars
SENTINEL__JOURNAL__NEW=trade
SENTINEL__SCHEDULE__CRON=* * * * * *
"""


class Compose:
    """One project: compose.yaml and its files, copied as an operator has them."""

    def __init__(self, image: str, directory: Path):
        self.directory, self.port = directory, free_port()
        self.project = f"sentinel-test-{uuid.uuid4().hex[:8]}"
        self.env = os.environ | {"SENTINEL_IMAGE": image, "SENTINEL_PORT": str(self.port)}
        self.env |= {"SENTINEL_CONTAINER": f"{self.project}-sentinel"}
        self.env |= {f"{name}_PORT": str(free_port()) for name in ("PROMETHEUS", "ALERTMANAGER", "GRAFANA")}
        for name in ("docker/compose.yaml", "docker/inf.env", "docker/Dockerfile", "docker/prometheus-pair.yml"):
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).write_bytes((ROOT / name).read_bytes())
        (directory / "docker/inf.env").open("a").write(INF)
        secret = directory / "docker/secrets/eodhd_api_token"
        secret.parent.mkdir()
        secret.write_text("test-token")
        secret.chmod(0o400)
        os.chown(secret, 65532, 65532)
        (directory / "outside.yaml").write_text(OUTSIDE)
        (directory / "config").symlink_to(ROOT / "config")

    def __call__(self, *args: str, profile: str | None = "inf", files: tuple[str, ...] = ("docker/compose.yaml",)) -> str:
        """Runs docker-compose. Fails with its output."""
        named = [word for name in files for word in ("-f", name)]
        # Only `up` takes a profile; the other commands get a service, as in docker/README.md.
        chosen = ["--profile", profile] if profile else []
        command = ["docker-compose", "-p", self.project, *named, *chosen, *args]
        done = subprocess.run(command, cwd=self.directory, env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-3000:]}"
        return done.stdout

    def container(self, service: str) -> Container:
        """The container of a service."""
        label = f"label=com.docker.compose.project={self.project}"
        found = docker("ps", "-aq", "--filter", label, "--filter", f"label=com.docker.compose.service={service}")
        return Container(found.stdout.strip())

    def close(self):
        """Prints the containers' output, and removes everything."""
        label = f"label=com.docker.compose.project={self.project}"
        for name in docker("ps", "-aq", "--filter", label).stdout.split():
            said = docker("logs", "--tail=15", name, check=False)
            print(f"--- {name}\n{said.stdout[-3000:]}{said.stderr[-3000:]}")
            docker("rm", "-fv", name)
        for kind in ("network", "volume"):
            for name in docker(kind, "ls", "-q", "--filter", label).stdout.split():
                docker(kind, "rm", name)
