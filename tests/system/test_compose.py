"""docker/compose.yaml by Debian's docker-compose: `inf` runs as deployed, and the demo is scraped and alerts."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from parts.daemon import free_port, wait_until
from parts.engine import Container, docker, writable_places
from parts.image import ROOT, stand_ins

pytestmark = pytest.mark.engine
DEMO = {"demo", "prometheus", "alertmanager", "grafana"}
GRACE_S = 20
# Where Debian's Alertmanager looks for its own, and nowhere else.
TEMPLATES = "/usr/share/prometheus/alertmanager"
# What stands for HUB, beside the file as it is deployed. A market beyond loopback is asked over TLS only, so the one that stands
# for EODHD is a second process of the daemon's container.
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
    """One project: docker-compose.yaml and what it needs, copied as an operator has them."""

    def __init__(self, image: str, directory: Path):
        self.directory, self.port = directory, free_port()
        self.project = f"sentinel-test-{uuid.uuid4().hex[:8]}"
        self.env = os.environ | {"SENTINEL_IMAGE": image, "SENTINEL_PORT": str(self.port)}
        self.env |= {"SENTINEL_CONTAINER": f"{self.project}-sentinel"}
        self.env |= {f"{name}_PORT": str(free_port()) for name in ("PROMETHEUS", "ALERTMANAGER", "GRAFANA")}
        for name in ("docker/compose.yaml", "docker/inf.env", "docker/Dockerfile"):
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
        """Runs it; fails with its own words."""
        named = [word for name in files for word in ("-f", name)]
        # Only `up` takes a profile; the others are given a service, as the README gives it.
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
        """Shows what was said, and removes all of it."""
        label = f"label=com.docker.compose.project={self.project}"
        for name in docker("ps", "-aq", "--filter", label).stdout.split():
            said = docker("logs", "--tail=15", name, check=False)
            print(f"--- {name}\n{said.stdout[-3000:]}{said.stderr[-3000:]}")
            docker("rm", "-fv", name)
        for kind in ("network", "volume"):
            for name in docker(kind, "ls", "-q", "--filter", label).stdout.split():
                docker(kind, "rm", name)


@pytest.fixture
def compose(image, tmp_path):
    """A project of its own."""
    compose = Compose(image, tmp_path)
    yield compose
    compose.close()


@pytest.fixture(scope="module")
def tools(tmp_path_factory) -> dict[str, str]:
    """This machine's Prometheus and Alertmanager in images like the official ones; compose takes them by these names."""
    debian, _ = stand_ins()
    named = {}
    for name, program in [("prometheus", "prometheus"), ("alertmanager", "prometheus-alertmanager")]:
        context = tmp_path_factory.mktemp(name)
        shutil.copy(shutil.which(program), context / name)
        lines = [f"FROM {debian}", f"COPY {name} /bin/{name}", f'ENTRYPOINT ["/bin/{name}"]']
        if name == "alertmanager":
            shutil.copytree(TEMPLATES, context / "templates")
            lines.append(f"COPY templates {TEMPLATES}")
        (context / "Dockerfile").write_text("\n".join(lines))
        named[f"{name.upper()}_IMAGE"] = tag = f"sentinel-test/{name}:built"
        docker("build", "-t", tag, ".", cwd=context, env=os.environ | {"DOCKER_BUILDKIT": "0"})
    return named


def test_both_profiles_are_valid(compose):
    inf = yaml.safe_load(compose("config"))
    assert inf["services"]["sentinel"]["profiles"] == ["inf"]
    demo = yaml.safe_load(compose("config", profile="demo"))["services"]
    assert {name for name, service in demo.items() if service["profiles"] == ["demo"]} == DEMO
    for service in demo.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert not source.startswith("/") or Path(source).is_file(), mount


def test_the_demo_is_where_our_own_configuration_looks(compose):
    """Its files name addresses of INF and HUB; that of INF alone is another one here."""
    demo = yaml.safe_load(compose("config", profile="demo"))["services"]
    prometheus = yaml.safe_load((ROOT / "config/monitoring/prometheus.yml").read_text())
    [[[scraped]]] = [[part["targets"] for part in job["static_configs"]] for job in prometheus["scrape_configs"]]
    assert f"sed s/{scraped}/demo:8000/ " in demo["prometheus"]["entrypoint"][-1]
    assert prometheus["rule_files"] == ["alerts.yml"]
    assert any(mount.endswith(":/tmp/alerts.yml:ro") for mount in demo["prometheus"]["volumes"])
    managers = prometheus["alerting"]["alertmanagers"]
    [[[alerting]]] = [[part["targets"] for part in manager["static_configs"]] for manager in managers]
    grafana = ROOT / "config/monitoring/grafana/provisioning/datasources/sentinel.yml"
    asked = yaml.safe_load(grafana.read_text())["datasources"][0]["url"]
    assert (alerting, asked) == ("localhost:9093", "http://localhost:9090")
    assert demo["alertmanager"]["network_mode"] == demo["grafana"]["network_mode"] == "service:prometheus"


def start_market(sentinel):
    """The market, in the daemon's own container; the metrics once it has fetched from it."""
    docker("exec", "-d", sentinel.name, "sentinel", "sandbox", "market", "--bind", "127.0.0.1")
    return sentinel.wait_metrics("bars", lambda seen: seen("last_bar_timestamp_seconds", symbol="EURUSD") > 0, 60)


def test_the_inf_profile_runs_as_deployed(compose, tmp_path):
    both = ("docker/compose.yaml", "outside.yaml")
    compose("up", "-d", "--no-build", "model", files=both)
    wait_until("the model", lambda: "model on" in compose.container("model").logs(), 60)
    compose("up", "-d", "--no-build", "sentinel", files=both)
    sentinel = compose.container("sentinel")
    fetched = start_market(sentinel)
    failed, cycles = fetched("trading_cycles_failed_total"), int(fetched("trading_cycles_total"))
    sentinel.after_cycles(cycles + 2, 60)
    sentinel.wait_health("healthy", 60)
    metrics = sentinel.metrics()
    assert metrics("trading_cycles_failed_total") == failed and metrics.sum("orders_total") == 0

    host = sentinel.inspect()["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (2**28, 2**28, 500_000_000, 64)
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    config = sentinel.inspect()["Config"]
    assert (config["User"], config["StopTimeout"]) == ("65532:65532", GRACE_S)
    assert writable_places(sentinel) == ["/var/lib/sentinel"]
    assert "test-token" not in json.dumps(sentinel.inspect()) + sentinel.logs()
    assert sentinel.exec("touch", "/run/secrets/eodhd_api_token", check=False).returncode != 0
    # On IPv4 alone.
    assert docker("port", sentinel.name).stdout.split("\n") == [f"8000/tcp -> 0.0.0.0:{compose.port}", ""]
    assert [(limit["Name"], limit["Hard"], limit["Soft"]) for limit in host["Ulimits"]] == [("core", 0, 0)]

    os.kill(sentinel.pid, signal.SIGKILL)
    wait_until("a new start", lambda: sentinel.inspect()["RestartCount"] == 1 and sentinel.pid, 30)
    start_market(sentinel)
    sentinel.after_cycles(1, 60)
    compose("exec", "-T", "sentinel", "sentinel", "verify", "inf", "--wait", "30", profile=None)
    compose("stop", "sentinel", profile=None)
    assert sentinel.exit_code == 0
    # A backup, as the README makes it.
    docker("cp", f"{sentinel.name}:/var/lib/sentinel", str(tmp_path / "backup"))
    with sqlite3.connect(tmp_path / "backup/journal.db") as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        [[decisions]] = copy.execute("SELECT count(*) FROM decisions").fetchall()
        assert decisions >= 2
    copy.close()
    # And back again, as the README does it.
    readme = (ROOT / "README.md").read_text()
    [command] = [line for line in readme.splitlines() if line.startswith("docker run --rm -u 0 ")]
    command = command.replace("docker_journal", f"{compose.project}_journal").replace("$PWD", str(tmp_path))
    command = command.replace(" sentinel -c", f" {compose.env['SENTINEL_IMAGE']} -c")
    assert not subprocess.run(["bash", "-c", command], timeout=60).returncode
    compose("start", "sentinel", profile=None)
    sentinel.after_cycles(1, 60)


def test_no_network_of_the_file_has_addresses_that_inf_may_have(compose):
    """docker-compose 1.29 makes the networks of all profiles, whichever is started."""
    for profile in ("inf", "demo"):
        assert "networks" not in yaml.safe_load(compose("config", profile=profile))


def test_live_mode_with_curve_is_a_second_file_as_the_first_one_shows(compose):
    lines = (ROOT / "docker/compose.yaml").read_text().splitlines()
    begin = lines.index("#   services:")
    end = next(n for n in range(begin, len(lines)) if lines[n] == "#")
    local = "\n".join(line.removeprefix("#   ") for line in lines[begin:end])
    (compose.directory / "docker/local.yaml").write_text(local)
    merged = yaml.safe_load(compose("config", files=("docker/compose.yaml", "docker/local.yaml")))
    sentinel = merged["services"]["sentinel"]
    assert "--live" in sentinel["command"] and sentinel["read_only"]
    files = {name: value for name, value in sentinel["environment"].items() if name.endswith("_FILE")}
    mounted = {secret["source"] for secret in sentinel["secrets"]}
    assert len(files) == 4 and {path.removeprefix("/run/secrets/") for path in files.values()} == mounted
    assert mounted == set(merged["secrets"])


def test_the_demo_profile_is_scraped_and_its_alerts_arrive(compose, tools):
    compose.env |= tools
    compose("up", "-d", "--no-build", "demo", "prometheus", "alertmanager", profile="demo")
    demo, prometheus = compose.container("demo"), compose.container("prometheus")
    assert demo.after_cycles(50, 60)("orders_total", outcome="filled") > 0

    def ask(path: str, port: int = 9090):
        try:
            status, body = prometheus.get(path, port)
        except OSError:
            return None
        return json.loads(body) if status == 200 else None

    def value(expression: str) -> float:
        found = (ask(f"/api/v1/query?query={quote(expression)}") or {"data": {"result": []}})["data"]["result"]
        return float(found[0]["value"][1]) if found else 0

    wait_until("a scrape", lambda: value('sentinel_trading_cycles_total{instance="inf-sentinel"}') >= 200, 90)
    watchdog = {"alertname": "SentinelWatchdog"}
    wait_until(
        "the watchdog at Alertmanager",
        lambda: any(watchdog.items() <= alert["labels"].items() for alert in ask("/api/v2/alerts", 9093) or []),
        90,
    )
    compose("stop", profile="demo")
    assert demo.exit_code == 0
