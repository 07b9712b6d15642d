"""docker/compose.yaml with Debian's docker-compose: `inf` runs as deployed, and the demo is scraped and sends alerts."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from parts.daemon import wait_until
from parts.engine import docker, writable_places
from parts.image import stand_ins
from parts.paths import ROOT

pytestmark = pytest.mark.engine
DEMO = {"demo", "prometheus", "alertmanager", "grafana"}
GRACE_S = 20
# The only place where Debian's Alertmanager looks for its templates.
TEMPLATES = "/usr/share/prometheus/alertmanager"
@pytest.fixture(scope="module")
def tools(tmp_path_factory) -> dict[str, str]:
    """Images of this machine's programs, like the official ones; compose uses them by these names."""
    debian, _ = stand_ins()
    named = {}
    for name, program in [("prometheus", "prometheus"), ("alertmanager", "prometheus-alertmanager"), ("etcd", "etcd")]:
        context = tmp_path_factory.mktemp(name)
        shutil.copy(shutil.which(program), context / name)
        lines = [f"FROM {debian}", f"COPY {name} /bin/{name}"]
        # The command of compose.yaml names etcd, as its image has no entry point.
        lines += [f'ENTRYPOINT ["/bin/{name}"]'] if name != "etcd" else []
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


def test_the_demo_matches_the_addresses_of_our_configuration(compose):
    """The files contain the addresses of INF and HUB; the demo changes only that of INF."""
    demo = yaml.safe_load(compose("config", profile="demo"))["services"]
    prometheus = yaml.safe_load((ROOT / "config/monitoring/prometheus.yml").read_text())
    jobs = {job["job_name"]: [part["targets"] for part in job["static_configs"]] for job in prometheus["scrape_configs"]}
    [[scraped]] = jobs.pop("sentinel-metrics")
    # The three share a network stack, so Prometheus and Alertmanager have the same addresses as on HUB.
    assert jobs == {"sentinel-prometheus": [["localhost:9090"]], "sentinel-alertmanager": [["localhost:9093"]]}
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
    """Starts the market in the daemon's container. The metrics after the first fetch."""
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
    # Only on IPv4, and the console only on the host's loopback.
    ports = [f"8000/tcp -> 0.0.0.0:{compose.port}", "8001/tcp -> 127.0.0.1:8001", ""]
    assert docker("port", sentinel.name).stdout.split("\n") == ports
    assert [(limit["Name"], limit["Hard"], limit["Soft"]) for limit in host["Ulimits"]] == [("core", 0, 0)]

    os.kill(sentinel.pid, signal.SIGKILL)
    wait_until("a new start", lambda: sentinel.inspect()["RestartCount"] == 1 and sentinel.pid, 30)
    start_market(sentinel)
    sentinel.after_cycles(1, 60)
    compose("exec", "-T", "sentinel", "sentinel", "verify", "inf", "--wait", "30", profile=None)
    compose("stop", "sentinel", profile=None)
    assert sentinel.exit_code == 0
    # A backup, with the commands of docker/README.md.
    docker("cp", f"{sentinel.name}:/var/lib/sentinel", str(tmp_path / "backup"))
    with sqlite3.connect(tmp_path / "backup/journal.db") as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        [[decisions]] = copy.execute("SELECT count(*) FROM decisions").fetchall()
        assert decisions >= 2
    copy.close()
    # Restoring it, with the commands of docker/README.md.
    readme = (ROOT / "docker/README.md").read_text()
    [command] = [line for line in readme.splitlines() if line.startswith("docker run --rm -u 0 ")]
    command = command.replace("docker_journal", f"{compose.project}_journal").replace("$PWD", str(tmp_path))
    command = command.replace(" sentinel -c", f" {compose.env['SENTINEL_IMAGE']} -c")
    assert not subprocess.run(["bash", "-c", command], timeout=60).returncode
    compose("start", "sentinel", profile=None)
    sentinel.after_cycles(1, 60)


def test_no_network_uses_addresses_of_inf(compose):
    """docker-compose 1.29 creates the networks of all profiles, whichever is started."""
    for profile in ("inf", "demo"):
        assert "networks" not in yaml.safe_load(compose("config", profile=profile))


def test_the_example_file_for_live_mode_works(compose):
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


# In place of EODHD.
MARKET = """
services:
  market:
    image: ${SENTINEL_IMAGE}
    profiles: [pair]
    network_mode: "service:etcd"
    command: ["sandbox", "market"]
  member-1: {environment: {SENTINEL__DATA__BASE_URL: "http://127.0.0.1:8081"}}
  member-2: {environment: {SENTINEL__DATA__BASE_URL: "http://127.0.0.1:8081"}}
"""


def test_the_commands_for_the_pair_work_as_written(compose, tools):
    compose.env |= tools
    (compose.directory / "market.yaml").write_text(MARKET)
    files = ("docker/compose.yaml", "market.yaml")
    readme = (ROOT / "docker/README.md").read_text()
    block = readme[readme.index("--profile pair up -d") :].split("```")[0]
    words = [line.split("#")[0].split() for line in ("docker-compose -f docker/compose.yaml " + block).splitlines()]
    assert len(words) == 6 and [words[0][-2:], words[4][-2:]] == [["up", "-d"], ["kill", "member-2"]]

    def run(number: int) -> str:
        command = words[number]
        if command[0] != "docker-compose":
            asked = " ".join(command).replace(":9090", f":{compose.env['PROMETHEUS_PORT']}")
            return subprocess.run(asked, shell=True, capture_output=True, text=True, timeout=30).stdout
        return compose(*with_no_terminal(command[3:]), profile=None, files=files)

    run(0)
    wait_until("a member", lambda: "2 of 2 members live" in status(run), 60)
    assert "HALTED" in status(run) and "the halt of" in run(1) and "HALTED" not in run(2)
    wait_until("each owns eight", lambda: status(run).count(" 8 shards: ") == 2, 150)
    wait_until("both are scraped", lambda: ups(run(3)) == {"member-1": "1", "member-2": "1"}, 90)
    run(4)
    wait_until("member-1 has all", lambda: " 16 shards: " in status(run), 30)
    wait_until("the dead one is missed", lambda: ups(run(3)) == {"member-1": "1", "member-2": "0"}, 90)
    run(5)
    assert not docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={compose.project}").stdout


def with_no_terminal(command: list[str]) -> list[str]:
    """`exec` needs a terminal unless it is told otherwise."""
    return [word for given in command for word in ((given, "-T") if given == "exec" else (given,))]


def status(run) -> str:
    """What `sentinel cluster status` says; empty while it cannot."""
    try:
        return run(2)
    except AssertionError:
        return ""


def ups(answer: str) -> dict[str, str]:
    """Prometheus's answer: `up` of each member."""
    found = json.loads(answer)["data"]["result"] if answer else []
    return {sample["metric"]["instance"]: sample["value"][1] for sample in found if "member" in sample["metric"]["instance"]}
